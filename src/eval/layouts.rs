//! How published data sets lay out their folders.

use super::pairing::{holds_both, holds_clear};
use crate::model::Task;
use std::path::{Path, PathBuf};

/// Two folders side by side.
pub(super) struct Layout {
    input: &'static str,
    target: &'static str,
    /// The task that it is for, where its names tell.
    pub task: Option<Task>,
    /// How many folders a scene of the data set lies below it; none where the data set has no scenes.
    pub scenes: usize,
    of: &'static str,
}

const fn layout(input: &'static str, target: &'static str, task: Option<Task>, of: &'static str) -> Layout {
    Layout { input, target, task, scenes: 0, of }
}

const LAYOUTS: &[Layout] = &[
    layout("hazy", "gt", Some(Task::Dehaze), "RESIDE/SOTS"),
    layout("hazy", "clear", Some(Task::Dehaze), "RESIDE/SOTS outdoor"),
    layout("ITS_haze", "ITS_clear", Some(Task::Dehaze), "RESIDE/ITS"),
    layout("synthetic", "original", Some(Task::Dehaze), "RESIDE/HSTS"),
    Layout { scenes: 1, ..layout("blur", "sharp", Some(Task::Deblur), "GoPro") },
    Layout { scenes: 2, ..layout("real_blur", "gt", Some(Task::Deblur), "RSBlur") },
    Layout { scenes: 2, ..layout("blur", "gt", Some(Task::Deblur), "RSBlur") },
    layout("inputc", "target", Some(Task::Defocus), "DPDD"),
    layout("source", "target", Some(Task::Defocus), "DPDD"),
    layout("snow", "gt", Some(Task::Desnow), "CSD"),
    layout("synthetic", "gt", Some(Task::Desnow), "Snow100K"),
    layout("rain", "norain", Some(Task::Derain), "Rain100"),
    layout("rainy", "norain", Some(Task::Derain), "Rain100"),
    layout("rainy", HERE, Some(Task::Derain), "Rain100, its norain-*"),
    layout("input", "target", None, "Rain100, Test100, and any folder named after a task"),
];

/// The folder that holds the other one.
const HERE: &str = ".";

/// All of them, for people.
pub(super) fn known() -> String {
    let layouts = LAYOUTS.iter().map(|layout| format!("{}/ and {}/ ({})", layout.input, layout.target, layout.of));
    layouts.collect::<Vec<_>>().join(", ")
}

/// The layout of a folder, and its two folders as they are spelt.
pub(super) fn known_layout(entry: &walkdir::DirEntry) -> Option<(&'static Layout, [PathBuf; 2])> {
    if !entry.file_type().is_dir() {
        return None;
    }
    let children = std::fs::read_dir(entry.path()).ok()?.flatten().map(|child| child.path());
    let folders: Vec<PathBuf> = children.filter(|path| path.is_dir()).collect();
    let named = |name: &str| {
        folders.iter().find(|path| path.file_name().is_some_and(|found| found.eq_ignore_ascii_case(name))).cloned()
    };
    let here = entry.path().to_owned();
    let known = LAYOUTS.iter().find_map(|layout| {
        let target =
            if layout.target == HERE { holds_clear(&here).then(|| here.clone()) } else { named(layout.target) };
        Some((layout, [named(layout.input)?, target?]))
    });
    let both = || holds_both(&here).then(|| (&IN_ONE, [here.clone(), here.clone()]));
    known.or_else(both)
}

/// Degraded pictures and their ground truths in one folder.
const IN_ONE: Layout = layout("rain-*", "norain-*", Some(Task::Derain), "Rain100");

/// Names of folders that are a data set by themselves, whatever lies beside them.
const SPLITS: &[&str] = &["train", "test", "val", "valid", "validation"];

/// The folder of the data set that a scene so many levels below it belongs to.
pub(super) fn whole_of<'a>(root: &'a Path, scene: &'a Path, levels: usize) -> &'a Path {
    let mut folder = scene;
    for _ in 0..levels {
        let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        if folder == root || SPLITS.contains(&name.as_str()) {
            break;
        }
        folder = folder.parent().unwrap_or(folder);
    }
    folder
}

//! Which ground truth belongs to which degraded picture, by their names.

use crate::photo::Format;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// A degraded picture and what it should have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The degraded picture's path below its data set, for tables.
    pub name: String,
    /// The degraded picture.
    pub input: PathBuf,
    /// The ground truth.
    pub target: PathBuf,
    /// What another method made of it, if that is to be measured too.
    pub baseline: Option<PathBuf>,
}

/// What two folders came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Paired {
    pub pairs: Vec<Pair>,
    /// Degraded pictures without a ground truth.
    pub without_target: Vec<PathBuf>,
    /// Ground truths that no degraded picture belongs to.
    pub unused_targets: Vec<PathBuf>,
}

/// Pairs the pictures in `input` and below with those in `target`, in the order of their names. A picture's target is the
/// one of its name, whatever the ending (the same ending, where several have the name); else the one of its name up to the first `_`, as in RESIDE (`1400_1.png` and
/// `1400.png`); else the one that has `norain` for its `rain`; else the only one, where each folder has one picture.
pub(super) fn pair(root: &Path, input: &Path, target: &Path) -> Paired {
    let (inputs, targets) = (pictures(input), pictures(target));
    let only = match (inputs.len(), targets.keys().next()) {
        (1, Some(key)) if targets.len() == 1 && inputs.values().all(|same| same.len() == 1) => Some(key.clone()),
        _ => None,
    };
    let mut used = HashSet::new();
    let mut paired = Paired::default();
    for (key, path) in inputs.into_iter().flat_map(|(key, same)| same.into_iter().map(move |path| (key.clone(), path)))
    {
        let found = candidates(&key).into_iter().chain(only.clone()).find(|key| targets.contains_key(key));
        let Some(found) = found else {
            paired.without_target.push(path);
            continue;
        };
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let same = &targets[&found];
        let target = same.iter().find(|target| target.extension() == path.extension()).unwrap_or(&same[0]).clone();
        paired.pairs.push(Pair { name, input: path, target: target.clone(), baseline: None });
        used.insert(target);
    }
    paired.unused_targets = targets.into_values().flatten().filter(|target| !used.contains(target)).collect();
    paired
}

/// Gives each pair the picture of its input's name in `folder`, in the same folder below it or directly in it.
pub(super) fn add_baseline(pairs: &mut [Pair], folder: &Path) {
    let baselines = pictures(folder);
    for pair in pairs {
        let Some(stem) = pair.input.file_stem().map(|stem| stem.to_string_lossy().into_owned()) else { continue };
        let below = Path::new(&pair.name).parent().map(Path::to_path_buf).unwrap_or_default();
        let place = [below, PathBuf::new()].into_iter();
        pair.baseline = place.map(|place| (place, stem.clone())).find_map(|key| baselines.get(&key)).map(|same| {
            same.iter().find(|baseline| baseline.extension() == pair.input.extension()).unwrap_or(&same[0]).clone()
        });
    }
}

/// Folder and name without ending, below the folder that was searched.
type Key = (PathBuf, String);

/// The pictures of each key, in the order of their names.
fn pictures(folder: &Path) -> BTreeMap<Key, Vec<PathBuf>> {
    let hidden = |entry: &walkdir::DirEntry| entry.file_name().as_encoded_bytes().starts_with(b".");
    let visible = move |entry: &walkdir::DirEntry| entry.depth() == 0 || !hidden(entry);
    let entries = WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter().filter_entry(visible);
    let files = entries.flatten().filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path);
    let mut all: BTreeMap<Key, Vec<PathBuf>> = BTreeMap::new();
    for path in files.filter(|path| Format::from_path(path).is_some_and(Format::is_read)) {
        let place = path.strip_prefix(folder).ok().and_then(Path::parent).map(Path::to_path_buf);
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        if let (Some(place), Some(stem)) = (place, stem) {
            all.entry((place, stem)).or_default().push(path);
        }
    }
    all
}

fn candidates((place, stem): &Key) -> Vec<Key> {
    let mut stems = vec![stem.clone()];
    stems.extend(stem.split_once('_').map(|(scene, _)| scene.to_owned()));
    stems.extend(stem.strip_prefix("rain").map(|rest| format!("norain{rest}")));
    stems.into_iter().map(|stem| (place.clone(), stem)).collect()
}

//! Data sets, known by the names of their folders.

use super::layouts::{known, known_layout, whole_of};
use super::list::List;
use super::pairing::{self, Pair, Paired, pair};
use super::words;
use crate::model::Task;
use crate::photo::same_file;
use std::path::{Path, PathBuf};
use thiserror::Error;
use walkdir::WalkDir;

/// Degraded pictures with their ground truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSet {
    /// Its folder below the one that was searched, or that folder's name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// What its pictures are to be freed of, where the folders' names tell.
    pub task: Option<Task>,
    /// At least one, unless nothing has a ground truth.
    pub pairs: Vec<Pair>,
    /// Degraded pictures without a ground truth.
    pub without_target: Vec<PathBuf>,
    /// Ground truths that no degraded picture belongs to.
    pub unused_targets: Vec<PathBuf>,
}

/// A folder that is no data set.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum DataSetError {
    /// It isn't there.
    #[error("{}: no such folder", .0.display())]
    NoFolder(PathBuf),
    /// No two folders in it are known.
    #[error(
        "{}: no data set is known here. Folders looked for, at any depth: {}. For any other: --input DIR --target DIR",
        .0.display(),
        known()
    )]
    Unknown(PathBuf),
    /// One folder, without rain-* and norain-* in it.
    #[error("{}: is input and target both; only rain-* and norain-* are told apart in one folder", .0.display())]
    Same(PathBuf),
    /// Neither folder holds pictures.
    #[error("{} and {}: no pictures in them", .0.display(), .1.display())]
    Empty(PathBuf, PathBuf),
}

/// The innermost folder with a telling name counts, from `folder` out to `root`.
fn task_of(root: &Path, folder: &Path) -> Option<Task> {
    let telling = |part: &Path| words::task_of(&part.file_name()?.to_string_lossy());
    let below = folder.ancestors().take_while(|part| *part != root);
    // The root may be spelt without its name: `.`, `..`.
    below.chain(root.canonicalize().ok().as_deref()).find_map(telling)
}

/// Every data set in `root` or below, in the order of their names.
///
/// # Errors
/// When there is none.
pub fn find(root: &Path) -> Result<Vec<DataSet>, DataSetError> {
    if !root.is_dir() {
        return Err(DataSetError::NoFolder(root.to_owned()));
    }
    let mut sets: Vec<DataSet> = Vec::new();
    let mut walk = WalkDir::new(root).follow_links(true).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        let Ok(entry) = entry else { continue };
        let Some((layout, [input, target])) = known_layout(&entry) else { continue };
        // What lies below pictures that are a data set by themselves may be others.
        if input != target {
            walk.skip_current_dir();
        }
        let folder = whole_of(root, entry.path(), layout.scenes);
        let paired = pair(folder, &input, &target);
        match sets.iter_mut().find(|set| layout.scenes > 0 && set.folder == folder) {
            Some(set) => set.add(paired),
            None => {
                sets.push(DataSet::new(root, folder, layout.task.or_else(|| task_of(root, entry.path())), paired));
            }
        }
    }
    if sets.is_empty() { Err(DataSetError::Unknown(root.to_owned())) } else { Ok(sets) }
}

/// The data set of any two folders.
///
/// # Errors
/// When one isn't there, or both are without pictures.
pub fn of_folders(input: &Path, target: &Path) -> Result<DataSet, DataSetError> {
    if let Some(missing) = [input, target].into_iter().find(|folder| !folder.is_dir()) {
        return Err(DataSetError::NoFolder(missing.to_owned()));
    }
    let paired = pair(input, input, target);
    if paired.pairs.is_empty() && same_file(input, target) {
        return Err(DataSetError::Same(input.to_owned()));
    }
    if paired == Paired::default() {
        return Err(DataSetError::Empty(input.to_owned(), target.to_owned()));
    }
    let whole = input.canonicalize().unwrap_or_else(|_| input.to_owned());
    let outer = whole.parent().unwrap_or(&whole);
    Ok(DataSet::new(input, input, task_of(outer, &whole), paired))
}

impl DataSet {
    fn new(root: &Path, folder: &Path, task: Option<Task>, paired: Paired) -> Self {
        let below = folder.strip_prefix(root).ok().filter(|below| !below.as_os_str().is_empty());
        let name = below.or_else(|| folder.file_name().map(Path::new)).unwrap_or(folder).display().to_string();
        let Paired { pairs, without_target, unused_targets } = paired;
        Self { name, folder: folder.to_owned(), task, pairs, without_target, unused_targets }
    }

    /// Keeps what a list names.
    pub fn choose(&mut self, list: &mut List) {
        list.choose(&mut self.pairs);
        // What it doesn't name lacks nothing.
        self.without_target.clear();
        self.unused_targets.clear();
    }

    /// Takes what another method made: pictures of the inputs' names in `folder`, or in the folder of the data set's name
    /// there.
    pub fn add_baseline(&mut self, folder: &Path) {
        let own = folder.join(&self.name);
        pairing::add_baseline(&mut self.pairs, if own.is_dir() { &own } else { folder });
    }

    fn add(&mut self, more: Paired) {
        self.pairs.extend(more.pairs);
        self.without_target.extend(more.without_target);
        self.unused_targets.extend(more.unused_targets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of empty files; only names matter here.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"").unwrap();
        }
        root
    }

    /// Name, task, and input > target of each set, as text.
    fn sets(files: &[&str]) -> Vec<(String, Option<Task>, Vec<String>)> {
        let root = folder(files);
        let below = |path: &Path| path.strip_prefix(root.path()).unwrap().display().to_string();
        let text = |pair: &Pair| format!("{} > {}", below(&pair.input), below(&pair.target));
        let found = find(root.path()).unwrap().into_iter();
        found.map(|set| (set.name, set.task, set.pairs.iter().map(text).collect())).collect()
    }

    #[test]
    fn published_data_sets_are_recognised() {
        let found = sets(&[
            "SOTS/indoor/hazy/1400_1.png",
            "SOTS/indoor/hazy/1400_10.png",
            "SOTS/indoor/gt/1400.png",
            "SOTS/outdoor/hazy/0001_0.8_0.2.jpg",
            "SOTS/outdoor/clear/0001.png",
        ]);
        let indoor = [
            "SOTS/indoor/hazy/1400_1.png > SOTS/indoor/gt/1400.png",
            "SOTS/indoor/hazy/1400_10.png > SOTS/indoor/gt/1400.png",
        ]
        .map(String::from)
        .to_vec();
        assert_eq!(found[0], ("SOTS/indoor".into(), Some(Task::Dehaze), indoor));
        assert_eq!(found[1].2, ["SOTS/outdoor/hazy/0001_0.8_0.2.jpg > SOTS/outdoor/clear/0001.png"]);

        let gopro = sets(&[
            "test/A/blur/1.png",
            "test/A/sharp/1.png",
            "test/A/blur_gamma/1.png",
            "test/B/blur/1.png",
            "test/B/sharp/1.png",
        ]);
        assert_eq!((gopro.len(), gopro[0].1), (1, Some(Task::Deblur)));
        assert_eq!(gopro[0].2, ["test/A/blur/1.png > test/A/sharp/1.png", "test/B/blur/1.png > test/B/sharp/1.png"]);

        let rsblur = sets(&[
            "RSBlur/0001/000001/real_blur/real_blur.png",
            "RSBlur/0001/000001/avg65_img/avg_blur.png",
            "RSBlur/0001/000001/gt/gt_sharp.png",
        ]);
        let scene = "RSBlur/0001/000001";
        assert_eq!(rsblur[0].2, [format!("{scene}/real_blur/real_blur.png > {scene}/gt/gt_sharp.png")]);
        assert_eq!((rsblur.len(), rsblur[0].0.as_str(), rsblur[0].1), (1, "RSBlur", Some(Task::Deblur)));

        let apart = sets(&[
            "GoPro/train/A/blur/1.png",
            "GoPro/train/A/sharp/1.png",
            "GoPro/test/B/blur/1.png",
            "GoPro/test/B/sharp/1.png",
            "GoPro/test/C/blur/1.png",
            "GoPro/test/C/sharp/1.png",
            "RSBlur/1/1/blur/blur.png",
            "RSBlur/1/1/gt/gt.png",
            "RSBlur/2/1/blur/blur.png",
            "RSBlur/2/1/gt/gt.png",
            "flat/test/blur/1.png",
            "flat/test/sharp/1.png",
            "flat/train/blur/1.png",
            "flat/train/sharp/1.png",
        ]);
        let apart: Vec<_> = apart.iter().map(|(name, _, pairs)| (name.as_str(), pairs.len())).collect();
        assert_eq!(apart, [("GoPro/test", 2), ("GoPro/train", 1), ("RSBlur", 2), ("flat/test", 1), ("flat/train", 1)]);

        let rain = sets(&[
            "Rain100L/input/norain-1.png",
            "Rain100L/target/norain-1.png",
            "Test100/input/rain-2.png",
            "Test100/target/norain-2.png",
        ]);
        assert!(rain.iter().all(|set| set.1 == Some(Task::Derain) && set.2.len() == 1), "{rain:?}");

        let published = sets(&[
            "a/rain_heavy_test/rain/norain-1.png",
            "a/rain_heavy_test/norain/norain-1.png",
            "b/Rain100L/rain/X2/norain-001x2.png",
            "b/Rain100L/norain/norain-001.png",
            "c/Rain100H/rainy/rain-001.png",
            "c/Rain100H/norain-001.png",
            "d/Rain100H/rain-001.png",
            "d/Rain100H/norain-001.png",
        ]);
        assert!(published.iter().all(|set| set.1 == Some(Task::Derain)), "{published:?}");
        let pairs: Vec<_> = published.iter().flat_map(|set| set.2.clone()).collect();
        let expected = [
            "a/rain_heavy_test/rain/norain-1.png > a/rain_heavy_test/norain/norain-1.png",
            "b/Rain100L/rain/X2/norain-001x2.png > b/Rain100L/norain/norain-001.png",
            "c/Rain100H/rainy/rain-001.png > c/Rain100H/norain-001.png",
            "d/Rain100H/rain-001.png > d/Rain100H/norain-001.png",
        ];
        assert_eq!(pairs, expected);

        let snow = sets(&["CSD/Snow/1.tif", "CSD/Gt/1.tif", "Snow100K-L/synthetic/a_1.jpg", "Snow100K-L/gt/a_1.jpg"]);
        assert!(snow.len() == 2 && snow.iter().all(|set| set.1 == Some(Task::Desnow)), "{snow:?}");

        let defocus = sets(&[
            "DPDD/inputC/1P0A0917.png",
            "DPDD/inputC/1P0A0933.png",
            "DPDD/inputL/1P0A0917_L.png",
            "DPDD/target/1P0A0916.png",
            "DPDD/target/1P0A0932.png",
            "test_l/source/1P0A0917_L.png",
            "test_l/target/1P0A0916.png",
        ]);
        assert!(defocus.len() == 2 && defocus.iter().all(|set| set.1 == Some(Task::Defocus)), "{defocus:?}");
        assert_eq!(defocus[0].2[1], "DPDD/inputC/1P0A0933.png > DPDD/target/1P0A0932.png");
        assert_eq!(defocus[1].2, ["test_l/source/1P0A0917_L.png > test_l/target/1P0A0916.png"]);
    }

    #[test]
    fn folders_named_after_tasks_tell_the_task() {
        let files = Task::ALL.map(|task| [format!("{task}/input/a.png"), format!("{task}/target/a.png")]);
        let files: Vec<&str> = files.iter().flatten().map(String::as_str).collect();
        let found = sets(&files);
        assert_eq!(found.len(), Task::ALL.len());
        assert!(found.iter().all(|(name, task, pairs)| task.unwrap().to_string() == *name && pairs.len() == 1));
    }

    #[test]
    fn pictures_of_one_name_are_all_measured() {
        let [(_, _, pairs)] = &sets(&["rain/input/a.png", "rain/input/a.jpg", "rain/target/a.png"])[..] else {
            panic!("one set")
        };
        let target = |input: &str| format!("rain/input/{input} > rain/target/a.png");
        assert_eq!(*pairs, [target("a.jpg"), target("a.png")]);
        let root = folder(&["input/a.png", "target/a.jpg", "target/a.png", "target/a.webp"]);
        let set = &find(root.path()).unwrap()[0];
        assert_eq!(set.pairs[0].target, root.path().join("target/a.png"));
        assert_eq!(set.unused_targets.len(), 2);
    }

    #[test]
    fn neighbours_belong_together_only_where_no_name_does() {
        let pairs = |files: &[&str]| sets(files).swap_remove(0).2;
        let one_missing = pairs(&["blur/1.png", "blur/2.png", "sharp/2.png", "sharp/3.png"]);
        assert_eq!(one_missing, ["blur/2.png > sharp/2.png"]);
        assert!(pairs(&["blur/1.png", "blur/9.png", "sharp/2.png", "sharp/3.png"]).is_empty());
        assert!(pairs(&["blur/a/1.png", "blur/b/3.png", "sharp/a/2.png", "sharp/a/4.png"]).is_empty());
    }

    #[test]
    fn rain_beside_its_ground_truth_is_kept_apart_from_what_lies_below() {
        let found = sets(&[
            "rain-1.png",
            "norain-1.png",
            "results/rain-1.png",
            "Rain100L/input/1.png",
            "Rain100L/target/1.png",
            "PReNet/rainy/rain-2.png",
            "PReNet/rain-2.png",
            "PReNet/norain-2.png",
        ]);
        let mut pairs: Vec<_> = found.into_iter().flat_map(|set| set.2).collect();
        pairs.sort();
        let expected = [
            "PReNet/rainy/rain-2.png > PReNet/norain-2.png",
            "Rain100L/input/1.png > Rain100L/target/1.png",
            "rain-1.png > norain-1.png",
        ];
        assert_eq!(pairs, expected);
    }

    #[test]
    fn what_has_no_partner_is_told() {
        let root = folder(&["hazy/1_1.png", "hazy/2_1.png", "gt/1.png", "gt/3.png", "baseline/1_1.jpg"]);
        let set = &mut find(root.path()).unwrap()[0];
        set.add_baseline(&root.path().join("baseline"));
        assert_eq!((set.pairs.len(), set.without_target.len(), set.unused_targets.len()), (1, 1, 1));
        assert_eq!(set.pairs[0].baseline.as_deref(), Some(&*root.path().join("baseline/1_1.jpg")));
        let other = of_folders(&root.path().join("baseline"), &root.path().join("gt")).unwrap();
        assert_eq!(other.pairs.len(), 1);
        assert!(matches!(find(&root.path().join("hazy")), Err(DataSetError::Unknown(_))));
        assert!(matches!(find(&root.path().join("none")), Err(DataSetError::NoFolder(_))));
        let empty = folder(&["a/notes.txt", "b/notes.txt"]);
        let [a, b] = ["a", "b"].map(|name| empty.path().join(name));
        assert!(matches!(of_folders(&a, &b), Err(DataSetError::Empty(..))));
        let root = folder(&["a/1.png", "b/rain-1.png", "b/norain-1.png"]);
        let [a, b] = ["a", "b"].map(|name| root.path().join(name));
        assert_eq!(of_folders(&a, &a), Err(DataSetError::Same(a.clone())));
        assert_eq!(of_folders(&b, &b).unwrap().pairs.len(), 1);
        let spelt = root.path().join("b/../a");
        assert_eq!(of_folders(&root.path().join("a"), &spelt), Err(DataSetError::Same(root.path().join("a"))));
    }
}

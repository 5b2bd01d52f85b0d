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
/// one of its name, whatever the ending (the same ending, where several have the name); else the one of its name up to the
/// first `_`, as in RESIDE (`1400_1.png` and `1400.png`); else the one that has `norain` for its `rain`; else the one
/// without its `x2`, as in Rain100L; else the only one, where each folder has one picture. Where that leaves all without,
/// and all are in order the captures before or after one another, as in DPDD (`1P0A0917.png` and `1P0A0916.png`), those
/// belong together. Where one folder is both, or holds the other one, ground truths are its `norain*`.
pub(super) fn pair(root: &Path, input: &Path, target: &Path) -> Paired {
    let (mut inputs, mut targets) = (pictures(input), pictures(target));
    let settled = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if let Ok(within) = settled(input).strip_prefix(settled(target)) {
        let beside = |(place, _): &Key| place.as_os_str().is_empty();
        if within.as_os_str().is_empty() {
            inputs.retain(|key, _| beside(key) && key.1.starts_with("rain"));
        }
        let clear = holds_clear(target);
        targets.retain(|key, _| if clear { beside(key) && is_clear(key) } else { !key.0.starts_with(within) });
    }
    let only = match (inputs.len(), targets.keys().next()) {
        (1, Some(key)) if targets.len() == 1 && inputs.values().all(|same| same.len() == 1) => Some(key.clone()),
        _ => None,
    };
    let belongs = |key: &Key| candidates(key).into_iter().chain(only.clone()).find(|key| targets.contains_key(key));
    let mut found: BTreeMap<Key, Key> = inputs.keys().filter_map(|key| Some((key.clone(), belongs(key)?))).collect();
    let neighbours = || inputs.keys().zip(targets.keys()).all(|(input, target)| is_next_to(input, target));
    if found.is_empty() && inputs.len() == targets.len() && neighbours() {
        found = inputs.keys().cloned().zip(targets.keys().cloned()).collect();
    }
    let mut used = HashSet::new();
    let mut paired = Paired::default();
    for (key, path) in inputs.into_iter().flat_map(|(key, same)| same.into_iter().map(move |path| (key.clone(), path)))
    {
        let Some(found) = found.get(&key) else {
            paired.without_target.push(path);
            continue;
        };
        let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let same = &targets[found];
        let target = same.iter().find(|target| target.extension() == path.extension()).unwrap_or(&same[0]).clone();
        paired.pairs.push(Pair { name, input: path, target: target.clone(), baseline: None });
        used.insert(target);
    }
    paired.unused_targets = targets.into_values().flatten().filter(|target| !used.contains(target)).collect();
    paired
}

/// Whether two names are a camera's for captures at most three apart, without what says which half of a dual pixel it is.
fn is_next_to((place, input): &Key, (other_place, target): &Key) -> bool {
    let parts = |stem: &str| {
        let stem = stem.strip_suffix("_L").or_else(|| stem.strip_suffix("_R")).unwrap_or(stem);
        let digits = stem.len() - stem.bytes().rev().take_while(u8::is_ascii_digit).count();
        Some((stem[..digits].to_owned(), stem[digits..].parse::<u32>().ok()?))
    };
    let (Some((series, number)), Some((other, of))) = (parts(input), parts(target)) else { return false };
    place == other_place && series == other && number.abs_diff(of) <= 3
}

/// Whether it is the ground truth of a picture beside it.
fn is_clear((_, stem): &Key) -> bool {
    stem.starts_with("norain")
}

/// Whether a folder itself holds ground truths of rain.
pub(super) fn holds_clear(folder: &Path) -> bool {
    names(folder).any(|name| name.starts_with("norain"))
}

/// Whether it holds both these and the pictures with rain.
pub(super) fn holds_both(folder: &Path) -> bool {
    holds_clear(folder) && names(folder).any(|name| name.starts_with("rain"))
}

/// The names of the pictures in a folder itself.
fn names(folder: &Path) -> impl Iterator<Item = String> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let pictures = files.filter(|path| Format::from_path(path).is_some_and(Format::is_read) && path.is_file());
    pictures.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
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
    let mut keys: Vec<Key> = stems.into_iter().map(|stem| (place.clone(), stem)).collect();
    keys.extend(stem.strip_suffix("x2").map(|stem| (PathBuf::new(), stem.to_owned())));
    keys
}

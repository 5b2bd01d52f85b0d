//! How outputs are named.

use crate::photo::Format;
use std::path::{Path, PathBuf};

/// How outputs are named, and what happens to those that are there already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// Outputs that exist may be replaced.
    pub overwrite: bool,
    /// Pictures whose outputs exist are left out.
    pub skip_existing: bool,
    /// The format of all outputs, which then have its extension.
    pub format: Option<Format>,
    /// What is put behind each name, before its extension. Without an OUT, the outputs lie beside the inputs.
    pub suffix: Option<String>,
    /// Every output has a picture of before and after beside it.
    pub comparisons: bool,
}

/// A place with the suffix and the extension that all outputs get.
pub(super) fn named(place: &Path, naming: &Naming) -> PathBuf {
    let place = match &naming.suffix {
        Some(suffix) => with_suffix(place, suffix),
        None => place.to_owned(),
    };
    match naming.format {
        Some(format) if Format::from_path(&place) != Some(format) => place.with_extension(format.extension()),
        _ => place,
    }
}

/// A path with something put behind its name, before its extension.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(suffix);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Whether it is, by its name, the result of a run with this suffix.
pub(super) fn ends_in(path: &Path, suffix: &str) -> bool {
    let of_a_comparison = format!("{suffix}.before-after");
    let stem = path.file_stem().unwrap_or_default().as_encoded_bytes();
    stem.ends_with(suffix.as_bytes()) || stem.ends_with(of_a_comparison.as_bytes())
}

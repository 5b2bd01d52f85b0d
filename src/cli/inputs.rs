//! The pictures that the command line names: files, folders, globs, standard input.

use super::files_error::FilesError;
use crate::photo::{Format, same_file};
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Where a picture comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// A file.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Path(path) => path.display().fmt(f),
            Input::Stdin => f.write_str("standard input"),
        }
    }
}

/// An input, and its place in the output folder if there is one.
pub(super) struct Found {
    pub input: Input,
    pub place: PathBuf,
    pub from_folder: bool,
}

/// What was met where the command line points.
#[derive(Default)]
pub(super) struct Met {
    /// The pictures.
    pub found: Vec<Found>,
    /// What could not be followed.
    pub warnings: Vec<String>,
    /// Pictures in folders, in formats that can't be read.
    pub unread: Vec<PathBuf>,
}

pub(super) fn find<S: AsRef<OsStr>>(inputs: &[S], out: Option<&Path>) -> Result<Met, FilesError> {
    let mut met = Met::default();
    for input in inputs {
        let path = Path::new(input.as_ref());
        if path == Path::new("-") {
            if inputs.len() > 1 {
                return Err(FilesError::StdinAmongOthers);
            }
            met.found.push(Found { input: Input::Stdin, place: "stdin.png".into(), from_folder: false });
        } else if path.exists() {
            met.enter(path, out)?;
        } else if exists(path) {
            return Err(FilesError::DeadLink(path.to_owned()));
        } else {
            for path in expand(path)? {
                met.enter(&path, out)?;
            }
        }
    }
    if met.found.is_empty() { Err(FilesError::NoInput) } else { Ok(met) }
}

/// What a glob that the shell has left alone stands for, in order.
fn expand(pattern: &Path) -> Result<Vec<PathBuf>, FilesError> {
    let shown = pattern.display().to_string();
    // A name that isn't Unicode is not matched as a glob; such a name reaches us from a shell, which expands by itself.
    let Some(text) = pattern.to_str().filter(|text| text.contains(['*', '?', '['])) else {
        return Err(FilesError::Missing(shown));
    };
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let paths = glob::glob_with(text, options).map_err(|error| FilesError::Glob(shown.clone(), error.to_string()))?;
    let paths: Vec<_> =
        paths.collect::<Result<_, _>>().map_err(|error| FilesError::Glob(shown.clone(), error.to_string()))?;
    if paths.is_empty() { Err(FilesError::Glob(shown, "nothing matches".to_owned())) } else { Ok(paths) }
}

impl Met {
    /// Adds a file, or the pictures in a folder and those below it.
    fn enter(&mut self, path: &Path, out: Option<&Path>) -> Result<(), FilesError> {
        if path.is_file() {
            let name = path.file_name().ok_or_else(|| FilesError::NotAFile(path.to_owned()))?;
            self.found.push(Found {
                input: Input::Path(path.to_owned()),
                place: place(name.into()),
                from_folder: false,
            });
            return Ok(());
        }
        if !path.is_dir() {
            return Err(FilesError::NotAFile(path.to_owned()));
        }
        let before = self.found.len();
        // With the output folder inside the input folder, a second run must not restore the first one's results.
        let unwanted = |entry: &walkdir::DirEntry| {
            entry.file_name().as_encoded_bytes().starts_with(b".")
                || entry.file_type().is_dir() && out.is_some_and(|out| same_file(out, entry.path()))
        };
        let wanted = |entry: &walkdir::DirEntry| entry.depth() == 0 || !unwanted(entry);
        for entry in WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter().filter_entry(wanted) {
            let file = match entry {
                Ok(entry) if entry.file_type().is_file() => entry.into_path(),
                Ok(_) => continue,
                Err(error) => {
                    self.warnings.push(format!("skipped: {error}"));
                    continue;
                }
            };
            if Format::from_path(&file).is_some_and(Format::is_read) {
                let place = file.strip_prefix(path).unwrap_or(&file).to_owned();
                self.found.push(Found { input: Input::Path(file), place, from_folder: true });
            } else if names_a_picture(&file) {
                self.unread.push(file);
            }
        }
        if self.found.len() == before { Err(FilesError::EmptyFolder(path.to_owned())) } else { Ok(()) }
    }
}

/// Whether the extension is a picture's, be it one that can't be written: nobody means a folder by `out.gif`.
pub(super) fn names_a_picture(path: &Path) -> bool {
    let others = ["heic", "heif", "jxl", "jp2", "psd", "dng", "cr2", "cr3", "nef", "arw"];
    Format::from_path(path).is_some()
        || path.extension().is_some_and(|extension| {
            image::ImageFormat::from_extension(extension).is_some()
                || others.iter().any(|other| extension.eq_ignore_ascii_case(other))
        })
}

/// The name is kept, with `.png` behind it if it says no format that can be written.
fn place(name: PathBuf) -> PathBuf {
    if Format::from_path(&name).is_some() {
        return name;
    }
    let mut name = name.into_os_string();
    name.push(".png");
    name.into()
}

/// Whether there is anything of this name, be it a link that leads nowhere.
pub(super) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

//! Files that are either whole or not there.

use super::PhotoError;
use crate::tensor::{self, folder_of, writing};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes the file, replacing one of this name. It is written beside its place, brought to the disk, and renamed: at no
/// moment is there half a file under the name. Permissions are those of the file replaced, or of any newly made one.
///
/// # Errors
///
/// [`PhotoError::Write`] with the path; what stood under the name then still stands.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), PhotoError> {
    let _whole = writing();
    stage(path, bytes, true)?.keep()
}

/// Writes a file as [`write_atomic`] does, but never replaces one, not even one that appeared a moment ago.
///
/// # Errors
///
/// [`PhotoError::Write`] with the path; of the kind [`io::ErrorKind::AlreadyExists`] if there is a file of this name.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), PhotoError> {
    let _whole = writing();
    stage(path, bytes, false)?.keep()
}

/// A file that is written but does not have its name yet. If it is dropped, the file is deleted.
pub(crate) struct Staged {
    file: tensor::Staged,
    path: PathBuf,
}

/// Writes a file beside its place, without its name: the first half of [`write_atomic`] or, without `replace`, of
/// [`write_new`].
///
/// # Errors
///
/// [`PhotoError::Write`] with the path.
pub(crate) fn stage(path: &Path, bytes: &[u8], replace: bool) -> Result<Staged, PhotoError> {
    let staged = tensor::stage(path, replace, |file| file.write_all(bytes));
    let file = staged.map_err(|error: io::Error| PhotoError::Write(error).at(path))?;
    Ok(Staged { file, path: path.to_owned() })
}

impl Staged {
    /// Gives the file its name: the second half of [`write_atomic`] or [`write_new`].
    ///
    /// # Errors
    ///
    /// [`PhotoError::Write`] with the path; what stood under the name then still stands.
    pub(crate) fn keep(self) -> Result<(), PhotoError> {
        self.file.keep().map_err(|error| PhotoError::Write(error).at(&self.path))
    }
}

/// Makes the folder that a file is to lie in, and those above it.
///
/// # Errors
///
/// [`PhotoError::Write`] or [`PhotoError::NotAFolder`], with the folder's path.
pub fn create_parent(path: &Path) -> Result<(), PhotoError> {
    let parent = folder_of(path);
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => PhotoError::NotAFolder,
        _ => PhotoError::Write(error),
    };
    fs::create_dir_all(parent).map_err(|error| failed(error).at(parent))
}

/// Whether two paths lead to the same file, one of which may not exist yet.
pub fn same_file(a: &Path, b: &Path) -> bool {
    a == b || settled(a).is_some_and(|a| Some(a) == settled(b))
}

/// The path with links and dots resolved; of a file that isn't there yet, those in its folder's.
fn settled(path: &Path) -> Option<PathBuf> {
    match fs::canonicalize(path) {
        Ok(path) => Some(path),
        Err(_) => Some(fs::canonicalize(folder_of(path)).ok()?.join(path.file_name()?)),
    }
}

//! Files that are either whole or not there.

use super::PhotoError;
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
    write(path, bytes, true).map_err(|error| PhotoError::Write(error).at(path))
}

/// As [`write_atomic`], but never replaces a file, not even one that appeared a moment ago.
///
/// # Errors
///
/// As [`write_atomic`]; of the kind [`io::ErrorKind::AlreadyExists`] if there is a file of this name.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), PhotoError> {
    write(path, bytes, false).map_err(|error| PhotoError::Write(error).at(path))
}

/// Makes the folder that the file is to lie in, and those above it.
///
/// # Errors
///
/// [`PhotoError::Write`] with the folder's path.
pub fn create_parent(path: &Path) -> Result<(), PhotoError> {
    let parent = parent(path);
    fs::create_dir_all(parent).map_err(|error| PhotoError::Write(error).at(parent))
}

/// Whether two paths lead to the same file, one of which may not exist yet.
pub fn same_file(a: &Path, b: &Path) -> bool {
    a == b || settled(a).is_some_and(|a| Some(a) == settled(b))
}

/// The path with links and dots resolved. Of a file that isn't there yet, its folder's.
fn settled(path: &Path) -> Option<PathBuf> {
    match fs::canonicalize(path) {
        Ok(path) => Some(path),
        Err(_) => Some(fs::canonicalize(parent(path)).ok()?.join(path.file_name()?)),
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn write(path: &Path, bytes: &[u8], replace: bool) -> io::Result<()> {
    // Through a link, as a plain write would go: renaming would replace the link itself.
    let path = if replace { fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()) } else { path.to_owned() };
    let replaced = if replace { fs::metadata(&path).ok() } else { None };
    if replaced.as_ref().is_some_and(|it| !it.is_file()) {
        return Err(io::Error::other("something that is no regular file has this name"));
    }
    let parent = parent(&path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".irnext-").suffix(".part");
    // The process's umask takes its bits off this; the default would be private to the user.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(parent)?;
    file.write_all(bytes)?;
    if let Some(replaced) = replaced {
        file.as_file().set_permissions(replaced.permissions())?;
    }
    file.as_file().sync_all()?;
    if replace {
        file.persist(&path)?
    } else {
        file.persist_noclobber(&path)?
    };
    // The rename is only sure to outlive a power cut once the folder is on the disk too. Not every system lets a folder
    // be synced, and the file itself is whole either way.
    #[cfg(unix)]
    let _ = fs::File::open(parent).and_then(|folder| folder.sync_all());
    Ok(())
}

//! Files that are either whole or not there.

use std::cell::Cell;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::{Duration, Instant};

static WRITING: RwLock<()> = RwLock::new(());
static ENDING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// How many times over this thread is writing.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// While a thread has this, [`end_writing`] waits. It may be had several times over.
pub(crate) struct Writing(#[allow(dead_code, reason = "held until it is dropped")] RwLockReadGuard<'static, ()>);

impl Drop for Writing {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get() - 1));
    }
}

/// To be held from a file's first byte to its last. Never returns once the program is about to end.
pub(crate) fn writing() -> Writing {
    while ENDING.load(Ordering::SeqCst) && DEPTH.with(Cell::get) == 0 {
        thread::park();
    }
    DEPTH.with(|depth| depth.set(depth.get() + 1));
    Writing(WRITING.read().unwrap_or_else(PoisonError::into_inner))
}

/// Waits until no file is being written, for so long at most; from then on none is begun.
pub(crate) fn end_writing(patience: Duration) {
    ENDING.store(true, Ordering::SeqCst);
    let begun = Instant::now();
    loop {
        // Not `write`: who waits for it would keep those from going on who hold it twice.
        if let Ok(all) = WRITING.try_write() {
            std::mem::forget(all);
            return;
        }
        if begun.elapsed() > patience {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Writes a file by `fill`: beside its place, brought to the disk, and renamed, so that at no moment there is half a file
/// under the name. With `replace` a file of this name is replaced, through links, as a plain write would go, and its
/// permissions stay; else nothing is ever replaced, not even what appeared a moment ago.
///
/// # Errors
/// Those of `fill` and of the system; with `replace` also where what stands under the name is no regular file. What stood
/// there then still stands.
pub(crate) fn write_whole<E: From<io::Error>>(
    path: &Path,
    replace: bool,
    fill: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<(), E> {
    let _whole = writing();
    Ok(stage(path, replace, fill)?.keep()?)
}

/// A file that is written and on the disk, beside its place; dropped, it goes.
pub(crate) struct Staged {
    file: tempfile::NamedTempFile,
    path: PathBuf,
    replace: bool,
}

/// The first half of [`write_whole`], to be held together with the other by [`writing`]: what can fail for want of room or
/// leave fails here, so that of several files none is renamed before all are written.
///
/// # Errors
/// As [`write_whole`].
pub(crate) fn stage<E: From<io::Error>>(
    path: &Path,
    replace: bool,
    fill: impl FnOnce(&mut File) -> Result<(), E>,
) -> Result<Staged, E> {
    // Renaming would replace a link itself.
    let path = if replace { through_links(path)? } else { path.to_owned() };
    let replaced = if replace { fs::metadata(&path).ok() } else { None };
    if replaced.as_ref().is_some_and(|it| !it.is_file()) {
        return Err(io::Error::other("something that is no regular file has this name").into());
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".irnext-").suffix(".part");
    // The process's umask takes its bits off this; the default would be private to the user.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder_of(&path))?;
    fill(file.as_file_mut())?;
    if let Some(replaced) = replaced {
        file.as_file().set_permissions(replaced.permissions())?;
    }
    file.as_file().sync_all()?;
    Ok(Staged { file, path, replace })
}

impl Staged {
    /// Gives it its name.
    ///
    /// # Errors
    /// The system's; also where nothing is to be replaced and something has appeared under the name.
    pub(crate) fn keep(self) -> io::Result<()> {
        let Self { file, path, replace } = self;
        let kept = if replace { file.persist(&path) } else { file.persist_noclobber(&path) };
        kept.map_err(|error| error.error)?;
        // The rename is only sure to outlive a power cut once the folder is on the disk too. Not every system lets a
        // folder be synced, and the file itself is whole either way.
        #[cfg(unix)]
        let _ = File::open(folder_of(&path)).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

/// The place that a path leads to, through links. One that leads to nothing is an error: renaming would replace it, and what
/// else leads there couldn't be known before it is there.
fn through_links(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(_) if path.symlink_metadata().is_ok() => Err(io::Error::other("a link of this name leads to nothing")),
        whole => Ok(whole.unwrap_or_else(|_| path.to_owned())),
    }
}

/// The folder that a file lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

//! A lock on what is known of a device, so that programs side by side learn of it one after another.

use crate::tensor::folder_of;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// While one program holds it, others that would learn the same of a device wait. Let go when it is dropped, and by the
/// system when the program ends.
pub struct LearningLock(Option<File>);

/// A program that hangs while it holds the lock is not waited for forever.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

impl LearningLock {
    /// Waits for the lock on a file of preferences, for as long as learning takes; not at all where there can be no such
    /// file, or where the file system has no locks: there what is learnt is still kept.
    pub fn take(path: Option<&Path>) -> Self {
        let Some(path) = path else { return Self(None) };
        let lock = std::fs::create_dir_all(folder_of(path)).and_then(|()| File::create(path.with_extension("lock")));
        let Ok(lock) = lock else { return Self(None) };
        let begun = Instant::now();
        while let Err(TryLockError::WouldBlock) = lock.try_lock() {
            if begun.elapsed() > LONGEST_WAIT {
                return Self(None);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Self(Some(lock))
    }

    /// Whether what this program learns may be kept: not where it waited in vain, nor where there can be no such file.
    pub fn is_held(&self) -> bool {
        self.0.is_some()
    }
}

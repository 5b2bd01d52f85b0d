//! Ctrl-C: the file that is being written is finished, the user is told how to go on, the program ends.

use super::{Failure, INTERRUPTED};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

static WRITING: Mutex<()> = Mutex::new(());

/// While this is held, the program is not ended between a file's first byte and its last.
pub(super) fn writing() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on Ctrl-C, and a request to terminate, end the program with exit code 130 once `farewell` was said. A file
/// that takes more than five seconds to be written, say to a network that is gone, is given up: under its name there is
/// nothing then.
///
/// # Errors
/// When the system doesn't let signals be handled.
pub(super) fn on_interrupt(farewell: impl Fn() + Send + 'static) -> Result<(), Failure> {
    ctrlc::set_handler(move || {
        let mut whole = WRITING.try_lock();
        for _ in 0..50 {
            if whole.is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(100));
            whole = WRITING.try_lock();
        }
        farewell();
        std::process::exit(INTERRUPTED);
    })?;
    Ok(())
}

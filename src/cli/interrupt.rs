//! Ctrl-C: the file that is being written is finished, the user is told how to go on, the program ends.

use super::output::say;
use super::{Failure, INTERRUPTED};
use crate::run::excuse_interruption;
use crate::tensor::end_writing;
pub(super) use crate::tensor::writing;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

type Farewell = Box<dyn Fn() + Send>;

static FAREWELL: Mutex<Option<Farewell>> = Mutex::new(None);

/// From here on Ctrl-C, a request to terminate, and a terminal that goes (but under `nohup`), end the program with exit
/// code 130. A file that takes more than five seconds to be written, say to a network that is gone, is given up: under its
/// name there is nothing then, beside it may be a `.irnext-….part`.
///
/// # Errors
/// When the system doesn't let signals be handled.
pub(super) fn listen() -> Result<(), Failure> {
    let keep_ignoring = hang_ups_are_ignored();
    ctrlc::set_handler(|| {
        // Writes a file, so it comes first.
        excuse_interruption();
        end_writing(Duration::from_secs(5));
        match FAREWELL.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(farewell) => farewell(),
            None => say!("irnext: interrupted"),
        }
        std::process::exit(INTERRUPTED);
    })?;
    if keep_ignoring {
        ignore_hang_ups();
    }
    Ok(())
}

/// Whether whoever started the program has it live on when the terminal goes, as `nohup` does.
#[cfg(unix)]
fn hang_ups_are_ignored() -> bool {
    // SAFETY: of an all-zero struct of numbers; the call fills it in and changes nothing.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGHUP, std::ptr::null(), &raw mut now) == 0 && now.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(unix)]
fn ignore_hang_ups() {
    // SAFETY: no handler of our own runs.
    unsafe {
        libc::signal(libc::SIGHUP, libc::SIG_IGN);
    }
}

#[cfg(not(unix))]
fn hang_ups_are_ignored() -> bool {
    false
}

#[cfg(not(unix))]
fn ignore_hang_ups() {}

/// What is said when the program is interrupted.
pub(super) fn on_interrupt(farewell: impl Fn() + Send + 'static) {
    *FAREWELL.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(farewell));
}

//! A kernel's first run on a device: what becomes of one that loses the device, or ends the program, in it.

use super::{Learning, RunError};
use crate::compile::{CHOICES, is_plain};
use crate::gpu::{GpuError, Preferences};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many ends of the program, or of the machine, in a kernel's first run are no accident.
const ACCIDENTS: u32 = 3;

/// A first run that takes longer hangs: to interrupt it is no excuse for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The first run that is going on, or the last one until what it taught is kept: since when, the file that says that it began,
/// and what the file is to say if the program is interrupted.
static RUNNING: Mutex<Option<(Instant, PathBuf, Preferences)>> = Mutex::new(None);

fn running() -> MutexGuard<'static, Option<(Instant, PathBuf, Preferences)>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// To be called when the file says what first runs have taught.
pub(super) fn is_kept() {
    running().take();
}

/// To be called when the program is interrupted: the kernel in its first run isn't to blame, unless it hung.
pub fn excuse_interruption() {
    if let Some((since, file, known)) = running().take()
        && since.elapsed() < PATIENCE
    {
        let _ = known.save(&file);
    }
}

impl Learning<'_> {
    /// Runs a kernel. If that is its first run here and the device is lost over it, it isn't used any more; nor if the
    /// program doesn't live to see the end of it, as often as is no accident. The latter only where its start is `kept`.
    ///
    /// # Errors
    /// Those of `run`, and when the device was lost before.
    pub(super) fn first_run<T>(
        &mut self,
        kernel: &str,
        run: impl FnOnce() -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        let (key, known) = (self.key(kernel), &mut *self.known);
        // What is no kernel of its own can't be out of use, nor can what nothing takes the place of.
        let may_end = CHOICES.contains(&kernel) && !is_plain(kernel);
        if !may_end || known.agrees.contains_key(&key) || known.ran.contains(&key) {
            return run();
        }
        self.gpu.check()?;
        if let Some(file) = self.gpu.preferences_file().filter(|_| self.kept) {
            let before = known.clone();
            *known.begun.entry(key.clone()).or_default() += 1;
            // Held meanwhile, so that who interrupts it waits until there is something to excuse.
            let mut running = running();
            // Where it can't be kept, `prepare` says so in the end.
            let _ = known.save(&file);
            *running = Some((Instant::now(), file, before));
        }
        let done = run();
        known.begun.remove(&key);
        known.ran.insert(key.clone());
        if matches!(done, Err(RunError::Gpu(GpuError::Failed { .. }))) {
            known.agrees.insert(key, false);
        }
        if let Some((since, _, state)) = &mut *running() {
            *since = Instant::now();
            state.clone_from(known);
        }
        done
    }

    /// Puts kernels out of use whose first run ended the program too often, and says so.
    pub(super) fn judge_first_runs(&mut self) -> Vec<String> {
        let known = &mut *self.known;
        let fatal =
            |key: &String| known.begun[key] >= ACCIDENTS && !is_plain(key.split(' ').next().unwrap_or_default());
        let fatal: Vec<String> = known.begun.keys().filter(|key| fatal(key)).cloned().collect();
        let tell = |key: String| {
            known.begun.remove(&key);
            known.agrees.insert(key.clone(), false);
            format!("{}: `{key}` ended the program {ACCIDENTS} times, so it is not used", self.gpu.name)
        };
        fatal.into_iter().map(tell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_is_excused_unless_the_kernel_hung() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("device.json");
        let before = Preferences { adapter: "before".into(), ..Preferences::default() };
        let begun = Preferences { begun: [("conv2d_tiled f16".into(), 1)].into(), ..before.clone() };
        for (long, left) in [(Duration::ZERO, &before), (PATIENCE, &begun)] {
            begun.save(&file).expect("writes");
            let since = Instant::now().checked_sub(long).expect("the machine has run for so long");
            *RUNNING.lock().expect("is whole") = Some((since, file.clone(), before.clone()));
            excuse_interruption();
            assert_eq!(Preferences::load(&file).as_ref(), Ok(left));
        }
        // Nothing is going on any more.
        excuse_interruption();
        assert_eq!(Preferences::load(&file), Ok(begun));
    }
}

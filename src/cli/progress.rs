//! Progress on standard error, so that standard output stays free for pictures. On a terminal a bar, once the work has
//! taken a second; elsewhere a plain line for every file done; with `--quiet` nothing but warnings.

use super::output::{error_line, one_line, say};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Work shorter than this shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);
/// Steps of the bar within a file, so that one large picture moves it too.
const STEPS: u64 = 1000;

/// Where the work on a number of files stands.
pub struct Progress {
    manner: Manner,
    files: u64,
    /// Files that were begun; the last of them is at hand.
    begun: u64,
}

enum Manner {
    Bar(ProgressBar),
    Lines,
    Quiet,
}

impl Progress {
    /// Starts on `files` files.
    pub fn new(files: usize, quiet: bool) -> Self {
        let files = files as u64;
        let manner = match (quiet, io::stderr().is_terminal()) {
            (true, _) => Manner::Quiet,
            (false, false) => Manner::Lines,
            (false, true) => Manner::Bar(patient_bar(files * STEPS)),
        };
        Progress { manner, files, begun: 0 }
    }

    /// Says which file is being worked on.
    pub fn start(&mut self, name: &str) {
        self.begun += 1;
        self.within(0.0);
        if let Manner::Bar(bar) = &self.manner {
            bar.set_prefix(if self.files > 1 { format!("{}/{}", self.begun, self.files) } else { String::new() });
            bar.set_message(one_line(name));
        }
    }

    /// How far the file at hand is, from 0 to 1.
    pub fn within(&self, fraction: f64) {
        if let Manner::Bar(bar) = &self.manner {
            let before = self.begun.saturating_sub(1) * STEPS;
            bar.set_position(before + (fraction.clamp(0.0, 1.0) * STEPS as f64) as u64);
        }
    }

    /// A file is done; `line` says so, where lines are printed, unless it is empty. The next may have begun.
    pub fn finish(&self, line: &str) {
        match &self.manner {
            Manner::Lines if !line.is_empty() => tell(line),
            Manner::Lines => (),
            Manner::Bar(_) | Manner::Quiet => (),
        }
    }

    /// Takes the bar off the terminal.
    pub fn clear(&self) {
        if let Manner::Bar(bar) = &self.manner {
            bar.finish_and_clear();
        }
    }

    /// Prints a warning or an error, in every manner, without tearing the bar.
    pub fn note(&self, line: &str) {
        match &self.manner {
            Manner::Bar(bar) => bar.suspend(|| tell(line)),
            Manner::Lines | Manner::Quiet => tell(line),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A progress that several threads tell of.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Progress>>);

impl Shared {
    /// Starts on so many pictures.
    pub fn new(pictures: usize, quiet: bool) -> Self {
        Self(Arc::new(Mutex::new(Progress::new(pictures, quiet))))
    }

    /// For as long as the work on a picture is told.
    pub fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints a warning or an error.
    pub fn note(&self, line: &str) {
        self.lock().note(&format!("irnext: {line}"));
    }

    /// What is said when the program is interrupted.
    pub fn farewell(&self, done: usize, total: usize) {
        let line = match (done, total) {
            (0, 1) => "irnext: interrupted; nothing was written".to_owned(),
            _ => format!(
                "irnext: interrupted: {done} of {total} pictures are done, none is half-written; to go on, give the \
                 same command again with --skip-existing"
            ),
        };
        match self.0.try_lock() {
            Ok(progress) => progress.note(&line),
            Err(_) => say!("{line}"),
        }
    }
}

/// How many frames of a video are done; how many there will be, no one knows.
#[derive(Clone)]
pub struct FrameCount {
    bar: ProgressBar,
    quiet: bool,
}

impl FrameCount {
    /// Starts at none.
    pub fn new(quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("frame {pos}  {per_sec}  {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        FrameCount { bar, quiet }
    }

    /// One more.
    pub fn add(&self) {
        self.bar.inc(1);
    }

    /// Takes the count off the terminal and says how far it went.
    pub fn finish(&self, word: &str) {
        self.bar.finish_and_clear();
        if !self.quiet {
            let (frames, seconds) = (self.bar.position(), self.bar.elapsed().as_secs_f64());
            tell(&format!("irnext: {word} {frames} frames ({seconds:.2} s)"));
        }
    }
}

/// A bar that stays hidden until the work has proved long enough to be worth one.
fn patient_bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden());
    let style = ProgressStyle::with_template("{prefix:.bold} {bar:32} {percent:>3}% {eta:>5} left  {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let waiting = bar.downgrade();
    thread::spawn(move || {
        thread::sleep(PATIENCE);
        if let Some(bar) = waiting.upgrade().filter(|bar| !bar.is_finished()) {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(200));
        }
    });
    bar
}

fn tell(line: &str) {
    error_line(format_args!("{}", one_line(line)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_command_the_terminal() {
        assert_eq!(one_line("a\nb\u{1b}[2J.png"), "a\u{fffd}b\u{fffd}[2J.png");
    }

    #[test]
    fn a_bar_counts_files_and_fractions() {
        let bar = patient_bar(2 * STEPS);
        let mut progress = Progress { manner: Manner::Bar(bar.clone()), files: 2, begun: 0 };
        progress.start("a.png");
        progress.within(0.5);
        assert_eq!(bar.position(), STEPS / 2);
        progress.finish("a.png done");
        progress.start("b.png");
        assert_eq!(bar.position(), STEPS);
        progress.within(7.0);
        assert_eq!((bar.position(), bar.prefix().as_str()), (2 * STEPS, "2/2"));
        drop(progress);
        assert!(bar.is_finished());
    }
}

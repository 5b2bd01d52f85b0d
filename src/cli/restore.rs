//! `irnext restore`: pictures in, restored pictures out.

use super::compare::Comparison;
use super::files::{self, Input, Job, Naming, Output};
use super::interrupt::{self, on_interrupt};
use super::opened::{ExplainArguments, passed_over};
use super::output::{self, print_line, say};
use super::progress::Shared;
use super::wrong::wrong;
use super::{DeviceArguments, Failure, ModelArguments, SeenArguments, pipeline, quality, video};
use crate::model::Task;
use crate::photo::{FILE_QUALITY, Format, Limits, Photo, Staged, create_parent, stage};
use crate::restore::{Adjustments, Restorer};
use clap::Args;
use serde_json::json;
use std::ffi::OsString;
use std::io::Read;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[derive(Debug, Args)]
#[command(before_help = EXAMPLES, after_help = AFTER, after_long_help = LONG_AFTER)]
pub(super) struct Arguments {
    /// Pictures (PNG, JPEG, WebP, TIFF, BMP), folders, globs, or -
    #[arg(required = true, value_name = "IN")]
    inputs: Vec<OsString>,
    /// A picture, a folder, or - for standard output
    ///
    /// A folder is made if need be, and keeps the tree of a folder that goes in. `-` as IN is standard input.
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    seen: SeenArguments,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    kernels: ExplainArguments,
    /// How much of the change to make, 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "1", value_parser = parse_share)]
    strength: f32,
    /// Average over 4 turns: 4 times the work
    ///
    /// Turned by each quarter; for rain, and for a checkpoint whose metadata name no task (`convert --task`), mirrored
    /// each way. The shipped models gain up to 0.7 dB.
    #[arg(long)]
    tta: bool,
    /// png, jpeg, webp, tiff, bmp or avif [default: as named]
    ///
    /// Pictures whose name says no format become PNG.
    #[arg(long, value_parser = parse_format)]
    format: Option<Format>,
    /// Put this behind each name
    ///
    /// `a.jpg` becomes `a-clear.jpg` by `--suffix -clear`: in OUT, or beside the input if there is no OUT.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    suffix: Option<String>,
    /// Replace what is there; an input never
    #[arg(long)]
    overwrite: bool,
    /// Leave out what is done: goes on with a folder
    #[arg(long, conflicts_with = "overwrite")]
    skip_existing: bool,
    /// Also write before and after
    ///
    /// In one picture beside the result: NAME.before-after.EXT.
    #[arg(long, value_enum, value_name = "HOW")]
    compare: Option<Comparison>,
    /// Raw video (Y4M) from standard input to output
    ///
    /// ffmpeg -i in.mp4 -f yuv4mpegpipe -pix_fmt yuv444p - | irnext restore - --video | ffmpeg -i - out.mp4
    ///
    /// Frames are restored one by one. Haze's change is evened out over them, so that less flickers; with `--longest-side full` each is restored by itself.
    #[arg(long, conflicts_with_all = ["format", "suffix", "overwrite", "skip_existing", "compare", "explain", "json"])]
    video: bool,
    /// Refuse larger pictures
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_pixels)]
    max_pixels: u64,
    /// Say nothing but warnings and errors
    #[arg(short, long)]
    quiet: bool,
    /// A line of JSON on standard output per picture
    ///
    /// `input`, `output`, `comparison`, `seconds`, `skipped` (done before) and `error`.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  irnext restore hazy.jpg -o clear.png
  irnext restore holiday/ more/*.png -o restored/ --skip-existing
  irnext restore - --video < in.y4m > out.y4m";

const AFTER: &str = "Depth, alpha, profile, EXIF, XMP are kept; a rotated photo is turned upright.
Exit codes: 0 done, 1 something failed, 2 wrong command line, 130 interrupted.";

const LONG_AFTER: &str = "16 bits stay 16 bits, grey stays grey; alpha, colour profile, EXIF and XMP are kept, orientation is applied. \
Between PNG and JPEG the resolution (dots per inch), comments and texts are kept too. Colours outside of sRGB stay outside: \
the picture is converted for the network, and gets the network's change converted back; into BMP and AVIF, which are \
written without a profile, it goes as sRGB. Fully transparent pixels keep their colours, and the network doesn't see them.

A picture is written beside its place and renamed into it; a result that is not finite is an error and no file. Where \
something fails, the other pictures are still done. Where outputs exist already, nothing is begun (--overwrite, \
--skip-existing).

Exit codes: 0 done, 1 something failed, 2 wrong command line, 130 interrupted.";

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    if arguments.video {
        return video::run(arguments);
    }
    let naming = Naming {
        overwrite: arguments.overwrite,
        skip_existing: arguments.skip_existing,
        format: arguments.format,
        suffix: arguments.suffix.clone(),
        comparisons: arguments.compare.is_some(),
    };
    let plan = files::plan(&arguments.inputs, arguments.output.as_deref(), &naming)?;
    if arguments.json && plan.jobs.iter().any(|job| job.output == Output::Stdout) {
        return Err(wrong("--json and a picture can't both go to standard output"));
    }
    let total = plan.jobs.len();
    let progress = Shared::new(total, arguments.quiet);
    plan.warnings.iter().for_each(|warning| progress.note(warning));
    if let Some(line) = unread(&plan.unread) {
        progress.note(&line);
    }
    if !plan.done.is_empty() && !arguments.quiet {
        progress.note(&format!("{} of {} are done already", plan.done.len(), plan.done.len() + total));
    }
    for job in plan.done.iter().filter(|_| arguments.json) {
        print_line!("{}", json_line(job, 0.0, None, true))?;
    }
    let whole = if plan.warnings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if total == 0 {
        return Ok(whole);
    }
    if let Some(number) = arguments.file_quality()
        && !plan.jobs.iter().any(|job| job.format.is_lossy())
    {
        progress.note(&format!("--quality {number} changes nothing: what is written is lossless"));
    }
    let (told, quiet) = (progress.clone(), arguments.quiet);
    let restorer = arguments.restorer()?.with_notice(move |line| {
        if !quiet {
            told.note(line);
        }
    });
    let done = Arc::new(AtomicUsize::new(0));
    let (said, counted) = (progress.clone(), Arc::clone(&done));
    on_interrupt(move || said.farewell(counted.load(Ordering::SeqCst), total));

    let mut failed = 0;
    pipeline::run(
        plan.jobs.iter().map(|job| Work::start(job, || arguments.read(job, &progress))),
        restorer.lanes(),
        |work| {
            progress.lock().start(&work.job.input.to_string());
            work.go_on(|job, photo| arguments.restore(job, photo, &restorer, &progress))
        },
        |work| {
            let work = work.go_on(|job, results| arguments.write(job, &results, &done));
            let flow = arguments.report(&work, &progress, &restorer);
            failed += usize::from(work.state.is_err() || flow.is_break());
            flow
        },
    );
    progress.lock().clear();
    if failed > 0 && total > 1 {
        say!("irnext: {}", failures(failed, total));
    }
    Ok(if failed > 0 { ExitCode::FAILURE } else { whole })
}

/// A job on its way: what has been made of it so far, or what went wrong, and the time it took.
struct Work<'a, T> {
    job: &'a Job,
    state: Result<T, Failure>,
    busy: Duration,
}

impl<'a, T> Work<'a, T> {
    fn start(job: &'a Job, step: impl FnOnce() -> Result<T, Failure>) -> Self {
        Work { job, state: Ok(()), busy: Duration::ZERO }.go_on(|_, ()| step())
    }

    fn go_on<U>(self, step: impl FnOnce(&Job, T) -> Result<U, Failure>) -> Work<'a, U> {
        let started = Instant::now();
        let state = self.state.and_then(|state| step(self.job, state));
        Work { job: self.job, state, busy: self.busy + started.elapsed() }
    }
}

impl Arguments {
    pub(super) fn restorer(&self) -> Result<Restorer, Failure> {
        if self.model.task.is_none() && self.model.model.is_none() && !self.quiet {
            let tasks = Task::ALL.map(|task| format!("{task} ({})", task.of())).join(", ");
            say!("irnext: removing {}; choose with --task: {tasks}", Task::default().of());
        }
        let restorer = Restorer::new(self.model.load_beside_file_quality()?, &self.seen.with(self.device.options()))?;
        passed_over(restorer.executor());
        Ok(restorer)
    }

    pub(super) fn adjustments(&self) -> Adjustments {
        Adjustments { over_turns: self.tta, strength: self.strength }
    }

    /// The number that `--quality` was given, which is for files.
    pub(super) fn file_quality(&self) -> Option<u8> {
        quality::of_file(&self.model.quality)
    }

    pub(super) fn limits(&self) -> Limits {
        Limits { max_pixels: self.max_pixels }
    }

    pub(super) fn quiet(&self) -> bool {
        self.quiet
    }

    /// Whether input and output are both the standard ones.
    pub(super) fn is_filter(&self) -> bool {
        self.inputs == ["-"] && self.output.as_deref().is_none_or(|output| output == Path::new("-"))
    }

    fn read(&self, job: &Job, progress: &Shared) -> Result<Photo, Failure> {
        let decode = || -> Result<Photo, Failure> {
            match &job.input {
                Input::Path(path) => Ok(Photo::open(path, &self.limits())?),
                Input::Stdin => {
                    let mut bytes = Vec::new();
                    std::io::stdin().lock().read_to_end(&mut bytes).map_err(|error| named(job, &error))?;
                    Photo::decode(&bytes, &self.limits()).map_err(|error| named(job, &error))
                }
            }
        };
        // A file that brings a decoder down must not bring the others' down with it.
        let photo = catch_unwind(AssertUnwindSafe(decode))
            .unwrap_or_else(|_| Err(named(job, &"its decoder broke down: the file is damaged, or made to do that")))?;
        let losses = photo.losses(job.format).map_err(|error| named(job, &error))?;
        for warning in photo.warnings.iter().chain(&losses) {
            progress.note(&format!("{}: {warning}", job.input));
        }
        Ok(photo)
    }

    /// The restored photo, and before and after in one if they are wanted.
    fn restore(
        &self,
        job: &Job,
        photo: Photo,
        restorer: &Restorer,
        progress: &Shared,
    ) -> Result<(Photo, Option<Photo>), Failure> {
        if self.kernels.explain {
            let lines = restorer.explain(&photo).map_err(|error| named(job, &error))?;
            lines.iter().for_each(|line| progress.note(line));
        }
        let within = &mut |share| progress.lock().within(share);
        let restored =
            restorer.restore_adjusted(&photo, &self.adjustments(), within).map_err(|error| named(job, &error))?;
        let comparison = self.compare.map(|comparison| comparison.of(&photo, &restored));
        Ok((restored, comparison))
    }

    /// Picture and comparison are both written before either gets its name: what a full disk or a missing permission
    /// stops, it stops for both, and what stood there still stands.
    fn write(
        &self,
        job: &Job,
        (restored, comparison): &(Photo, Option<Photo>),
        done: &AtomicUsize,
    ) -> Result<(), Failure> {
        let quality = self.file_quality().unwrap_or(FILE_QUALITY);
        let encode = |photo: &Photo| photo.encode(job.format, quality).map_err(|error| named(job, &error));
        let bytes = encode(restored)?;
        let comparison = job.comparison.as_ref().zip(comparison.as_ref());
        let comparison = comparison.map(|(path, photo)| encode(photo).map(|bytes| (path, bytes))).transpose()?;
        let _whole = interrupt::writing();
        let comparison = match &comparison {
            Some((path, bytes)) => self.staged(path, bytes)?.map(|staged| (*path, staged)),
            None => None,
        };
        let picture = match &job.output {
            Output::Path(path) => self.staged(path, &bytes)?,
            Output::Stdout => {
                output::bytes(&bytes)?;
                None
            }
        };
        let mut made = None;
        if let Some((path, staged)) = comparison {
            let there = path.symlink_metadata().is_ok();
            staged.keep()?;
            made = Some(path).filter(|_| !there);
        }
        // The picture last: where it is there, all is.
        if let Err(error) = picture.map_or(Ok(()), Staged::keep) {
            // Something has appeared under its name; that is what is told.
            let _ = made.map(std::fs::remove_file);
            return Err(error.into());
        }
        done.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn staged(&self, path: &Path, bytes: &[u8]) -> Result<Option<Staged>, Failure> {
        // What an earlier run left of a picture's two files stays.
        if self.skip_existing && path.symlink_metadata().is_ok() {
            return Ok(None);
        }
        create_parent(path)?;
        Ok(Some(stage(path, bytes, self.overwrite)?))
    }

    /// Says how it went. It ends all work when nobody listens to that.
    fn report(&self, work: &Work<()>, progress: &Shared, restorer: &Restorer) -> ControlFlow<()> {
        let (input, output, seconds) = (&work.job.input, &work.job.output, work.busy.as_secs_f64());
        if let Err(error) = &work.state {
            progress.note(&error.to_string());
        }
        if self.json {
            let error = work.state.as_ref().err().map(ToString::to_string);
            if let Err(error) = print_line!("{}", json_line(work.job, seconds, error, false)) {
                progress.note(&error.to_string());
                return ControlFlow::Break(());
            }
        }
        let word = if work.state.is_ok() { "" } else { " FAILED" };
        let line = format!("{input} -> {output}{word} ({seconds:.2} s, {})", restorer.executor().name());
        progress.lock().finish(&line);
        ControlFlow::Continue(())
    }
}

/// A picture's line of `--json`.
fn json_line(job: &Job, seconds: f64, error: Option<String>, skipped: bool) -> serde_json::Value {
    let comparison = job.comparison.as_ref().map(|path| path.display().to_string());
    json!({
        "input": job.input.to_string(), "output": job.output.to_string(), "comparison": comparison,
        "seconds": seconds, "skipped": skipped, "error": error,
    })
}

/// An error, with the input it is about. Paths stand in errors of files; standard input has no path.
fn named(job: &Job, error: &dyn std::fmt::Display) -> Failure {
    // Drivers and shader compilers say it in several lines, and progress prints one.
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    format!("{}: {}", job.input, lines.join(" ")).into()
}

/// What is said at the end when pictures failed.
fn failures(failed: usize, total: usize) -> String {
    if failed == total {
        format!("all {total} pictures failed")
    } else {
        format!("{failed} of {total} pictures failed; the others are done")
    }
}

/// How many pictures were left out as their formats can't be read, and the first few of them. That is no failure: a
/// folder may hold anything.
fn unread(paths: &[PathBuf]) -> Option<String> {
    let names: Vec<String> = paths.iter().take(3).map(|path| path.display().to_string()).collect();
    let (count, names) = (paths.len(), names.join(", "));
    let more = if count > 3 { ", …" } else { "" };
    let are = if count == 1 { "picture is" } else { "pictures are" };
    let remedy = "PNG, JPEG, WebP, TIFF and BMP are read: convert them to one of these";
    (count > 0).then(|| format!("{count} {are} in a format that can't be read and left out ({names}{more}); {remedy}"))
}

fn parse_format(text: &str) -> Result<Format, String> {
    Format::from_path(Path::new(&format!("name.{text}")))
        .ok_or_else(|| format!("`{text}` can't be written; png, jpeg, webp, tiff, bmp and avif can"))
}

fn parse_share(text: &str) -> Result<f32, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("`{text}` is no share; expected a number from 0 to 1"))
}

//! `irnext restore`: pictures in, restored pictures out.

use super::files::{self, Input, Job, Output};
use super::progress::Progress;
use super::{DeviceArguments, Failure, ModelArguments, explain, quality};
use crate::model::Task;
use crate::photo::{JPEG_QUALITY, Limits, Photo, create_parent, write_atomic, write_new};
use crate::restore::Restorer;
use clap::Args;
use serde_json::json;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Pictures (PNG, JPEG, WebP, TIFF, BMP), folders, globs, or - for standard input
    #[arg(required = true, value_name = "IN")]
    inputs: Vec<OsString>,
    /// A picture, a folder (made if need be, keeping a folder's tree), or - for standard output
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    device: DeviceArguments,
    /// Replace pictures that are already there; inputs are never replaced
    #[arg(long)]
    overwrite: bool,
    /// Refuse pictures of more pixels than this
    #[arg(long, value_name = "N", default_value_t = Limits::default().max_pixels)]
    max_pixels: u64,
    /// Say nothing but warnings and errors
    #[arg(short, long)]
    quiet: bool,
    /// A line of JSON on standard output for every picture
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  irnext restore hazy.jpg -o clear.png
  irnext restore holiday/ more/*.png -o restored/
  curl -s https://example.org/hazy.jpg | irnext restore - -o - > clear.png

16-bit PNG and TIFF stay 16-bit; alpha, colour profile and EXIF are kept; a rotated photo is turned upright.";

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let plan = files::plan(&arguments.inputs, arguments.output.as_deref(), arguments.overwrite)?;
    if arguments.json && plan.jobs.iter().any(|job| job.output == Output::Stdout) {
        return Err("--json and a picture can't both go to standard output".into());
    }
    if arguments.model.task.is_none() && arguments.model.model.is_none() && !arguments.quiet {
        let tasks = Task::ALL.map(|task| format!("{task} ({})", task.of())).join(", ");
        eprintln!("irnext: removing {}; choose with --task: {tasks}", Task::default().of());
    }
    let model = arguments.model.load_beside_file_quality()?;
    let restorer = Restorer::new(model, &arguments.device.options())?;
    explain(restorer.executor());
    let mut progress = Progress::new(plan.jobs.len(), arguments.quiet);
    plan.warnings.iter().for_each(|warning| progress.note(&format!("irnext: {warning}")));
    let mut failed = 0;
    for job in &plan.jobs {
        progress.start(&job.input.to_string());
        let started = Instant::now();
        let done = one(job, arguments, &restorer, &progress);
        let seconds = started.elapsed().as_secs_f64();
        if let Err(error) = &done {
            failed += 1;
            // Paths stand in errors of files; standard input has no path.
            progress.note(&format!("irnext: {error}"));
        }
        if arguments.json {
            let error = done.as_ref().err().map(ToString::to_string);
            let (input, output) = (job.input.to_string(), job.output.to_string());
            let line = json!({"input": input, "output": output, "seconds": seconds, "error": error});
            writeln!(std::io::stdout(), "{line}")?;
        }
        let word = if done.is_ok() { "" } else { " FAILED" };
        progress.finish(&format!(
            "{} -> {}{word} ({seconds:.2} s, {})",
            job.input,
            job.output,
            restorer.executor().name()
        ));
    }
    drop(progress);
    if failed > 0 && plan.jobs.len() > 1 {
        eprintln!("irnext: {failed} of {} pictures failed; the others are done", plan.jobs.len());
    }
    Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// One picture. Nothing is written unless all of it went well.
fn one(job: &Job, arguments: &Arguments, restorer: &Restorer, progress: &Progress) -> Result<(), Failure> {
    let limits = Limits { max_pixels: arguments.max_pixels };
    let named = |error: &dyn std::fmt::Display| -> Failure { format!("{}: {error}", job.input).into() };
    let photo = match &job.input {
        Input::Path(path) => Photo::open(path, &limits)?,
        Input::Stdin => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes)?;
            Photo::decode(&bytes, &limits).map_err(|error| named(&error))?
        }
    };
    let losses = photo.losses(job.format).map_err(|error| named(&error))?;
    for warning in photo.warnings.iter().chain(&losses) {
        progress.note(&format!("irnext: {}: {warning}", job.input));
    }
    let restored = restorer.restore_with(&photo, &mut |share| progress.within(share)).map_err(|error| named(&error))?;
    let quality = quality::of_file(&arguments.model.quality).unwrap_or(JPEG_QUALITY);
    let bytes = restored.encode(job.format, quality).map_err(|error| named(&error))?;
    match &job.output {
        Output::Path(path) => {
            create_parent(path)?;
            if arguments.overwrite { write_atomic(path, &bytes)? } else { write_new(path, &bytes)? }
        }
        Output::Stdout => {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(&bytes)?;
            stdout.flush()?;
        }
    }
    Ok(())
}

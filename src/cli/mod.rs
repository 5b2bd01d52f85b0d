//! Floor 9: the program, one file per subcommand.

mod bench;
mod compare;
mod convert;
mod devices;
mod documents;
mod eval;
mod files;
mod files_error;
mod inputs;
mod inspect;
mod interrupt;
mod models;
mod naming;
mod network;
mod opened;
mod output;
mod pipeline;
mod profile;
mod progress;
mod quality;
mod restore;
mod run;
mod tune;
mod verify;
mod video;
mod written;
mod wrong;

use crate::gpu::{AdapterChoice, adapters};
use crate::model::network::SIDE_LEAST;
use crate::model::{Activation, MeanKind, Model, Quality, Task};
use crate::restore::{LongestSide, Options};
use crate::tensor::Element;
use clap::{Args, Parser, Subcommand, ValueEnum};
use output::say;
use quality::QualityArgument;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use wrong::wrong;

/// What ends a command early.
type Failure = Box<dyn Error + Send + Sync>;

/// The exit code of a program that was interrupted, as shells have it.
const INTERRUPTED: i32 = 130;

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "irnext", version, about, long_about = LONG, after_help = AFTER, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const LONG: &str = "Restores photographs with the IRNeXt network: hand-written WGSL kernels on any GPU, a CPU \
                    executor where there is none. Nothing to download.";
const AFTER: &str = "Examples:
  irnext restore hazy.jpg -o clear.png          one picture
  irnext restore holiday/ -o restored/          a folder and all below it
  irnext devices                                what this machine can run on
  irnext verify                                 whether its driver computes what it should

Exit codes:
  0    all done
  1    something failed, and standard error says what; what could be done is done (nothing where outputs exist already)
  2    the command line is wrong; nothing was done
  130  interrupted by Ctrl-C or a request to terminate; no file is half-written under its name";

#[derive(Debug, Subcommand)]
enum Command {
    /// Restore pictures: files, folders, globs, or - for standard input
    Restore(restore::Arguments),
    /// Run the network on a tensor file, for tools: `input` [N, 3, H, W] to `full`, and `quarter` and `half` if it has them
    Run(run::Arguments),
    /// Measure restored pictures against their ground truth: PSNR, SSIM, MAE by each task's protocol
    Eval(eval::Arguments),
    /// Check every kernel of this device against the CPU reference, and golden files against their outputs
    Verify(verify::Arguments),
    /// List the models that this program carries
    Models(models::Arguments),
    /// List the devices of this machine
    Devices(devices::Arguments),
    /// Show a model: config, parameters, the graph after each pass, the memory plan
    Inspect(inspect::Arguments),
    /// Convert a checkpoint in any form to safetensors
    Convert(convert::Arguments),
    /// Time every dispatch of a network on the device's clock, beside a measured roofline
    Profile(profile::Arguments),
    /// Time each kernel at the network's own shapes, and whole models
    Bench(bench::Arguments),
    /// Time every kernel on every kind of convolution, with its error, and keep the fastest for this machine
    Tune(tune::Arguments),
    /// Write a completion script for a shell to standard output
    Completions(documents::CompletionsArguments),
    /// Write a man page, of the program or of one command, to standard output
    Man(documents::ManArguments),
}

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(answer) => return answered(&answer),
    };
    if let Err(error) = interrupt::listen() {
        say!("irnext: {error}: Ctrl-C will end this without waiting for the file that is being written");
    }
    let result = match command {
        Command::Restore(arguments) => restore::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Models(arguments) => models::run(&arguments),
        Command::Devices(arguments) => devices::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Profile(arguments) => profile::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Tune(arguments) => tune::run(&arguments),
        Command::Completions(arguments) => documents::completions(&arguments),
        Command::Man(arguments) => documents::man(&arguments),
    };
    result.unwrap_or_else(|error| {
        say!("irnext: {error}");
        wrong::exit_code(&error)
    })
}

/// Prints what clap has to say in place of a command: help, the version, or what is wrong with the command line.
fn answered(answer: &clap::Error) -> ExitCode {
    match answer.print() {
        // What is wrong with a command line goes to standard error; where that is full, the exit code must do.
        Err(error) if !answer.use_stderr() => {
            say!("irnext: {}", output::failed(&error));
            ExitCode::FAILURE
        }
        _ => u8::try_from(answer.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from),
    }
}

/// How activations are stored on a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Precision {
    /// Half precision; sums and norms in f32
    F16,
    /// Single precision throughout
    F32,
    /// As f16, packed in words as for adapters that have no native half precision
    Packed,
    /// As f16, native whatever it is like: on a software driver, slower, but with its matrices (Mesa 26.1); on a GPU that rounds otherwise
    Native,
}

impl From<Precision> for Element {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F16 | Precision::Packed | Precision::Native => Element::F16,
            Precision::F32 => Element::F32,
        }
    }
}

#[derive(Debug, Args)]
struct DeviceArguments {
    /// `auto`, `cpu`, or a number from `irnext devices` [default: auto]
    ///
    /// `auto` is the first GPU, else the CPU executor; for `verify`, `profile` and `tune` the first adapter of any kind.
    #[arg(long, value_name = "DEVICE", env = "IRNEXT_DEVICE")]
    device: Option<AdapterChoice>,
    /// Storage of activations on a GPU
    ///
    /// The CPU executor works in f32.
    #[arg(long, value_enum, value_name = "TYPE", default_value = "f16")]
    precision: Precision,
    /// Take WGSL files from this folder where it has them, for research; each must have the name of one that there is
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    shaders: Option<PathBuf>,
    /// Memory for maps and weights at most, as in 2GiB
    ///
    /// The default is all that there is. A picture that takes more is restored in bands of rows on a device: the same picture to within rounding, and no seams. (So is one whose dispatches would take so long that a driver might end them.) The CPU executor refuses it.
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    memory: Option<u64>,
    /// On a GPU whose kernels were never timed, don't take seconds for it; `irnext tune` does it when asked
    #[arg(long)]
    no_tune: bool,
}

impl DeviceArguments {
    fn options(&self) -> Options {
        Options {
            device: self.device.unwrap_or_default(),
            precision: self.precision.into(),
            native_f16: match self.precision {
                Precision::F16 | Precision::F32 => None,
                Precision::Packed => Some(false),
                Precision::Native => Some(true),
            },
            shaders: self.shaders.clone(),
            memory: self.memory,
            longest_side: LongestSide::OfTheModel,
            tune: !self.no_tune,
        }
    }

    /// Where a driver is what a command is about: a software one rather than none.
    fn driver_options(&self) -> Options {
        let mut options = self.options();
        if options.device == AdapterChoice::Auto && !adapters().is_empty() {
            options.device = AdapterChoice::Index(0);
        }
        options
    }
}

/// For the commands that restore pictures.
#[derive(Debug, Args)]
struct SeenArguments {
    /// The network sees a copy of at most this longest side; `full`: the picture itself [default: the model's]
    ///
    /// The change that it makes of the copy is carried over to the picture, as a linear function of its colours around each pixel (guided filter). That is for haze, which is smooth: a model that was trained on small pictures tells it better so, and in a moment. In a video the carried change is evened out over the frames besides. The shipped dehazing model has 640; any other sees the picture itself.
    #[arg(long, value_name = "PIXELS", value_parser = parse_longest_side, hide_short_help = true)]
    longest_side: Option<LongestSide>,
}

impl SeenArguments {
    /// The options of a device, and what the network sees of a picture there.
    fn with(&self, options: Options) -> Options {
        Options { longest_side: self.longest_side.unwrap_or_default(), ..options }
    }
}

/// A number of pixels that the network takes, or `full`.
fn parse_longest_side(text: &str) -> Result<LongestSide, String> {
    let pixels = text.parse().ok().filter(|pixels| (SIDE_LEAST..=LONGEST_SIDE).contains(pixels));
    match pixels {
        Some(pixels) => Ok(LongestSide::Pixels(pixels)),
        None if text == "full" => Ok(LongestSide::Any),
        None => Err(format!("`{text}` is neither {SIDE_LEAST} to {LONGEST_SIDE} pixels nor `full`")),
    }
}

#[derive(Debug, Args)]
struct ModelArguments {
    /// What to free the picture of [default: dehaze]
    ///
    /// For `eval` the default is what the data set's folders say.
    #[arg(long, value_enum, conflicts_with = "model")]
    task: Option<Task>,
    /// Model: small, full; JPEG quality: 1 to 100
    ///
    /// May be given for each. The word chooses among the task's shipped models, which `irnext models` lists [default:
    /// small]; the number is for commands that write pictures [default: 95].
    #[arg(long, value_name = "Q")]
    quality: Vec<QualityArgument>,
    /// A checkpoint instead, PyTorch or safetensors
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The checkpoint's activation, which its weights don't tell [default: as its metadata say, else tanh]
    #[arg(long, value_enum, hide_short_help = true)]
    activation: Option<Activation>,
    /// The checkpoint's mean, which its weights don't tell; `local` for motion deblurring [default: as its metadata
    /// say, else global]
    #[arg(long, value_enum, hide_short_help = true)]
    mean: Option<MeanKind>,
}

impl ModelArguments {
    /// The model, for a command that writes no pictures: a number for `--quality` means nothing to it.
    fn load(&self) -> Result<Model, Failure> {
        self.refuse_file_quality()?;
        self.load_beside_file_quality()
    }

    /// For a command that writes no pictures.
    fn refuse_file_quality(&self) -> Result<(), Failure> {
        match quality::of_file(&self.quality) {
            Some(number) => Err(wrong(format!("--quality {number} is a file's compression, and this writes none"))),
            None => Ok(()),
        }
    }

    /// The model, for a command that takes a number for `--quality` too.
    fn load_beside_file_quality(&self) -> Result<Model, Failure> {
        let quality = quality::of_model(&self.quality);
        Ok(match &self.model {
            Some(path) if quality.is_some() => {
                let path = path.display();
                return Err(wrong(format!("--quality small|full chooses a shipped model, and --model {path} is none")));
            }
            Some(path) => Model::read(path, self.activation, self.mean)?,
            None => self.shipped(self.task.unwrap_or_default(), quality.unwrap_or_default())?,
        })
    }

    /// A model that the program carries.
    fn shipped(&self, task: Task, quality: Quality) -> Result<Model, Failure> {
        if self.activation.is_some() || self.mean.is_some() {
            return Err(wrong(
                "--activation and --mean are a checkpoint's, and shipped models tell theirs: give --model",
            ));
        }
        Ok(Model::shipped(task, quality)?)
    }
}

/// What `--seconds` allows.
fn seconds(seconds: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| wrong(format!("--seconds {seconds} is no time: expected 0 or more")))
}

/// Far more than a picture has; beyond it sizes in bytes could overflow.
const LONGEST_SIDE: usize = 1_000_000;

/// `HEIGHTxWIDTH`, both at least 1.
fn parse_size(text: &str) -> Result<[usize; 2], String> {
    let side = |side: &str| side.parse::<usize>().ok().filter(|side| (1..=LONGEST_SIDE).contains(side));
    let sides = text.split_once(['x', 'X']).and_then(|(height, width)| Some([side(height)?, side(width)?]));
    sides.ok_or_else(|| {
        format!("`{text}` is no size; expected HEIGHTxWIDTH, as in 480x640, each side at most {LONGEST_SIDE}")
    })
}

/// At least one.
fn parse_count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|&count| count > 0);
    count.ok_or_else(|| format!("`{text}` is no count; expected 1 or more"))
}

/// A number of bytes with a unit, powers of 1024: `512MiB`, `2GiB`, `1G`, `1.5g`.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1u64),
        "k" | "kb" | "kib" => Some(1 << 10),
        "m" | "mb" | "mib" => Some(1 << 20),
        "g" | "gb" | "gib" => Some(1 << 30),
        "t" | "tb" | "tib" => Some(1 << 40),
        _ => None,
    };
    let bytes = number.parse::<f64>().ok().zip(factor).map(|(number, factor)| number * factor as f64);
    match bytes {
        Some(bytes) if (1.0..1e18).contains(&bytes) => Ok(bytes as u64),
        _ => Err(format!("`{text}` is no size; expected a number and a unit, as in 512MiB, 2GiB or 1G")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_have_two_sides_that_can_be_counted() {
        assert_eq!(parse_size("480x640"), Ok([480, 640]));
        for text in ["480", "0x1", "480x", "1000001x1", "18446744073709551615x64", "18446744073709551616x64", "-1x4"] {
            assert!(parse_size(text).is_err_and(|error| error.contains("480x640")), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        for (text, bytes) in
            [("512MiB", 512 << 20), ("2GiB", 2 << 30), ("1G", 1 << 30), ("1.5g", 3 << 29), ("4096", 4096)]
        {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "-1G", "0", "1X", "1 000", "1e9", "nan", "1.2.3M"] {
            assert!(parse_bytes(text).is_err_and(|error| error.contains("512MiB")), "{text}");
        }
    }
}

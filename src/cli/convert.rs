//! `irnext convert`: any checkpoint to safetensors.

use super::Failure;
use super::output::{print_line, say};
use super::written::{not_over, not_there};
use crate::model::checkpoint::Chosen;
use crate::model::{Activation, Checkpoint, MeanKind, Task};
use crate::tensor::Element;
use crate::tensor::file::TensorFile;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(after_help = "Example:
  irnext convert model.pkl -o model.safetensors --mean local")]
pub(super) struct Arguments {
    /// PyTorch (zip or legacy) or safetensors
    #[arg(value_name = "CKPT")]
    input: PathBuf,
    /// The safetensors file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace the safetensors file if it is there; the checkpoint never
    #[arg(long)]
    overwrite: bool,
    /// What the values are stored as
    #[arg(long, value_enum, default_value = "f32")]
    precision: Stored,
    /// Noted in the file's metadata, so that it needn't be told again [default: as CKPT's metadata say, else not noted]
    #[arg(long, value_enum)]
    activation: Option<Activation>,
    /// Noted in the file's metadata, so that it needn't be told again [default: as CKPT's metadata say, else not noted]
    #[arg(long, value_enum)]
    mean: Option<MeanKind>,
    /// Noted too: it tells `restore --tta` which turns to average [default: as CKPT's metadata say, else not noted]
    #[arg(long, value_enum)]
    task: Option<Task>,
}

/// What a file's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stored {
    /// Half precision
    F16,
    /// Single precision
    F32,
}

impl From<Stored> for Element {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::F16 => Element::F16,
            Stored::F32 => Element::F32,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    not_over(&arguments.output, [arguments.input.as_path()])?;
    if !arguments.overwrite {
        not_there(&arguments.output)?;
    }
    let read = Checkpoint::read(&arguments.input, arguments.activation, arguments.mean)?;
    let Checkpoint { state, config, activation, mean, task } = read;
    let known: std::collections::HashSet<String> =
        config.expected_tensors().into_iter().map(|(name, _)| name).collect();
    let mut file = TensorFile::default();
    let chosen = state.chosen;
    file.tensors.extend(state.tensors.into_iter().filter(|(name, _)| known.contains(name)));
    // What nobody said stays unsaid: a default in the metadata would read as something that is known.
    file.metadata.extend(activation.map(|activation| ("activation".into(), activation.to_string())));
    file.metadata.extend(mean.map(|mean| ("mean".into(), mean.to_string())));
    let task = arguments.task.or(task);
    file.metadata.extend(task.map(|task| ("task".into(), task.to_string())));
    let untold = [("activation", activation.is_none()), ("mean", mean.is_none())];
    let untold: Vec<_> = untold.iter().filter(|(_, untold)| *untold).map(|(option, _)| format!("--{option}")).collect();
    file.write(&arguments.output, arguments.precision.into())?;
    if let Some(Chosen { under, others }) = chosen.filter(|chosen| !chosen.others.is_empty()) {
        let named = |key: &String| if key.is_empty() { "its top level".to_owned() } else { format!("`{key}`") };
        let others: Vec<String> = others.iter().map(named).collect();
        say!("irnext: these are the weights of {}; the checkpoint has others in {}", named(&under), others.join(", "));
    }
    print_line!("{}: {config}", arguments.output.display())?;
    if !untold.is_empty() {
        say!(
            "irnext: the checkpoint doesn't tell its {0}, so the file doesn't either, and what stands above is a default; \
             say {0} to have it written",
            untold.join(" and ")
        );
    }
    Ok(ExitCode::SUCCESS)
}

//! `irnext convert`: any checkpoint to safetensors.

use super::output::print_line;
use super::written::{not_over, not_there};
use super::{Failure, Precision};
use crate::model::checkpoint;
use crate::model::{Activation, Config, MeanKind};
use crate::tensor::file::TensorFile;
use clap::Args;
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
    precision: Precision,
    /// Noted in the file's metadata, so that it needn't be told again
    #[arg(long, value_enum)]
    activation: Option<Activation>,
    /// Noted in the file's metadata, so that it needn't be told again
    #[arg(long, value_enum)]
    mean: Option<MeanKind>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    not_over(&arguments.output, [arguments.input.as_path()])?;
    if !arguments.overwrite {
        not_there(&arguments.output)?;
    }
    let at = arguments.input.display();
    let state = checkpoint::read(&arguments.input)?;
    let told = |key: &str| state.metadata.get(key).cloned();
    let activation = match (arguments.activation, told("activation")) {
        (Some(activation), _) => activation,
        (None, Some(text)) => text.parse()?,
        (None, None) => Activation::default(),
    };
    let mean = match (arguments.mean, told("mean")) {
        (Some(mean), _) => mean,
        (None, Some(text)) => text.parse()?,
        (None, None) => MeanKind::default(),
    };
    let config = Config::infer(&state, activation, mean).map_err(|error| format!("{at}: {error}"))?;
    let known: std::collections::HashSet<String> =
        config.expected_tensors().into_iter().map(|(name, _)| name).collect();
    let mut file = TensorFile::default();
    file.tensors.extend(state.tensors.into_iter().filter(|(name, _)| known.contains(name)));
    file.metadata.insert("activation".into(), activation.to_string());
    file.metadata.insert("mean".into(), mean.to_string());
    file.write(&arguments.output, arguments.precision.into())?;
    print_line!("{}: {config}", arguments.output.display())?;
    Ok(ExitCode::SUCCESS)
}

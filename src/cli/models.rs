//! `irnext models`: what the program carries.

use super::Failure;
use super::output::{self, print_line};
use crate::model::{Model, Shipped, Task, shipped};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(
    after_help = "Figures are the manifest's: mean PSNR of the pictures that the model was measured on, degraded and \
                        restored.
`irnext eval` measures a model on pictures of yours."
)]
pub(super) struct Arguments {
    /// As JSON, with all that the manifest says
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let models = shipped();
    if arguments.json {
        output::json(&models.iter().map(described).collect::<Result<Vec<Value>, Failure>>()?)?;
        return Ok(ExitCode::SUCCESS);
    }
    print_line!(
        "{:<8} {:<8} {:<16} {:>7}  {:>9} {:>9}  terms",
        "task",
        "quality",
        "model",
        "weights",
        "degraded",
        "restored"
    )?;
    for model in &models {
        let Shipped { task, quality, name, licence, .. } = model;
        let millions = parameters(model)? as f64 / 1e6;
        let figure = |key| model.provenance.get(key).and_then(toml::Value::as_float);
        let decibels = |key| figure(key).map_or("-".into(), |value| format!("{value:.2} dB"));
        let (degraded, restored) = (decibels("psnr_degraded"), decibels("psnr_restored"));
        print_line!("{task:<8} {quality:<8} {name:<16} {millions:>6.2}M  {degraded:>9} {restored:>9}  {licence}")?;
    }
    for task in Task::ALL.iter().filter(|task| models.iter().all(|model| model.task != **task)) {
        print_line!("{task:<8} none shipped")?;
    }
    print_line!(
        "Figures: PSNR of RGB in eight bits on tests/data/heldout, for every task, by the network alone; README has each task's own protocol."
    )?;
    print_line!("Any other IRNeXt checkpoint: irnext restore --model FILE …")?;
    Ok(ExitCode::SUCCESS)
}

/// The number of its weights.
fn parameters(model: &Shipped) -> Result<usize, Failure> {
    Ok(Model::shipped(model.task, model.quality)?.config.parameters())
}

/// The manifest's entry, and the number of its weights.
fn described(model: &Shipped) -> Result<Value, Failure> {
    let mut entry = json!(model);
    entry["parameters"] = json!(parameters(model)?);
    Ok(entry)
}

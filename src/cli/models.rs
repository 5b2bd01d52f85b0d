//! `irnext models`: what the program carries.

use super::{Failure, print_json};
use crate::model::{Config, shipped};
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let models = shipped();
    if arguments.json {
        print_json(&models)?;
        return Ok(ExitCode::SUCCESS);
    }
    for model in models {
        let config = Config::new(model.width, model.blocks, model.activation, model.mean);
        println!("{}: task {}, {config}, {}", model.name, model.task, model.licence);
        for (key, value) in &model.provenance {
            println!("    {key}: {value}");
        }
    }
    println!("Any other IRNeXt checkpoint: irnext restore --model FILE …");
    Ok(ExitCode::SUCCESS)
}

//! `irnext verify`: every kernel of a device against the CPU reference, every case of golden files against its recorded
//! outputs. A contract for tools; keep it as it stands.

use super::opened::passed_over;
use super::output::{self, print_line, say};
use super::{DeviceArguments, Failure};
use crate::restore::Executor;
use crate::tensor::file::TensorFile;
use crate::verify::{Report, golden, golden_case, pixel_cases, random_cases, refused_case};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  irnext verify
  irnext verify --golden tests/data/golden/ops.safetensors --precision f32 --json
  irnext verify --device 1 --shaders my-shaders/

Relative L2 errors up to 1e-5 (f32) or 2e-3 (f16) pass. Without --device the first adapter is taken, a software \
driver too.")]
pub(super) struct Arguments {
    /// A golden file (safetensors with cases in its metadata); may be given several times
    #[arg(long, value_name = "FILE")]
    golden: Vec<PathBuf>,
    #[command(flatten)]
    device: DeviceArguments,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Random cases of each op.
const SEEDS: u64 = 6;

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let options = arguments.device.driver_options();
    let executor = Executor::open(&options)?;
    passed_over(&executor);
    let mut reports = random_cases(&executor, options.precision, SEEDS);
    if let Executor::Gpu(gpu) = &executor {
        reports.extend(pixel_cases(gpu, options.precision));
    }
    for path in &arguments.golden {
        let file = TensorFile::read(path)?;
        let cases = golden::cases(&file);
        if cases.is_empty() {
            return Err(format!("{}: its metadata names no case, so it is no golden file", path.display()).into());
        }
        for case in cases {
            match case {
                Ok(case) => reports.extend(golden_case(&executor, &case, options.precision)),
                Err(error) => {
                    say!("irnext: {}: {error}", path.display());
                    reports.push(refused_case(error.case, error.reason));
                }
            }
        }
    }
    let failed = reports.iter().filter(|report| !report.pass).count();
    if arguments.json {
        output::json(&json!({"adapter": executor.name(), "cases": reports}))?;
    } else {
        print_line!("{} in {}", executor.name(), executor.stores(options.precision))?;
        reports.iter().try_for_each(print)?;
        print_line!("{} cases, {failed} failed", reports.len())?;
    }
    Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(report: &Report) -> Result<(), Failure> {
    let verdict = if report.pass { "pass" } else { "FAIL" };
    let Report { name, variant, max_abs, rel_l2, reason, .. } = report;
    let number = |value: &Option<f64>| value.map_or("-".into(), |value| format!("{value:.2e}"));
    print_line!("{verdict} {name:<52} max abs {:>8}  rel L2 {:>8}  {variant}", number(max_abs), number(rel_l2))?;
    if let Some(reason) = reason {
        print_line!("     {reason}")?;
    }
    Ok(())
}

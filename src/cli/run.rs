//! `irnext run`: the network on a tensor file. A contract for tools; keep it as it stands.

use super::opened::{ExplainArguments, passed_over};
use super::written::not_over;
use super::{DeviceArguments, Failure, Precision};
use crate::compile;
use crate::cpu::Program;
use crate::model::{Activation, MeanKind, Model};
use crate::restore::{Executor, needed};
use crate::run::MapRunner;
use crate::tensor::file::TensorFile;
use crate::tensor::{Element, FeatureMap, Shape};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The checkpoint
    #[arg(long, value_name = "CKPT")]
    model: PathBuf,
    /// Its activation [default: as its metadata say, else tanh]
    #[arg(long, value_enum)]
    activation: Option<Activation>,
    /// Its mean [default: as its metadata say, else global]
    #[arg(long, value_enum)]
    mean: Option<MeanKind>,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    kernels: ExplainArguments,
    /// safetensors with one f32 tensor `input` [N, 3, H, W], H and W multiples of 32, at least 64
    #[arg(long, value_name = "X.safetensors")]
    input: PathBuf,
    /// Gets `full`, and `quarter` and `half` if CKPT has them, f32, NCHW; replaced if it is there, unless it is CKPT or X
    #[arg(long, value_name = "Y.safetensors")]
    output: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    not_over(&arguments.output, [arguments.model.as_path(), arguments.input.as_path()])?;
    let model = Model::read(&arguments.model, arguments.activation, arguments.mean)?;
    let file = TensorFile::read(&arguments.input)?;
    let at = arguments.input.display();
    let input = file.tensors.get("input").ok_or_else(|| {
        let names: Vec<&str> = file.tensors.keys().map(String::as_str).collect();
        format!("{at}: no tensor `input`; it holds: {}", names.join(", "))
    })?;
    let (height, width) = match *input.shape() {
        [pictures, 3, height, width] if pictures > 0 => (height, width),
        ref found => return Err(format!("{at}: `input` has shape {found:?}; expected [N, 3, H, W]").into()),
    };
    let graph = model.graph(height, width).map_err(|error| format!("{at}: {error}"))?;
    let graph = compile::optimise(&graph)?;
    let pictures = FeatureMap::<f32>::from_nchw(input)?;
    let executor = Executor::open(&arguments.device.options())?;
    passed_over(&executor);
    arguments.kernels.prepare(&executor, &graph, arguments.device.precision.into())?;
    let mut results: Vec<Vec<FeatureMap<f32>>> = vec![];
    match &executor {
        Executor::Gpu(gpu) => {
            let budget = arguments.device.memory.unwrap_or(u64::MAX);
            let runner = MapRunner::new(gpu, &graph, arguments.device.precision.into(), budget)?;
            for picture in pictures {
                results.push(runner.run(&picture)?);
            }
        }
        Executor::Cpu(_) => {
            needed(&graph, arguments.device.memory).map_err(|error| format!("{at}: {error}"))?;
            let program = Program::new(&graph);
            for picture in pictures {
                results.push(program.run(&[picture])?);
            }
        }
    }
    let mut made = TensorFile::default();
    for (index, output) in graph.outputs.iter().enumerate() {
        let maps: Vec<FeatureMap<f32>> = results.iter().map(|maps| maps[index].clone()).collect();
        if let Some(bad) = maps.iter().flat_map(|map| &map.data).find(|value| !value.is_finite()) {
            let narrow = match executor {
                Executor::Gpu(_) if arguments.device.precision != Precision::F32 => {
                    ", or half precision is too narrow: try --precision f32"
                }
                _ => "",
            };
            let reason = format!("the weights or the input are damaged{narrow}");
            return Err(format!("{at}: output `{}` is not finite ({bad}): {reason}", output.name).into());
        }
        debug_assert!(maps.iter().all(|map| map.shape == Shape { channels: 3, ..map.shape }));
        made.tensors.insert(output.name.clone(), FeatureMap::to_nchw(&maps)?);
    }
    made.write(&arguments.output, Element::F32)?;
    Ok(ExitCode::SUCCESS)
}

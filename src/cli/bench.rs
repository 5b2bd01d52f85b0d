//! `irnext bench`: whole models, and each kernel at the network's own shapes. Figures for people and for scripts; no
//! test depends on a time.

use super::network::NetworkArguments;
use super::opened::{ExplainArguments, checked_indices, passed_over};
use super::output::{self, print_line};
use super::progress::Progress;
use super::{DeviceArguments, Failure, parse_size, seconds};
use crate::compile::optimise;
use crate::cpu::Program;
use crate::gpu::Gpu;
use crate::graph::Graph;
use crate::restore::{Executor, needed, padded_size};
use crate::run::TensorSession;
use crate::tensor::{Element, FeatureMap};
use crate::verify::{Report, random_cases};
use clap::Args;
use serde::Serialize;
use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  irnext bench --device 0
  irnext bench --device 0 --explain
  irnext bench --device 0 --errors
  irnext bench --blocks 14 --mean local --size 720x1280 --json > results.json

Without --model the published dehazing network's shape is timed (width 32, 4 blocks) on random weights.")]
pub(super) struct Arguments {
    #[command(flatten)]
    network: NetworkArguments,
    /// A picture's size; may be given several times
    #[arg(long = "size", value_name = "HxW", default_values = ["256x256", "480x640"], value_parser = parse_size)]
    sizes: Vec<[usize; 2]>,
    /// Seconds for each figure, at least three runs
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Only whole models
    #[arg(long)]
    no_kernels: bool,
    /// Each kernel's largest error against f64, too, on random cases as `irnext verify` has them
    #[arg(long, conflicts_with = "no_kernels")]
    errors: bool,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    kernels: ExplainArguments,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Results {
    adapter: String,
    precision: String,
    config: String,
    models: Vec<ModelTime>,
    kernels: Vec<KernelTime>,
}

/// A whole model, pixels already on the device.
#[derive(Debug, Serialize)]
struct ModelTime {
    height: usize,
    width: usize,
    runs: usize,
    first_ms: f64,
    median_ms: f64,
    min_ms: f64,
    gflops: f64,
}

/// A kernel at one shape of the first size.
#[derive(Debug, Serialize)]
struct KernelTime {
    kernel: String,
    variant: String,
    node: String,
    workgroups: [u32; 3],
    /// Dispatches of this shape in the model.
    count: usize,
    median_us: f64,
    gflops: f64,
    gigabytes_per_second: f64,
    /// The largest relative L2 error of any random case that the kernel makes the result of; infinite where one isn't
    /// finite.
    #[serde(skip_serializing_if = "Option::is_none")]
    rel_l2: Option<f64>,
}

/// Random cases of each op for `--errors`.
const SEEDS: u64 = 3;

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let model = arguments.network.model()?;
    let budget = seconds(arguments.seconds)?;
    let executor = Executor::open(&arguments.device.options())?;
    passed_over(&executor);
    checked_indices(&executor);
    let precision: Element = arguments.device.precision.into();
    let mut results = Results {
        adapter: executor.name().into(),
        precision: match executor {
            Executor::Gpu(_) => precision.to_string(),
            Executor::Cpu(_) => Element::F32.to_string(),
        },
        config: model.config.to_string(),
        models: vec![],
        kernels: vec![],
    };
    for (index, &[height, width]) in arguments.sizes.iter().enumerate() {
        let [height, width] = padded_size(height, width);
        let graph = model.picture_graph(height, width)?;
        let graph = optimise(&graph)?;
        let flops = 2 * graph.multiply_adds();
        arguments.kernels.prepare(&executor, &graph, precision)?;
        let times = match &executor {
            Executor::Cpu(_) => {
                let failed = |error| Failure::from(format!("{height}x{width}: {error}"));
                needed(&graph, arguments.device.memory).map_err(failed)?;
                let (program, inputs) = (Program::new(&graph), inputs(&graph));
                let times = measure(budget, || Ok(program.run(&inputs).map(drop)?))?;
                if index == 0 && !arguments.no_kernels {
                    results.kernels = steps(&program, &inputs)?;
                }
                times
            }
            Executor::Gpu(gpu) => {
                let session = TensorSession::new(gpu, &graph, precision, false)?;
                session.run(&inputs(&graph))?;
                let times = measure(budget, || Ok(session.session().dispatch()?))?;
                if index == 0 && !arguments.no_kernels {
                    results.kernels = kernels(gpu, &session, budget)?;
                }
                times
            }
        };
        results.models.push(ModelTime {
            height,
            width,
            runs: times.sorted.len(),
            first_ms: milliseconds(times.first),
            median_ms: milliseconds(times.median()),
            min_ms: milliseconds(times.sorted[0]),
            gflops: flops as f64 / times.median().as_secs_f64() / 1e9,
        });
    }
    if arguments.errors {
        let worst = worst_errors(&executor, precision);
        for time in &mut results.kernels {
            time.rel_l2 = worst.get(&time.kernel).copied();
        }
    }
    if arguments.json {
        output::json(&results)?;
    } else {
        print(&results)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The largest errors by kernel; on the CPU executor by op.
fn worst_errors(executor: &Executor, precision: Element) -> HashMap<String, f64> {
    let mut worst: HashMap<String, f64> = HashMap::new();
    for Report { name, kernel, rel_l2, .. } in random_cases(executor, precision, SEEDS) {
        let key = match executor {
            Executor::Gpu(_) => kernel,
            Executor::Cpu(_) => name.split(['/', ' ']).nth(1).unwrap_or_default().into(),
        };
        let largest = worst.entry(key).or_default();
        *largest = largest.max(rel_l2.unwrap_or(f64::INFINITY));
    }
    worst
}

fn inputs(graph: &Graph) -> Vec<FeatureMap<f32>> {
    let map = |id| {
        let shape = crate::graph::Graph::node(graph, id).shape;
        FeatureMap { shape, data: (0..shape.values()).map(|i| (i * 37 % 101) as f32 / 101.0).collect() }
    };
    graph.inputs().map(map).collect()
}

/// Each op of a run on the CPU, those of one shape together.
fn steps(program: &Program, inputs: &[FeatureMap<f32>]) -> Result<Vec<KernelTime>, Failure> {
    let graph = program.graph();
    let mut starts = vec![];
    program.run_with(inputs, &mut |_, _, _| starts.push(Instant::now()))?;
    starts.push(Instant::now());
    let mut seconds: Vec<(String, usize, Vec<f64>)> = vec![];
    for (index, node) in graph.nodes.iter().enumerate().filter(|(_, node)| !node.inputs.is_empty()) {
        let from: Vec<String> = node.inputs.iter().map(|input| graph.node(*input).shape.to_string()).collect();
        let variant = format!("{} {} <- {}", program.how(index), node.shape, from.join(" "));
        let variant = format!("{} {variant}", node.op.kind());
        let time = (starts[index + 1] - starts[index]).as_secs_f64();
        match seconds.iter_mut().find(|(known, ..)| *known == variant) {
            Some((_, _, times)) => times.push(time),
            None => seconds.push((variant, index, vec![time])),
        }
    }
    let mut times: Vec<KernelTime> = seconds
        .into_iter()
        .map(|(variant, index, mut times)| {
            times.sort_by(f64::total_cmp);
            let (node, median) = (&graph.nodes[index], times[times.len() / 2]);
            let bytes: usize = node.inputs.iter().map(|input| 4 * graph.node(*input).shape.values()).sum();
            KernelTime {
                kernel: node.op.kind().into(),
                variant,
                node: node.name.clone(),
                workgroups: [1; 3],
                count: times.len(),
                median_us: median * 1e6,
                gflops: 2.0 * graph.multiply_adds_of(node) as f64 / median / 1e9,
                gigabytes_per_second: (bytes + 4 * node.shape.values()) as f64 / median / 1e9,
                rel_l2: None,
            }
        })
        .collect();
    times.sort_by(|a, b| (b.median_us * b.count as f64).total_cmp(&(a.median_us * a.count as f64)));
    Ok(times)
}

/// Each distinct step of the plan alone, over and over.
fn kernels(gpu: &Arc<Gpu>, session: &TensorSession, budget: Duration) -> Result<Vec<KernelTime>, Failure> {
    let plan = session.session().plan();
    let mut distinct: Vec<(usize, usize)> = vec![];
    let mut places = HashMap::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let place = *places.entry((&step.variant, &step.params)).or_insert_with(|| {
            distinct.push((index, 0));
            distinct.len() - 1
        });
        distinct[place].1 += 1;
    }
    let mut progress = Progress::new(distinct.len(), false);
    let mut times = vec![];
    for (index, count) in distinct {
        let step = &plan.steps[index];
        progress.start(&step.variant.to_string());
        // Enough repetitions that submission and waiting don't count.
        let once = measure(Duration::ZERO, || Ok(session.session().repeat_step(index, 1)?))?.median();
        let repeats = (Duration::from_millis(20).as_secs_f64() / once.as_secs_f64().max(1e-6)).ceil() as usize;
        let repeats = repeats.clamp(1, 1000);
        let portion = budget / 8;
        let median = measure(portion, || Ok(session.session().repeat_step(index, repeats)?))?.median();
        let seconds = median.as_secs_f64() / repeats as f64;
        times.push(KernelTime {
            kernel: step.variant.shader.into(),
            variant: step.variant.to_string(),
            node: step.name.clone(),
            workgroups: step.workgroups,
            count,
            median_us: seconds * 1e6,
            gflops: step.cost.flops as f64 / seconds / 1e9,
            gigabytes_per_second: step.cost.bytes as f64 / seconds / 1e9,
            rel_l2: None,
        });
        progress.finish("");
    }
    gpu.check()?;
    times.sort_by(|a, b| (b.median_us * b.count as f64).total_cmp(&(a.median_us * a.count as f64)));
    Ok(times)
}

struct Times {
    first: Duration,
    sorted: Vec<Duration>,
}

impl Times {
    fn median(&self) -> Duration {
        self.sorted[self.sorted.len() / 2]
    }
}

/// A first run by itself (pipelines compile in it), then runs until the budget is spent, at least three.
fn measure(budget: Duration, mut run: impl FnMut() -> Result<(), Failure>) -> Result<Times, Failure> {
    let mut time = || {
        let started = Instant::now();
        run().map(|()| started.elapsed())
    };
    let first = time()?;
    let mut sorted = vec![];
    let started = Instant::now();
    while sorted.len() < 3 || started.elapsed() < budget {
        sorted.push(time()?);
    }
    sorted.sort_unstable();
    Ok(Times { first, sorted })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn print(results: &Results) -> Result<(), Failure> {
    print_line!("{} in {}; {}", results.adapter, results.precision, results.config)?;
    for time in &results.models {
        let ModelTime { height, width, median_ms, min_ms, gflops, runs, first_ms } = time;
        print_line!(
            "model {height}x{width}: median {median_ms:.1} ms, min {min_ms:.1}, first {first_ms:.1}, {gflops:.1} GFLOP/s \
             ({runs} runs)"
        )?;
    }
    let errors = results.kernels.iter().any(|time| time.rel_l2.is_some());
    if !results.kernels.is_empty() {
        let error = if errors { "   rel L2" } else { "" };
        print_line!(
            "{:>6} {:>10} {:>9} {:>8}{error}  kernel, workgroups, first node",
            "count",
            "us",
            "GFLOP/s",
            "GB/s"
        )?;
    }
    for time in &results.kernels {
        let KernelTime { variant, node, workgroups: [x, y, z], count, median_us, gflops, gigabytes_per_second, .. } =
            time;
        let error = match time.rel_l2 {
            Some(error) => format!(" {error:>8.1e}"),
            None if errors => " ".repeat(8) + "-",
            None => String::new(),
        };
        print_line!(
            "{count:>6} {median_us:>10.1} {gflops:>9.2} {gigabytes_per_second:>8.2}{error}  {variant} {x}x{y}x{z}  # {node}"
        )?;
    }
    Ok(())
}

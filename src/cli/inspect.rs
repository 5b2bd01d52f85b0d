//! `irnext inspect`: a model from config to memory plan; one switch shows each stage.

use super::network::ShapeArguments;
use super::opened::{ExplainArguments, passed_over, prepare_kernels};
use super::output::{self, print_line, say};
use super::wrong::wrong;
use super::{DeviceArguments, Failure, ModelArguments, parse_size};
use crate::compile::{
    CHOICES, Cut, Estimate, PASSES, Plan, Room, assign_elements, compile, compile_picture, cut, optimise, required,
    shader, stages,
};
use crate::gpu::{Dialect, Gpu, Shaders, Variant};
use crate::graph::{Graph, NodeId, WeightId};
use crate::kernels::{KERNELS, Raster, Target, shaders};
use crate::model::Model;
use crate::restore::{Executor, padded_size};
use crate::run::{explain, target};
use crate::tensor::Element;
use clap::Args;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  irnext inspect
  irnext inspect --model deblur.pkl --mean local --size 720x1280
  irnext inspect --width 32 --blocks 4 --device 0 --explain
  irnext inspect --stage fuse_gelu
  irnext inspect --dot | dot -Tsvg > graph.svg
  irnext inspect --device 0 --wgsl conv2d_tiled

Without --device the plan is one for what WebGPU promises of every device. --width and --blocks take a \
network on random weights; width 32 with 4 blocks is the published dehazing network.")]
pub(super) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    shape: ShapeArguments,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    kernels: ExplainArguments,
    /// The picture's size, as HEIGHTxWIDTH
    #[arg(long, value_name = "HxW", default_value = "256x256", value_parser = parse_size)]
    size: [usize; 2],
    /// Print the graph after this pass: `build`, a pass's name, `assign_elements`, or `all`
    #[arg(long, value_name = "NAME")]
    stage: Option<String>,
    /// Print the graph after the last pass (or --stage) as DOT
    #[arg(long)]
    dot: bool,
    /// Print every step of the plan: kernel, workgroups, operations, bytes
    #[arg(long)]
    steps: bool,
    /// Print a kernel's WGSL as the device gets it, in every variant of the network's; NAME as --steps or `tune` has it
    #[arg(long, value_name = "NAME", conflicts_with_all = ["stage", "dot", "steps"])]
    wgsl: Option<String>,
    /// As JSON
    #[arg(long, conflicts_with_all = ["stage", "dot", "steps", "wgsl"])]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let model = model(arguments)?;
    let precision: Element = arguments.device.precision.into();
    let [height, width] = padded_size(arguments.size[0], arguments.size[1]);
    let graph = model.graph(height, width)?;
    let optimised = optimise(&graph)?;
    let aim = Aim::take(&arguments.device, &optimised)?;
    if arguments.kernels.explain {
        explain(&optimised, precision, &aim.target).iter().for_each(|line| say!("{line}"));
    }
    if arguments.stage.is_some() || arguments.dot {
        return dump(arguments, &graph, precision);
    }
    let plain = compile(&required(&graph)?, precision, aim.target)?;
    let plan = compile(&optimised, precision, aim.target)?;
    aim.check_shaders(&plan)?;
    if let Some(name) = &arguments.wgsl {
        let by_it = CHOICES.iter().copied().find(|kernel| kernel == name);
        let target = Target { prefer: by_it, ..aim.target };
        let raster = Raster { height, width, sixteen: false };
        // With the dispatches of a file's pixels. All nodes are computed, whichever outputs there are.
        let mut picture = optimised;
        picture.outputs.retain(|output| output.name == "full");
        let plan = compile_picture(&picture, precision, target, raster)?;
        return wgsl(&aim, &plan, by_it.and_then(shader).unwrap_or(name));
    }
    if arguments.steps {
        print_steps(&plan)?;
        return Ok(ExitCode::SUCCESS);
    }
    let found = Found { model, graph, height, width, precision, plain, plan, aim };
    let memory = memory(&found.graph, precision, &found.aim, arguments)?;
    if arguments.json {
        found.print_json(&memory)?
    } else {
        found.print(&memory)?
    }
    Ok(ExitCode::SUCCESS)
}

fn print_steps(plan: &Plan) -> Result<(), Failure> {
    for (index, step) in plan.steps.iter().enumerate() {
        let (x, [a, b, c]) = (step.cost, step.workgroups);
        print_line!("{index:>4} {:<60} {a}x{b}x{c}  {} flop  {} B  # {}", step.variant, x.flops, x.bytes, step.name)?;
    }
    Ok(())
}

/// A network, and its plans before and after the passes.
struct Found {
    model: Model,
    /// As built.
    graph: Graph,
    height: usize,
    width: usize,
    precision: Element,
    /// After the passes that kernels depend on.
    plain: Plan,
    /// After all passes.
    plan: Plan,
    aim: Aim,
}

impl Found {
    fn print_json(&self, memory: &Memory) -> Result<(), Failure> {
        let Self { model, graph, height, width, precision, plain, plan, aim } = self;
        let summary = |plan: &Plan| {
            json!({
                "dispatches": plan.steps.len(),
                "bytes_moved": plan.bytes_moved(),
                "arena_bytes": plan.placement.bytes(),
                "arena_lower_bound": plan.placement.lower_bound,
            })
        };
        let as_built = one_by_one(graph, *precision);
        output::json(&json!({
            "model": model.name,
            "target": aim.name,
            "width": model.config.width,
            "blocks": model.config.blocks,
            "activation": model.config.activation,
            "mean": model.config.mean,
            "parameters": model.config.parameters(),
            "height": height,
            "width_px": width,
            "multiply_adds": graph.multiply_adds(),
            "constants_bytes": plan.constants.len(),
            "device_bytes": memory.whole,
            "bands": memory.bands,
            "as_built": {"ops": as_built.0, "bytes_moved": as_built.1},
            "unfused": summary(plain),
            "fused": summary(plan),
        }))
    }

    fn print(&self, memory: &Memory) -> Result<(), Failure> {
        let Self { model, graph, height, width, precision, plain, plan, aim } = self;
        print_line!("model       {}", model.name)?;
        print_line!("config      {}", model.config)?;
        print_line!("size        {height}x{width}, activations in {precision}")?;
        print_line!("target      {}", aim.name)?;
        print_line!("work        {:.2} GMAC of convolution", graph.multiply_adds() as f64 / 1e9)?;
        print_line!("constants   {}", mebibytes(plan.constants.len() as u64))?;
        let banded = memory.bands.map_or(String::new(), |estimate| {
            let Estimate { device_bytes, bands, segments, overlap_percent, .. } = estimate;
            let taken = mebibytes(device_bytes);
            format!("; {taken} in {bands} bands in {segments} groups of layers, {overlap_percent} % of the work twice")
        });
        print_line!("memory      {} in one piece{banded}", mebibytes(memory.whole))?;
        print_line!("kernels     {}", kernels(plan))?;
        for (name, plan) in [("unfused", plain), ("fused", plan)] {
            print_line!(
                "{name:<11} {} dispatches, {} moved; arena {} (at least {})",
                plan.steps.len(),
                mebibytes(plan.bytes_moved()),
                mebibytes(plan.placement.bytes()),
                mebibytes(plan.placement.lower_bound)
            )?;
        }
        for (name, stage) in stages(graph, *precision)? {
            // Before the passes that kernels depend on there is no plan.
            let plan = compile(&stage, *precision, aim.target);
            let cost = plan.map_or_else(
                |_| {
                    let (ops, bytes) = one_by_one(&stage, *precision);
                    format!("no kernels yet; {ops} dispatches, {} moved if each op were one", mebibytes(bytes))
                },
                |plan| format!("{} dispatches, {} moved", plan.steps.len(), mebibytes(plan.bytes_moved())),
            );
            print_line!("  after {name:<23} {:>3} nodes, {cost}", stage.nodes.len())?;
        }
        print_line!("  at least: pictures and weights once {}", mebibytes(least(graph, *precision)))?;
        let passes: Vec<&str> = PASSES.iter().map(|pass| pass.name).collect();
        print_line!("stages      build, {}, assign_elements (see --stage)", passes.join(", "))?;
        Ok(())
    }
}

/// What the picture takes on the device, in one piece and, where it has no room so, in bands.
struct Memory {
    whole: u64,
    bands: Option<Estimate>,
}

/// As `restore` reckons it, for --memory or the device's own limits.
///
/// # Errors
/// When --memory is too little even for bands. Without it, a picture that is too large is none.
fn memory(graph: &Graph, precision: Element, aim: &Aim, arguments: &Arguments) -> Result<Memory, Failure> {
    let (limits, flops_at_once) = match &aim.gpu {
        Some(gpu) => (gpu.limits.clone(), gpu.flops_at_once()),
        None => (wgpu::Limits::default(), u64::MAX),
    };
    let budget = arguments.device.memory;
    let room = Room { budget: budget.unwrap_or(u64::MAX), limits, flops_at_once };
    let mut graph = graph.clone();
    graph.outputs.retain(|output| output.name == "full");
    let graph = optimise(&graph)?;
    let [height, width] = arguments.size;
    let plan = compile_picture(&graph, precision, aim.target, Raster { height, width, sixteen: false })?;
    let whole = plan.device_bytes();
    let bands = match cut(plan, &graph, precision, aim.target, &room) {
        Ok(Cut::Whole(_)) => None,
        Ok(Cut::Bands(plan)) => Some(plan.estimate()),
        Err(error) if budget.is_some() => return Err(error.into()),
        Err(_) => None,
    };
    Ok(Memory { whole, bands })
}

/// The model, or a network on random weights if a shape is given.
fn model(arguments: &Arguments) -> Result<Model, Failure> {
    let Arguments { model, shape, .. } = arguments;
    if !shape.given() {
        return model.load();
    }
    if model.model.is_some() || model.task.is_some() || !model.quality.is_empty() {
        return Err(wrong("--width and --blocks are of random weights: leave out --model, --task and --quality"));
    }
    shape.model(model.activation, model.mean)
}

/// What the plan is made for: a device that was asked for, or one that is assumed.
struct Aim {
    target: Target,
    name: String,
    gpu: Option<Arc<Gpu>>,
    shaders: Shaders,
}

impl Aim {
    fn take(arguments: &DeviceArguments, graph: &Graph) -> Result<Self, Failure> {
        let mut sources = shaders();
        if let Some(folder) = &arguments.shaders {
            sources = sources.replaced_from(folder)?;
        }
        let why = match arguments.device {
            None => "choose one with --device",
            Some(_) => {
                let executor = Executor::open(&arguments.options())?;
                if let Executor::Gpu(gpu) = &executor {
                    passed_over(&executor);
                    prepare_kernels(gpu, graph, arguments.precision.into())?;
                    let (target, name) = (target(gpu, false), gpu.name.clone());
                    return Ok(Self { target, name, gpu: Some(Arc::clone(gpu)), shaders: sources });
                }
                "the CPU executor has no dispatches"
            }
        };
        let name = format!("assumed, with what WebGPU promises of every device ({why})");
        Ok(Self { target: Target::default(), name, gpu: None, shaders: sources })
    }

    /// Whether shaders from a folder make the plan's kernels; those of the binary do.
    fn check_shaders(&self, plan: &Plan) -> Result<(), Failure> {
        for step in plan.steps.iter().filter(|_| !self.shaders.embedded()) {
            match &self.gpu {
                Some(gpu) => drop(gpu.pipeline(&step.variant)?),
                None => drop(self.shaders.compose(&step.variant, Dialect::default())?),
            }
        }
        Ok(())
    }
}

fn dump(arguments: &Arguments, graph: &Graph, precision: Element) -> Result<ExitCode, Failure> {
    let all = stages(graph, precision)?;
    let wanted = arguments.stage.as_deref().unwrap_or("assign_elements");
    if wanted != "all" && !all.iter().any(|(name, _)| *name == wanted) {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        return Err(wrong(format!("there is no stage `{wanted}`; the stages are: all, {}", names.join(", "))));
    }
    for (name, mut graph) in all.into_iter().filter(|(name, _)| wanted == "all" || *name == wanted) {
        assign_elements(&mut graph, precision);
        if arguments.dot {
            print_line!("{}", graph.to_dot())?;
        } else {
            print_line!("# {name}: {} nodes\n{graph}", graph.nodes.len())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Bytes that must be moved even if no activation ever left the chip: the pictures in and out, and the weights as the graph
/// has them, whatever a kernel makes of them.
fn least(graph: &Graph, precision: Element) -> u64 {
    let outputs = graph.outputs.iter().map(|output| output.node);
    let pictures: usize = graph.inputs().chain(outputs).map(|id| graph.node(id).shape.stored_values()).sum();
    let weights = graph.weights.iter().map(|weight| {
        let element = if weight.tensor.shape().len() == 4 { precision } else { Element::F32 };
        weight.tensor.data().len() as u64 * element.bytes()
    });
    pictures as u64 * Element::F32.bytes() + weights.sum::<u64>()
}

/// The ops of a graph, and the bytes that they move if each reads all its maps and weights and writes its result.
fn one_by_one(graph: &Graph, precision: Element) -> (usize, u64) {
    let mut graph = graph.clone();
    assign_elements(&mut graph, precision);
    let map = |id: &NodeId| graph.node(*id).bytes();
    let weight = |id: &WeightId| graph.tensor(*id).data().len() as u64 * precision.bytes();
    let ops: Vec<usize> = (0..graph.nodes.len()).filter(|&index| !graph.nodes[index].inputs.is_empty()).collect();
    let bytes = ops.iter().map(|&index| {
        let node = &graph.nodes[index];
        let read = node.inputs.iter().map(map).chain(node.op.weights().iter().map(weight)).sum::<u64>();
        read + map(&NodeId(index))
    });
    (ops.len(), bytes.sum())
}

/// Prints the WGSL of a plan's variants of that name, or of that file.
fn wgsl(aim: &Aim, plan: &Plan, name: &str) -> Result<ExitCode, Failure> {
    let variants: BTreeSet<&Variant> = plan.steps.iter().map(|step| &step.variant).collect();
    let meant = |variant: &&&Variant| variant.shader == name || variant.to_string() == name;
    if !variants.iter().any(|variant| meant(&variant)) {
        let why = match KERNELS.iter().any(|kernel| kernel.name == name) {
            true => format!("no step of this network on this target is by `{name}`, which others may have"),
            false => format!("there is no kernel `{name}`"),
        };
        return Err(wrong(format!("{why}; this plan has: {}", kernels(plan))));
    }
    let dialect = aim.gpu.as_ref().map_or(Dialect::default(), |gpu| gpu.dialect);
    for variant in variants.iter().filter(meant) {
        print_line!("// {variant}\n{}", aim.shaders.compose(variant, dialect)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How often each shader is dispatched.
fn kernels(plan: &Plan) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    plan.steps.iter().for_each(|step| *counts.entry(step.variant.shader).or_default() += 1);
    let named: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    named.join(", ")
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.2} MiB", bytes as f64 / (1u64 << 20) as f64)
}

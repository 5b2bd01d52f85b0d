//! `irnext inspect`: a model from config to memory plan; one switch shows each stage.

use super::output::{self, print_line};
use super::wrong::wrong;
use super::{DeviceArguments, Failure, ModelArguments, parse_size};
use crate::compile::{PASSES, Plan, assign_elements, compile, optimise, required, stages};
use crate::graph::Graph;
use crate::kernels::Target;
use crate::restore::padded_size;
use crate::run::explain;
use crate::tensor::Element;
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  irnext inspect
  irnext inspect --model deblur.pkl --mean local --size 720x1280
  irnext inspect --stage fuse_gelu
  irnext inspect --dot | dot -Tsvg > graph.svg")]
pub(super) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    device: DeviceArguments,
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
    /// As JSON
    #[arg(long, conflicts_with_all = ["stage", "dot", "steps"])]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let model = arguments.model.load()?;
    let precision: Element = arguments.device.precision.into();
    let [height, width] = padded_size(arguments.size[0], arguments.size[1]);
    let graph = model.graph(height, width)?;
    if arguments.stage.is_some() || arguments.dot {
        return dump(arguments, &graph, precision);
    }
    let plain = compile(&required(&graph)?, precision, Target::default())?;
    let plan = compile(&optimise(&graph)?, precision, Target::default())?;
    if arguments.steps {
        for (index, step) in plan.steps.iter().enumerate() {
            let (x, [a, b, c]) = (step.cost, step.workgroups);
            print_line!(
                "{index:>4} {:<60} {a}x{b}x{c}  {} flop  {} B  # {}",
                step.variant,
                x.flops,
                x.bytes,
                step.name
            )?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.json {
        let summary = |plan: &Plan| {
            json!({
                "dispatches": plan.steps.len(),
                "bytes_moved": plan.bytes_moved(),
                "arena_bytes": plan.placement.bytes,
                "arena_lower_bound": plan.placement.lower_bound,
            })
        };
        output::json(&json!({
            "model": model.name,
            "width": model.config.width,
            "blocks": model.config.blocks,
            "activation": model.config.activation,
            "mean": model.config.mean,
            "parameters": model.config.parameters(),
            "height": height,
            "width_px": width,
            "multiply_adds": graph.multiply_adds(),
            "constants_bytes": plan.constants.len(),
            "unfused": summary(&plain),
            "fused": summary(&plan),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    print_line!("model       {}", model.name)?;
    print_line!("config      {}", model.config)?;
    print_line!("size        {height}x{width}, activations in {precision}")?;
    print_line!("work        {:.2} GMAC of convolution", graph.multiply_adds() as f64 / 1e9)?;
    print_line!("constants   {}", mebibytes(plan.constants.len() as u64))?;
    print_line!("kernels     {}", kernels(&plan))?;
    for (name, plan) in [("unfused", &plain), ("fused", &plan)] {
        print_line!(
            "{name:<11} {} dispatches, {} moved; arena {} (at least {})",
            plan.steps.len(),
            mebibytes(plan.bytes_moved()),
            mebibytes(plan.placement.bytes),
            mebibytes(plan.placement.lower_bound)
        )?;
    }
    for (name, stage) in stages(&graph, precision)? {
        // Before the passes that kernels depend on there is no plan.
        let plan = compile(&stage, precision, Target::default());
        let cost = plan.map_or("no kernels yet".into(), |plan| {
            format!("{} dispatches, {} moved", plan.steps.len(), mebibytes(plan.bytes_moved()))
        });
        print_line!("  after {name:<23} {:>3} nodes, {cost}", stage.nodes.len())?;
    }
    print_line!("  at least: pictures and weights once {}", mebibytes(least(&graph, &plan)))?;
    if arguments.device.explain {
        explain(&optimise(&graph)?, precision, &Target::default()).iter().try_for_each(|line| print_line!("{line}"))?;
    }
    let passes: Vec<&str> = PASSES.iter().map(|pass| pass.name).collect();
    print_line!("stages      build, {}, assign_elements (see --stage)", passes.join(", "))?;
    Ok(ExitCode::SUCCESS)
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

/// Bytes that must be moved even if no activation ever left the chip: the pictures in and out, and the weights.
fn least(graph: &Graph, plan: &Plan) -> u64 {
    let outputs = graph.outputs.iter().map(|output| output.node);
    let pictures: usize = graph.inputs().chain(outputs).map(|id| graph.node(id).shape.stored_values()).sum();
    pictures as u64 * Element::F32.bytes() + plan.constants.len() as u64
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

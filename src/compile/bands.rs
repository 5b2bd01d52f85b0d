//! A plan for a picture that doesn't fit the device in one piece: maps live on the host, the device takes a few layers
//! at a time, a band of rows at a time, and whatever is a matter of the whole picture is made in between.

use super::cuts::{Room, StageChoice, choose_spans};
use super::passes::assign_elements;
use super::plan::{Plan, PlanError, compile_window};
use super::reach::{is_local, is_statistic};
use super::segment::{Band, Layers, Span, units, work};
use crate::graph::{Graph, GraphError, NodeId, Op};
use crate::kernels::Target;
use crate::tensor::Element;
use std::sync::Arc;

/// Layers that the device takes together.
#[derive(Debug)]
pub struct Segment {
    /// What goes in: maps by the window, statistics as a whole.
    pub inputs: Vec<NodeId>,
    /// What comes out.
    pub outputs: Vec<NodeId>,
    /// The plan of a window, whose ports are those and the window's first row.
    pub plan: Arc<Plan>,
    /// Rows of a window, in rows of the picture.
    pub rows: usize,
    /// The windows, from the top down.
    pub bands: Vec<Band>,
}

/// One step through the picture.
#[derive(Debug)]
pub enum Stage {
    /// On the device, in bands.
    Device(Segment),
    /// On the host: a node that is a matter of the whole picture.
    Host(NodeId),
}

/// A plan in bands.
#[derive(Debug)]
pub struct BandPlan {
    /// The graph that it follows: elements assigned, instance norms split into moments and the rest.
    pub graph: Graph,
    /// Rows of the picture.
    pub rows: usize,
    /// In order.
    pub stages: Vec<Stage>,
    /// For each node the last stage that reads it.
    pub last_stage: Vec<usize>,
    /// Operations without what bands make twice.
    pub work: u64,
}

/// What a plan in bands takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Estimate {
    /// Segments of layers.
    pub segments: usize,
    /// Bands of all segments.
    pub bands: usize,
    /// Bytes of device memory.
    pub device_bytes: u64,
    /// Bytes of the largest arena, and the least that any arena could have for the same bands.
    pub arena: (u64, u64),
    /// Bytes of host memory for maps.
    pub host_bytes: u64,
    /// Bytes moved between host and device.
    pub moved: u64,
    /// Floating-point operations on the device.
    pub flops: u64,
    /// Those that are done twice, because bands overlap, in percent of the rest.
    pub overlap_percent: u64,
}

/// A picture's plan, in one piece or in bands.
pub enum Cut {
    /// The picture in one piece.
    Whole(Plan),
    /// The picture in bands.
    Bands(BandPlan),
}

/// `whole`, the plan of `graph`, where it fits the room and no dispatch takes too long; else bands. What fits and can't be
/// made shorter stays whole.
///
/// # Errors
/// As [`compile_bands`].
pub fn cut(whole: Plan, graph: &Graph, precision: Element, target: Target, room: &Room) -> Result<Cut, PlanError> {
    let fits = whole.fits(&room.limits).is_ok() && whole.device_bytes() <= room.budget;
    if fits && whole.most_flops() <= room.flops_at_once {
        return Ok(Cut::Whole(whole));
    }
    // The whole plan's constants go before those of the bands are made, where it is of no use.
    let whole = fits.then_some(whole);
    match (compile_bands(graph, precision, target, room), whole) {
        (Ok(bands), _) => Ok(Cut::Bands(bands)),
        (Err(_), Some(whole)) => Ok(Cut::Whole(whole)),
        (Err(error), None) => Err(error),
    }
}

/// A plan in bands of `graph` (its passes done), which has one input.
///
/// # Errors
/// When an op is neither local nor one that the host makes, or nothing fits the room.
pub fn compile_bands(graph: &Graph, precision: Element, target: Target, room: &Room) -> Result<BandPlan, PlanError> {
    let mut graph = split_instance_norms(graph)?;
    assign_elements(&mut graph, precision);
    let rows = graph.inputs().map(|id| graph.node(id).shape.height).max().unwrap_or(0);
    let hosted = |op: &Op| is_statistic(op) || matches!(op, Op::BoxMean { .. } | Op::LowBand { .. } | Op::Input { .. });
    if let Some(node) = graph.nodes.iter().find(|node| !is_local(node) && !hosted(&node.op)) {
        return Err(PlanError::Bands { node: node.name.clone(), op: node.op.kind() });
    }
    let units = units(&graph, rows)?;
    let mut last_use: Vec<usize> = (0..graph.nodes.len()).collect();
    for (index, node) in graph.nodes.iter().enumerate() {
        node.inputs.iter().for_each(|input| last_use[input.0] = index);
    }
    graph.outputs.iter().for_each(|output| last_use[output.node.0] = graph.nodes.len());
    let layers = Layers { graph: &graph, rows, units, last_use };
    // What is reckoned from live maps may be less than what kernels and the arena's gaps take: then less is tried.
    // Where that isn't enough, kernels go without a workspace.
    for lean in [false, true] {
        let target = Target { lean, ..target };
        let mut assumed = room.clone();
        for _ in 0..8 {
            let Some(spans) = choose_spans(&layers, target, &assumed) else { break };
            let stages = spans.into_iter().map(|choice| stage(&layers, precision, target, choice));
            let stages = stages.collect::<Result<Vec<Stage>, PlanError>>()?;
            let fits = |stage: &Stage| match stage {
                Stage::Device(segment) => {
                    let short = segment.plan.most_flops() <= room.flops_at_once;
                    short && segment.plan.device_bytes() <= room.budget && segment.plan.fits(&room.limits).is_ok()
                }
                Stage::Host(_) => true,
            };
            if stages.iter().all(fits) {
                let last_stage = last_stages(&graph, &stages);
                let work = (0..graph.nodes.len()).map(|index| work(&graph, NodeId(index))).sum();
                return Ok(BandPlan { graph, rows, stages, last_stage, work });
            }
            assumed.budget = assumed.budget / 8 * 7;
            assumed.flops_at_once = assumed.flops_at_once / 8 * 7;
            assumed.limits.max_buffer_size = assumed.limits.max_buffer_size / 8 * 7;
            assumed.limits.max_storage_buffer_binding_size = assumed.limits.max_storage_buffer_binding_size / 8 * 7;
        }
    }
    if choose_spans(&layers, target, &Room { budget: u64::MAX, ..room.clone() }).is_none() {
        return Err(PlanError::Rows);
    }
    let mut least = room.clone();
    while choose_spans(&layers, target, &least).is_none() && least.budget < u64::MAX / 2 {
        least.budget += least.budget / 8 + (1 << 14);
    }
    Err(PlanError::Budget { budget: room.budget, least: (least.budget / 7).saturating_mul(8) })
}

fn stage(layers: &Layers, precision: Element, target: Target, choice: StageChoice) -> Result<Stage, PlanError> {
    let (span, rows, bands) = match choice {
        StageChoice::Host(id) => return Ok(Stage::Host(id)),
        StageChoice::Device(span, rows, bands) => (span, rows, bands),
    };
    let graph = window_graph(layers, &span, rows)?;
    let plan = Arc::new(compile_window(&graph, precision, target, rows, layers.rows)?);
    Ok(Stage::Device(Segment { inputs: span.inputs, outputs: span.outputs, plan, rows, bands }))
}

/// The nodes of a span over a window of rows.
fn window_graph(layers: &Layers, span: &Span, rows: usize) -> Result<Graph, GraphError> {
    let whole = layers.graph;
    let mut graph = Graph { weights: whole.weights.clone(), ..Graph::default() };
    let mut moved = vec![NodeId(usize::MAX); span.nodes.end];
    for &id in &span.inputs {
        let node = whole.node(id);
        let mut shape = node.shape;
        if let Some(unit) = layers.units[id.0] {
            shape.height = rows / unit;
        }
        moved[id.0] = graph.input(node.name.clone(), shape, node.element == Element::F32);
        graph.nodes[moved[id.0].0].element = node.element;
    }
    for index in span.nodes.clone() {
        let node = &whole.nodes[index];
        let op = match node.op.clone() {
            Op::UpsampleSum { height, width, base, gelu } => {
                Op::UpsampleSum { height: height * rows / layers.rows, width, base, gelu }
            }
            op => op,
        };
        let inputs: Vec<NodeId> = node.inputs.iter().map(|input| moved[input.0]).collect();
        moved[index] = graph.push(node.name.clone(), op, &inputs)?;
        graph.nodes[moved[index].0].element = node.element;
    }
    for id in &span.outputs {
        graph.output(whole.node(*id).name.clone(), moved[id.0], false);
    }
    Ok(graph)
}

/// Each instance norm as its moments, which are a matter of the whole picture, and the rest, which is not.
fn split_instance_norms(graph: &Graph) -> Result<Graph, GraphError> {
    let mut new = Graph { weights: graph.weights.clone(), ..Graph::default() };
    let mut moved: Vec<NodeId> = vec![];
    for node in &graph.nodes {
        let inputs: Vec<NodeId> = node.inputs.iter().map(|input| moved[input.0]).collect();
        moved.push(match node.op {
            Op::Input { image } => new.input(node.name.clone(), node.shape, image),
            Op::InstanceNorm { weight, bias, eps } => {
                let moments = new.push(format!("{}.moments", node.name), Op::Moments, &inputs)?;
                new.push(node.name.clone(), Op::Normalise { weight, bias, eps }, &[inputs[0], moments])?
            }
            _ => new.push(node.name.clone(), node.op.clone(), &inputs)?,
        });
    }
    for output in &graph.outputs {
        new.output(output.name.clone(), moved[output.node.0], output.image);
    }
    Ok(new)
}

fn last_stages(graph: &Graph, stages: &[Stage]) -> Vec<usize> {
    let mut last = vec![0; graph.nodes.len()];
    for (index, stage) in stages.iter().enumerate() {
        let (inputs, outputs): (&[NodeId], &[NodeId]) = match stage {
            Stage::Device(segment) => (&segment.inputs, &segment.outputs),
            Stage::Host(id) => (&graph.node(*id).inputs, std::slice::from_ref(id)),
        };
        inputs.iter().chain(outputs).for_each(|id| last[id.0] = index);
    }
    last
}

impl BandPlan {
    /// Operations of the heaviest dispatch.
    pub fn most_flops(&self) -> u64 {
        let plans = self.stages.iter().filter_map(|stage| match stage {
            Stage::Device(segment) => Some(segment.plan.most_flops()),
            Stage::Host(_) => None,
        });
        plans.max().unwrap_or(0)
    }

    /// Bytes of a node's map as the host keeps it.
    pub fn map_bytes(&self, id: NodeId) -> u64 {
        self.graph.node(id).bytes()
    }

    /// What it takes, reckoned without running it.
    pub fn estimate(&self) -> Estimate {
        let mut sum = Estimate::default();
        let mut live = 0;
        let mut kept: Vec<NodeId> = vec![];
        for (index, stage) in self.stages.iter().enumerate() {
            let made: &[NodeId] = match stage {
                Stage::Device(segment) => {
                    let bands = segment.bands.len();
                    let placement = &segment.plan.placement;
                    sum.segments += 1;
                    sum.bands += bands;
                    sum.device_bytes = sum.device_bytes.max(segment.plan.device_bytes());
                    sum.arena = sum.arena.max((placement.bytes(), placement.lower_bound));
                    sum.flops += bands as u64 * segment.plan.flops();
                    let ports = segment.plan.inputs.iter().chain(&segment.plan.outputs);
                    sum.moved +=
                        bands as u64 * ports.map(|port| segment.plan.buffers[port.buffer.0].bytes).sum::<u64>();
                    &segment.outputs
                }
                Stage::Host(id) => std::slice::from_ref(id),
            };
            kept.extend(made);
            live += made.iter().map(|&id| self.map_bytes(id)).sum::<u64>();
            sum.host_bytes = sum.host_bytes.max(live);
            kept.retain(|&id| {
                let done = self.last_stage[id.0] <= index;
                live -= if done { self.map_bytes(id) } else { 0 };
                !done
            });
        }
        sum.overlap_percent = (100 * sum.flops / self.work.max(1)).saturating_sub(100);
        sum
    }
}

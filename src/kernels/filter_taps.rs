//! The dynamic filter's taps, from the global mean, which it takes on the way where it is the first to read it.

use super::constants::pack_channels;
use super::global_mean::{self, Parts};
use super::{Cost, Lowering, Operand, StepParts, dynamic_filter};
use crate::gpu::Variant;
use crate::graph::{Activation, Graph, NodeId, Op, TapWeights};
use crate::tensor::Element;
use bytemuck::{Pod, Zeroable};

/// What `shaders/shared/taps.wgsl` takes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(super) struct Params {
    blocks: u32,
    pub group_channels: u32,
    groups: u32,
    channels: u32,
    items: u32,
    factor: f32,
    /// Of a filter that makes its own taps: its map, and the blocks that a workgroup filters.
    pub height: u32,
    pub width: u32,
    pub slice: u32,
}

/// All that taps are made of.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// The uniform, but for what is a filter's.
    pub params: Params,
    /// Weights, biases and, where the mean is taken on the way, its parts.
    pub bindings: Vec<(u32, Operand)>,
    /// The features of what it takes.
    pub features: Vec<(&'static str, bool)>,
    /// What it takes to make them, but for traffic of maps.
    pub cost: Cost,
    /// Blocks of the parts.
    pub gathered: usize,
}

/// The most groups that the shader's workgroup memory holds taps for.
pub const MAX_GROUPS: usize = 128;

/// The most blocks of 4 channels of a map that the workgroup adds up itself.
const SMALL: usize = 2048;

/// The most blocks of sums, which take it as long as another dispatch would.
const MOST_SUMS: usize = 8192;

/// All variants: a mean is always f32, what it is gathered from is not.
pub fn variants() -> Vec<Variant> {
    let parts = [None, Some(Element::F16), Some(Element::F32)];
    let activations = [Activation::Tanh, Activation::Softmax, Activation::SoftmaxTanh];
    let all = activations.iter().flat_map(|&activation| parts.map(|parts| features(activation, parts)));
    all.map(|features| Variant::new("filter_taps", &features)).collect()
}

pub(super) fn features(activation: Activation, parts: Option<Element>) -> [(&'static str, bool); 4] {
    let (softmax, tanh) = match activation {
        Activation::Tanh => (false, true),
        Activation::Softmax => (true, false),
        Activation::SoftmaxTanh => (true, true),
    };
    let (gather, parts_f32) = (parts.is_some(), parts == Some(Element::F32));
    [("softmax", softmax), ("tanh", tanh), ("gather", gather), ("parts_f32", parts_f32)]
}

/// Whether a mean is taken by the kernel that makes taps of it: where that is the first to read it.
pub fn takes_mean(graph: &Graph, mean: NodeId) -> bool {
    matches!(graph.node(mean).op, Op::GlobalMean) && first_reader(graph, mean).is_some()
}

/// Where the kernel that makes a map is to leave the sums of its channels, in `count` parts, if that saves a dispatch.
pub(super) fn wanted_sums(lowering: &mut Lowering, map: NodeId, count: usize) -> Option<Operand> {
    let graph = lowering.graph;
    let shape = graph.node(map).shape;
    let reader = |id: &NodeId| graph.node(*id).inputs.first() == Some(&map) && takes_mean(graph, *id);
    let mean = graph.ids().find(reader)?;
    let worth = shape.pixels() * shape.blocks() > SMALL && count * shape.blocks() <= MOST_SUMS;
    // A window's sums are not the picture's.
    if !worth || lowering.target.plain || lowering.window.is_some() {
        return None;
    }
    let name = format!("{} (sums)", graph.node(mean).name);
    let items = Operand::Buffer(lowering.buffer(name, (count * shape.blocks() * 16) as u64));
    lowering.sums.insert(map, Parts { items, count, element: Element::F32 });
    Some(items)
}

/// The taps that are the first to read a node, if taps are.
fn first_reader(graph: &Graph, id: NodeId) -> Option<NodeId> {
    let reader = graph.readers(id).next()?;
    matches!(graph.node(reader).op, Op::FilterTaps(_)).then_some(reader)
}

/// One dispatch of one workgroup; where it takes the mean of a map that is not small, another before it, unless the map's
/// own kernel has left sums. None where the filter makes its taps itself.
pub fn lower(lowering: &mut Lowering, node: NodeId, taps: &TapWeights) {
    let mean = lowering.graph.node(node).inputs[0];
    let recipe = recipe(lowering, node, taps);
    if dynamic_filter::takes(lowering, node, &recipe) {
        return;
    }
    let Recipe { params, mut bindings, features, cost, .. } = recipe;
    bindings.extend([(4, lowering.output(node)), (9, Operand::Buffer(lowering.map(mean)))]);
    let cost = Cost { bytes: cost.bytes + lowering.traffic(node), ..cost };
    let step = StepParts { params: bytemuck::bytes_of(&params).to_vec(), bindings, workgroups: [1, 1, 1], cost };
    lowering.step(node, Variant::new("filter_taps", &features), step);
}

fn recipe(lowering: &mut Lowering, node: NodeId, taps: &TapWeights) -> Recipe {
    let (graph, shape) = (lowering.graph, lowering.graph.node(node).shape);
    let mean = graph.node(node).inputs[0];
    let gathers = !lowering.target.plain && takes_mean(graph, mean) && first_reader(graph, mean) == Some(node);
    let sums = graph.node(mean).inputs.first().and_then(|map| lowering.sums.get(map)).copied();
    let parts = gathers.then(|| sums.unwrap_or_else(|| global_mean::record(lowering, mean, SMALL)));
    let pixels = graph.node(mean).inputs.first().map_or(1, |&map| graph.node(map).shape.pixels());
    let params = Params {
        blocks: shape.blocks() as u32,
        group_channels: (shape.channels / taps.groups) as u32,
        groups: taps.groups as u32,
        channels: shape.channels as u32,
        items: parts.map_or(0, |parts| parts.count) as u32,
        factor: 1.0 / pixels as f32,
        ..Params::zeroed()
    };
    let weight = lowering.constants.get(&format!("taps {}", taps.weight.0), || {
        graph.tensor(taps.weight).data().chunks(shape.channels).flat_map(pack_channels).collect::<Vec<u8>>()
    });
    let flops = 2 * graph.tensor(taps.weight).data().len() as u64;
    let mut bindings = vec![(6, weight), (7, lowering.channels(taps.bias))];
    bindings.extend(parts.map(|parts| (8, parts.items)));
    let gathered = parts.map_or(0, |parts| parts.count * shape.blocks());
    let element = parts.map_or(Element::F32, |parts| parts.element);
    let values = 4 * gathered as u64;
    let cost = Cost { flops: flops + values, bytes: 2 * flops + values * element.bytes() };
    let features = features(taps.activation, parts.map(|parts| parts.element)).to_vec();
    Recipe { params, bindings, features, cost, gathered }
}

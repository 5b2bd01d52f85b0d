//! Each channel's mean over the whole picture: sums of chunks of pixels, then the sum of those.

use super::{Cost, Lowering, Operand, StepParts, combinations};
use crate::gpu::Variant;
use crate::graph::NodeId;
use crate::tensor::Element;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    items: u32,
    blocks: u32,
    chunk: u32,
    factor: f32,
}

/// Invocations of a workgroup, as in the shader.
const LANES: usize = 64;
/// Blocks of 4 channels an invocation takes before a picture is cut into more chunks, and the most chunks.
const RUN: usize = 32;
const CHUNKS: usize = 512;

/// What is left to be added up: `[items][blocks]`, each item's share in the mean the same.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    /// Where they are.
    pub items: Operand,
    /// How many.
    pub count: usize,
    /// How they are stored.
    pub element: Element,
}

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations("global_mean", &["f32"])
}

/// One dispatch for a small map, else two.
pub fn lower(lowering: &mut Lowering, node: NodeId) {
    let parts = record(lowering, node, LANES * RUN);
    let output = lowering.output(node);
    let input = lowering.graph.node(lowering.graph.node(node).inputs[0]).shape;
    let factor = 1.0 / input.pixels() as f32;
    let name = lowering.graph.node(node).name.clone();
    sum(lowering, node, name, (parts, parts.count, factor), output);
}

/// The parts of a mean over a node's first input: the map itself if it has no more than `small` blocks of 4 channels,
/// else the sums of its chunks, in one dispatch.
pub(super) fn record(lowering: &mut Lowering, node: NodeId, small: usize) -> Parts {
    let graph = lowering.graph;
    let input = graph.node(graph.node(node).inputs[0]);
    let (pixels, blocks) = (input.shape.pixels(), input.shape.blocks());
    let map = Parts { items: lowering.input(node, 0), count: pixels, element: input.element };
    if pixels * blocks <= small {
        return map;
    }
    let chunk = pixels.div_ceil(CHUNKS).max((LANES * RUN).div_ceil(blocks));
    let chunks = pixels.div_ceil(chunk);
    let name = format!("{} (sums)", graph.node(node).name);
    let sums = Operand::Buffer(lowering.buffer(name.clone(), (chunks * blocks * 16) as u64));
    sum(lowering, node, name, (map, chunk, 1.0), sums);
    Parts { items: sums, count: chunks, element: Element::F32 }
}

/// The sums of chunks of so many parts, times a factor.
fn sum(
    lowering: &mut Lowering,
    node: NodeId,
    name: String,
    (parts, chunk, factor): (Parts, usize, f32),
    output: Operand,
) {
    let blocks = lowering.graph.node(node).shape.blocks();
    let (chunks, values) = (parts.count.div_ceil(chunk), (parts.count * blocks * 4) as u64);
    let params = Params { items: parts.count as u32, blocks: blocks as u32, chunk: chunk as u32, factor };
    let step = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings: vec![(1, parts.items), (2, output)],
        workgroups: [chunks as u32, blocks.div_ceil(LANES) as u32, 1],
        cost: Cost { flops: values, bytes: values * parts.element.bytes() + (chunks * blocks * 16) as u64 },
    };
    lowering.named_step(name, Variant::new("global_mean", &[("f32", parts.element == Element::F32)]), step);
}

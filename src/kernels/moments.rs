//! Mean and variance of each channel over the whole picture, in two dispatches.

use super::{Cost, Lowering, Operand, StepParts};
use crate::gpu::Variant;
use crate::graph::NodeId;
use crate::tensor::Element;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    pixels: u32,
    blocks: u32,
    chunk: u32,
    chunks: u32,
}

/// Invocations of a workgroup, as in the shader.
const LANES: usize = 64;
/// Pixels that an invocation takes before a picture is cut into more chunks, and the most chunks.
const RUN: usize = 16;
const CHUNKS: usize = 512;

/// All variants.
pub fn variants() -> Vec<Variant> {
    vec![partial(Element::F16), partial(Element::F32), merge()]
}

fn partial(element: Element) -> Variant {
    Variant::new("moments", &[("f32", element == Element::F32)])
}

fn merge() -> Variant {
    Variant::new("moments", &[("merge", true)])
}

/// The node's own result: means of all blocks, then variances.
pub fn lower(lowering: &mut Lowering, node: NodeId) {
    let output = lowering.output(node);
    record(lowering, node, output);
}

/// The moments of a node's first input into `output`: means of all blocks, then variances.
pub(super) fn record(lowering: &mut Lowering, node: NodeId, output: Operand) {
    let graph = lowering.graph;
    let input = graph.node(graph.node(node).inputs[0]);
    let (pixels, blocks) = (input.shape.pixels(), input.shape.blocks());
    let chunk = pixels.div_ceil(CHUNKS).max(LANES * RUN);
    let chunks = pixels.div_ceil(chunk);
    let name = format!("{} (partial moments)", graph.node(node).name);
    let partials = Operand::Buffer(lowering.buffer(name.clone(), (chunks * blocks * 32) as u64));
    let params = Params { pixels: pixels as u32, blocks: blocks as u32, chunk: chunk as u32, chunks: chunks as u32 };
    let params = bytemuck::bytes_of(&params).to_vec();
    let parts = StepParts {
        params: params.clone(),
        bindings: vec![(1, lowering.input(node, 0)), (2, partials)],
        workgroups: [chunks as u32, blocks as u32, 1],
        cost: Cost { flops: 6 * input.shape.values() as u64, bytes: input.bytes() },
    };
    lowering.named_step(name, partial(input.element), parts);
    let parts = StepParts {
        params,
        bindings: vec![(2, partials), (3, output)],
        workgroups: [1, blocks as u32, 1],
        cost: Cost { flops: (chunks * blocks * 24) as u64, bytes: (chunks * blocks * 32) as u64 },
    };
    lowering.step(node, merge(), parts);
}

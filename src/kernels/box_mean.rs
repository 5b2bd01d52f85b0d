//! The mean over a sliding window: sums along rows, then down columns.

use super::lowering::{STOPPED_AFTER, WORKGROUP};
use super::{Cost, Lowering, Operand, StepParts};
use crate::gpu::Variant;
use crate::graph::NodeId;
use crate::graph::extent::window;
use crate::tensor::{Element, Shape};
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    height: u32,
    width: u32,
    blocks: u32,
    window_height: u32,
    window_width: u32,
    segment: u32,
}

/// Outputs that one invocation slides over.
const SEGMENT: usize = 16;

/// Values of a window that are summed by themselves first.
const RUN: usize = 16;

/// All variants.
pub fn variants() -> Vec<Variant> {
    [Element::F16, Element::F32]
        .iter()
        .flat_map(|&element| [variant("rows", element), variant("columns", element)])
        .collect()
}

fn variant(step: &'static str, element: Element) -> Variant {
    Variant::new("box_mean", &[(step, true), ("f32", element == Element::F32)])
}

/// Whether an invocation, which goes through a window and through its runs, ends before Mesa's software driver stops it.
pub fn ends_in_time(shape: Shape, base: usize, train: usize) -> bool {
    let rounds = |side: usize| window(side, base, train) * (RUN + 1) / RUN + 2 * SEGMENT;
    // Down, the borders are an invocation's too.
    rounds(shape.width) < STOPPED_AFTER && rounds(shape.height) + shape.height / 2 < STOPPED_AFTER
}

/// Two dispatches.
pub fn lower(lowering: &mut Lowering, node: NodeId, base: usize, train: usize) {
    let out = lowering.graph.node(node);
    let shape = out.shape;
    let [window_height, window_width] = [shape.height, shape.width].map(|side| window(side, base, train));
    let (down, across) = (shape.height - window_height + 1, shape.width - window_width + 1);
    let blocks = shape.blocks();
    let name = format!("{} (row sums)", out.name);
    let bytes = (shape.height * across * blocks * 16) as u64;
    let sums = Operand::Buffer(lowering.buffer(name.clone(), bytes));
    let params = Params {
        height: shape.height as u32,
        width: shape.width as u32,
        blocks: blocks as u32,
        window_height: window_height as u32,
        window_width: window_width as u32,
        segment: SEGMENT as u32,
    };
    let params = bytemuck::bytes_of(&params).to_vec();
    let groups = |count: usize| (count as u32).div_ceil(WORKGROUP);
    let parts = StepParts {
        params: params.clone(),
        bindings: vec![(1, lowering.input(node, 0)), (2, sums)],
        workgroups: [groups(across.div_ceil(SEGMENT) * blocks), shape.height as u32, 1],
        cost: Cost { flops: 2 * shape.values() as u64, bytes: lowering.map_bytes(node) + bytes },
    };
    lowering.named_step(name, variant("rows", out.element), parts);
    let parts = StepParts {
        params,
        bindings: vec![(2, sums), (3, lowering.output(node))],
        workgroups: [groups(shape.width * blocks), down.div_ceil(SEGMENT) as u32, 1],
        cost: Cost { flops: 2 * shape.values() as u64, bytes: lowering.map_bytes(node) + bytes },
    };
    lowering.step(node, variant("columns", out.element), parts);
}

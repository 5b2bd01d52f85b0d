//! Every second pixel of every second row.

use super::lowering::rows;
use super::{Cost, Lowering, StepParts, combinations};
use crate::gpu::Variant;
use crate::graph::NodeId;
use crate::tensor::Element;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    in_width: u32,
    out_width: u32,
    blocks: u32,
}

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations("nearest_half", &["f32"])
}

/// One dispatch.
pub fn lower(lowering: &mut Lowering, node: NodeId) {
    let (graph, out) = (lowering.graph, lowering.graph.node(node));
    let x = graph.node(out.inputs[0]).shape;
    let params = Params { in_width: x.width as u32, out_width: out.shape.width as u32, blocks: x.blocks() as u32 };
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings: vec![(1, lowering.input(node, 0)), (2, lowering.output(node))],
        workgroups: rows(out.shape),
        // It reads no more than it writes.
        cost: Cost { flops: 0, bytes: 2 * lowering.map_bytes(node) },
    };
    lowering.step(node, Variant::new("nearest_half", &[("f32", out.element == Element::F32)]), parts);
}

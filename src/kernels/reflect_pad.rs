//! Padding by reflection, and cropping.

use super::lowering::rows;
use super::{Cost, Lowering, StepParts, combinations};
use crate::gpu::Variant;
use crate::graph::NodeId;
use crate::tensor::Element;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    in_height: i32,
    in_width: i32,
    out_width: u32,
    blocks: u32,
    top: i32,
    left: i32,
}

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations("reflect_pad", &["f32"])
}

/// One dispatch; `top` and `left` rows and columns are added, or cropped where negative.
pub fn lower(lowering: &mut Lowering, node: NodeId, top: isize, left: isize) {
    let (graph, out) = (lowering.graph, lowering.graph.node(node));
    let x = graph.node(out.inputs[0]).shape;
    let params = Params {
        in_height: x.height as i32,
        in_width: x.width as i32,
        out_width: out.shape.width as u32,
        blocks: x.blocks() as u32,
        top: top as i32,
        left: left as i32,
    };
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings: vec![(1, lowering.input(node, 0)), (2, lowering.output(node))],
        workgroups: rows(out.shape),
        cost: Cost { flops: 0, bytes: lowering.traffic(node) },
    };
    lowering.step(node, Variant::new("reflect_pad", &[("f32", out.element == Element::F32)]), parts);
}

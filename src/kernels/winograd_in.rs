//! The input transform of Winograd convolutions.

use super::lowering::WORKGROUP;
use super::winograd::{Form, Tiles, share};
use super::{BufferId, Cost, Lowering, Operand, StepParts, combinations};
use crate::gpu::Variant;
use crate::graph::NodeId;
use crate::tensor::Element;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    height: u32,
    width: u32,
    first_blocks: u32,
    in_blocks: u32,
    tiles_across: u32,
    first_row: u32,
    tiles: u32,
}

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations("winograd_in", &["f32", "two_inputs"])
}

/// One dispatch.
pub(super) fn lower(lowering: &mut Lowering, node: NodeId, sources: usize, tiles: Tiles, output: BufferId) {
    let (graph, out) = (lowering.graph, lowering.graph.node(node));
    let x = graph.node(out.inputs[0]);
    let blocks: Vec<u32> = out.inputs[..sources].iter().map(|&id| graph.node(id).shape.blocks() as u32).collect();
    let in_blocks: u32 = blocks.iter().sum();
    let params = Params {
        height: x.shape.height as u32,
        width: x.shape.width as u32,
        first_blocks: blocks[0],
        in_blocks,
        tiles_across: tiles.across as u32,
        first_row: tiles.first_row as u32,
        tiles: tiles.count as u32,
    };
    let mut bindings = vec![(1, lowering.input(node, 0)), (3, Operand::Buffer(output))];
    if sources == 2 {
        bindings.push((2, lowering.input(node, 1)));
    }
    let read: u64 = out.inputs[..sources].iter().map(|&id| lowering.map_bytes(id)).sum();
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings,
        workgroups: [(tiles.count as u32 * in_blocks).div_ceil(WORKGROUP), 1, 1],
        cost: Cost { flops: 0, bytes: share(read, lowering, node, tiles) },
    };
    let features = [("f32", x.element == Element::F32), ("two_inputs", sources == 2)];
    let shader = match tiles.form {
        Form::Two => "winograd_f2_in",
        Form::Four => "winograd_in",
    };
    lowering.step(node, Variant::new(shader, &features), parts);
}

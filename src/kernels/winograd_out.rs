//! The output transform of Winograd convolutions, and their epilogue.

use super::lowering::WORKGROUP;
use super::winograd::{Form, Tiles, share};
use super::{BufferId, Cost, Lowering, Operand, StepParts, combinations};
use crate::gpu::Variant;
use crate::graph::{Conv2d, NodeId};
use crate::tensor::Element;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    height: u32,
    width: u32,
    out_blocks: u32,
    tiles_across: u32,
    first_row: u32,
    tiles: u32,
}

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations("winograd_out", &["f32", "bias", "gelu", "residual"])
}

/// One dispatch.
pub(super) fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d, tiles: Tiles, input: BufferId) {
    let out = lowering.graph.node(node);
    let params = Params {
        height: out.shape.height as u32,
        width: out.shape.width as u32,
        out_blocks: out.shape.blocks() as u32,
        tiles_across: tiles.across as u32,
        first_row: tiles.first_row as u32,
        tiles: tiles.count as u32,
    };
    let mut bindings = vec![(1, Operand::Buffer(input)), (4, lowering.output(node))];
    if let Some(bias) = conv.bias {
        bindings.push((2, lowering.channels(bias)));
    }
    if conv.epilogue.residual {
        bindings.push((3, lowering.input(node, conv.sources(out.inputs.len()))));
    }
    let written = lowering.map_bytes(node) * if conv.epilogue.residual { 2 } else { 1 };
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings,
        workgroups: [(tiles.count as u32 * params.out_blocks).div_ceil(WORKGROUP), 1, 1],
        cost: Cost { flops: 0, bytes: share(written, lowering, node, tiles) },
    };
    let features = [
        ("f32", out.element == Element::F32),
        ("bias", conv.bias.is_some()),
        ("gelu", conv.epilogue.gelu),
        ("residual", conv.epilogue.residual),
    ];
    let shader = match tiles.form {
        Form::Two => "winograd_f2_out",
        Form::Four => "winograd_out",
    };
    lowering.step(node, Variant::new(shader, &features), parts);
}

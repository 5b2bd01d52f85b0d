//! The products of Winograd convolutions: a matrix product for each place of a transformed tile.

use super::winograd::{Tiles, multiply_adds, share};
use super::{BufferId, Cost, Lowering, Operand, StepParts};
use crate::gpu::Variant;
use crate::graph::{NodeId, Op};
use bytemuck::{Pod, Zeroable};

/// Tiles and output channel blocks that a workgroup covers.
pub(super) const TILES: usize = 32;
pub(super) const BLOCKS: usize = 8;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    tiles: u32,
    in_blocks: u32,
    out_blocks: u32,
    out_groups: u32,
}

/// All variants.
pub fn variants() -> Vec<Variant> {
    vec![Variant::new("winograd_multiply", &[])]
}

/// One dispatch. Its cost is that of the convolution.
pub(super) fn lower(
    lowering: &mut Lowering,
    node: NodeId,
    tiles: Tiles,
    [in_blocks, out_blocks]: [usize; 2],
    [input, output]: [BufferId; 2],
    weight: Operand,
) {
    let tile_count = tiles.count as u32;
    let out_groups = (out_blocks as u32).div_ceil(BLOCKS as u32);
    let params = Params { tiles: tile_count, in_blocks: in_blocks as u32, out_blocks: out_blocks as u32, out_groups };
    let flops = match &lowering.graph.node(node).op {
        Op::Conv2d(conv) => 2 * multiply_adds(lowering, node, conv.weight),
        _ => 0,
    };
    let weights = match weight {
        Operand::Constant { size, .. } => size,
        Operand::Buffer(_) => 0,
    };
    let cost =
        Cost { flops: share(flops, lowering, node, tiles), bytes: share(weights / 4, lowering, node, tiles) };
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings: vec![(1, Operand::Buffer(input)), (2, weight), (3, Operand::Buffer(output))],
        workgroups: [tile_count.div_ceil(TILES as u32), 1, tiles.form.places() as u32 * out_groups],
        cost,
    };
    lowering.step(node, Variant::new("winograd_multiply", &[]), parts);
}

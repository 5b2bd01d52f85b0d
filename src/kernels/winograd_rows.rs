//! The 3×3 convolution of stride 1 as Winograd's F(4, 3) along rows, by subgroup broadcasts: half the multiplications of
//! a direct one in one dispatch, 8 tiles of 4 pixels × 32 output channels a subgroup of 8 lanes.

use super::constants::in_blocks;
use super::conv2d::{WeightTransform, record_with, variants_of};
use super::lowering::groups_of;
use super::{Lowering, storage, winograd};
use crate::gpu::Variant;
use crate::graph::{Conv2d, NodeId};
use crate::tensor::{Element, Tensor};

/// Pixels of a row that a tile makes, tiles and output channel blocks that a workgroup makes.
const TILE: usize = 4;
const TILES: usize = 8;
const BLOCKS: usize = 8;

/// A row of a kernel's taps to its places.
const ROWS: WeightTransform = WeightTransform { name: "rows", pack };

/// All variants.
pub fn variants() -> Vec<Variant> {
    variants_of("winograd_rows")
}

/// Whether it computes this convolution.
pub fn computes(conv: &Conv2d) -> bool {
    conv.kernel == 3 && conv.stride == 1 && conv.padding == 1
}

/// One dispatch.
pub fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d) {
    let shape = lowering.graph.node(node).shape;
    let (variant, mut parts) = record_with(lowering, node, conv, "winograd_rows", Some(ROWS));
    let tiles = shape.width.div_ceil(TILE) * shape.height;
    let [across, down] = groups_of(tiles.div_ceil(TILES), lowering.target.max_workgroups);
    parts.workgroups = [across, down, shape.blocks().div_ceil(BLOCKS) as u32];
    lowering.step(node, variant, parts);
}

/// `[row][input block][place][output block][4 inputs][4 outputs]`: in the order in which a subgroup reads them.
fn pack(weight: &Tensor, sources: &[usize], element: Element) -> Vec<u8> {
    let rows = winograd::transform_rows(weight);
    let places = rows.shape()[3];
    let blocks = in_blocks(&rows, sources, false);
    let step = rows.shape()[0].div_ceil(4) * 16;
    let per_row = blocks.len() / 3;
    let per_place = per_row / places;
    let mut packed = Vec::with_capacity(blocks.len());
    for row in blocks.chunks_exact(per_row.max(1)) {
        for at in (0..per_place).step_by(step) {
            for place in row.chunks_exact(per_place) {
                packed.extend_from_slice(&place[at..at + step]);
            }
        }
    }
    storage::encode_values(element, &packed)
}

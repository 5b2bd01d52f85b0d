//! The 2-D convolution through workgroup memory: 64 pixels × 32 or 64 output channels a workgroup.

use super::Lowering;
use super::conv2d::{record, variants_of};
use super::lowering::groups_of;
use crate::gpu::Variant;
use crate::graph::{Conv2d, NodeId};

/// Pixels that a workgroup makes, and blocks of output channels, narrow and wide.
const PIXELS: usize = 64;
const BLOCKS: [usize; 2] = [8, 16];

/// All variants.
pub fn variants() -> Vec<Variant> {
    let both = |variant: Variant| [widened(variant.clone(), false), widened(variant, true)];
    variants_of("conv2d_shared", false).into_iter().flat_map(both).collect()
}

fn widened(mut variant: Variant, wide: bool) -> Variant {
    if wide {
        variant.features.push("wide");
        variant.features.sort_unstable();
    }
    variant
}

/// One dispatch.
pub fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d) {
    let shape = lowering.graph.node(node).shape;
    let wide = shape.blocks() > BLOCKS[0];
    let (variant, mut parts) = record(lowering, node, conv, "conv2d_shared");
    let [across, down] = groups_of(shape.pixels().div_ceil(PIXELS), lowering.target.max_workgroups);
    parts.workgroups = [across, down, shape.blocks().div_ceil(BLOCKS[usize::from(wide)]) as u32];
    lowering.step(node, widened(variant, wide), parts);
}

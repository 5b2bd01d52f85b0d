//! The 2-D convolution by subgroup broadcasts to few channels: 64 pixels × 16 output channels a subgroup of 8 lanes.

use super::Lowering;
use super::conv2d::{gather, gathering_variants_of, record, variants_of};
use super::lowering::groups_of;
use crate::gpu::Variant;
use crate::graph::{Conv2d, NodeId};

/// Pixels and output channels that a workgroup makes.
const PIXELS: usize = 64;
const BLOCKS: usize = 4;

/// All variants.
pub fn variants() -> Vec<Variant> {
    let all = variants_of("conv2d_pairs", false).into_iter();
    all.chain(gathering_variants_of("conv2d_pairs", false)).collect()
}

/// One dispatch.
pub fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d) {
    let shape = lowering.graph.node(node).shape;
    let mut step = record(lowering, node, conv, "conv2d_pairs");
    gather(lowering, node, &mut step, shape.pixels().div_ceil(PIXELS));
    let (variant, mut parts) = step;
    let [across, down] = groups_of(shape.pixels().div_ceil(PIXELS), lowering.target.max_workgroups);
    parts.workgroups = [across, down, shape.blocks().div_ceil(BLOCKS) as u32];
    lowering.step(node, variant, parts);
}

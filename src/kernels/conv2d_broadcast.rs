//! The 2-D convolution by subgroup broadcasts: 32 pixels × 32 output channels a subgroup of 8 lanes.

use super::convolution::{gather, gathering_variants_of, lower_by_pixels, record, variants_of};
use super::{Candidate, Lowering};
use crate::gpu::Variant;
use crate::graph::{Conv2d, NodeId};

/// Pixels and output channels that a workgroup makes.
const PIXELS: usize = 32;
const BLOCKS: usize = 8;

const SHADER: &str = "conv2d_broadcast";

pub(super) const CANDIDATE: Candidate<Conv2d> = Candidate {
    name: SHADER,
    shader: SHADER,
    computes: |case| case.can_broadcast(),
    // A single block of channels leaves 7 lanes of 8 idle.
    suits: |case| case.broadcasts_well() && case.pixels() >= 4 && case.out_blocks() > 1,
    lower,
};

/// All variants.
pub fn variants() -> Vec<Variant> {
    let all = variants_of(SHADER, false).into_iter();
    all.chain(gathering_variants_of(SHADER, false)).collect()
}

/// One dispatch.
fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d) {
    let mut step = record(lowering, node, conv, SHADER);
    gather(lowering, node, &mut step, lowering.graph.node(node).shape.pixels().div_ceil(PIXELS));
    lower_by_pixels(lowering, node, step, PIXELS, BLOCKS);
}

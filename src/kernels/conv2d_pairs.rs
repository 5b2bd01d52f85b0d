//! The 2-D convolution by subgroup broadcasts to few channels: 64 pixels × 16 output channels a subgroup of 8 lanes.

use super::convolution::{gather, gathering_variants_of, lower_by_pixels, record, variants_of};
use super::{Candidate, Lowering};
use crate::gpu::Variant;
use crate::graph::{Conv2d, NodeId};

/// Pixels and output channels that a workgroup makes.
const PIXELS: usize = 64;
const BLOCKS: usize = 4;

const SHADER: &str = "conv2d_pairs";

pub(super) const CANDIDATE: Candidate<Conv2d> = Candidate {
    name: SHADER,
    shader: SHADER,
    computes: |case| case.can_broadcast(),
    // One block of channels leaves lanes idle; more than four are what it would read its pixels again for.
    suits: |case| case.broadcasts_well() && case.pixels() >= 4 && (2..=BLOCKS).contains(&case.out_blocks()),
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

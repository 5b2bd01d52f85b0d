//! The transposed convolution by subgroup broadcasts: four 2×2 convolutions, one a parity.

use super::conv_transpose2d::record;
use super::lowering::groups_of;
use super::{Candidate, Lowering, combinations};
use crate::gpu::Variant;
use crate::graph::{ConvTranspose2d, NodeId};

/// Input pixels and output channel blocks that a workgroup covers.
const PIXELS: usize = 32;
const BLOCKS: usize = 8;

const SHADER: &str = "conv_transpose2d_broadcast";

pub(super) const CANDIDATE: Candidate<ConvTranspose2d> = Candidate {
    name: SHADER,
    shader: SHADER,
    computes: |case| case.can_broadcast(),
    suits: |case| case.broadcasts_well(),
    lower,
};

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations(SHADER, &["f32", "bias", "gelu"])
}

/// One dispatch.
fn lower(lowering: &mut Lowering, node: NodeId, conv: &ConvTranspose2d) {
    let (graph, out) = (lowering.graph, lowering.graph.node(node));
    let (variant, mut parts) = record(lowering, node, conv, SHADER);
    let pixels = graph.node(out.inputs[0]).shape.pixels();
    let [across, down] = groups_of(pixels.div_ceil(PIXELS), lowering.target.max_workgroups);
    parts.workgroups = [across, down, 4 * out.shape.blocks().div_ceil(BLOCKS) as u32];
    lowering.step(node, variant, parts);
}

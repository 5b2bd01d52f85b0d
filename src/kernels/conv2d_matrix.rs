//! The 2-D convolution by cooperative matrices: 64 pixels × 32 output channels a workgroup of 4 subgroups.

use super::convolution::{record, variants_of};
use super::lowering::groups_of;
use super::{Candidate, Lowering};
use crate::gpu::{Matrices, Variant};
use crate::graph::{Conv2d, NodeId};

/// Pixels and blocks of output channels that a workgroup makes.
const PIXELS: usize = 64;
const BLOCKS: usize = 8;

const SHADER: &str = "conv2d_matrix";

pub(super) const CANDIDATE: Candidate<Conv2d> = Candidate {
    name: SHADER,
    shader: SHADER,
    computes: |case| case.has_matrices(),
    // A software driver has no units for matrices. A 1×1 result has nothing to share.
    suits: |case| !case.target.software && case.pixels() >= 4,
    lower,
};

/// All variants: half precision only.
pub fn variants() -> Vec<Variant> {
    let half = variants_of(SHADER, false).into_iter().filter(|variant| !variant.has("weight_f32"));
    half.flat_map(|variant| [sized(variant.clone(), 8), sized(variant, 16)]).collect()
}

fn sized(mut variant: Variant, side: u32) -> Variant {
    if side == 16 {
        variant.add("size16");
    }
    variant
}

/// One dispatch, for a target with matrices.
fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d) {
    let shape = lowering.graph.node(node).shape;
    let Matrices { side, lanes } = lowering.target.matrix.unwrap_or_default();
    let (variant, mut parts) = record(lowering, node, conv, SHADER);
    let [across, down] = groups_of(shape.pixels().div_ceil(PIXELS), lowering.target.max_workgroups);
    parts.workgroups = [across, down, shape.blocks().div_ceil(BLOCKS) as u32];
    lowering.step(node, sized(variant, side).with("LANES", lanes), parts);
}

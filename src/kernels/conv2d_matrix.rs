//! The 2-D convolution by cooperative matrices: 64 pixels × 32 output channels a workgroup of 4 subgroups.

use super::convolution::{lower_by_pixels, record, variants_of};
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
    half.flat_map(|variant| [8, 16].map(|side| variant.clone().with_features(&[("size16", side == 16)]))).collect()
}

/// One dispatch, for a target with matrices.
fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d) {
    let Matrices { side, lanes } = lowering.target.matrix.unwrap_or_default();
    let (variant, parts) = record(lowering, node, conv, SHADER);
    let variant = variant.with_features(&[("size16", side == 16)]).with_constant("LANES", lanes);
    lower_by_pixels(lowering, node, (variant, parts), PIXELS, BLOCKS);
}

//! The 2-D convolution through workgroup memory: 64 pixels × 32 or 64 output channels a workgroup. The transposed one too,
//! as four of 2×2.

use super::constants::in_blocks;
use super::convolution::{
    WeightTransform, gather, gathering_variants_of, record, record_transposed, transposed_variants_of, variants_of,
};
use super::lowering::groups_of;
use super::{Candidate, Lowering, StepParts};
use crate::gpu::Variant;
use crate::graph::{Conv2d, ConvTranspose2d, NodeId};
use crate::tensor::Tensor;

/// Pixels that a workgroup makes, and blocks of output channels, narrow and wide.
const PIXELS: usize = 64;
const BLOCKS: [usize; 2] = [8, 16];

const SHADER: &str = "conv2d_shared";

pub(super) const CANDIDATE: Candidate<Conv2d> =
    Candidate { name: SHADER, shader: SHADER, computes: |_| true, suits: |case| case.pixels() >= 4, lower };

pub(super) const TRANSPOSED: Candidate<ConvTranspose2d> = Candidate {
    name: "conv_transpose2d_shared",
    shader: SHADER,
    computes: |_| true,
    // On a CPU workgroup memory is memory like any other.
    suits: |case| !case.target.software,
    lower: lower_transposed,
};

/// All variants.
pub fn variants() -> Vec<Variant> {
    let both = |variant: Variant| [false, true].map(|wide| variant.clone().with_features(&[("wide", wide)]));
    let all = [variants_of(SHADER, false), gathering_variants_of(SHADER, false)];
    all.into_iter().flatten().chain(transposed_variants_of(SHADER, false)).flat_map(both).collect()
}

/// One dispatch.
fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d) {
    let mut step = record(lowering, node, conv, SHADER);
    let count = lowering.graph.node(node).shape.pixels().div_ceil(PIXELS);
    gather(lowering, node, &mut step, count);
    finish(lowering, node, step, 1);
}

/// One dispatch for a transposed convolution.
fn lower_transposed(lowering: &mut Lowering, node: NodeId, conv: &ConvTranspose2d) {
    let pack = |weight: &Tensor, sources: &[usize]| in_blocks(weight, sources, false);
    let transform = WeightTransform { name: "blocks".into(), pack: &pack, integers: None };
    let step = record_transposed(lowering, node, conv, SHADER, &transform);
    finish(lowering, node, step, 4);
}

/// The geometry; a workgroup's pixels are of one parity.
fn finish(lowering: &mut Lowering, node: NodeId, (variant, mut parts): (Variant, StepParts), parities: usize) {
    let shape = lowering.graph.node(node).shape;
    let wide = shape.blocks() > BLOCKS[0];
    let [across, down] = groups_of((shape.pixels() / parities).div_ceil(PIXELS), lowering.target.max_workgroups);
    parts.workgroups = [across, down, (parities * shape.blocks().div_ceil(BLOCKS[usize::from(wide)])) as u32];
    lowering.step(node, variant.with_features(&[("wide", wide)]), parts);
}

//! The 3×3 convolution by 16×16 cooperative matrices whose pixels and weights both come out of workgroup memory.

use super::conv2d_matrix_halo::{MANY_GROUPS, pack};
use super::convolution::{WeightTransform, gather, gathering_variants_of, record_with, variants_of};
use super::{Candidate, Case, Lowering, Target};
use crate::gpu::Variant;
use crate::graph::{Conv2d, NodeId};
use crate::tensor::{Shape, Tensor};

const SHADER: &str = "conv2d_matrix_staged";

pub(super) const CANDIDATE: Candidate<Conv2d> = Candidate {
    name: SHADER,
    shader: SHADER,
    computes,
    // It makes 32 channels at a time.
    suits: |case| {
        let groups: usize = groups(case.node.shape).iter().product();
        !case.target.software && case.out_blocks() > 4 && groups >= MANY_GROUPS
    },
    lower,
};

/// Rows and columns of a matrix, and input channels of a round.
const SIDE: usize = 16;

/// Rows and columns of a workgroup's tile.
const TILE: usize = 16;

/// Subgroups of a workgroup, and its fewest lanes.
const SUBGROUPS: u32 = 4;
const FEWEST_LANES: u32 = 128;

/// Whether a result is few enough channels for the narrow form, which makes 32 and not 64 of them.
fn is_narrow(channels: usize) -> bool {
    channels <= 2 * SIDE
}

/// Output channels of a workgroup.
fn channels_of(narrow: bool) -> usize {
    if narrow { 2 * SIDE } else { 4 * SIDE }
}

/// The workgroup memory that a form takes, in bytes.
fn workgroup_bytes(narrow: bool, whole: bool) -> usize {
    let pitch = if narrow { SIDE } else { SIDE + 8 };
    let taps = if whole { 9 } else { 3 };
    2 * ((TILE + 2) * (TILE + 2) * pitch + taps * channels_of(narrow) * SIDE) + 4 * SUBGROUPS as usize * SIDE * SIDE
}

/// Whether all weights of a round are staged at once, given a target's workgroup memory; none where there is too little.
fn stages_whole(narrow: bool, target: &Target) -> Option<bool> {
    let stages = if narrow { &[true][..] } else { &[true, false] };
    stages.iter().copied().find(|&whole| workgroup_bytes(narrow, whole) <= target.workgroup_memory as usize)
}

/// All variants: half precision only.
pub fn variants() -> Vec<Variant> {
    let all = [variants_of(SHADER, false), gathering_variants_of(SHADER, false)].concat();
    let single = ["weight_f32", "input_f32", "output_f32"];
    let half = all.into_iter().filter(|variant| !single.iter().any(|feature| variant.has(feature)));
    let forms = [(true, true), (false, true), (false, false)];
    let formed = |variant: Variant| {
        forms.map(|(narrow, whole)| variant.clone().with_features(&[("narrow", narrow), ("whole", whole)]))
    };
    half.flat_map(formed).collect()
}

/// Whether it computes a convolution: of maps of whole rounds of channels, where the weights of a row have room.
fn computes(case: &Case<'_, Conv2d>) -> bool {
    let of_side = case.target.matrix.is_some_and(|matrix| matrix.side as usize == SIDE);
    let whole_rounds = case.sources.iter().all(|source| source.channels.is_multiple_of(SIDE));
    let has_room = stages_whole(is_narrow(case.node.shape.stored_channels()), case.target).is_some();
    case.has_matrices() && of_side && case.is_uniform && case.is(3, 1, 1) && whole_rounds && has_room
}

/// Workgroups across a result's columns, rows and channels.
fn groups(shape: Shape) -> [usize; 3] {
    let channels = shape.stored_channels();
    [shape.width.div_ceil(TILE), shape.height.div_ceil(TILE), channels.div_ceil(channels_of(is_narrow(channels)))]
}

/// One dispatch, for a target with matrices.
fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d) {
    let shape = lowering.graph.node(node).shape;
    let narrow = is_narrow(shape.stored_channels());
    let channels = channels_of(narrow);
    let pack = |weight: &Tensor, sources: &[usize]| pack(weight, sources, SIDE, channels / SIDE);
    let transform =
        WeightTransform { name: format!("matrices {SIDE} {}", channels / SIDE), pack: &pack, integers: None };
    let mut step = record_with(lowering, node, conv, SHADER, Some(transform));
    let groups = groups(shape);
    let lanes = (SUBGROUPS * lowering.target.matrix.unwrap_or_default().lanes).max(FEWEST_LANES);
    // They are added up where results were: there must be room for each lane's.
    if lanes as usize * 4 <= SUBGROUPS as usize * SIDE * SIDE {
        gather(lowering, node, &mut step, groups[0] * groups[1]);
    }
    let (variant, mut parts) = step;
    parts.workgroups = groups.map(|count| count as u32);
    let whole = stages_whole(narrow, &lowering.target).unwrap_or(false);
    let variant = variant.with_features(&[("narrow", narrow), ("whole", whole)]);
    lowering.step(node, variant.with_constant("LANES", lanes), parts);
}

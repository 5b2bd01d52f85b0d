//! The 3×3 convolution of stride 1 as Winograd's F(2×2, 3×3) through workgroup memory, whatever a subgroup's size; sums in
//! f32.

use super::convolution::{WeightTransform, gather, gathering_variants_of, record_with, variants_of};
use super::winograd::{Form, pack, transform_weight};
use super::{Candidate, Lowering};
use crate::gpu::Variant;
use crate::graph::{Conv2d, NodeId};
use crate::tensor::Tensor;

const SHADER: &str = "winograd_shared";

/// Blocks of output channels that a workgroup makes, and rows of pixels; all are 16 pixels long.
#[derive(Clone, Copy)]
struct Group {
    blocks: usize,
    rows: usize,
}

const WIDE: Group = Group { blocks: 8, rows: 8 };
const NARROW: Group = Group { blocks: 4, rows: 16 };
const COLUMNS: usize = 16;

pub(super) const CANDIDATE: Candidate<Conv2d> = Candidate {
    name: SHADER,
    shader: SHADER,
    computes: |case| case.is(3, 1, 1),
    // By arithmetic: transforms cost as much as 4 blocks of channels save, and it makes 16 or 32 channels at a time.
    suits: |case| !case.target.software && case.pixels() >= 1024 && case.in_blocks() >= 4 && case.out_blocks() >= 4,
    lower,
};

/// All variants.
pub fn variants() -> Vec<Variant> {
    let both = |variant: Variant| [true, false].map(|narrow| variant.clone().with_features(&[("narrow", narrow)]));
    variants_of(SHADER, false).into_iter().chain(gathering_variants_of(SHADER, false)).flat_map(both).collect()
}

/// One dispatch.
fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d) {
    let shape = lowering.graph.node(node).shape;
    let narrow = shape.blocks() <= NARROW.blocks;
    let group = if narrow { NARROW } else { WIDE };
    let transform = WeightTransform {
        name: format!("winograd {:?} by {}", Form::Two, group.blocks),
        pack: &|weight: &Tensor, sources: &[usize]| pack(&transform_weight(weight, Form::Two), sources, group.blocks),
        integers: None,
    };
    let mut step = record_with(lowering, node, conv, SHADER, Some(transform));
    let [across, down] = [shape.width.div_ceil(COLUMNS), shape.height.div_ceil(group.rows)];
    gather(lowering, node, &mut step, across * down);
    let (variant, mut parts) = step;
    parts.workgroups = [across, down, shape.blocks().div_ceil(group.blocks)].map(|count| count as u32);
    lowering.step(node, variant.with_features(&[("narrow", narrow)]), parts);
}

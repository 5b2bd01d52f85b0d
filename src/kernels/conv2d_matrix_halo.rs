//! The 3×3 convolution of stride 1 by cooperative matrices, out of a patch of the map with its halo in workgroup memory. The
//! transposed convolution too, as four of 2×2.

use super::constants::in_blocks;
use super::conv2d::{WeightTransform, gather, gathering_variants_of, record_transposed, record_with, transposed_variants_of, variants_of};
use super::{Lowering, StepParts, Target};
use crate::gpu::Variant;
use crate::graph::{Conv2d, ConvTranspose2d, NodeId};
use crate::tensor::Tensor;

/// Rows of pixels that a workgroup makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// 16, which read weights and halo least often.
    Tall,
    /// 8, for maps that would else keep too few workgroups busy.
    Low,
}

impl Form {
    fn rows(self) -> usize {
        match self {
            Form::Tall => 16,
            Form::Low => 8,
        }
    }
}

const SHADER: &str = "conv2d_matrix_halo";

/// So many workgroups keep any GPU busy.
const MANY_GROUPS: usize = 512;

/// Input channels of a round.
const DEPTH: usize = 16;

/// The workgroup memory that the largest form takes, in bytes.
pub const WORKGROUP_BYTES: u32 = 32 << 10;

/// Matrices across the output channels of a workgroup of few and of many channels.
const COLUMNS: [usize; 2] = [2, 4];

/// All variants: half precision only, from map to map.
pub fn variants() -> Vec<Variant> {
    let maps = |variant: &Variant| !["weight_f32", "input_f32", "output_f32"].iter().any(|f| variant.has(f));
    let all = [variants_of(SHADER, false), gathering_variants_of(SHADER, false), transposed_variants_of(SHADER)];
    let forms = |variant: Variant| {
        let forms = [8, 16].into_iter().flat_map(|side| [Form::Tall, Form::Low].map(|form| (side, form)));
        forms.flat_map(move |(side, form)| COLUMNS.map(|columns| formed(variant.clone(), side, form, columns)))
    };
    all.into_iter().flatten().filter(maps).flat_map(forms).collect()
}

fn formed(mut variant: Variant, side: usize, form: Form, columns: usize) -> Variant {
    let set = [("size16", side == 16), ("low", form == Form::Low), ("narrow", columns == COLUMNS[0])];
    set.into_iter().filter(|(_, on)| *on).for_each(|(name, _)| variant.add(name));
    variant
}

/// Whether it computes this convolution.
pub fn computes(conv: &Conv2d) -> bool {
    conv.kernel == 3 && conv.stride == 1 && conv.padding == 1
}

/// One dispatch, for a target with matrices.
pub fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d, form: Form) {
    let (side, columns) = matrices(lowering, node);
    let pack = |weight: &Tensor, sources: &[usize]| pack(weight, sources, side, columns);
    let transform = WeightTransform { name: format!("matrices {side} {columns}"), pack: &pack, integers: None };
    let mut step = record_with(lowering, node, conv, SHADER, Some(transform));
    let shape = lowering.graph.node(node).shape;
    // They are added up where a row of results was: there must be room for each lane's.
    if 4 * lowering.target.matrix.unwrap_or_default().lanes as usize <= side * side * columns {
        gather(lowering, node, &mut step, shape.width.div_ceil(side) * shape.height.div_ceil(form.rows()));
    }
    finish(lowering, node, step, form, 1);
}

/// One dispatch for a transposed convolution, low where the map is small.
pub fn lower_transposed(lowering: &mut Lowering, node: NodeId, conv: &ConvTranspose2d) {
    let (side, columns) = matrices(lowering, node);
    let small = is_small(lowering.graph.node(node).shape.pixels(), &lowering.target);
    let form = if small { Form::Low } else { Form::Tall };
    let pack = |weight: &Tensor, sources: &[usize]| pack(weight, sources, side, columns);
    let transform = WeightTransform { name: format!("matrices {side} {columns}"), pack: &pack, integers: None };
    let step = record_transposed(lowering, node, conv, SHADER, &transform);
    finish(lowering, node, step, form, 4);
}

/// Whether a map of so many pixels gives too few workgroups of the tall form.
pub fn is_small(pixels: usize, target: &Target) -> bool {
    pixels < MANY_GROUPS * side_of(target) * Form::Tall.rows()
}

fn side_of(target: &Target) -> usize {
    target.matrix.unwrap_or_default().side as usize
}

/// The side of a matrix, and how many lie across the output channels of a workgroup.
fn matrices(lowering: &Lowering, node: NodeId) -> (usize, usize) {
    let side = side_of(&lowering.target);
    let wide = lowering.graph.node(node).shape.stored_channels() > COLUMNS[0] * side;
    (side, COLUMNS[usize::from(wide)])
}

/// The geometry; a workgroup's pixels are of one parity, and its grid those of the output of a parity.
fn finish(lowering: &mut Lowering, node: NodeId, step: (Variant, StepParts), form: Form, parities: usize) {
    let (variant, mut parts) = step;
    let (side, columns) = matrices(lowering, node);
    let shape = lowering.graph.node(node).shape;
    let grid = if parities == 1 { [shape.width, shape.height] } else { [shape.width / 2, shape.height / 2] };
    let groups = parities * shape.stored_channels().div_ceil(columns * side);
    parts.workgroups = [grid[0].div_ceil(side), grid[1].div_ceil(form.rows()), groups].map(|count| count as u32);
    let lanes = lowering.target.matrix.unwrap_or_default().lanes;
    lowering.step(node, formed(variant, side, form, columns).with("LANES", lanes), parts);
}

/// `[round][tap][slice of `side` inputs][column of `side` outputs][inputs][outputs]`, padded with zeros to whole rounds and
/// to a multiple of `columns`.
fn pack(weight: &Tensor, sources: &[usize], side: usize, columns: usize) -> Vec<f32> {
    let blocks = in_blocks(weight, sources, false);
    let out_blocks = weight.shape()[0].div_ceil(4);
    let taps = weight.shape()[2] * weight.shape()[3];
    let inputs = blocks.len() / (taps * out_blocks * 4).max(1);
    let rounds = inputs.div_ceil(DEPTH);
    let across = (out_blocks * 4).div_ceil(columns * side) * columns;
    let mut packed = vec![0.0; rounds * DEPTH * taps * across * side];
    for tap in 0..taps {
        for input in 0..inputs {
            for output in 0..out_blocks * 4 {
                let block = (tap * inputs / 4 + input / 4) * out_blocks + output / 4;
                let slice = (input / DEPTH * taps + tap) * (DEPTH / side) + input % DEPTH / side;
                let to = ((slice * across + output / side) * side + input % side) * side + output % side;
                packed[to] = blocks[block * 16 + input % 4 * 4 + output % 4];
            }
        }
    }
    packed
}

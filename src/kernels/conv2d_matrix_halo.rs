//! The 3×3 convolution by cooperative matrices, out of a patch of the map with its halo in workgroup memory; the 1×1
//! convolution, and the transposed one as four of 2×2.

use super::constants::in_blocks;
use super::convolution::{
    WeightTransform, gather, gathering_variants_of, record_transposed, record_with, transposed_variants_of, variants_of,
};
use super::{Candidate, Case, Lowering, StepParts, Target};
use crate::gpu::Variant;
use crate::graph::{Conv2d, ConvTranspose2d, NodeId};
use crate::tensor::{Shape, Tensor};
use std::collections::BTreeSet;

/// How many rows of pixels a subgroup makes: fewer for maps that would else keep too few workgroups busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// 8, or 4 for a convolution of stride 2 and for 2 matrices across.
    Tall,
    /// Half as many.
    Low,
    /// 2, where that is fewer still.
    Flat,
}

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// 3×3, stride 1.
    Plain,
    /// 3×3, stride 2.
    Strided,
    /// 1×1.
    Pointwise,
    /// Transposed, 4×4, stride 2.
    Transposed,
}

impl Form {
    /// Rows of a subgroup, where a workgroup has so many matrices across its output channels.
    fn rows(self, kind: Kind, columns: usize) -> usize {
        // A strided patch has twice the rows. Two matrices across have all 4 subgroups one above the other and 16 sums a lane for
        // 4 rows already: twice that was slower on an H100; one across has half the sums.
        let tall = if kind == Kind::Strided || columns == COLUMNS[1] { 4 } else { 8 };
        match self {
            Form::Tall => tall,
            Form::Low => tall / 2,
            Form::Flat => 2,
        }
    }

    /// Rows of a workgroup.
    fn tile(self, kind: Kind, columns: usize) -> usize {
        self.rows(kind, columns) * SUBGROUPS / beside(columns)
    }
}

const SHADER: &str = "conv2d_matrix_halo";

pub(super) const TALL: Candidate<Conv2d> = Candidate {
    name: SHADER,
    shader: SHADER,
    computes: |case| computes(case, Form::Tall),
    suits: |case| suits_best(case, Form::Tall),
    lower: |lowering, node, conv| lower(lowering, node, conv, Form::Tall),
};

pub(super) const LOW: Candidate<Conv2d> = Candidate {
    name: "conv2d_matrix_low",
    shader: SHADER,
    computes: |case| computes(case, Form::Low),
    suits: |case| suits_best(case, Form::Low),
    lower: |lowering, node, conv| lower(lowering, node, conv, Form::Low),
};

pub(super) const FLAT: Candidate<Conv2d> = Candidate {
    name: "conv2d_matrix_flat",
    shader: SHADER,
    computes: |case| computes(case, Form::Flat),
    suits: |case| suits_best(case, Form::Flat),
    lower: |lowering, node, conv| lower(lowering, node, conv, Form::Flat),
};

pub(super) const TRANSPOSED: Candidate<ConvTranspose2d> = Candidate {
    name: "conv_transpose2d_matrix",
    shader: SHADER,
    computes: |case| {
        case.has_matrices() && case.is_uniform && suited(case.node.shape, Kind::Transposed, case.target).is_some()
    },
    suits: |case| !case.target.software,
    lower: lower_transposed,
};

/// Whether a form computes a convolution, in a way that no taller one has.
fn computes(case: &Case<'_, Conv2d>, form: Form) -> bool {
    let fits = |kind| forms(case.node.shape, kind, case.target).contains(&form);
    case.has_matrices() && kind(case.conv).is_some_and(fits)
}

/// Whether it is the form of its size, on a device that has units for matrices. A 1×1 result has nothing to share.
fn suits_best(case: &Case<'_, Conv2d>, form: Form) -> bool {
    let of_size = kind(case.conv).and_then(|kind| suited(case.node.shape, kind, case.target));
    !case.target.software && case.pixels() >= 4 && of_size == Some(form)
}

/// So many workgroups keep a GPU busy: with fewer, an H100 (132 multiprocessors) was faster by a lower form, which makes more.
pub(super) const MANY_GROUPS: usize = 100;

/// Input channels of a round, and values from one pixel of a patch to the next.
const DEPTH: usize = 16;
const PITCH: usize = DEPTH + 8;

/// Subgroups of a workgroup.
const SUBGROUPS: usize = 4;

/// Matrices across the output channels of a workgroup of very few, of few and of many channels.
const COLUMNS: [usize; 3] = [1, 2, 4];

/// Subgroups beside each other, each with two columns of them.
fn beside(columns: usize) -> usize {
    columns.div_ceil(2)
}

/// The workgroup memory that a form takes, in bytes.
fn workgroup_bytes(kind: Kind, form: Form, side: usize, columns: usize) -> usize {
    let across = |pixels: usize| match kind {
        Kind::Plain | Kind::Transposed => pixels + 2,
        Kind::Strided => 2 * pixels + 1,
        Kind::Pointwise => pixels,
    };
    let patch = across(side) * across(form.tile(kind, columns)) * PITCH * 2;
    patch + written(side, columns) * 4
}

/// All variants: half precision only, but for pictures at both ends.
pub fn variants() -> Vec<Variant> {
    let half = |variant: &Variant| !variant.has("weight_f32");
    let plain = [variants_of(SHADER, false), gathering_variants_of(SHADER, false)].concat();
    let all = [
        (Kind::Plain, plain.clone()),
        (Kind::Strided, plain.clone()),
        (Kind::Pointwise, plain),
        (Kind::Transposed, transposed_variants_of(SHADER, false)),
    ];
    let mut formed_all = BTreeSet::new();
    for (kind, variants) in all {
        for variant in variants.iter().filter(|variant| half(variant)) {
            for side in [8, 16] {
                for form in [Form::Tall, Form::Low, Form::Flat] {
                    formed_all.extend(COLUMNS.map(|columns| formed(variant.clone(), kind, side, form, columns)));
                }
            }
        }
    }
    formed_all.into_iter().collect()
}

/// Sums that are written at once: a row of every subgroup.
fn written(side: usize, columns: usize) -> usize {
    SUBGROUPS / beside(columns) * side * side * columns
}

fn formed(variant: Variant, kind: Kind, side: usize, form: Form, columns: usize) -> Variant {
    let rows = form.rows(kind, columns);
    variant.with_features(&[
        ("strided", kind == Kind::Strided),
        ("pointwise", kind == Kind::Pointwise),
        ("size16", side == 16),
        ("slim", columns == COLUMNS[0]),
        ("narrow", columns == COLUMNS[1]),
        ("rows4", rows >= 4),
        ("rows8", rows == 8),
    ])
}

/// What it computes of a convolution, if it does.
fn kind(conv: &Conv2d) -> Option<Kind> {
    match (conv.kernel, conv.stride, conv.padding) {
        (3, 1, 1) => Some(Kind::Plain),
        (3, 2, 1) => Some(Kind::Strided),
        (1, 1, 0) => Some(Kind::Pointwise),
        _ => None,
    }
}

/// One dispatch, for a target with matrices.
fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d, form: Form) {
    let kind = kind(conv).unwrap_or_else(|| unreachable!("chosen for what it computes"));
    let (side, columns) = matrices(lowering, node);
    let pack = |weight: &Tensor, sources: &[usize]| pack(weight, sources, side, columns);
    let transform = WeightTransform { name: format!("matrices {side} {columns}"), pack: &pack, integers: None };
    let mut step = record_with(lowering, node, conv, SHADER, Some(transform));
    let shape = lowering.graph.node(node).shape;
    // They are added up where rows of results were: there must be room for each lane's.
    let lanes = SUBGROUPS * lowering.target.matrix.unwrap_or_default().lanes as usize;
    if lanes * 4 <= written(side, columns) {
        gather(lowering, node, &mut step, shape.width.div_ceil(side) * shape.height.div_ceil(form.tile(kind, columns)));
    }
    finish(lowering, node, step, kind, form);
}

/// One dispatch for a transposed convolution, in the form that suits its size.
fn lower_transposed(lowering: &mut Lowering, node: NodeId, conv: &ConvTranspose2d) {
    let (side, columns) = matrices(lowering, node);
    let form = suited(lowering.graph.node(node).shape, Kind::Transposed, &lowering.target).unwrap_or(Form::Flat);
    let pack = |weight: &Tensor, sources: &[usize]| pack(weight, sources, side, columns);
    let transform = WeightTransform { name: format!("matrices {side} {columns}"), pack: &pack, integers: None };
    let step = record_transposed(lowering, node, conv, SHADER, &transform);
    finish(lowering, node, step, Kind::Transposed, form);
}

/// The forms that differ and that a target has room for, the tallest first.
fn forms(shape: Shape, kind: Kind, target: &Target) -> Vec<Form> {
    let side = side_of(target);
    let columns = columns(side, shape.stored_channels());
    let mut forms = vec![Form::Tall, Form::Low, Form::Flat];
    forms.dedup_by_key(|form| form.rows(kind, columns));
    forms.retain(|&form| workgroup_bytes(kind, form, side, columns) <= target.workgroup_memory as usize);
    forms
}

/// The tallest form that gives a result of a shape many workgroups, else the lowest; none without room for any.
fn suited(shape: Shape, kind: Kind, target: &Target) -> Option<Form> {
    let (forms, side) = (forms(shape, kind, target), side_of(target));
    let columns = columns(side, shape.stored_channels());
    let busy = |form: Form| groups(shape, kind, form, side, columns).iter().product::<usize>() >= MANY_GROUPS;
    // A 1×1 convolution has little to compute on what it reads: an H100 took the tallest form's twice the time of the lowest.
    let tallest = if kind == Kind::Pointwise { Form::Low } else { Form::Tall };
    let from = forms.iter().position(|&form| form == tallest).unwrap_or(0);
    forms[from..].iter().copied().find(|&form| busy(form)).or(forms.last().copied())
}

/// Workgroups across a result's columns, rows and channels; a workgroup's pixels are of one parity.
fn groups(shape: Shape, kind: Kind, form: Form, side: usize, columns: usize) -> [usize; 3] {
    let [parities, height, width] = match kind {
        Kind::Transposed => [4, shape.height / 2, shape.width / 2],
        _ => [1, shape.height, shape.width],
    };
    let across = shape.stored_channels().div_ceil(columns * side);
    [width.div_ceil(side), height.div_ceil(form.tile(kind, columns)), parities * across]
}

fn side_of(target: &Target) -> usize {
    target.matrix.unwrap_or_default().side as usize
}

/// The side of a matrix, and how many lie across the output channels of a workgroup.
fn matrices(lowering: &Lowering, node: NodeId) -> (usize, usize) {
    let side = side_of(&lowering.target);
    (side, columns(side, lowering.graph.node(node).shape.stored_channels()))
}

fn columns(side: usize, channels: usize) -> usize {
    let [slim, narrow, wide] = COLUMNS;
    if channels <= slim * side {
        slim
    } else if channels <= narrow * side {
        narrow
    } else {
        wide
    }
}

/// The geometry.
fn finish(lowering: &mut Lowering, node: NodeId, step: (Variant, StepParts), kind: Kind, form: Form) {
    let (variant, mut parts) = step;
    let (side, columns) = matrices(lowering, node);
    let shape = lowering.graph.node(node).shape;
    parts.workgroups = groups(shape, kind, form, side, columns).map(|count| count as u32);
    let lanes = lowering.target.matrix.unwrap_or_default().lanes;
    lowering.step(node, formed(variant, kind, side, form, columns).with_constant("LANES", lanes), parts);
}

/// `[round][parity][column of taps][slice of `side` inputs][row of taps][column of `side` outputs][outputs][inputs]`, padded
/// with zeros to whole rounds and to a multiple of `columns`.
pub(super) fn pack(weight: &Tensor, sources: &[usize], side: usize, columns: usize) -> Vec<f32> {
    let blocks = in_blocks(weight, sources, false);
    let out_blocks = weight.shape()[0].div_ceil(4);
    let taps = weight.shape()[2] * weight.shape()[3];
    let inputs = blocks.len() / (taps * out_blocks * 4).max(1);
    // The transposed convolution's 16 are 4 of each parity.
    let across_taps = match taps {
        1 => 1,
        9 => 3,
        _ => 2,
    };
    let per_parity = across_taps * across_taps;
    let rounds = inputs.div_ceil(DEPTH);
    let across = (out_blocks * 4).div_ceil(columns * side) * columns;
    let mut packed = vec![0.0; rounds * DEPTH * taps * across * side];
    for tap in 0..taps {
        for input in 0..inputs {
            for output in 0..out_blocks * 4 {
                let block = (tap * inputs / 4 + input / 4) * out_blocks + output / 4;
                let (row, column) = (tap % per_parity / across_taps, tap % across_taps);
                let first = (input / DEPTH * taps + tap / per_parity * per_parity) * (DEPTH / side);
                let slice = first + (column * (DEPTH / side) + input % DEPTH / side) * across_taps + row;
                let to = ((slice * across + output / side) * side + output % side) * side + input % side;
                packed[to] = blocks[block * 16 + input % 4 * 4 + output % 4];
            }
        }
    }
    packed
}

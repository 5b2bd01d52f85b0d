//! The 3×3 convolution of stride 1 as Winograd's F(4×4, 3×3), a quarter of the multiplications of a direct one, or
//! F(2×2, 3×3), four ninths of them; and the transposed one of stride 2 as F(5×5, 2×2), a good third of them. Sums in f32.
//! One dispatch, whose workgroups go through the tiles 32 at a time, each with a slice of a workspace that stays in a
//! core's cache.

use super::constants::in_blocks;
use super::convolution::{
    Integers, WeightTransform, gather, gathering_variants_of, record_transposed, record_with, through_tiles,
    transposed_variants_of, variants_of,
};
use super::lowering::STOPPED_AFTER;
use super::{Candidate, Case, Lowering, Operand, StepParts};
use crate::gpu::Variant;
use crate::graph::{Conv2d, ConvTranspose2d, Graph, Node, NodeId};
use crate::tensor::Tensor;

const SHADER: &str = "winograd";

pub(super) const FOUR: Candidate<Conv2d> = Candidate {
    name: SHADER,
    shader: SHADER,
    computes: |case| computes(case, Form::Four),
    // It makes 32 channels at a time; a few tiles leave lanes idle.
    suits: |case| case.broadcasts_well() && case.pixels() >= 1024 && case.out_blocks() >= BLOCKS && has_room(case),
    lower: |lowering, node, conv| lower(lowering, node, conv, Form::Four),
};

pub(super) const TWO: Candidate<Conv2d> = Candidate {
    name: "winograd_f2",
    shader: SHADER,
    computes: |case| computes(case, Form::Two),
    // On software drivers one of the others is faster; tuning may find otherwise elsewhere.
    suits: |_| false,
    lower: |lowering, node, conv| lower(lowering, node, conv, Form::Two),
};

pub(super) const TRANSPOSED: Candidate<ConvTranspose2d> = Candidate {
    name: "conv_transpose2d_winograd",
    shader: SHADER,
    computes: |case| case.is_uniform && runs(case, Form::Five),
    // As above; a tile makes 100 pixels, and one block of channels leaves half the lanes idle.
    suits: |case| case.broadcasts_well() && case.pixels() >= 3200 && case.out_blocks() >= 2 && has_room(case),
    lower: lower_transposed,
};

/// Which of the algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// F(2×2, 3×3), over tiles of 4×4.
    Two,
    /// F(4×4, 3×3), over tiles of 6×6.
    Four,
    /// F(5×5, 2×2), over the same tiles, for the four parities of a transposed convolution.
    Five,
}

impl Form {
    /// Pixels of the side that a tile makes.
    fn made(self) -> usize {
        match self {
            Form::Two => 2,
            Form::Four => 4,
            Form::Five => 5,
        }
    }

    /// Bytes of the workspace that a workgroup takes.
    fn slice(self, in_blocks: usize) -> usize {
        self.places() * TILES * (in_blocks + BLOCKS) * 16
    }

    /// Rounds of its loops that an invocation takes for 32 tiles.
    fn rounds(self, in_blocks: usize, out_blocks: usize) -> usize {
        let products = self.places() * (in_blocks + 1) + TILES;
        (in_blocks + 1) * TILES / LANES + out_blocks.div_ceil(BLOCKS) * (products + 1)
    }

    /// Places of a transformed tile.
    fn places(self) -> usize {
        kernel_transform(self).len().pow(2)
    }

    /// What its variants have set.
    fn feature(self) -> (&'static str, bool) {
        ("f2", self == Form::Two)
    }
}

/// Tiles that a workgroup takes at a time, output blocks of a group, and lanes of a workgroup.
const TILES: usize = 32;
const BLOCKS: usize = 8;
const LANES: usize = 8;

/// All variants.
pub fn variants() -> Vec<Variant> {
    let with_form =
        |variant: Variant| [Form::Two, Form::Four].map(|form| variant.clone().with_features(&[form.feature()]));
    let all = variants_of(SHADER, true).into_iter().chain(gathering_variants_of(SHADER, true));
    all.flat_map(with_form).chain(transposed_variants_of(SHADER, true)).collect()
}

fn computes(case: &Case<'_, Conv2d>, form: Form) -> bool {
    case.is(3, 1, 1) && runs(case, form)
}

/// Whether the device runs a form to its end, with a workspace.
fn runs<C>(case: &Case<'_, C>, form: Form) -> bool {
    let in_time = !case.target.software || ends_in_time(form, case.in_blocks(), case.out_blocks());
    case.can_broadcast() && !case.target.lean && in_time
}

/// One dispatch, or several for a map of very many tiles.
fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d, form: Form) {
    let (graph, out) = (lowering.graph, lowering.graph.node(node));
    let sources = &out.inputs[..conv.sources(out.inputs.len())];
    let blocks = [sources.iter().map(|&id| graph.node(id).shape.blocks()).sum(), out.shape.blocks()];
    let transform = WeightTransform {
        name: format!("winograd {form:?}"),
        pack: &|weight, sources| pack(&transform_weight(weight, form), sources, BLOCKS),
        integers: Some(Integers { places: form.places(), blocks, group: BLOCKS }),
    };
    let tiles = out.shape.height.div_ceil(form.made()) * out.shape.width.div_ceil(form.made());
    let mut step = record_with(lowering, node, conv, SHADER, Some(transform));
    gather(lowering, node, &mut step, tiles.div_ceil(TILES));
    dispatch(lowering, node, (step.0.with_features(&[form.feature()]), step.1), form, blocks, tiles);
}

/// The same for a transposed convolution.
fn lower_transposed(lowering: &mut Lowering, node: NodeId, conv: &ConvTranspose2d) {
    let (graph, out) = (lowering.graph, lowering.graph.node(node));
    let (form, x) = (Form::Five, graph.node(out.inputs[0]).shape);
    let blocks = [x.blocks(), 4 * out.shape.blocks()];
    let transform = WeightTransform {
        name: format!("winograd {form:?}"),
        pack: &|weight, sources| pack(&transform_weight(&parities_apart(weight), form), sources, BLOCKS),
        integers: Some(Integers { places: form.places(), blocks, group: BLOCKS }),
    };
    // Odd rows and columns of the result begin one before the first tile's even ones.
    let tiles = (x.height + 1).div_ceil(form.made()) * (x.width + 1).div_ceil(form.made());
    let step = record_transposed(lowering, node, conv, SHADER, &transform);
    dispatch(lowering, node, step, form, blocks, tiles);
}

/// The steps of a recorded convolution of so many input and output blocks over so many tiles.
fn dispatch(
    lowering: &mut Lowering,
    node: NodeId,
    (variant, mut parts): (Variant, StepParts),
    form: Form,
    [in_blocks, out_blocks]: [usize; 2],
    tiles: usize,
) {
    let graph = lowering.graph;
    let slice = form.slice(in_blocks);
    let slices = tiles.div_ceil(TILES).min(most_slices()).min((workspace_room(graph) / slice).max(1));
    let workspace = lowering.buffer(format!("{} (tiles)", graph.node(node).name), (slices * slice) as u64);
    parts.bindings.push((8, Operand::Buffer(workspace)));
    let turns = (MOST_ROUNDS / form.rounds(in_blocks, out_blocks)).max(1);
    let together = (turns * slices * TILES).min(tiles);
    // As even as whole turns allow.
    let dispatches = tiles.div_ceil(together);
    let each = tiles.div_ceil(dispatches).next_multiple_of(slices * TILES);
    for first in (0..tiles).step_by(each) {
        let some = first..(first + each).min(tiles);
        let share = some.len() as f64 / tiles as f64;
        parts.workgroups = [some.len().div_ceil(TILES).min(slices) as u32, 1, 1];
        lowering.step(node, variant.clone(), through_tiles(&parts, &some, share));
    }
}

/// Rounds of all its loops together that an invocation may take in a dispatch: well under [`STOPPED_AFTER`], and a GPU's watchdog
/// has no use for long dispatches either.
const MOST_ROUNDS: usize = 1 << 15;

/// Whether a turn, less than which no dispatch takes, ends before Mesa's software driver stops it.
fn ends_in_time(form: Form, in_blocks: usize, out_blocks: usize) -> bool {
    // Transposed, it makes the four parities of its results.
    let parities = if form == Form::Five { 4 } else { 1 };
    form.rounds(in_blocks, parities * out_blocks) < STOPPED_AFTER
}

/// Bytes that the workspace may take, if more than a slice: in a graph of narrow bands it mustn't outweigh the maps, and
/// it must fit a binding.
fn workspace_room(graph: &Graph) -> usize {
    let largest = graph.nodes.iter().map(Node::bytes).max().unwrap_or(0);
    (2 * largest).min(64 << 20) as usize
}

/// Whether a slice of the workspace is small beside the maps of the graph.
fn has_room<C>(case: &Case<'_, C>) -> bool {
    Form::Four.slice(case.in_blocks()) <= workspace_room(case.graph)
}

/// The most workgroups, each with a slice of the workspace: so many that the cores that a software driver runs them on
/// share the work evenly.
fn most_slices() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (8 * cores).clamp(16, 64)
}

/// G, for the points of the shaders: 0, 1, −1 and ∞, and of the larger forms 2 and −1/2 before ∞.
fn kernel_transform(form: Form) -> &'static [&'static [f64]] {
    match form {
        Form::Two => &[&[1.0, 0.0, 0.0], &[0.5, 0.5, 0.5], &[0.5, -0.5, 0.5], &[0.0, 0.0, 1.0]],
        Form::Four => &[
            &[1.0, 0.0, 0.0],
            &[-1.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0],
            &[1.0 / 3.0, -1.0 / 3.0, 1.0 / 3.0],
            &[1.0 / 15.0, 2.0 / 15.0, 4.0 / 15.0],
            &[-16.0 / 15.0, 8.0 / 15.0, -4.0 / 15.0],
            &[0.0, 0.0, 1.0],
        ],
        Form::Five => &[
            &[1.0, 0.0],
            &[-1.0 / 3.0, -1.0 / 3.0],
            &[1.0 / 3.0, -1.0 / 3.0],
            &[1.0 / 15.0, 2.0 / 15.0],
            &[-16.0 / 15.0, 8.0 / 15.0],
            &[0.0, 1.0],
        ],
    }
}

/// G·g·Gᵀ of every kernel, in f64.
pub(super) fn transform_weight(weight: &Tensor, form: Form) -> Tensor {
    let g = kernel_transform(form);
    let side = g[0].len();
    let dot = |g: &[f64], k: &[f64]| -> f64 { g.iter().zip(k).map(|(g, k)| g * k).sum() };
    let kernel = |k: &[f32]| -> Vec<f32> {
        let column = |x: usize| -> Vec<f64> { (0..side).map(|y| f64::from(k[y * side + x])).collect() };
        let columns: Vec<Vec<f64>> = (0..side).map(column).collect();
        let row = |down: &&[f64]| {
            let made: Vec<f64> = columns.iter().map(|column| dot(down, column)).collect();
            g.iter().map(move |across| dot(across, &made) as f32)
        };
        g.iter().flat_map(row).collect()
    };
    let data: Vec<f32> = weight.data().chunks_exact(side * side).flat_map(kernel).collect();
    let shape = [weight.shape()[0], weight.shape()[1], g.len(), g.len()];
    Tensor::new(shape, data).unwrap_or_else(|_| unreachable!("the places of each kernel"))
}

/// Weights of a transposed convolution that `by_parity` ordered, `[out, in, parity and tap]`, as `[parity and out, in, 2, 2]`;
/// the outputs of a parity are padded with zeros to whole blocks.
fn parities_apart(weight: &Tensor) -> Tensor {
    let [out, inputs] = [weight.shape()[0], weight.shape()[1]];
    let stored = out.next_multiple_of(4);
    let mut data = vec![0.0; 4 * stored * inputs * 4];
    for (pair, taps) in weight.data().chunks_exact(16).enumerate() {
        for (parity, taps) in taps.chunks_exact(4).enumerate() {
            let at = (parity * stored * inputs + pair) * 4;
            data[at..at + 4].copy_from_slice(taps);
        }
    }
    Tensor::new([4 * stored, inputs, 2, 2], data).unwrap_or_else(|_| unreachable!("as many values as they take"))
}

/// `[place][group of output blocks][input block][output block][4 inputs][4 outputs]`, groups of so many blocks, padded with
/// zeros: in the order in which a subgroup, or a workgroup, reads them.
pub(super) fn pack(weight: &Tensor, sources: &[usize], group_blocks: usize) -> Vec<f32> {
    let blocks = in_blocks(weight, sources, false);
    let out_blocks = weight.shape()[0].div_ceil(4);
    let places = weight.shape()[2] * weight.shape()[3];
    let mut packed = Vec::with_capacity(blocks.len());
    for place in blocks.chunks_exact((blocks.len() / places).max(1)) {
        for group in 0..out_blocks.div_ceil(group_blocks) {
            for row in place.chunks_exact(out_blocks * 16) {
                let from = group * group_blocks * 16;
                let to = (from + group_blocks * 16).min(row.len());
                packed.extend_from_slice(&row[from..to]);
                packed.resize(packed.len() + group_blocks * 16 - (to - from), 0.0);
            }
        }
    }
    packed
}

//! The 3×3 convolution of stride 1 as Winograd's F(4×4, 3×3), a quarter of the multiplications of a direct one, or
//! F(2×2, 3×3), four ninths of them and a smaller error; in f32. Three kernels over a workspace: transform the input's
//! tiles, one matrix product for each of their places, transform back. A large map goes through the workspace a few rows of tiles at a time, so that it stays in cache.

use super::constants;
use super::lowering::WORKGROUP;
use super::{Lowering, Target, storage, winograd_in, winograd_multiply, winograd_out};
use crate::graph::{Conv2d, Graph, NodeId, WeightId};
use crate::tensor::{Element, Tensor};

/// Which of the algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// F(2×2, 3×3), over tiles of 4×4.
    Two,
    /// F(4×4, 3×3), over tiles of 6×6.
    Four,
}

impl Form {
    /// Pixels of the side that a tile makes.
    pub(super) fn made(self) -> usize {
        match self {
            Form::Two => 2,
            Form::Four => 4,
        }
    }

    /// Places of a transformed tile.
    pub(super) fn places(self) -> usize {
        (self.made() + 2) * (self.made() + 2)
    }
}

/// Bytes that each half of the workspace may take (one row of tiles may take more).
const WORKSPACE: usize = 8 << 20;

/// What the kernels of a convolution share: some rows of its tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiles {
    /// The algorithm that they are for.
    pub form: Form,
    /// Tiles of a row.
    pub across: usize,
    /// The first row.
    pub first_row: usize,
    /// Tiles in all.
    pub count: usize,
}

/// Whether it computes this convolution of a graph whose elements are assigned.
pub fn computes(graph: &Graph, precision: Element, target: &Target, node: NodeId, conv: &Conv2d, form: Form) -> bool {
    let out = graph.node(node);
    let sources = &out.inputs[..conv.sources(out.inputs.len())];
    let in_blocks: usize = sources.iter().map(|&id| graph.node(id).shape.blocks()).sum();
    let elements = graph.node(out.inputs[0]).element == out.element && out.element == precision;
    // A row of tiles is the least that a dispatch takes.
    let groups =
        (out.shape.width.div_ceil(form.made()) * in_blocks.max(out.shape.blocks())).div_ceil(WORKGROUP as usize);
    conv.kernel == 3 && conv.stride == 1 && conv.padding == 1 && elements && groups <= target.max_workgroups as usize
}

/// Three dispatches for every portion of the map.
pub fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d, form: Form) {
    let (graph, out) = (lowering.graph, lowering.graph.node(node));
    let sources: Vec<usize> =
        out.inputs[..conv.sources(out.inputs.len())].iter().map(|&id| graph.node(id).shape.channels).collect();
    let in_blocks: usize = sources.iter().map(|channels| channels.div_ceil(4)).sum();
    let out_blocks = out.shape.blocks();
    let [down, across] = [out.shape.height, out.shape.width].map(|side| side.div_ceil(form.made()));
    let row_bytes = form.places() * across * in_blocks.max(out_blocks) * 16;
    // Portions of equal size.
    let portions = down.div_ceil((WORKSPACE / row_bytes).max(1));
    let rows = down.div_ceil(portions);
    let most = (form.places() * across * rows * 16) as u64;
    let padded = (form.places() * (across * rows).next_multiple_of(winograd_multiply::TILES) * 16) as u64;
    let transformed = lowering.buffer(format!("{} (transformed)", out.name), padded * in_blocks as u64);
    let products = lowering.buffer(format!("{} (products)", out.name), most * out_blocks as u64);
    let weight = lowering.constants.get(&format!("winograd {form:?} {} {sources:?}", conv.weight.0), || {
        pack(&transform_weight(graph.tensor(conv.weight), form), &sources)
    });
    for first_row in (0..down).step_by(rows) {
        let tiles = Tiles { form, across, first_row, count: across * rows.min(down - first_row) };
        winograd_in::lower(lowering, node, sources.len(), tiles, transformed);
        winograd_multiply::lower(lowering, node, tiles, [in_blocks, out_blocks], [transformed, products], weight);
        winograd_out::lower(lowering, node, conv, tiles, products);
    }
}

/// The share of a node's whole that falls to `tiles`.
pub(super) fn share(whole: u64, lowering: &Lowering, node: NodeId, tiles: Tiles) -> u64 {
    let all = lowering.graph.node(node).shape.height.div_ceil(tiles.form.made()) * tiles.across;
    (u128::from(whole) * tiles.count as u128 / all.max(1) as u128) as u64
}

/// Multiplications with additions of the convolution itself.
pub(super) fn multiply_adds(lowering: &Lowering, node: NodeId, weight: WeightId) -> u64 {
    (lowering.graph.node(node).shape.pixels() * lowering.graph.tensor(weight).data().len()) as u64
}

/// G, for the points of the shaders: 0, 1, −1 and ∞, and of the larger form 2 and −1/2 before ∞.
fn kernel_transform(form: Form) -> &'static [[f64; 3]] {
    match form {
        Form::Two => &[[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]],
        Form::Four => &[
            [1.0, 0.0, 0.0],
            [-1.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0],
            [1.0 / 3.0, -1.0 / 3.0, 1.0 / 3.0],
            [1.0 / 15.0, 2.0 / 15.0, 4.0 / 15.0],
            [-16.0 / 15.0, 8.0 / 15.0, -4.0 / 15.0],
            [0.0, 0.0, 1.0],
        ],
    }
}

/// g·Gᵀ of every 3×3 kernel, in f64: its rows transformed for F(4, 3), 3×6.
pub(super) fn transform_rows(weight: &Tensor) -> Tensor {
    let g = kernel_transform(Form::Four);
    let rows = weight.data().chunks_exact(3).flat_map(|row| {
        g.iter().map(|g| (0..3).map(|x| g[x] * f64::from(row[x])).sum::<f64>() as f32).collect::<Vec<_>>()
    });
    Tensor::new([weight.shape()[0], weight.shape()[1], 3, g.len()], rows.collect::<Vec<f32>>())
        .unwrap_or_else(|_| unreachable!("a row of places for each row of 3"))
}

/// G·g·Gᵀ of every 3×3 kernel, in f64.
fn transform_weight(weight: &Tensor, form: Form) -> Tensor {
    let g = kernel_transform(form);
    let row = |g: &[f64; 3], a: f64, b: f64, c: f64| g[0] * a + g[1] * b + g[2] * c;
    let kernel = |k: &[f32]| -> Vec<f32> {
        let k: Vec<f64> = k.iter().map(|&value| f64::from(value)).collect();
        let columns = g.iter().map(|g| [0, 1, 2].map(|x| row(g, k[x], k[3 + x], k[6 + x])));
        columns.flat_map(|[a, b, c]| g.iter().map(move |g| row(g, a, b, c) as f32)).collect()
    };
    let data: Vec<f32> = weight.data().chunks_exact(9).flat_map(kernel).collect();
    let shape = [weight.shape()[0], weight.shape()[1], g.len(), g.len()];
    Tensor::new(shape, data).unwrap_or_else(|_| unreachable!("a square of places for each kernel of 9"))
}

/// `[place][group of output blocks][input block][output block][4 inputs][4 outputs]`, the groups padded with zeros: in the
/// order in which a subgroup reads them.
fn pack(weight: &Tensor, sources: &[usize]) -> Vec<u8> {
    let blocks = constants::in_blocks(weight, sources, false);
    let out_blocks = weight.shape()[0].div_ceil(4);
    let groups = out_blocks.div_ceil(winograd_multiply::BLOCKS);
    let places = weight.shape()[2] * weight.shape()[3];
    let mut packed = Vec::with_capacity(blocks.len());
    for place in blocks.chunks_exact((blocks.len() / places).max(1)) {
        for group in 0..groups {
            for row in place.chunks_exact(out_blocks * 16) {
                let from = group * winograd_multiply::BLOCKS * 16;
                let to = (from + winograd_multiply::BLOCKS * 16).min(row.len());
                packed.extend_from_slice(&row[from..to]);
                packed.resize(packed.len() + winograd_multiply::BLOCKS * 16 - (to - from), 0.0);
            }
        }
    }
    storage::encode_values(Element::F32, &packed)
}

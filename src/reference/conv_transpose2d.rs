//! The transposed convolution that doubles both sides.

use super::band;
use super::conv2d::epilogue;
use super::matmul::{Extent, multiply};
use crate::graph::{ConvTranspose2d, Graph};
use crate::tensor::{FeatureMap, Real, Shape};
use rayon::prelude::*;

/// `act(convᵀ(x) + bias)`, kernel 4, stride 2, padding 1: `[h, w, c]` → `[2h, 2w, out]`.
///
/// Result pixel (2i + p, 2j + q) meets only the 2×2 inputs at rows i − 1 + p, i + p and columns j − 1 + q, j + q, with
/// kernel rows 3 − p, 1 − p and columns 3 − q, 1 − q: four convolutions of 2×2, one for each parity (p, q).
pub(super) fn conv_transpose2d<T: Real>(graph: &Graph, conv: &ConvTranspose2d, x: &FeatureMap<T>) -> FeatureMap<T> {
    let weight = super::values::<T>(graph.tensor(conv.weight));
    let bias = conv.bias.map(|bias| super::values::<T>(graph.tensor(bias)));
    let channels = x.shape.channels;
    let out = graph.tensor(conv.weight).shape()[1];
    let shape = Shape::new(2 * x.shape.height, 2 * x.shape.width, out);
    let mut result = FeatureMap::zeros(shape);
    if shape.values() == 0 {
        return result;
    }
    let packed = pack(&weight, channels, out);
    let pitch = (x.shape.width + 2) * channels;
    let sum_length = x.shape.width * out;
    let rows = band::rows_per_band(pitch.max(4 * sum_length), x.shape.height);

    let pair_length = 2 * shape.width * out;
    result.data.par_chunks_mut(rows * pair_length).enumerate().for_each_init(
        Default::default,
        |scratch, (band, result)| {
            let (padded, sums): &mut (Vec<T>, Vec<T>) = scratch;
            let rows_here = result.len() / pair_length;
            band::fill(padded, &[x], (band * rows) as isize - 1, rows_here + 2, 1);
            sums.resize(sum_length, T::zero());
            for (y, row) in result.chunks_exact_mut(pair_length / 2).enumerate() {
                let (i, p) = (y / 2, y % 2);
                for q in 0..2 {
                    for (t, weights) in packed[p][q].iter().enumerate() {
                        let extent = Extent { rows: x.shape.width, columns: out, depth: 2 * channels };
                        multiply(extent, &padded[(i + p + t) * pitch + q * channels..], channels, weights, sums, t > 0);
                    }
                    let pixels = row.chunks_exact_mut(out).skip(q).step_by(2);
                    pixels.zip(sums.chunks_exact(out)).for_each(|(pixel, sums)| pixel.copy_from_slice(sums));
                }
                epilogue(row, bias.as_deref(), conv.gelu, None);
            }
        },
    );
    result
}

/// `[in, out, 4, 4]` → for each parity (p, q) and row t of its 2×2 kernel, `[2][in][out]`.
fn pack<T: Real>(weight: &[T], channels: usize, out: usize) -> [[[Vec<T>; 2]; 2]; 2] {
    let tap = |ky: usize, kx: usize| (0..channels * out).map(move |at| weight[at * 16 + ky * 4 + kx]);
    let parities = |make: &dyn Fn(usize) -> [[Vec<T>; 2]; 2]| [make(0), make(1)];
    parities(&|p| [0, 1].map(|q| [0, 1].map(|t| tap(3 - p - 2 * t, 3 - q).chain(tap(3 - p - 2 * t, 1 - q)).collect())))
}

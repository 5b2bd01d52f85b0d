//! Convolution as matrix products over bands of rows, with its epilogue.

use super::band;
use super::gelu::gelu_in_place;
use super::matmul::{Extent, multiply};
use crate::graph::{Conv2d, Graph};
use crate::tensor::{FeatureMap, Real, Shape};
use rayon::prelude::*;

/// `act(conv(x₁ ‖ x₂) + bias) + residual`: zero padding, one or two sources and the residual if the epilogue has one.
///
/// A padded row holds the k·c values that one kernel row meets at a pixel side by side, so each kernel row is one
/// product of `[pixels, k·c]`, rows overlapping, with `[k·c, out]`. At stride 1 all rows of a band go in one product:
/// the k − 1 pixels between rows are computed too, and left.
pub(super) fn conv2d<T: Real>(graph: &Graph, conv: &Conv2d, inputs: &[&FeatureMap<T>]) -> FeatureMap<T> {
    let (sources, residual) = inputs.split_at(conv.sources(inputs.len()));
    let weight = graph.tensor(conv.weight);
    let bias = conv.bias.map(|bias| super::values::<T>(graph.tensor(bias)));
    let &[out, channels, kernel, _] = weight.shape() else { unreachable!("inference checks the weight's rank") };
    let packed = pack(&super::values::<T>(weight), out, channels, kernel);

    let x = sources[0].shape;
    let side = |n: usize| (n + 2 * conv.padding - kernel) / conv.stride + 1;
    let shape = Shape::new(side(x.height), side(x.width), out);
    let mut result = FeatureMap::zeros(shape);
    if shape.values() == 0 {
        return result;
    }
    let padded_width = x.width + 2 * conv.padding;
    let pitch = padded_width * channels;
    let sum_width = if conv.stride == 1 { padded_width } else { shape.width };
    let rows = band::rows_per_band(pitch.max(sum_width * out), shape.height);

    let row_length = shape.width * out;
    result.data.par_chunks_mut(rows * row_length).enumerate().for_each_init(
        Default::default,
        |scratch, (band, result)| {
            let (padded, sums): &mut (Vec<T>, Vec<T>) = scratch;
            let (first, rows) = (band * rows, result.len() / row_length);
            let above = (first * conv.stride) as isize - conv.padding as isize;
            band::fill(padded, sources, above, (rows - 1) * conv.stride + kernel, conv.padding);
            sums.resize(rows * sum_width * out, T::zero());
            let (products, pixels) =
                if conv.stride == 1 { (1, (rows - 1) * sum_width + shape.width) } else { (rows, shape.width) };
            for product in 0..products {
                let sums = &mut sums[product * sum_width * out..];
                for (ky, weights) in packed.chunks_exact(kernel * channels * out).enumerate() {
                    let extent = Extent { rows: pixels, columns: out, depth: kernel * channels };
                    let from = &padded[(product * conv.stride + ky) * pitch..];
                    multiply(extent, from, conv.stride * channels, weights, sums, ky > 0);
                }
            }
            for (dy, row) in result.chunks_exact_mut(row_length).enumerate() {
                row.copy_from_slice(&sums[dy * sum_width * out..][..row_length]);
                let start = (first + dy) * row_length;
                epilogue(row, bias.as_deref(), conv.epilogue.gelu, residual.first().map(|r| &r.data[start..]));
            }
        },
    );
    result
}

/// `values ← act(values + bias) + residual`.
#[inline(always)]
pub(crate) fn epilogue<T: Real>(values: &mut [T], bias: Option<&[T]>, gelu: bool, residual: Option<&[T]>) {
    if let Some(bias) = bias {
        for pixel in values.chunks_exact_mut(bias.len()) {
            pixel.iter_mut().zip(bias).for_each(|(value, &bias)| *value += bias);
        }
    }
    if gelu {
        gelu_in_place(values);
    }
    if let Some(residual) = residual {
        values.iter_mut().zip(residual).for_each(|(value, &residual)| *value += residual);
    }
}

/// `[out, in, k, k]` → `[k][k][in][out]`.
fn pack<T: Real>(weight: &[T], out: usize, channels: usize, kernel: usize) -> Vec<T> {
    let taps = kernel * kernel;
    let mut packed = Vec::with_capacity(weight.len());
    for tap in 0..taps {
        for c in 0..channels {
            packed.extend((0..out).map(|o| weight[(o * channels + c) * taps + tap]));
        }
    }
    packed
}

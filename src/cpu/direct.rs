//! Convolutions as one product a band of rows: every kernel size, stride and number of channels.

use super::product::{Left, Panels, product};
use super::{Epilogue, scratch};
use crate::reference::band;
use crate::tensor::{FeatureMap, Shape, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// A convolution's weights, packed.
pub(super) struct Direct {
    kernel: usize,
    stride: usize,
    padding: usize,
    channels: usize,
    weights: Panels,
}

impl Direct {
    /// Packs `[out, in, k, k]`.
    pub(super) fn pack(weight: &Tensor, stride: usize, padding: usize) -> Self {
        let &[out, channels, kernel, _] = weight.shape() else { unreachable!("inference checks the weight's rank") };
        let taps = kernel * kernel;
        let value = |d: usize, o: usize| weight.data()[(o * channels + d % channels) * taps + d / channels];
        let weights = Panels::pack(taps * channels, out, value);
        Self { kernel, stride, padding, channels, weights }
    }

    /// `act(conv(x₁ ‖ x₂) + bias) + residual` into `result`, a map of `shape`.
    ///
    /// A padded row holds the k·c values that one kernel row meets at a pixel side by side: k segments of k·c values
    /// are a pixel's whole neighbourhood.
    pub(super) fn run(&self, sources: &[&FeatureMap<f32>], epilogue: &Epilogue, shape: Shape, result: &mut [f32]) {
        let Self { kernel, stride, padding, channels, ref weights } = *self;
        let pitch = (sources[0].shape.width + 2 * padding) * channels;
        let row_length = shape.width * shape.channels;
        let band_rows = band::rows_per_band((stride * pitch).max(row_length), shape.height);
        let arch = Arch::new();
        result.par_chunks_mut(band_rows * row_length).enumerate().for_each(|(index, result)| {
            let rows = result.len() / row_length;
            let above = (index * band_rows * stride) as isize - padding as isize;
            scratch::with(|padded| {
                band::fill(padded, sources, above, (rows - 1) * stride + kernel, padding);
                let segments: Vec<usize> = (0..kernel).map(|ky| ky * pitch).collect();
                let (width, out) = (shape.width, shape.channels);
                arch.dispatch(Band {
                    padded,
                    segments: &segments,
                    depth: kernel * channels,
                    step: [stride * pitch, stride * channels],
                    weights,
                    width,
                    out,
                    result,
                });
            });
            epilogue.all(index * band_rows * row_length, result);
        });
    }
}

/// A band of rows of one convolution.
struct Band<'a> {
    padded: &'a [f32],
    segments: &'a [usize],
    depth: usize,
    /// From a row to the next, and from a pixel to the next.
    step: [usize; 2],
    weights: &'a Panels,
    /// Pixels per row of the result, and channels.
    width: usize,
    out: usize,
    result: &'a mut [f32],
}

impl WithSimd for Band<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { padded, segments, depth, step, weights, width, out, result } = self;
        let left = Left { data: padded, segments, depth };
        product(
            simd,
            result.len() / out,
            left,
            #[inline(always)]
            |pixel| pixel / width * step[0] + pixel % width * step[1],
            weights,
            result,
            #[inline(always)]
            |pixel| pixel * out,
        );
    }
}

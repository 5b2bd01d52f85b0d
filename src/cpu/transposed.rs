//! The transposed convolution that doubles both sides, as four convolutions of 2×2.

use super::product::{Left, Panels, product};
use super::{Epilogue, scratch};
use crate::reference::band;
use crate::tensor::{FeatureMap, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// The weights of the four parities (row, column), packed; see the plain twin in `reference`.
pub(super) struct Transposed {
    channels: usize,
    out: usize,
    parities: [[Panels; 2]; 2],
}

impl Transposed {
    /// Packs `[in, out, 4, 4]`.
    pub(super) fn pack(weight: &Tensor) -> Self {
        let &[channels, out, 4, 4] = weight.shape() else { unreachable!("inference checks the weight's shape") };
        let parity = |p: usize, q: usize| {
            // Row t and column s of the 2×2 kernel.
            Panels::pack(4 * channels, out, |d, o| {
                let (t, s, c) = (d / channels / 2, d / channels % 2, d % channels);
                weight.data()[(c * out + o) * 16 + (3 - p - 2 * t) * 4 + 3 - q - 2 * s]
            })
        };
        Self { channels, out, parities: [0, 1].map(|p| [0, 1].map(|q| parity(p, q))) }
    }

    /// `act(convᵀ(x) + bias)` into `result`: `[h, w, c]` → `[2h, 2w, out]`.
    pub(super) fn run(&self, x: &FeatureMap<f32>, epilogue: &Epilogue, result: &mut [f32]) {
        let pitch = (x.shape.width + 2) * self.channels;
        let pair_length = 4 * x.shape.width * self.out;
        let band_rows = band::rows_per_band(pitch.max(pair_length), x.shape.height);
        let arch = Arch::new();
        result.par_chunks_mut(band_rows * pair_length).enumerate().for_each(|(index, result)| {
            scratch::with(|padded| {
                let rows = result.len() / pair_length;
                band::fill(padded, &[x], (index * band_rows) as isize - 1, rows + 2, 1);
                arch.dispatch(Band { of: self, padded, width: x.shape.width, result });
            });
            epilogue.all(index * band_rows * pair_length, result);
        });
    }
}

/// A band of pairs of rows.
struct Band<'a> {
    of: &'a Transposed,
    padded: &'a [f32],
    /// Pixels per row of x.
    width: usize,
    result: &'a mut [f32],
}

impl WithSimd for Band<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { of: &Transposed { channels, out, ref parities }, padded, width, result } = self;
        let pitch = (width + 2) * channels;
        let pixels = result.len() / (4 * out);
        for (p, parities) in parities.iter().enumerate() {
            for (q, weights) in parities.iter().enumerate() {
                let left = Left { data: padded, segments: &[0, pitch], depth: 2 * channels };
                product(
                    simd,
                    pixels,
                    left,
                    #[inline(always)]
                    |pixel| (pixel / width + p) * pitch + (pixel % width + q) * channels,
                    weights,
                    result,
                    #[inline(always)]
                    |pixel| ((2 * (pixel / width) + p) * 2 * width + 2 * (pixel % width) + q) * out,
                );
            }
        }
    }
}

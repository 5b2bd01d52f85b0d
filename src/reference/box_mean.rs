//! The mean over a large window, as the published motion deblurring takes it at test time.

use crate::graph::extent::window;
use crate::tensor::{FeatureMap, Real, Shape};
use rayon::prelude::*;

/// Rows that one task slides its window over.
const BAND: usize = 16;

/// The mean over a [`window`] of the map's own share.
pub(super) fn box_mean<T: Real>(x: &FeatureMap<T>, base: usize, train: usize) -> FeatureMap<T> {
    box_mean_of(x, [x.shape.height, x.shape.width].map(|side| window(side, base, train)))
}

/// The mean over a window of `kh` rows and `kw` columns, no more than the map has. The
/// (h − kh + 1) × (w − kw + 1) means are replicated at the borders to the size of x, ⌊(kh − 1)/2⌋ of them before and
/// the rest after. Sums in f64.
pub(crate) fn box_mean_of<T: Real>(x: &FeatureMap<T>, [kh, kw]: [usize; 2]) -> FeatureMap<T> {
    let Shape { height, width, channels } = x.shape;
    if x.shape.values() == 0 {
        return x.clone();
    }
    let columns = width - kw + 1;
    let row_sums = row_sums(x, kw);
    let row_length = columns * channels;
    let share = 1.0 / (kh * kw) as f64;

    // The mean at row y stands over rows top(y) .. top(y) + kh.
    let top = |y: usize| y.saturating_sub((kh - 1) / 2).min(height - kh);
    let left = |x: usize| x.saturating_sub((kw - 1) / 2).min(width - kw);
    let row_of = |y: usize| &row_sums[y * row_length..(y + 1) * row_length];
    let mut means = FeatureMap::zeros(x.shape);
    means.data.par_chunks_mut(BAND * width * channels).enumerate().for_each(|(band, rows)| {
        let mut at = top(band * BAND);
        let mut sums = vec![0.0; row_length];
        (at..at + kh).for_each(|y| slide(&mut sums, row_of(y), None));
        for (dy, row) in rows.chunks_exact_mut(width * channels).enumerate() {
            if top(band * BAND + dy) > at {
                slide(&mut sums, row_of(at + kh), Some(row_of(at)));
                at += 1;
            }
            for (x0, pixel) in row.chunks_exact_mut(channels).enumerate() {
                let sums = &sums[left(x0) * channels..];
                pixel.iter_mut().zip(sums).for_each(|(value, sum)| *value = T::of(sum * share));
            }
        }
    });
    means
}

/// `[h, w − kw + 1, c]`: the sums over `kw` pixels of a row.
fn row_sums<T: Real>(x: &FeatureMap<T>, kw: usize) -> Vec<f64> {
    let Shape { height, width, channels } = x.shape;
    let columns = width - kw + 1;
    let mut sums = vec![0.0; height * columns * channels];
    sums.par_chunks_mut(columns * channels).enumerate().for_each(|(y, row)| {
        let mut sum = vec![0.0; channels];
        for x0 in 0..width {
            sum.iter_mut().zip(x.pixel(y, x0)).for_each(|(sum, value)| *sum += value.wide());
            if let Some(start) = (x0 + 1).checked_sub(kw) {
                row[start * channels..(start + 1) * channels].copy_from_slice(&sum);
                sum.iter_mut().zip(x.pixel(y, start)).for_each(|(sum, value)| *sum -= value.wide());
            }
        }
    });
    sums
}

/// Takes a row into the window's sums and another one out.
fn slide(sums: &mut [f64], enter: &[f64], leave: Option<&[f64]>) {
    sums.iter_mut().zip(enter).for_each(|(sum, value)| *sum += value);
    if let Some(leave) = leave {
        sums.iter_mut().zip(leave).for_each(|(sum, value)| *sum -= value);
    }
}

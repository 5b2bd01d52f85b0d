//! Means over the whole picture, and the channel sums they are made of.

use crate::tensor::{FeatureMap, Real, Shape};
use rayon::prelude::*;

/// `[h, w, c]` → `[1, 1, c]`.
pub(super) fn global_mean<T: Real>(x: &FeatureMap<T>) -> FeatureMap<T> {
    let share = 1.0 / x.shape.pixels() as f64;
    let data = channel_sums(x, |_, value| value).iter().map(|sum| T::of(sum * share)).collect();
    FeatureMap { shape: Shape::new(1, 1, x.shape.channels), data }
}

/// `Σ term(channel, value)` over all pixels, a sum a channel: in f64, row by row, then the rows in order, so that the
/// result is the same whatever the number of threads.
pub(super) fn channel_sums<T: Real>(x: &FeatureMap<T>, term: impl Fn(usize, f64) -> f64 + Sync) -> Vec<f64> {
    let Shape { width, channels, .. } = x.shape;
    let mut total = vec![0.0; channels];
    if x.shape.values() == 0 {
        return total;
    }
    let row_sum = |row: &[T]| {
        let mut sums = vec![0.0; channels];
        for pixel in row.chunks_exact(channels) {
            sums.iter_mut().zip(pixel).enumerate().for_each(|(c, (sum, value))| *sum += term(c, value.wide()));
        }
        sums
    };
    let rows: Vec<Vec<f64>> = x.data.par_chunks(width * channels).map(row_sum).collect();
    rows.iter().for_each(|row| total.iter_mut().zip(row).for_each(|(total, sum)| *total += sum));
    total
}

//! The low band of a 2-D FFT split.

use super::fft::{Complex, along_both_axes};
use crate::graph::extent::highest_kept;
use crate::tensor::{FeatureMap, Real};

/// The part of x at or below `cutoff` cycles per sample on both axes.
///
/// The mask is the product of one of each axis, so the split is two 1-D ones. Each mask is symmetric and its filter
/// therefore real: two channels ride through one complex transform, as its real and its imaginary part. In f64.
pub(super) fn low_band<T: Real>(x: &FeatureMap<T>, cutoff: f64) -> FeatureMap<T> {
    let pairs = x.shape.channels.div_ceil(2);
    let pack = |pair: &[T]| Complex { re: pair[0].wide(), im: pair.get(1).map_or(0.0, |second| second.wide()) };
    let packed = x.data.chunks(x.shape.channels.max(1)).flat_map(|pixel| pixel.chunks(2).map(pack)).collect();
    let low = along_both_axes(packed, x.shape.height, x.shape.width, pairs, |fft, line| {
        fft.forward(line);
        let (length, highest) = (line.len(), highest_kept(line.len(), cutoff));
        for (k, value) in line.iter_mut().enumerate() {
            if k.min(length - k) > highest {
                *value = Complex::ZERO;
            }
        }
        fft.inverse(line);
    });
    FeatureMap::from_fn(x.shape, |y, column, pixel| {
        let pairs = &low[(y * x.shape.width + column) * pairs..];
        for (values, pair) in pixel.chunks_mut(2).zip(pairs) {
            values.iter_mut().zip([pair.re, pair.im]).for_each(|(value, part)| *value = T::of(part));
        }
    })
}

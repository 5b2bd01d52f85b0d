//! Two maps of one size, channels one after the other.

use crate::tensor::{FeatureMap, Real, Shape};

/// `[h, w, a]`, `[h, w, b]` → `[h, w, a + b]`.
pub(super) fn concat<T: Real>(a: &FeatureMap<T>, b: &FeatureMap<T>) -> FeatureMap<T> {
    let shape = Shape { channels: a.shape.channels + b.shape.channels, ..a.shape };
    FeatureMap::from_fn(shape, |y, x, pixel| {
        let (first, second) = pixel.split_at_mut(a.shape.channels);
        first.copy_from_slice(a.pixel(y, x));
        second.copy_from_slice(b.pixel(y, x));
    })
}

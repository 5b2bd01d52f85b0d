//! Every second pixel, from the top left.

use crate::tensor::{FeatureMap, Real, Shape};

/// `[h, w, c]` → `[⌈h/2⌉, ⌈w/2⌉, c]`.
pub(super) fn nearest_half<T: Real>(x: &FeatureMap<T>) -> FeatureMap<T> {
    let Shape { height, width, channels } = x.shape;
    let half = Shape::new(height.div_ceil(2), width.div_ceil(2), channels);
    FeatureMap::from_fn(half, |y, x0, pixel| pixel.copy_from_slice(x.pixel(2 * y, 2 * x0)))
}

//! The mean of square windows that don't overlap.

use crate::tensor::{FeatureMap, Real, Shape};

/// Channels summed at once.
const PART: usize = 16;

/// `[h, w, c]` → `[⌊h/size⌋, ⌊w/size⌋, c]`; the remainder is dropped. Each window is summed row by row, then the rows.
pub(super) fn avg_pool<T: Real>(x: &FeatureMap<T>, size: usize) -> FeatureMap<T> {
    let Shape { height, width, channels } = x.shape;
    let share = T::of(1.0 / (size * size) as f64);
    FeatureMap::from_fn(Shape::new(height / size, width / size, channels), |y, x0, pixel| {
        for (part, values) in pixel.chunks_mut(PART).enumerate() {
            let channels = part * PART..part * PART + values.len();
            for dy in 0..size {
                let mut row_sum = [T::zero(); PART];
                for dx in 0..size {
                    add_to(&mut row_sum, &x.pixel(y * size + dy, x0 * size + dx)[channels.clone()]);
                }
                add_to(values, &row_sum);
            }
            values.iter_mut().for_each(|value| *value *= share);
        }
    })
}

#[inline(always)]
fn add_to<T: Real>(sum: &mut [T], values: &[T]) {
    sum.iter_mut().zip(values).for_each(|(sum, &value)| *sum += value);
}

//! The mean of square windows that don't overlap.

use crate::tensor::{FeatureMap, Real, Shape};

/// `[h, w, c]` → `[⌊h/size⌋, ⌊w/size⌋, c]`; the remainder is dropped. Each window is summed row by row, then the rows.
pub(super) fn avg_pool<T: Real>(x: &FeatureMap<T>, size: usize) -> FeatureMap<T> {
    let Shape { height, width, channels } = x.shape;
    let share = T::of(1.0 / (size * size) as f64);
    FeatureMap::from_fn(Shape::new(height / size, width / size, channels), |y, x0, pixel| {
        let mut row_sum = vec![T::zero(); channels];
        for dy in 0..size {
            row_sum.fill(T::zero());
            for dx in 0..size {
                add_to(&mut row_sum, x.pixel(y * size + dy, x0 * size + dx));
            }
            add_to(pixel, &row_sum);
        }
        pixel.iter_mut().for_each(|value| *value *= share);
    })
}

fn add_to<T: Real>(sum: &mut [T], values: &[T]) {
    sum.iter_mut().zip(values).for_each(|(sum, &value)| *sum += value);
}

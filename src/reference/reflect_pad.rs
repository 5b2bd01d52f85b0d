//! Padding by reflection about the border pixels.

use crate::tensor::{FeatureMap, Real, Shape};

/// The place in `0..length` that `index` falls on when reflected about the first and the last place, as often as
/// needed: −1 → 1, `length` → `length − 2`. A single place has nothing to reflect: everything falls on it.
pub fn reflect(index: isize, length: usize) -> usize {
    if length <= 1 {
        return 0;
    }
    let period = 2 * (length - 1);
    let phase = index.rem_euclid(period as isize) as usize;
    phase.min(period - phase)
}

/// x at (`y − top`, `x − left`), reflected; a negative `top` or `left` crops.
pub(super) fn reflect_pad<T: Real>(x: &FeatureMap<T>, left: isize, top: isize, shape: Shape) -> FeatureMap<T> {
    FeatureMap::from_fn(shape, |row, column, pixel| {
        let y = reflect(row as isize - top, x.shape.height);
        let x0 = reflect(column as isize - left, x.shape.width);
        pixel.copy_from_slice(x.pixel(y, x0));
    })
}

#[cfg(test)]
mod tests {
    use super::reflect;

    #[test]
    fn reflects_as_often_as_needed() {
        let seen: Vec<usize> = (-4..9).map(|index| reflect(index, 3)).collect();
        assert_eq!(seen, [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0]);
        assert!((-5..5).all(|index| reflect(index, 1) == 0));
    }
}

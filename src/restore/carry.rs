//! What the network makes of a copy of a picture, carried over to the picture.
//!
//! Haze is smooth, and how much there is shows in the whole picture better than in details: a network trained on small
//! pictures does better on a copy of their size. Its change as a [`LinearChange`] of the copy's colours, which the picture's own
//! pixels get, does a copy of the picture's own size good too.

use super::linear_change::LinearChange;
use super::pixels::colours;
use crate::kernels::Raster;
use crate::photo::Pixels;
use crate::tensor::{FeatureMap, Shape};
use rayon::prelude::*;

/// The longest side of the grid that the change is taken on.
const GRID: usize = 640;

/// The size of a copy with this longest side. At least a pixel.
pub(super) fn copy_size(width: usize, height: usize, longest: usize) -> (usize, usize) {
    let most = width.max(height).max(1);
    let side = |side: usize| ((side * longest + most / 2) / most).clamp(1, longest.max(1));
    (side(width), side(height))
}

/// A copy of a picture at another size, each value the mean of the area that it covers, in 16 bits; opaque.
pub(super) fn copy(raster: Raster, pixels: &Pixels, (width, height): (usize, usize)) -> Pixels {
    let columns: Vec<_> = (0..width).map(|x| covered(x, raster.width, width)).collect();
    let rows: Vec<_> = (0..height).map(|y| covered(y, raster.height, height)).collect();
    let means = FeatureMap::<f32>::from_fn(Shape::new(height, width, 3), |y, x, mean| {
        for &(row, of_row) in &rows[y] {
            for &(column, of_column) in &columns[x] {
                let colours = colours(pixels, row * raster.width + column);
                mean.iter_mut().zip(colours).for_each(|(mean, value)| *mean += value * of_row * of_column);
            }
        }
    });
    let sample = |value: f32| (value * 65535.0 + 0.5) as u16;
    let pixel = |rgb: &[f32]| [sample(rgb[0]), sample(rgb[1]), sample(rgb[2]), u16::MAX];
    Pixels::Sixteen(means.data.par_chunks_exact(3).map(pixel).collect())
}

/// What a pixel of `to` covers of `from`, on one axis: pixels, and their shares of it.
fn covered(index: usize, from: usize, to: usize) -> Vec<(usize, f32)> {
    let length = from as f64 / to as f64;
    let (start, end) = (index as f64 * length, (index + 1) as f64 * length);
    let share = |at: usize| ((end.min(at as f64 + 1.0) - start.max(at as f64)) / length) as f32;
    (start as usize..(end.ceil() as usize).min(from))
        .map(|at| (at, share(at)))
        .filter(|(_, share)| *share > 0.0)
        .collect()
}

/// The picture, changed as `before` was to become `after`: two pictures of `seen`'s size.
pub(super) fn carry_over(raster: Raster, pixels: &Pixels, seen: Raster, before: &Pixels, after: &Pixels) -> Pixels {
    // The change is smooth, and its terms take hundreds of bytes per pixel.
    let (width, height) = copy_size(seen.width, seen.height, GRID.min(seen.width.max(seen.height)));
    let grid = Raster { height, width, sixteen: true };
    let change = match (width, height) == (seen.width, seen.height) {
        true => LinearChange::between(grid, before, after),
        false => LinearChange::between(grid, &copy(seen, before, (width, height)), &copy(seen, after, (width, height))),
    };
    let mut restored = pixels.clone();
    change.add(raster, pixels, &mut restored);
    restored
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(raster: Raster, value: impl Fn(usize, usize, usize) -> f32) -> Pixels {
        let at = |at: usize| [0, 1, 2].map(|c| (value(at / raster.width, at % raster.width, c) * 65535.0) as u16);
        let pixel = |index: usize| {
            let [r, g, b] = at(index);
            [r, g, b, 7]
        };
        Pixels::Sixteen((0..raster.pixels()).map(pixel).collect())
    }

    #[test]
    fn sizes_keep_the_shape() {
        assert_eq!(copy_size(6000, 4000, 640), (640, 427));
        assert_eq!(copy_size(4000, 6000, 640), (427, 640));
        assert_eq!(copy_size(100_000, 10, 640), (640, 1));
    }

    /// A change that is a gain and an offset everywhere is carried over to within half a level of 8 bits, into the corners;
    /// alpha stays.
    #[test]
    fn a_linear_change_is_carried_over() {
        let (large, small) =
            (Raster { height: 240, width: 320, sixteen: true }, Raster { height: 120, width: 160, sixteen: true });
        let texture = |y: usize, x: usize, c: usize| 0.3 + 0.2 * ((y * 31 + x * 17 + c * 5) % 23) as f32 / 23.0;
        let pixels = picture(large, texture);
        let before = copy(large, &pixels, (small.width, small.height));
        let changed = |value: u16, c: usize| (f32::from(value) * (1.0 + 0.1 * c as f32) + 3000.0) as u16;
        let Pixels::Sixteen(values) = &before else { panic!("16 bits") };
        let after = values.iter().map(|p| [changed(p[0], 0), changed(p[1], 1), changed(p[2], 2), p[3]]).collect();
        let Pixels::Sixteen(found) = carry_over(large, &pixels, small, &before, &Pixels::Sixteen(after)) else {
            panic!("16 bits")
        };
        let Pixels::Sixteen(pixels) = &pixels else { panic!("16 bits") };
        for (found, original) in found.iter().zip(pixels) {
            assert_eq!(found[3], 7);
            for c in 0..3 {
                let (found, expected) = (f32::from(found[c]), f32::from(changed(original[c], c)));
                assert!((found - expected).abs() < 130.0, "{found} {expected}");
            }
        }
    }

    #[test]
    fn no_change_leaves_every_bit() {
        let raster = |sixteen| Raster { height: 97, width: 700, sixteen };
        let mut rng = fastrand::Rng::with_seed(1);
        let eight = Pixels::Eight((0..97 * 700).map(|_| [(); 4].map(|()| rng.u8(..))).collect());
        let sixteen = Pixels::Sixteen((0..97 * 700).map(|_| [(); 4].map(|()| rng.u16(..))).collect());
        for (raster, pixels) in [(raster(false), eight), (raster(true), sixteen)] {
            for size in [(700, 97), (641, 90), (64, 48), (1, 1)] {
                let small = Raster { height: size.1, width: size.0, sixteen: true };
                let before = copy(raster, &pixels, size);
                assert!(carry_over(raster, &pixels, small, &before, &before) == pixels, "{size:?}");
            }
        }
    }

    #[test]
    fn a_copy_is_the_mean_of_areas() {
        let large = Raster { height: 4, width: 6, sixteen: true };
        let pixels = picture(large, |y, x, _| (y * 6 + x) as f32 / 65535.0 * 100.0);
        let Pixels::Sixteen(small) = copy(large, &pixels, (3, 2)) else { panic!("16 bits") };
        assert_eq!(small.iter().map(|pixel| pixel[0]).collect::<Vec<_>>(), [350, 550, 750, 1550, 1750, 1950]);
        // What lies in two areas counts in both, by its parts.
        let row = picture(Raster { height: 1, width: 3, sixteen: true }, |_, x, _| (x * 300) as f32 / 65535.0);
        let Pixels::Sixteen(two) = copy(Raster { height: 1, width: 3, sixteen: true }, &row, (2, 1)) else {
            panic!("16 bits")
        };
        assert_eq!([two[0][0], two[1][0]], [100, 500]);
    }
}

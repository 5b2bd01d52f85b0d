//! What the network makes of a copy of a picture, carried over to the picture: the guided filter (He and Sun, "Fast guided
//! filter", 2015).
//!
//! Haze is smooth, and how much there is shows in the whole picture better than in details: a network trained on small
//! pictures does better on a copy of their size. Around each pixel of the copy the change is taken as a gain and an offset
//! per channel, which the picture's own pixels get. That evens out what the network makes of noise and edges, so it does a
//! copy of the picture's own size good too.

use super::pixels::{Restored, rgb};
use crate::kernels::Raster;
use crate::photo::Pixels;
use crate::reference::box_mean;
use crate::tensor::{FeatureMap, Shape};
use rayon::prelude::*;
use std::ops::Range;

/// A window is this share of the copy's sides, on each axis. Of 1/8 to 1/32 it costs nothing where depth has edges that the
/// picture doesn't show, and gains nearly the most elsewhere.
const WINDOW: (usize, usize) = (1, 20);

/// What a variance counts as detail above: the change of a window with less is an offset alone. Dense haze leaves little.
const SMOOTHNESS: f64 = 1e-5;

/// Rows that are made at once.
const ROWS: usize = 64;

/// The size of a copy with this longest side. At least a pixel.
pub(super) fn copy_size(width: usize, height: usize, longest: usize) -> (usize, usize) {
    let most = width.max(height).max(1);
    let side = |side: usize| ((side * longest + most / 2) / most).clamp(1, longest.max(1));
    (side(width), side(height))
}

/// A copy of a picture at another size, each value the mean of the area that it covers, in 16 bits; opaque.
pub(super) fn copy(raster: Raster, pixels: &Pixels, (width, height): (usize, usize)) -> Pixels {
    let means = FeatureMap::<f32>::from_fn(Shape::new(height, width, 3), |y, x, mean| {
        let (rows, columns) = (area(y, raster.height, height), area(x, raster.width, width));
        let share = 1.0 / (rows.len() * columns.len()) as f32;
        for (row, column) in rows.flat_map(|row| columns.clone().map(move |column| (row, column))) {
            mean.iter_mut().zip(rgb(raster, pixels, row, column)).for_each(|(mean, value)| *mean += value * share);
        }
    });
    let sample = |value: f32| (value * 65535.0 + 0.5) as u16;
    let pixel = |rgb: &[f32]| [sample(rgb[0]), sample(rgb[1]), sample(rgb[2]), u16::MAX];
    Pixels::Sixteen(means.data.chunks_exact(3).map(pixel).collect())
}

fn area(index: usize, from: usize, to: usize) -> Range<usize> {
    index * from / to..((index + 1) * from).div_ceil(to)
}

/// The picture, changed as `before` was to become `after`: two pictures of `copy`'s size.
pub(super) fn carry_over(raster: Raster, pixels: &Pixels, copy: Raster, before: &Pixels, after: &Pixels) -> Pixels {
    let change = gains_and_offsets(copy, before, after);
    let columns: Vec<_> = (0..raster.width).map(|x| between(x, raster.width, copy.width)).collect();
    let row = |y: usize| -> Vec<f32> {
        let (above, below, share) = between(y, raster.height, copy.height);
        // The copy's rows about this one, mixed once for all its pixels.
        let of = |y: usize| &change.data[y * copy.width * 6..(y + 1) * copy.width * 6];
        let mixed: Vec<f32> = of(above).iter().zip(of(below)).map(|(a, b)| a + (b - a) * share).collect();
        let pixel = |(x, &(left, right, share)): (usize, &(usize, usize, f32))| {
            let value = rgb(raster, pixels, y, x);
            let at = |c: usize| mixed[left * 6 + c] + (mixed[right * 6 + c] - mixed[left * 6 + c]) * share;
            [0, 1, 2].map(|c| value[c] + (at(c) * value[c] + at(c + 3)))
        };
        columns.iter().enumerate().flat_map(pixel).collect()
    };
    let mut restored = Restored::new(raster, pixels);
    for first in (0..raster.height).step_by(ROWS) {
        let rows: Vec<Vec<f32>> = (first..raster.height.min(first + ROWS)).into_par_iter().map(row).collect();
        rows.iter().enumerate().for_each(|(index, row)| restored.put_row(first + index, row, 3));
    }
    restored.pixels
}

/// The neighbours in a copy's row or column of so many pixels that a pixel at `at` lies between, and the share of the second.
fn between(at: usize, from: usize, to: usize) -> (usize, usize, f32) {
    let place = ((at as f64 + 0.5) * to as f64 / from as f64 - 0.5).clamp(0.0, (to - 1) as f64);
    let first = place as usize;
    (first, (first + 1).min(to - 1), (place - first as f64) as f32)
}

/// `[height, width, 6]`: per pixel of the copy the gains of red, green and blue, then their offsets, such that
/// `gain · before + offset` is nearest to the change `after − before` in the windows about it. No change is none, exactly.
fn gains_and_offsets(copy: Raster, before: &Pixels, after: &Pixels) -> FeatureMap<f32> {
    let shape = |channels: usize| Shape::new(copy.height, copy.width, channels);
    let means = |map: &FeatureMap<f64>| box_mean(map, WINDOW.0, WINDOW.1);
    let products = FeatureMap::<f64>::from_fn(shape(12), |y, x, values| {
        let (before, after) = (rgb(copy, before, y, x).map(f64::from), rgb(copy, after, y, x).map(f64::from));
        for c in 0..3 {
            let (value, change) = (before[c], after[c] - before[c]);
            (values[c], values[3 + c], values[6 + c], values[9 + c]) = (value, change, value * value, value * change);
        }
    });
    let products = means(&products);
    let linear = FeatureMap::<f64>::from_fn(shape(6), |y, x, values| {
        let mean = products.pixel(y, x);
        for c in 0..3 {
            let (value, change) = (mean[c], mean[3 + c]);
            let variance = (mean[6 + c] - value * value).max(0.0);
            values[c] = (mean[9 + c] - value * change) / (variance + SMOOTHNESS);
            values[3 + c] = change - values[c] * value;
        }
    });
    means(&linear).cast()
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

    /// A change that is a gain and an offset everywhere is carried over as it is, into the corners; alpha stays.
    #[test]
    fn a_linear_change_is_carried_over_exactly() {
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
                // What is smoother than `SMOOTHNESS` tells is an offset in part.
                assert!((found - expected).abs() < 400.0, "{found} {expected}");
            }
        }
    }

    #[test]
    fn no_change_leaves_every_bit() {
        let raster = Raster { height: 97, width: 130, sixteen: false };
        let mut rng = fastrand::Rng::with_seed(1);
        let pixels = Pixels::Eight((0..raster.pixels()).map(|_| [(); 4].map(|()| rng.u8(..))).collect());
        for size in [(130, 97), (64, 48), (1, 1)] {
            let small = Raster { height: size.1, width: size.0, sixteen: true };
            let before = copy(raster, &pixels, size);
            assert_eq!(carry_over(raster, &pixels, small, &before, &before), pixels, "{size:?}");
        }
    }

    #[test]
    fn a_copy_is_the_mean_of_areas() {
        let large = Raster { height: 4, width: 6, sixteen: true };
        let pixels = picture(large, |y, x, _| (y * 6 + x) as f32 / 65535.0 * 100.0);
        let Pixels::Sixteen(small) = copy(large, &pixels, (3, 2)) else { panic!("16 bits") };
        assert_eq!(small.iter().map(|pixel| pixel[0]).collect::<Vec<_>>(), [350, 550, 750, 1550, 1750, 1950]);
    }
}

//! A change from one picture to another as a linear function of its colours that varies slowly over it: the guided filter (He
//! and Sun, "Fast guided filter", 2015).
//!
//! Channel by channel would tint edges, so each colour's change is a function of all three. That evens out what a network
//! makes of noise and edges.

use super::pixels::colours;
use crate::kernels::Raster;
use crate::photo::Pixels;
use crate::reference::box_mean_of;
use crate::tensor::{FeatureMap, Shape};
use rayon::prelude::*;

/// A window is one part of so many of the grid's side, on each axis. Of 8 to 32 it costs little (0.04 dB) where depth has
/// edges that the picture doesn't show, and gains nearly the most elsewhere.
const WINDOWS: usize = 20;

/// What a variance counts as detail above: the change of a window with less is an offset alone. Dense haze leaves little.
const SMOOTHNESS: f64 = 1e-5;

/// Terms of a pixel's change: of each colour three gains, of red, green and blue, and an offset.
const TERMS: usize = 12;

/// `[height, width, TERMS]`: the linear function around each pixel of a grid that lies over the picture.
pub(super) struct LinearChange(FeatureMap<f32>);

impl LinearChange {
    /// The one that is nearest to the change `after − before` of two pictures of the grid's size, in the windows about each
    /// pixel. No change is none, exactly.
    pub fn between(grid: Raster, before: &Pixels, after: &Pixels) -> Self {
        // Pairs of colours, the sides of a symmetric matrix and its diagonal.
        const PAIRS: [(usize, usize); 6] = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)];
        let shape = |channels: usize| Shape::new(grid.height, grid.width, channels);
        let products = FeatureMap::<f32>::from_fn(shape(21), |y, x, values| {
            let at = y * grid.width + x;
            let (colours, after) = (colours(before, at), colours(after, at));
            let change = [0, 1, 2].map(|c| after[c] - colours[c]);
            let squares = PAIRS.map(|(i, j)| colours[i] * colours[j]);
            let crossed = colours.iter().flat_map(|colour| change.map(|change| colour * change));
            let all = colours.into_iter().chain(change).chain(squares).chain(crossed);
            values.iter_mut().zip(all).for_each(|(value, product)| *value = product);
        });
        let products = means(&products);
        let linear = FeatureMap::<f32>::from_fn(shape(TERMS), |y, x, terms| {
            let mean: [f64; 21] = std::array::from_fn(|at| f64::from(products.pixel(y, x)[at]));
            let (colours, change) = (&mean[..3], &mean[3..6]);
            let mut covariance = [[0.0; 3]; 3];
            for (at, (i, j)) in PAIRS.into_iter().enumerate() {
                covariance[i][j] = mean[6 + at] - colours[i] * colours[j] + if i == j { SMOOTHNESS } else { 0.0 };
                covariance[j][i] = covariance[i][j];
            }
            let inverse = inverse(covariance);
            for c in 0..3 {
                let with_change = [0, 1, 2].map(|i| mean[12 + 3 * i + c] - colours[i] * change[c]);
                let gains = inverse.map(|row| (0..3).map(|i| row[i] * with_change[i]).sum::<f64>());
                let offset = change[c] - (0..3).map(|i| gains[i] * colours[i]).sum::<f64>();
                let own = gains.into_iter().chain([offset]);
                terms[4 * c..].iter_mut().zip(own).for_each(|(term, value)| *term = value as f32);
            }
        });
        Self(means(&linear))
    }

    /// This one, brought nearer to another by a share of their difference at each pixel, `[height, width, 1]`.
    pub fn towards(mut self, other: &Self, shares: &FeatureMap<f32>) -> Self {
        let pixels = self.0.data.chunks_exact_mut(TERMS).zip(other.0.data.chunks_exact(TERMS)).zip(&shares.data);
        for ((own, other), share) in pixels {
            own.iter_mut().zip(other).for_each(|(own, other)| *own += (other - *own) * share);
        }
        self
    }

    /// This one without the other.
    pub fn minus(&self, other: &Self) -> Self {
        let data = self.0.data.iter().zip(&other.0.data).map(|(own, other)| own - other).collect();
        Self(FeatureMap { shape: self.0.shape, data })
    }

    /// The change of these colours around the grid's pixel at `at`.
    pub fn of(&self, at: usize, rgb: [f32; 3]) -> [f32; 3] {
        linear(|term| self.0.data[at * TERMS + term], rgb)
    }

    /// Adds to the colours of `changed` the change that those of `pixels` get: both are of one size. Alpha stays.
    pub fn add(&self, raster: Raster, pixels: &Pixels, changed: &mut Pixels) {
        let Shape { height, width, .. } = self.0.shape;
        let columns: Vec<_> = (0..raster.width).map(|x| neighbours(x, raster.width, width)).collect();
        // Tells `put` the change of each of a row's pixels.
        let changes = |y: usize, put: &mut dyn FnMut(usize, [f32; 3])| {
            let (above, below, share) = neighbours(y, raster.height, height);
            // The grid's rows about this one, mixed once for all its pixels.
            let of = |y: usize| &self.0.data[y * width * TERMS..(y + 1) * width * TERMS];
            let mixed: Vec<f32> = of(above).iter().zip(of(below)).map(|(a, b)| a + (b - a) * share).collect();
            for (x, &(left, right, share)) in columns.iter().enumerate() {
                let rgb = colours(pixels, y * raster.width + x);
                let (left, right) = (&mixed[left * TERMS..][..TERMS], &mixed[right * TERMS..][..TERMS]);
                let term = |at: usize| left[at] + (right[at] - left[at]) * share;
                put(x, linear(term, rgb));
            }
        };
        let row_length = raster.width.max(1);
        let level = |value: f32, change: f32, top: f32| (value / top + change).clamp(0.0, 1.0) * top + 0.5;
        match changed {
            Pixels::Eight(rows) => rows.par_chunks_mut(row_length).enumerate().for_each(|(y, row)| {
                changes(y, &mut |x, change| {
                    (0..3).for_each(|c| row[x][c] = level(f32::from(row[x][c]), change[c], 255.0) as u8);
                });
            }),
            Pixels::Sixteen(rows) => rows.par_chunks_mut(row_length).enumerate().for_each(|(y, row)| {
                changes(y, &mut |x, change| {
                    (0..3).for_each(|c| row[x][c] = level(f32::from(row[x][c]), change[c], 65535.0) as u16);
                });
            }),
        }
    }
}

/// The change that these terms make of a pixel's colours.
fn linear(term: impl Fn(usize) -> f32, [r, g, b]: [f32; 3]) -> [f32; 3] {
    [0, 4, 8].map(|at| term(at) * r + term(at + 1) * g + term(at + 2) * b + term(at + 3))
}

/// Means over a window about each pixel of a grid.
pub(super) fn means(map: &FeatureMap<f32>) -> FeatureMap<f32> {
    // Of an odd number of pixels, so that a turned picture has the same.
    box_mean_of(map, [map.shape.height, map.shape.width].map(|side| (side / WINDOWS) | 1))
}

/// The neighbours on a grid's axis of so many pixels that a picture's pixel at `at` lies between, and the share of the second.
fn neighbours(at: usize, from: usize, to: usize) -> (usize, usize, f32) {
    let place = ((at as f64 + 0.5) * to as f64 / from as f64 - 0.5).clamp(0.0, (to - 1) as f64);
    let first = place as usize;
    (first, (first + 1).min(to - 1), (place - first as f64) as f32)
}

/// The inverse of a symmetric matrix that has one.
fn inverse([[a, b, c], [_, d, e], [.., f]]: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let [p, q, r] = [d * f - e * e, c * e - b * f, b * e - c * d];
    let [s, t, u] = [a * f - c * c, b * c - a * e, a * d - b * b];
    let determinant = a * p + b * q + c * r;
    [[p, q, r], [q, s, t], [r, t, u]].map(|row| row.map(|value| value / determinant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_by_its_inverse_is_one() {
        let matrix = [[4.0, 1.0, -2.0], [1.0, 5.0, 0.5], [-2.0, 0.5, 6.0]];
        // Both are symmetric: rows by rows.
        let inverse = inverse(matrix);
        for (i, row) in matrix.iter().enumerate() {
            for (j, column) in inverse.iter().enumerate() {
                let product: f64 = row.iter().zip(column).map(|(a, b)| a * b).sum();
                assert!((product - f64::from(u8::from(i == j))).abs() < 1e-12, "{i} {j}: {product}");
            }
        }
    }
}

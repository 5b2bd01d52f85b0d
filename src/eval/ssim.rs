//! Structural similarity.
//!
//! Source: Wang, Bovik, Sheikh, Simoncelli, *Image Quality Assessment: From Error Visibility to Structural Similarity*,
//! 2004.

use crate::tensor::FeatureMap;
use rayon::prelude::*;

/// What the local means, variances and covariance are weighted with. Only windows that lie within the picture count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// 11 × 11, a Gaussian of σ = 1.5, as `pytorch_msssim.ssim` and MATLAB code have it. A side shorter than that is not
    /// weighted at all, as `pytorch_msssim` does.
    Gaussian,
    /// 7 × 7, all alike, with the sample's variances (n − 1), as `skimage.metrics.structural_similarity` has it. Sides
    /// are at least 7.
    Uniform,
}

impl Window {
    fn weights(self) -> Vec<f64> {
        match self {
            Window::Gaussian => {
                let bell: Vec<f64> = (-5..=5).map(|at| (-f64::from(at * at) / (2.0 * 1.5 * 1.5)).exp()).collect();
                let sum: f64 = bell.iter().sum();
                bell.iter().map(|weight| weight / sum).collect()
            }
            Window::Uniform => vec![1.0 / 7.0; 7],
        }
    }

    /// What turns a weighted mean square into a variance.
    fn variance_scale(self) -> f64 {
        match self {
            Window::Gaussian => 1.0,
            Window::Uniform => 49.0 / 48.0,
        }
    }
}

/// The mean structural similarity over all places, then over the channels; `range` is the values' range.
///
/// # Panics
/// If the maps differ in shape.
pub fn ssim(a: &FeatureMap<f64>, b: &FeatureMap<f64>, range: f64, window: Window) -> f64 {
    assert_eq!(a.shape, b.shape);
    let channels = a.shape.channels;
    let of_channel = |c: usize| {
        let plane = |map: &FeatureMap<f64>| map.data.iter().skip(c).step_by(channels).copied().collect::<Vec<f64>>();
        of_planes(&plane(a), &plane(b), [a.shape.height, a.shape.width], range, window)
    };
    (0..channels).map(of_channel).sum::<f64>() / channels as f64
}

fn of_planes(a: &[f64], b: &[f64], sides: [usize; 2], range: f64, window: Window) -> f64 {
    let (c1, c2) = ((0.01 * range).powi(2), (0.03 * range).powi(2));
    let weights = window.weights();
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).collect::<Vec<f64>>();
    let smooth = |plane: &[f64]| smoothed(plane, sides, &weights);
    let (mean_a, mean_b) = (smooth(a), smooth(b));
    let (square_a, square_b, cross) = (smooth(&product(a, a)), smooth(&product(b, b)), smooth(&product(a, b)));
    let scale = window.variance_scale();
    let at = |i: usize| {
        let (ma, mb) = (mean_a[i], mean_b[i]);
        let (va, vb) = (scale * (square_a[i] - ma * ma), scale * (square_b[i] - mb * mb));
        let covariance = scale * (cross[i] - ma * mb);
        (2.0 * ma * mb + c1) * (2.0 * covariance + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))
    };
    (0..mean_a.len()).map(at).sum::<f64>() / mean_a.len() as f64
}

/// The plane weighted along both sides, where the window lies within it.
fn smoothed(plane: &[f64], [height, width]: [usize; 2], weights: &[f64]) -> Vec<f64> {
    let along = |side: usize| if side < weights.len() { &[1.0] } else { weights };
    let (down, across) = (along(height), along(width));
    let rows = height + 1 - down.len();
    let row = |y: usize| {
        let mut sums = vec![0.0; width];
        for (weight, line) in down.iter().zip(plane.chunks_exact(width).skip(y)) {
            sums.iter_mut().zip(line).for_each(|(sum, value)| *sum += weight * value);
        }
        let weighted = |values: &[f64]| values.iter().zip(across).map(|(value, weight)| value * weight).sum::<f64>();
        sums.windows(across.len()).map(weighted).collect::<Vec<f64>>()
    };
    (0..rows).into_par_iter().flat_map_iter(row).collect()
}

//! Peak signal-to-noise ratio.

use crate::tensor::FeatureMap;

/// 10·log10(`peak`² / mean squared difference) over all values, in decibels; infinite where nothing differs.
///
/// # Panics
/// If the maps differ in shape.
pub fn psnr(a: &FeatureMap<f64>, b: &FeatureMap<f64>, peak: f64) -> f64 {
    assert_eq!(a.shape, b.shape);
    let square = |(a, b): (&f64, &f64)| (a - b) * (a - b);
    let mean = a.data.iter().zip(&b.data).map(square).sum::<f64>() / a.data.len() as f64;
    10.0 * (peak * peak / mean).log10()
}

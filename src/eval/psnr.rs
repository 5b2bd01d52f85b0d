//! Peak signal-to-noise ratio of two maps.

use crate::tensor::{self, FeatureMap};

/// 10·log10(`peak`² / mean squared difference) over all values, in decibels; infinite where nothing differs.
///
/// # Panics
/// If the maps differ in shape.
pub fn psnr(a: &FeatureMap<f64>, b: &FeatureMap<f64>, peak: f64) -> f64 {
    assert_eq!(a.shape, b.shape);
    tensor::psnr(a.data.iter().copied().zip(b.data.iter().copied()), peak)
}

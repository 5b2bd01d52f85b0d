//! Mean absolute error.

use crate::tensor::FeatureMap;

/// The mean of |a − b| over all values, in their own unit.
///
/// # Panics
/// If the maps differ in shape.
pub fn mae(a: &FeatureMap<f64>, b: &FeatureMap<f64>) -> f64 {
    assert_eq!(a.shape, b.shape);
    a.data.iter().zip(&b.data).map(|(a, b)| (a - b).abs()).sum::<f64>() / a.data.len() as f64
}

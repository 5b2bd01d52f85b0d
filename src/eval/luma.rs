//! The luma on which deraining is measured: Y of ITU-R BT.601 in studio range, as MATLAB's `rgb2ycbcr` has it for 8-bit
//! pictures.

use crate::tensor::{FeatureMap, Shape};

/// What 0..1 of red, green and blue contribute to Y, whose black is 16 and whose white is 235.
const WEIGHTS: [f64; 3] = [65.481, 128.553, 24.966];
const BLACK: f64 = 16.0;

/// Whole levels 16 to 235 of RGB in 0..1, one channel.
///
/// # Panics
/// If the map hasn't three channels.
pub fn luma(rgb: &FeatureMap<f64>) -> FeatureMap<f64> {
    assert_eq!(rgb.shape.channels, 3);
    let y =
        |pixel: &[f64]| (BLACK + pixel.iter().zip(WEIGHTS).map(|(value, weight)| value * weight).sum::<f64>()).round();
    FeatureMap { shape: Shape { channels: 1, ..rgb.shape }, data: rgb.data.chunks_exact(3).map(y).collect() }
}

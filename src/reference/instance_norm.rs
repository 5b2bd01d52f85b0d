//! Instance normalisation: each channel by its own statistics over the picture.

use super::global_mean::channel_sums;
use crate::tensor::{FeatureMap, Real, Tensor};

/// `(x − mean) / √(var + eps) · weight + bias`, with the biased variance taken around the mean (two passes).
pub(super) fn instance_norm<T: Real>(x: &FeatureMap<T>, weight: &Tensor, bias: &Tensor, eps: f64) -> FeatureMap<T> {
    let (weight, bias) = (super::values::<f64>(weight), super::values::<f64>(bias));
    let share = 1.0 / x.shape.pixels() as f64;
    let mean: Vec<f64> = channel_sums(x, |_, value| value).iter().map(|sum| sum * share).collect();
    let variance = channel_sums(x, |c, value| (value - mean[c]).powi(2));
    let gain: Vec<f64> =
        variance.iter().zip(&weight).map(|(sum, weight)| weight / (sum * share + eps).sqrt()).collect();
    FeatureMap::from_fn(x.shape, |y, x0, pixel| {
        for (c, (value, x)) in pixel.iter_mut().zip(x.pixel(y, x0)).enumerate() {
            *value = T::of((x.wide() - mean[c]) * gain[c] + bias[c]);
        }
    })
}

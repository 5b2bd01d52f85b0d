//! Instance normalisation: each channel by its own statistics over the picture.

use super::global_mean::channel_sums;
use crate::tensor::{FeatureMap, Real, Shape, Tensor};

/// `(x − mean) / √(var + eps) · weight + bias`, with the biased variance taken around the mean (two passes).
pub(super) fn instance_norm<T: Real>(x: &FeatureMap<T>, weight: &Tensor, bias: &Tensor, eps: f64) -> FeatureMap<T> {
    let (mean, variance) = statistics(x);
    by_moments(x, &mean, &variance, weight, bias, eps)
}

/// `[h, w, c]` → `[1, 2, c]`: means, then variances.
pub(super) fn moments<T: Real>(x: &FeatureMap<T>) -> FeatureMap<T> {
    let (mean, variance) = statistics(x);
    let data = mean.into_iter().chain(variance).map(T::of).collect();
    FeatureMap { shape: Shape::new(1, 2, x.shape.channels), data }
}

/// An instance norm whose `moments` are given.
pub(super) fn normalise<T: Real>(
    x: &FeatureMap<T>,
    moments: &FeatureMap<T>,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> FeatureMap<T> {
    let [mean, variance] = [0, 1].map(|row| moments.pixel(0, row).iter().map(|value| value.wide()).collect::<Vec<_>>());
    by_moments(x, &mean, &variance, weight, bias, eps)
}

fn statistics<T: Real>(x: &FeatureMap<T>) -> (Vec<f64>, Vec<f64>) {
    let share = 1.0 / x.shape.pixels() as f64;
    let mean: Vec<f64> = channel_sums(x, |_, value| value).iter().map(|sum| sum * share).collect();
    let variance = channel_sums(x, |c, value| (value - mean[c]).powi(2)).iter().map(|sum| sum * share).collect();
    (mean, variance)
}

fn by_moments<T: Real>(
    x: &FeatureMap<T>,
    mean: &[f64],
    variance: &[f64],
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> FeatureMap<T> {
    let (weight, bias) = (super::values::<f64>(weight), super::values::<f64>(bias));
    let gain: Vec<f64> =
        variance.iter().zip(&weight).map(|(variance, weight)| weight / (variance + eps).sqrt()).collect();
    FeatureMap::from_fn(x.shape, |y, x0, pixel| {
        for (c, (value, x)) in pixel.iter_mut().zip(x.pixel(y, x0)).enumerate() {
            *value = T::of((x.wide() - mean[c]) * gain[c] + bias[c]);
        }
    })
}

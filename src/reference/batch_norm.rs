//! Batch normalisation with running statistics.

use crate::tensor::{FeatureMap, Real, Tensor};

/// `(x − mean) / √(var + eps) · weight + bias` for `[weight, bias, mean, var]`, each `[channels]`.
pub(super) fn batch_norm<T: Real>(x: &FeatureMap<T>, parameters: [&Tensor; 4], eps: f64) -> FeatureMap<T> {
    let [weight, bias, mean, var] = parameters.map(super::values::<f64>);
    let gain: Vec<f64> = weight.iter().zip(&var).map(|(weight, var)| weight / (var + eps).sqrt()).collect();
    FeatureMap::from_fn(x.shape, |y, x0, pixel| {
        for (c, (value, x)) in pixel.iter_mut().zip(x.pixel(y, x0)).enumerate() {
            *value = T::of((x.wide() - mean[c]) * gain[c] + bias[c]);
        }
    })
}

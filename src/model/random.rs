//! Random weights, for benchmarks and tests.

use super::{Config, Model};
use crate::tensor::Tensor;
use fastrand::Rng;
use std::sync::Arc;

/// A network of a config with random weights of a trained one's scale, the same each time.
pub fn random_model(config: Config) -> Model {
    let mut rng = Rng::with_seed(2023);
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let count: usize = shape.iter().product();
        let fan = (count / shape.first().copied().unwrap_or(1).max(1)).max(1) as f32;
        let scale = if shape.len() == 4 { (3.0 / fan).sqrt() } else { 0.3 };
        // Variances and gains are about 1.
        let centre = if name.ends_with("running_var") || name.ends_with("bn.weight") { 1.0 } else { 0.0 };
        // Residual branches are damped, so that deep models stay in the range of half floats.
        let damp = if name.ends_with("main.2.main.0.weight") { 0.3 } else { 1.0 };
        let data = (0..count).map(|_| centre + (rng.f32() * 2.0 - 1.0) * scale * damp).collect();
        let tensor = Tensor::new(shape, data).unwrap_or_else(|_| unreachable!("as many values as the shape holds"));
        (name, Arc::new(tensor))
    };
    let weights = config.expected_tensors().into_iter().map(tensor).collect();
    Model { name: "random weights".into(), task: None, config, weights, longest_side: None }
}

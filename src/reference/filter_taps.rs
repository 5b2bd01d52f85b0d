//! The 9 taps of each group's filter, from the picture's mean.

use crate::graph::{Activation, Graph, TapWeights};
use crate::tensor::{FeatureMap, Real, Shape};

const TAPS: usize = 9;

/// `z = weight · mean + bias`, then [`tap_activation`]: mean `[1, 1, c]` → taps `[1, 9, c]`. Sums in f64.
pub(super) fn filter_taps<T: Real>(graph: &Graph, taps: &TapWeights, mean: &FeatureMap<T>) -> FeatureMap<T> {
    let channels = mean.shape.channels;
    let weight = graph.tensor(taps.weight).data();
    let bias = graph.tensor(taps.bias).data();
    let row = |(row, &bias): (&[f32], &f32)| {
        let products = row.iter().zip(&mean.data).map(|(&weight, mean)| f64::from(weight) * mean.wide());
        T::of(products.sum::<f64>() + f64::from(bias))
    };
    let z: Vec<T> = weight.chunks_exact(channels).zip(bias).map(row).collect();
    let z = FeatureMap { shape: Shape::new(1, 1, z.len()), data: z };
    tap_activation(&z, taps.groups, channels, taps.activation)
}

/// z `[1, 1, groups·9]` → taps `[1, 9, channels]`: tap t of channel c is that of its group, c's place among `groups`
/// runs of consecutive channels.
pub(super) fn tap_activation<T: Real>(
    z: &FeatureMap<T>,
    groups: usize,
    channels: usize,
    activation: Activation,
) -> FeatureMap<T> {
    let activated: Vec<[f64; TAPS]> = z.data.chunks_exact(TAPS).map(|z| activate(z, activation)).collect();
    let share = (channels / groups).max(1);
    FeatureMap::from_fn(Shape::new(1, TAPS, channels), |_, tap, pixel| {
        pixel.iter_mut().enumerate().for_each(|(c, value)| *value = T::of(activated[c / share][tap]));
    })
}

fn activate<T: Real>(z: &[T], activation: Activation) -> [f64; TAPS] {
    let z: [f64; TAPS] = std::array::from_fn(|tap| z[tap].wide());
    match activation {
        Activation::Tanh => z.map(f64::tanh),
        Activation::Softmax => softmax(z),
        Activation::SoftmaxTanh => {
            let share = softmax(z);
            std::array::from_fn(|tap| share[tap] * z[tap].tanh())
        }
    }
}

fn softmax(z: [f64; TAPS]) -> [f64; TAPS] {
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers = z.map(|z| (z - largest).exp());
    let sum: f64 = powers.iter().sum();
    powers.map(|power| power / sum)
}

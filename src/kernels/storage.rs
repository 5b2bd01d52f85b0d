//! Host values as the device stores them, and back.

use crate::tensor::{Element, FeatureMap, Shape};
use half::f16;

/// A map as the device stores it: channels padded with zeros to whole `vec4`s.
pub fn encode_map(element: Element, map: &FeatureMap<f32>) -> Vec<u8> {
    let mut values = vec![0.0f32; map.shape.stored_values()];
    if map.shape.channels > 0 {
        for (to, from) in values.chunks_mut(map.shape.stored_channels()).zip(map.data.chunks(map.shape.channels)) {
            to[..from.len()].copy_from_slice(from);
        }
    }
    encode_values(element, &values)
}

/// Values as the device stores them.
pub fn encode_values(element: Element, values: &[f32]) -> Vec<u8> {
    match element {
        Element::F32 => bytemuck::cast_slice(values).to_vec(),
        Element::F16 => values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect(),
    }
}

/// A map out of the device's bytes.
pub fn decode_map(element: Element, shape: Shape, bytes: &[u8]) -> FeatureMap<f32> {
    let values: Vec<f32> = match element {
        Element::F32 => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        Element::F16 => bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect(),
    };
    // A buffer is at least a vec4 long, so it may hold more than a small map.
    let pixels = values.chunks_exact(shape.stored_channels().max(1)).take(shape.pixels());
    FeatureMap { shape, data: pixels.flat_map(|pixel| &pixel[..shape.channels]).copied().collect() }
}

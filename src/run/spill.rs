//! A feature map on the host, as the device stores it.

use super::RunError;
use crate::tensor::{Element, FeatureMap, Shape};
use half::f16;
use rayon::prelude::*;
use std::ops::Range;

/// Rows of stored values, channels padded to whole `vec4`s.
pub(super) struct Spilled {
    shape: Shape,
    element: Element,
    bytes: Vec<u8>,
}

impl Spilled {
    /// A map of zeros.
    ///
    /// # Errors
    /// When the host has no room for it.
    pub fn zeros(shape: Shape, element: Element) -> Result<Self, RunError> {
        let size = shape.stored_values() as u64 * element.bytes();
        let mut bytes = vec![];
        bytes.try_reserve_exact(size as usize).map_err(|_| RunError::Host { bytes: size })?;
        bytes.resize(size as usize, 0);
        Ok(Self { shape, element, bytes })
    }

    pub fn shape(&self) -> Shape {
        self.shape
    }

    fn row_bytes(&self) -> usize {
        self.shape.width * self.shape.stored_channels() * self.element.bytes() as usize
    }

    /// The bytes of some rows.
    pub fn rows(&self, rows: Range<usize>) -> &[u8] {
        let row = self.row_bytes();
        &self.bytes[rows.start * row..rows.end * row]
    }

    /// The bytes of all rows.
    pub fn all(&self) -> &[u8] {
        &self.bytes
    }

    /// Fills rows from `first` on.
    pub fn put_rows(&mut self, first: usize, bytes: &[u8]) {
        let start = first * self.row_bytes();
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
    }

    /// Some of its channels, decoded.
    pub fn channels(&self, channels: Range<usize>) -> FeatureMap<f32> {
        let Shape { height, width, .. } = self.shape;
        let (size, stored) = (self.element.bytes() as usize, self.shape.stored_channels());
        FeatureMap::from_fn(Shape::new(height, width, channels.len()), |y, x, pixel| {
            let at = ((y * width + x) * stored + channels.start) * size;
            let bytes = self.bytes[at..at + pixel.len() * size].chunks_exact(size);
            pixel.iter_mut().zip(bytes).for_each(|(value, bytes)| *value = decode(bytes));
        })
    }

    /// Fills channels from `first` on.
    pub fn put_channels(&mut self, first: usize, map: &FeatureMap<f32>) {
        let (size, stored, row) = (self.element.bytes() as usize, self.shape.stored_channels(), self.row_bytes());
        let channels = map.shape.channels;
        let values = map.data.par_chunks(map.shape.width * channels);
        self.bytes.par_chunks_exact_mut(row.max(1)).zip(values).for_each(|(row, values)| {
            for (pixel, values) in row.chunks_exact_mut(stored * size).zip(values.chunks_exact(channels)) {
                let bytes = pixel[first * size..].chunks_exact_mut(size);
                bytes.zip(values).for_each(|(bytes, &value)| encode(bytes, value));
            }
        });
    }
}

/// A stored value: two bytes are half precision, four single.
fn decode(bytes: &[u8]) -> f32 {
    match *bytes {
        [a, b] => f16::from_le_bytes([a, b]).to_f32(),
        [a, b, c, d] => f32::from_le_bytes([a, b, c, d]),
        _ => f32::NAN,
    }
}

fn encode(bytes: &mut [u8], value: f32) {
    if bytes.len() == 2 {
        bytes.copy_from_slice(&f16::from_f32(value).to_le_bytes());
    } else {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_and_rows_come_back_as_they_went_in() {
        for element in [Element::F16, Element::F32] {
            let mut map = Spilled::zeros(Shape::new(3, 5, 6), element).expect("room");
            let values = FeatureMap::from_fn(Shape::new(3, 5, 4), |y, x, pixel| {
                pixel.iter_mut().enumerate().for_each(|(c, value)| *value = (y * 20 + x * 4 + c) as f32);
            });
            map.put_channels(2, &values);
            assert_eq!(map.channels(2..6), values);
            assert!(map.channels(0..2).data.iter().all(|&value| value == 0.0));
            let rows = map.rows(1..3).to_vec();
            let mut other = Spilled::zeros(Shape::new(3, 5, 6), element).expect("room");
            other.put_rows(1, &rows);
            assert_eq!(other.channels(2..6).pixel(2, 4), values.pixel(2, 4));
            assert!(other.channels(2..6).pixel(0, 4).iter().all(|&value| value == 0.0));
        }
    }
}

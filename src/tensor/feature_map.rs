//! One picture's activation, NHWC with N = 1: channels innermost.

use super::{Real, ShapeMismatch, Tensor, in_vectors};
use std::fmt;

/// Height × width × channels of one picture's activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Values per pixel.
    pub channels: usize,
}

impl Shape {
    /// `height` × `width` × `channels`.
    pub fn new(height: usize, width: usize, channels: usize) -> Self {
        Self { height, width, channels }
    }

    /// Rows × columns.
    pub fn pixels(self) -> usize {
        self.height * self.width
    }

    /// Values in all.
    pub fn values(self) -> usize {
        self.pixels() * self.channels
    }

    /// Channels as the device stores them: rounded up to whole `vec4`s, the rest zero.
    pub fn stored_channels(self) -> usize {
        self.channels.next_multiple_of(4)
    }

    /// `vec4`s a pixel on the device.
    pub fn blocks(self) -> usize {
        self.channels.div_ceil(4)
    }

    /// Values in all as the device stores them, [`Shape::stored_channels`] a pixel.
    pub fn stored_values(self) -> usize {
        self.pixels() * self.stored_channels()
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.height, self.width, self.channels)
    }
}

/// Values of one picture's activation on the host, `[height][width][channels]`.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureMap<T> {
    /// Height, width, channels.
    pub shape: Shape,
    /// `shape.values()` values, channels innermost.
    pub data: Vec<T>,
}

impl<T: Real> FeatureMap<T> {
    /// All zeros.
    pub fn zeros(shape: Shape) -> Self {
        Self { shape, data: vec![T::zero(); shape.values()] }
    }

    /// The channels of pixel (`y`, `x`).
    pub fn pixel(&self, y: usize, x: usize) -> &[T] {
        let start = (y * self.shape.width + x) * self.shape.channels;
        &self.data[start..start + self.shape.channels]
    }

    /// A map whose channels at (y, x) are written by `fill`, rows in parallel.
    pub fn from_fn(shape: Shape, fill: impl Fn(usize, usize, &mut [T]) + Sync) -> Self {
        use rayon::prelude::*;
        let mut map = Self::zeros(shape);
        if shape.values() > 0 {
            let row_length = shape.width * shape.channels;
            map.data.par_chunks_mut(row_length).enumerate().for_each(|(y, row)| {
                in_vectors(
                    #[inline(always)]
                    || row.chunks_exact_mut(shape.channels).enumerate().for_each(|(x, pixel)| fill(y, x, pixel)),
                );
            });
        }
        map
    }

    /// The pictures of an NCHW tensor (rank 4), one map each.
    ///
    /// # Errors
    /// When the tensor is not of rank 4.
    pub fn from_nchw(tensor: &Tensor) -> Result<Vec<Self>, ShapeMismatch> {
        let &[pictures, channels, height, width] = tensor.shape() else {
            return Err(ShapeMismatch::Rank { shape: tensor.shape().to_vec() });
        };
        let plane = height * width;
        Ok((0..pictures)
            .map(|n| {
                let picture = &tensor.data()[n * channels * plane..(n + 1) * channels * plane];
                Self::from_fn(Shape::new(height, width, channels), |y, x, pixel| {
                    for (c, value) in pixel.iter_mut().enumerate() {
                        *value = T::of(f64::from(picture[c * plane + y * width + x]));
                    }
                })
            })
            .collect())
    }

    /// Maps of one shape as one NCHW tensor.
    ///
    /// # Errors
    /// When the maps differ in shape.
    pub fn to_nchw(maps: &[Self]) -> Result<Tensor, ShapeMismatch> {
        let shape = maps.first().map_or(Shape::new(0, 0, 0), |map| map.shape);
        if let Some(other) = maps.iter().map(|map| map.shape).find(|&other| other != shape) {
            return Err(ShapeMismatch::Maps { first: shape, other });
        }
        let mut data = Vec::with_capacity(maps.len() * shape.values());
        for map in maps {
            for c in 0..map.shape.channels {
                data.extend(map.data.iter().skip(c).step_by(map.shape.channels).map(|value| value.wide() as f32));
            }
        }
        Tensor::new([maps.len(), shape.channels, shape.height, shape.width], data)
    }

    /// The same values in another arithmetic.
    pub fn cast<U: Real>(&self) -> FeatureMap<U> {
        FeatureMap { shape: self.shape, data: self.data.iter().map(|value| U::of(value.wide())).collect() }
    }
}

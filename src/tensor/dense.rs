//! A dense tensor of any rank, row-major: weights, checkpoints, golden vectors.

use super::Shape;
use super::forms::Forms;
use std::any::Any;
use std::sync::Arc;
use thiserror::Error;

/// A shape that isn't what was expected.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ShapeMismatch {
    /// The number of values does not fit the shape.
    #[error("a tensor of shape {shape:?} holds {expected} values, but {found} are given")]
    Values {
        /// The shape asked for.
        shape: Vec<usize>,
        /// The number of values that shape holds.
        expected: usize,
        /// The number of values given.
        found: usize,
    },
    /// Pictures are tensors of rank 4.
    #[error("a tensor of shape {shape:?} is no [pictures, channels, height, width]")]
    Rank {
        /// The tensor's shape.
        shape: Vec<usize>,
    },
    /// Maps of one tensor have one shape.
    #[error("maps of {first:?} and {other:?} are no one tensor")]
    Maps {
        /// The first map's shape.
        first: Shape,
        /// Another map's shape.
        other: Shape,
    },
}

/// f32 values with a shape, the last axis contiguous.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Vec<f32>,
    forms: Forms,
}

impl Tensor {
    /// A tensor of `shape` over `data`.
    ///
    /// # Errors
    /// When the product of `shape` is not the number of values.
    pub fn new(shape: impl Into<Vec<usize>>, data: Vec<f32>) -> Result<Self, ShapeMismatch> {
        let shape = shape.into();
        let expected = shape.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis)).unwrap_or(usize::MAX);
        if expected != data.len() {
            return Err(ShapeMismatch::Values { shape, expected, found: data.len() });
        }
        Ok(Self { shape, data, forms: Forms::default() })
    }

    /// The length of every axis, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values, last axis contiguous.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// What `make` makes of it, kept as long as the tensor is. The name says all that it depends on but the tensor.
    pub fn form<T: Any + Send + Sync>(&self, name: &str, make: impl FnOnce(&Self) -> T) -> Arc<T> {
        self.forms.get(name, || make(self))
    }

    /// The values, taken out.
    pub fn into_data(self) -> Vec<f32> {
        self.data
    }
}

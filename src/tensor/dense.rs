//! A dense tensor of any rank, row-major: weights, checkpoints, golden vectors.

use super::forms::Forms;
use std::any::Any;
use std::sync::Arc;
use thiserror::Error;

/// The number of values does not fit the shape.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a tensor of shape {shape:?} holds {expected} values, but {found} are given")]
pub struct ShapeMismatch {
    /// The shape asked for.
    pub shape: Vec<usize>,
    /// The number of values that shape holds.
    pub expected: usize,
    /// The number of values given.
    pub found: usize,
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
            return Err(ShapeMismatch { shape, expected, found: data.len() });
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

//! Storages and the strided views of them that tensors are.

use super::error::{TensorProblem, shorten};
use crate::tensor::{Tensor, file};
use safetensors::Dtype;
use std::borrow::Cow;

/// The largest file, and the most bytes of tensors.
pub(super) const MAX_BYTES: u64 = 4 << 30;

/// Bytes that tensors may take for each byte of the file: trained weights hardly compress, a bomb does a
/// thousandfold.
const UNFOLD: u64 = 64;

/// A flat array of values outside of the pickle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Storage<'a> {
    pub(super) key: &'a str,
    pub(super) dtype: Dtype,
    pub(super) values: u64,
}

impl Storage<'_> {
    /// Bytes of it.
    pub(super) fn bytes(&self) -> Result<u64, TensorProblem> {
        self.values.checked_mul(self.dtype.bitsize() as u64 / 8).ok_or(TensorProblem::Malformed("its storage's length"))
    }

    /// Checks that it has as many bytes as declared.
    pub(super) fn check_length(&self, found: u64) -> Result<(), TensorProblem> {
        let expected = self.bytes()?;
        if found != expected {
            return Err(TensorProblem::StorageLength { key: shorten(self.key), expected, found });
        }
        Ok(())
    }
}

/// Where the bytes of storages are.
pub(super) trait Storages {
    /// The bytes of one, exactly as many as declared.
    fn read(&mut self, storage: &Storage<'_>) -> Result<Cow<'_, [u8]>, TensorProblem>;

    /// Whether values have their highest byte first.
    fn big_endian(&self) -> bool;
}

/// A strided view of a storage, known to lie within.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) storage: Storage<'a>,
    offset: usize,
    shape: Vec<usize>,
    stride: Vec<usize>,
    values: usize,
}

impl<'a> View<'a> {
    /// A view, checked against the storage's declared length.
    pub(super) fn new(
        storage: Storage<'a>,
        offset: usize,
        shape: Vec<usize>,
        stride: Vec<usize>,
    ) -> Result<Self, TensorProblem> {
        if shape.len() != stride.len() {
            return Err(TensorProblem::Malformed("its stride"));
        }
        let Some(values) = shape.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis)) else {
            return Err(TensorProblem::ShapeOverflow { shape });
        };
        // One past the last value reached; an empty view reaches none.
        let end = if values == 0 {
            Some(offset)
        } else {
            shape
                .iter()
                .zip(&stride)
                .try_fold(offset, |last, (&axis, &step)| last.checked_add((axis - 1).checked_mul(step)?))
                .and_then(|last| last.checked_add(1))
        };
        if end.is_none_or(|end| end as u64 > storage.values) {
            let (holds, dtype) = (storage.values, storage.dtype);
            return Err(TensorProblem::OutOfBounds { shape, stride, offset, holds, dtype });
        }
        Ok(Self { storage, offset, shape, stride, values })
    }

    /// The tensor, from its storage's bytes.
    pub(super) fn tensor(self, bytes: &[u8], big_endian: bool) -> Result<Tensor, TensorProblem> {
        let size = self.storage.dtype.bitsize() / 8;
        let gathered;
        let values = if self.is_contiguous() && !big_endian {
            &bytes[self.offset * size..(self.offset + self.values) * size]
        } else {
            gathered = self.gather(bytes, size, big_endian);
            &gathered
        };
        let data = file::decode(self.storage.dtype, values)
            .ok_or_else(|| TensorProblem::Dtype(self.storage.dtype.to_string()))?;
        Tensor::new(self.shape, data).map_err(|_| TensorProblem::Malformed("its shape"))
    }

    fn is_contiguous(&self) -> bool {
        // Axes of an empty view may be of any length: their product need not fit.
        let mut step = 1usize;
        self.shape.iter().zip(&self.stride).rev().all(|(&axis, &stride)| {
            let fits = axis == 1 || stride == step;
            step = step.saturating_mul(axis);
            fits
        })
    }

    /// The bytes of its values in order, little-endian.
    fn gather(&self, bytes: &[u8], size: usize, big_endian: bool) -> Vec<u8> {
        let mut gathered = Vec::with_capacity(self.values * size);
        let mut index = vec![0; self.shape.len()];
        let mut position = self.offset;
        for _ in 0..self.values {
            let value = &bytes[position * size..(position + 1) * size];
            if big_endian {
                gathered.extend(value.iter().rev())
            } else {
                gathered.extend(value)
            }
            // The next index: the last axis first, carrying over.
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                position += self.stride[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                position -= self.stride[axis] * self.shape[axis];
                index[axis] = 0;
            }
        }
        gathered
    }
}

/// What the tensors of a file may take, against files that unfold to many times their size.
pub(super) struct Budget {
    limit: u64,
    storages: u64,
    tensors: u64,
}

impl Budget {
    /// The budget of a file of `length` bytes.
    pub(super) fn new(length: usize) -> Self {
        let limit = (length as u64).saturating_mul(UNFOLD).saturating_add(1 << 20).min(MAX_BYTES);
        Self { limit, storages: 0, tensors: 0 }
    }

    /// Counts a storage.
    pub(super) fn storage(&mut self, storage: &Storage<'_>) -> Result<(), TensorProblem> {
        self.storages = self.storages.saturating_add(storage.bytes()?);
        self.check()
    }

    /// Counts a tensor, in f32.
    pub(super) fn tensor(&mut self, view: &View<'_>) -> Result<(), TensorProblem> {
        self.tensors = self.tensors.saturating_add((view.values as u64).saturating_mul(4));
        self.check()
    }

    fn check(&self) -> Result<(), TensorProblem> {
        if self.storages.max(self.tensors) > self.limit {
            return Err(TensorProblem::Budget { limit: self.limit });
        }
        Ok(())
    }
}

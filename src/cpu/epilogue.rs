//! What a convolution does to its sums while they are still in the cache.

use crate::reference::epilogue;
use crate::tensor::in_vectors;

/// `act(sum + bias) + residual`.
#[derive(Clone, Copy)]
pub(super) struct Epilogue<'a> {
    pub(super) bias: Option<&'a [f32]>,
    pub(super) gelu: bool,
    /// A whole map of the result's shape.
    pub(super) residual: Option<&'a [f32]>,
}

impl Epilogue<'_> {
    /// All of it, on the part of the result that begins at `start`, a pixel's first value.
    pub(super) fn all(&self, start: usize, values: &mut [f32]) {
        self.apply(self.bias, start, values);
    }

    /// What follows the bias.
    pub(super) fn rest(&self, start: usize, values: &mut [f32]) {
        self.apply(None, start, values);
    }

    fn apply(&self, bias: Option<&[f32]>, start: usize, values: &mut [f32]) {
        let residual = self.residual.map(|residual| &residual[start..]);
        in_vectors(
            #[inline(always)]
            || epilogue(values, bias, self.gelu, residual),
        );
    }
}

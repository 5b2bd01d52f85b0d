//! The one matrix product that convolutions are made of.

use crate::tensor::Real;

/// Rows × columns of the result, and the depth of the sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) depth: usize,
}

/// `result[r][c] = before + Σ_d left[r·left_stride + d]·right[d][c]`, with `before` the result's value where
/// `accumulate`, and 0 otherwise.
///
/// `right` and `result` are dense; rows of `left` lie `left_stride` apart and may overlap, so that a row of pixels is
/// a matrix of its neighbourhoods without a copy.
pub(super) fn multiply<T: Real>(
    extent: Extent,
    left: &[T],
    left_stride: usize,
    right: &[T],
    result: &mut [T],
    accumulate: bool,
) {
    let Extent { rows, columns, depth } = extent;
    if rows == 0 || columns == 0 || depth == 0 {
        assert!(accumulate || rows * columns == 0, "an empty sum would leave the result unwritten");
        return;
    }
    assert!(left.len() >= (rows - 1) * left_stride + depth, "left reads past its end");
    assert!(right.len() >= depth * columns, "right reads past its end");
    assert!(result.len() >= rows * columns, "result is too small");
    // SAFETY: by the assertions every element that `gemm` reads or writes lies within its slice, `result` is borrowed
    // mutably and so overlaps neither operand, and T is f32 or f64, which `gemm` knows by its type.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            result.as_mut_ptr(),
            1,
            columns as isize,
            accumulate,
            left.as_ptr(),
            1,
            left_stride as isize,
            right.as_ptr(),
            1,
            columns as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

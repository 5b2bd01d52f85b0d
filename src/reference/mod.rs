//! Floor 3: the CPU executor: one file an op, plain and exact. The oracle of every test, and `--device cpu`.
//!
//! It runs any [`crate::graph::Graph`], as built or as rewritten by the passes, in `f32` (the product on a machine without a GPU) or
//! in `f64` (the judge of errors). Long sums are taken in `f64`, short ones in the arithmetic itself.

mod add;
mod avg_pool;
mod band;
mod batch_norm;
mod box_mean;
mod concat;
mod conv2d;
mod conv_transpose2d;
mod dynamic_filter;
mod execute;
mod fft;
mod filter_taps;
mod gelu;
mod global_mean;
mod instance_norm;
mod low_band;
mod matmul;
mod nearest_half;
mod reflect_pad;
mod upsample_sum;

pub use execute::{ReferenceError, execute, execute_with};
pub use low_band::highest_kept;
pub use reflect_pad::reflect;

use crate::tensor::{Real, Tensor};

/// A weight's values in the executor's arithmetic.
fn values<T: Real>(tensor: &Tensor) -> Vec<T> {
    tensor.data().iter().map(|&value| T::of(f64::from(value))).collect()
}

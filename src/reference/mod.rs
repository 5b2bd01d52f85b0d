//! Floor 3: the CPU reference: one file per op, plain and exact. The oracle of every test; [`crate::cpu`] makes `--device cpu`
//! of it.
//!
//! It runs any [`crate::graph::Graph`], as built or as rewritten by the passes, in `f32` or in `f64` (the judge of
//! errors). Long sums are taken in `f64`, short ones in the arithmetic itself.

mod add;
mod avg_pool;
pub(crate) mod band;
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

pub(crate) use box_mean::box_mean_of;
pub(crate) use conv2d::epilogue;
pub use execute::{ReferenceError, execute, execute_with};
pub(crate) use execute::{alive, check, compute};
pub use reflect_pad::reflect;
pub(crate) use upsample_sum::upsample_sum_into;

use crate::tensor::{Real, Tensor};

/// A weight's values in the executor's arithmetic.
fn values<T: Real>(tensor: &Tensor) -> Vec<T> {
    tensor.data().iter().map(|&value| T::of(f64::from(value))).collect()
}

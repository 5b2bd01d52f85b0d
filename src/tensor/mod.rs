//! Floor 1: what a tensor is: shapes, element types, dense tensors on the host, and the file they live in.

mod dense;
mod element;
mod erf;
mod feature_map;
pub mod file;
mod forms;
pub mod memory;
mod psnr;
mod whole_file;
mod wide;

pub use dense::{ShapeMismatch, Tensor};
pub use element::{Element, Real};
pub use feature_map::{FeatureMap, Shape};
pub use psnr::psnr;
pub(crate) use whole_file::{Staged, end_writing, folder_of, stage, write_whole, writing};
pub(crate) use wide::in_vectors;

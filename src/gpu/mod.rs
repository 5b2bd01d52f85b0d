//! Floor 1: the adapter, its device, shaders and pipelines. Nothing here knows what a convolution is.

mod adapter;
mod device;
mod shader;

pub use adapter::{AdapterChoice, Backing, adapters, choose, describe};
pub use device::{Gpu, GpuError};
pub use shader::{ShaderError, Shaders, Variant};

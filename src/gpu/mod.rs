//! Floor 1: the adapter, its device, shaders and pipelines. Nothing here knows what a convolution is.

mod abilities;
mod adapter;
mod device;
mod dialect;
mod error;
mod learning_lock;
mod memory;
mod pipeline_cache;
mod preferences;
mod shader;

pub use abilities::Matrices;
pub use adapter::{AdapterChoice, Backing, adapters, choose, describe};
pub use device::{Gpu, UPLOAD_BYTES};
pub use dialect::Dialect;
pub use error::GpuError;
pub use learning_lock::LearningLock;
pub use memory::{Buffer, Ledger};
pub use preferences::Preferences;
pub use shader::{ShaderError, Shaders, Variant};

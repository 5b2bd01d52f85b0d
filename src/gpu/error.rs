//! What a device can refuse, and what to do then.

use super::ShaderError;
use thiserror::Error;

/// What a device can refuse.
#[derive(Debug, Error)]
pub enum GpuError {
    /// `--device` names none.
    #[error("there is no device {index}: this machine has {found}; `irnext devices` lists them")]
    NoSuchAdapter {
        /// The number asked for.
        index: usize,
        /// How many there are.
        found: usize,
    },
    /// The driver refuses to open the device.
    #[error("{adapter} can't be opened: {reason}; try another `--device`, or `--device cpu`")]
    Open {
        /// The adapter's description.
        adapter: String,
        /// The driver's word.
        reason: String,
    },
    /// A shader that doesn't compose or compile.
    #[error(transparent)]
    Shader(#[from] ShaderError),
    /// The device, or the budget given to it, has too little memory left.
    #[error("{adapter} has no room for {what}: {reason}; use a smaller picture, or `--device cpu`")]
    Memory {
        /// The adapter's description.
        adapter: String,
        /// What was asked for.
        what: String,
        /// The driver's word, or what the budget has left.
        reason: String,
    },
    /// It computes something else than the CPU, or nothing by its plainest kernels.
    #[error(
        "{adapter} can't be relied on: {reason}; use another `--device`, or `--device cpu`, and tell its driver's makers"
    )]
    Unsound {
        /// The adapter's description.
        adapter: String,
        /// What was compared.
        reason: String,
    },
    /// The driver reported an error, or the device was lost.
    #[error("{adapter} failed: {reason}; try again, another `--device`, or `--device cpu`")]
    Failed {
        /// The adapter's description.
        adapter: String,
        /// The driver's word.
        reason: String,
    },
}

//! What can be wrong with a checkpoint.

use super::pickle::PickleError;
use crate::tensor::file::TensorFileErrorKind;
use safetensors::Dtype;
use std::io;
use std::path::PathBuf;
use thiserror::Error;
use zip::result::ZipError;

/// A checkpoint that could not be read, with its path.
#[derive(Debug, Error)]
#[error("{}: {kind}", path.display())]
pub struct CheckpointError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: CheckpointErrorKind,
}

/// What is wrong with a checkpoint.
#[derive(Debug, Error)]
pub enum CheckpointErrorKind {
    /// The file system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Larger than any checkpoint of this network could be.
    #[error("the file has {found} bytes; expected at most {limit}")]
    TooLarge {
        /// Bytes of the file.
        found: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// No form of checkpoint known here.
    #[error(
        "expected a checkpoint (PyTorch zip, PyTorch legacy or safetensors), but found {looks_like}, bytes {start:02x?}"
    )]
    Unrecognised {
        /// What the bytes look like instead.
        looks_like: &'static str,
        /// The first few bytes.
        start: Vec<u8>,
    },
    /// A safetensors file that cannot be read.
    #[error(transparent)]
    TensorFile(#[from] TensorFileErrorKind),
    /// A zip that cannot be read.
    #[error("expected a PyTorch zip, but it is cut short or damaged{}: {error}; fetch or copy it again", at_entry(.entry))]
    Zip {
        /// The entry, unless it is the archive itself.
        entry: Option<String>,
        /// What the reader says.
        error: ZipError,
    },
    /// A zip that is not laid out as `torch.save` does it.
    #[error("expected a PyTorch zip, but {0}")]
    ZipLayout(String),
    /// A legacy stream that is not laid out as `torch.save` did it.
    #[error("expected a PyTorch legacy file, but {0}")]
    LegacyLayout(String),
    /// A pickle that cannot be walked or names what it must not.
    #[error("{part}: {error}")]
    Pickle {
        /// Which pickle of the file.
        part: &'static str,
        /// What is wrong with it.
        error: PickleError,
    },
    /// The root of the pickle is no dict.
    #[error(
        "expected a dict of tensors, or one under `model`, `state_dict`, `params`, `ema` or the like, but found {found}"
    )]
    NoStateDict {
        /// What lies there instead.
        found: &'static str,
    },
    /// Several networks, and nothing tells which is meant.
    #[error("it holds several networks, under {}; save the one that is meant alone", list(keys))]
    Several {
        /// The keys that lead to them.
        keys: Vec<String>,
    },
    /// A dict without one tensor.
    #[error("expected a dict of tensors, but it holds none")]
    NoTensors,
    /// One tensor cannot be had.
    #[error("tensor {name:?}: {problem}")]
    Tensor {
        /// The tensor.
        name: String,
        /// What is wrong with it.
        problem: Box<TensorProblem>,
    },
}

/// The first few of many.
fn list(keys: &[String]) -> String {
    let few: Vec<String> = keys.iter().take(4).map(|key| format!("`{key}`")).collect();
    few.join(", ")
}

/// What is wrong with one tensor of a checkpoint.
#[derive(Debug, Error)]
pub enum TensorProblem {
    /// Something else lies in its place.
    #[error("expected a tensor, but found {0}")]
    NotATensor(&'static str),
    /// The arguments that it should be rebuilt from are not as PyTorch writes them.
    #[error("{0} is not as PyTorch writes it")]
    Malformed(&'static str),
    /// A lazily negated or conjugated view.
    #[error(
        "it is a view that stands for other values than it stores; save it as `tensor.resolve_neg().resolve_conj()`"
    )]
    Flagged,
    /// An element type with no f32 for each value.
    #[error("elements of type {0} are not supported")]
    Dtype(String),
    /// The shape's product, or the bytes it takes, exceed what can be counted.
    #[error("shape {shape:?} is too large to count")]
    ShapeOverflow {
        /// The shape.
        shape: Vec<usize>,
    },
    /// The view reaches past its storage.
    #[error(
        "shape {shape:?}, stride {stride:?} and offset {offset} reach past the end of its storage, which holds {holds} \
         values of type {dtype}"
    )]
    OutOfBounds {
        /// Length of every axis.
        shape: Vec<usize>,
        /// Values from one index to the next on every axis.
        stride: Vec<usize>,
        /// The first value.
        offset: usize,
        /// Values in the storage.
        holds: u64,
        /// Their type.
        dtype: Dtype,
    },
    /// Its storage is not in the file.
    #[error("its storage {0:?} is not in the file")]
    MissingStorage(String),
    /// Its storage is in the file, but cannot be unpacked.
    #[error("its storage {key:?} is damaged: {error}")]
    Damaged {
        /// The storage.
        key: String,
        /// What the zip reader says.
        error: ZipError,
    },
    /// Its storage is longer or shorter than declared.
    #[error("its storage {key:?} was declared with {expected} bytes, but has {found}")]
    StorageLength {
        /// The storage.
        key: String,
        /// Bytes declared.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// More than a file of this size may unfold to.
    #[error("with it the tensors take more than {limit} bytes, the most that a file of this size may unfold to")]
    Budget {
        /// Bytes allowed.
        limit: u64,
    },
}

fn at_entry(entry: &Option<String>) -> String {
    entry.as_ref().map(|name| format!(" at {name:?}")).unwrap_or_default()
}

/// A name from the file, short enough for a message.
pub(super) fn shorten(name: &str) -> String {
    const LONGEST: usize = 120;
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_string(),
    }
}

//! Checkpoint readers: PyTorch's zip, PyTorch's legacy stream and safetensors, told apart by content, not by name.
//!
//! A checkpoint may come from anywhere, so it is read as data only: the pickle inside is walked, never run
//! (`unpickle`), whatever it names must be on a short list (`globals`), the weights are looked for within bounds (`search`),
//! and nothing is allocated on the word of a size that the file's own length does not bear out (`storage`).

mod error;
mod globals;
mod pickle;
mod rebuild;
mod search;
mod storage;
mod torch_legacy;
mod torch_zip;
mod unpickle;

pub use error::{CheckpointError, CheckpointErrorKind, TensorProblem};

use crate::tensor::{Tensor, file::TensorFile};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A network's weights by name, as f32, whatever they were stored as.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict {
    /// The tensors, `module.`, `_orig_mod.` and the like in front of every name taken off.
    pub tensors: BTreeMap<String, Tensor>,
    /// The metadata of a safetensors file. What a training script writes beside the weights (`epoch`, `mean`) is its own.
    pub metadata: BTreeMap<String, String>,
    /// Under which keys a PyTorch file's network lay.
    pub chosen: Option<Chosen>,
}

/// Which of several networks in a file was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its keys, outermost first, with dots between; empty for the outermost dict itself.
    pub under: String,
    /// Those of the others.
    pub others: Vec<String>,
}

/// The forms a checkpoint is met in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `torch.save` since PyTorch 1.6.
    TorchZip,
    /// `torch.save` before that.
    TorchLegacy,
    /// safetensors.
    SafeTensors,
}

impl Format {
    /// Recognises a checkpoint by its first bytes.
    ///
    /// # Errors
    /// When they are those of no form known here; says what they look like instead.
    pub fn recognise(bytes: &[u8]) -> Result<Self, CheckpointErrorKind> {
        if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
            return Ok(Format::TorchZip);
        }
        // Before the pickle: a header's length may begin with any byte, and a checkpoint's pickle has its number there.
        if bytes.get(8) == Some(&b'{') {
            return Ok(Format::SafeTensors);
        }
        if bytes.first() == Some(&pickle::PROTO) {
            return Ok(Format::TorchLegacy);
        }
        let start = bytes.trim_ascii_start();
        let looks_like = if bytes.is_empty() {
            "an empty file: fetch or copy it again"
        } else if start.starts_with(b"version https://git-lfs") {
            "a Git LFS pointer: the file itself is still to be fetched"
        } else if start.starts_with(b"<") {
            "a web page: a download that went wrong"
        } else if bytes.get(257..262) == Some(b"ustar") {
            "a tar archive: unpack it, or save it again with PyTorch 0.2 or later"
        } else if bytes.starts_with(&[0x1f, 0x8b]) {
            "a gzip file: unpack it"
        } else if bytes.len() <= 8 {
            "a file cut short: fetch or copy it again"
        } else {
            "something else"
        };
        Err(CheckpointErrorKind::Unrecognised { looks_like, start: bytes.iter().take(8).copied().collect() })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::TorchZip => "PyTorch zip",
            Format::TorchLegacy => "PyTorch legacy",
            Format::SafeTensors => "safetensors",
        })
    }
}

/// Reads the weights in a file.
///
/// # Errors
/// When the file cannot be read, is larger than 4 GiB, or [`parse`] refuses what it holds.
pub fn read(path: &Path) -> Result<StateDict, CheckpointError> {
    let bytes = || {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        if length > storage::MAX_BYTES {
            return Err(CheckpointErrorKind::TooLarge { found: length, limit: storage::MAX_BYTES });
        }
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(storage::MAX_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    bytes().and_then(|bytes| parse(&bytes)).map_err(|kind| CheckpointError { path: path.to_path_buf(), kind })
}

/// Reads the weights in a file's bytes: `{'model': …}`, `{'state_dict': …}`, `{'params': …}` and others that training scripts
/// write, averaged weights (`{'params_ema': …}`, `{'ema': …}`) before the last, the bare dict of tensors, or under any other
/// key where a network of this kind is. What else lies beside them (optimizer, scheduler) is walked and left out.
///
/// # Errors
/// When the bytes are no checkpoint, are damaged, name anything that is not on the list of what a checkpoint needs, or
/// declare more than they hold.
pub fn parse(bytes: &[u8]) -> Result<StateDict, CheckpointErrorKind> {
    let mut state = match Format::recognise(bytes)? {
        Format::TorchZip => torch_zip::parse(bytes)?,
        Format::TorchLegacy => torch_legacy::parse(bytes)?,
        Format::SafeTensors => {
            let file = TensorFile::parse(bytes)?;
            StateDict { tensors: file.tensors, metadata: file.metadata, chosen: None }
        }
    };
    if state.tensors.is_empty() {
        return Err(CheckpointErrorKind::NoTensors);
    }
    strip_wrappers(&mut state.tensors);
    Ok(state)
}

/// What every network of this kind has a tensor under.
const FIRST: &str = "feat_extract.";

/// How many things may stand in front of a name.
const MAX_PREFIXES: usize = 8;

/// Takes off what stands in front of every name: `module.` of `DataParallel`, `_orig_mod.` of `torch.compile`, `model.` and the
/// like of training frameworks, in any order; and what `AveragedModel` counts.
fn strip_wrappers(tensors: &mut BTreeMap<String, Tensor>) {
    for _ in 0..MAX_PREFIXES {
        if tensors.len() > 1 {
            tensors.remove("n_averaged");
        }
        let Some((wrapper, _)) = tensors.keys().next().and_then(|name| name.split_once('.')) else { return };
        let wrapper = format!("{wrapper}.");
        let inner = |name: &String| name.strip_prefix(&wrapper).is_some_and(|rest| rest.contains(FIRST));
        let known = ["module.", "_orig_mod."].contains(&wrapper.as_str()) || tensors.keys().any(inner);
        if !known || !tensors.keys().all(|name| name.starts_with(&wrapper)) {
            return;
        }
        let wrapped = std::mem::take(tensors).into_iter();
        *tensors = wrapped.map(|(name, tensor)| (name[wrapper.len()..].to_string(), tensor)).collect();
    }
}

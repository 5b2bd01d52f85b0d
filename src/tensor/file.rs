//! The tensor file: safetensors. Read in f16, bf16, f32, f64 and the integer types, written in f32 or f16.
//!
//! Source of the format: <https://huggingface.co/docs/safetensors>. An 8-byte little-endian header length, a JSON
//! header, the values.

use super::{Element, Tensor, write_whole};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A tensor file that could not be read or written, with its path.
#[derive(Debug, Error)]
#[error("{}: {kind}", path.display())]
pub struct TensorFileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: TensorFileErrorKind,
}

/// What is wrong with a tensor file.
#[derive(Debug, Error)]
pub enum TensorFileErrorKind {
    /// The file system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Not one byte.
    #[error("is empty (0 bytes); fetch or copy the file again")]
    Empty,
    /// A safetensors file that ends too early.
    #[error("is cut short: {found} bytes of a safetensors file of {expected}; fetch or copy the file again")]
    CutShort {
        /// Bytes of the file.
        found: u64,
        /// Bytes that its header tells of, at least.
        expected: u64,
    },
    /// The bytes are no safetensors file.
    #[error("expected a safetensors file, but found: {0}")]
    Format(#[from] SafeTensorError),
    /// The element type of a tensor is none of those that have one f32 for each value.
    #[error(
        "tensor {name:?} has elements of type {found}; expected F16, BF16, F32, F64, BOOL or an integer type of 8 to \
         64 bits"
    )]
    Dtype {
        /// The tensor.
        name: String,
        /// Its element type.
        found: Dtype,
    },
    /// A value is too large for the element type it should be written in.
    #[error("tensor {name:?} holds {value} at index {index}, which {element} cannot hold")]
    Overflow {
        /// The tensor.
        name: String,
        /// Where in its values.
        index: usize,
        /// The value.
        value: f32,
        /// The element type asked for.
        element: Element,
    },
    /// The format keeps a name for itself.
    #[error("a tensor cannot be named {METADATA:?}: the format keeps this name for the metadata")]
    ReservedName,
}

/// The longest header that a safetensors file may have, in bytes.
const LONGEST_HEADER: u64 = 100_000_000;

/// The key of the metadata in the header.
const METADATA: &str = "__metadata__";

/// Named tensors and the text that goes with them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorFile {
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// The header's `__metadata__`.
    pub metadata: BTreeMap<String, String>,
}

impl TensorFile {
    /// Reads a file, every value turned to f32.
    ///
    /// # Errors
    /// When the file cannot be read, is no whole safetensors file, or holds a tensor of a type that f32 cannot stand
    /// for.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, TensorFileError> {
        let path = path.as_ref();
        std::fs::read(path)
            .map_err(TensorFileErrorKind::from)
            .and_then(|bytes| Self::parse(&bytes))
            .map_err(|kind| TensorFileError { path: path.to_path_buf(), kind })
    }

    /// Reads a file's bytes, as [`TensorFile::read`].
    ///
    /// # Errors
    /// As [`TensorFile::read`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TensorFileErrorKind> {
        if bytes.is_empty() {
            return Err(TensorFileErrorKind::Empty);
        }
        let expected = length_told(bytes).unwrap_or(0);
        let found = bytes.len() as u64;
        if found < expected {
            return Err(TensorFileErrorKind::CutShort { found, expected });
        }
        // The header is parsed once for the metadata and once for the tensors: the crate offers no way to get both.
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let metadata = header.metadata().iter().flatten().map(|(key, text)| (key.clone(), text.clone())).collect();
        let mut tensors = BTreeMap::new();
        for (name, view) in SafeTensors::deserialize(bytes)?.iter() {
            let data = decode(view.dtype(), view.data())
                .ok_or_else(|| TensorFileErrorKind::Dtype { name: name.to_string(), found: view.dtype() })?;
            let tensor = Tensor::new(view.shape(), data).map_err(|_| SafeTensorError::TensorInvalidInfo)?;
            tensors.insert(name.to_string(), tensor);
        }
        Ok(Self { tensors, metadata })
    }

    /// Writes the file: beside its place first, then renamed into it, so that no half-written file is ever seen.
    /// Equal contents give equal bytes.
    ///
    /// # Errors
    /// When the file cannot be written, or a finite value is beyond the range of `element`.
    pub fn write(&self, path: impl AsRef<Path>, element: Element) -> Result<(), TensorFileError> {
        let path = path.as_ref();
        self.write_beside(path, element).map_err(|kind| TensorFileError { path: path.to_path_buf(), kind })
    }

    fn write_beside(&self, path: &Path, element: Element) -> Result<(), TensorFileErrorKind> {
        write_whole(path, true, |file| {
            let mut writer = BufWriter::new(file);
            self.write_to(&mut writer, element)?;
            Ok(writer.flush()?)
        })
    }

    /// Writes the file's bytes. The crate's own writer keeps metadata in a hash map, whose order changes from run to
    /// run.
    fn write_to(&self, writer: &mut impl Write, element: Element) -> Result<(), TensorFileErrorKind> {
        let header = self.header(element)?;
        writer.write_all(&(header.len() as u64).to_le_bytes())?;
        writer.write_all(&header)?;
        for (name, tensor) in &self.tensors {
            for (index, &value) in tensor.data().iter().enumerate() {
                match element {
                    Element::F32 => writer.write_all(&value.to_le_bytes())?,
                    Element::F16 => {
                        let short = f16::from_f32(value);
                        if value.is_finite() && !short.is_finite() {
                            return Err(TensorFileErrorKind::Overflow { name: name.clone(), index, value, element });
                        }
                        writer.write_all(&short.to_le_bytes())?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The JSON header, padded with spaces to whole 8 bytes so that the values are aligned.
    fn header(&self, element: Element) -> Result<Vec<u8>, TensorFileErrorKind> {
        #[derive(Serialize)]
        struct Entry<'a> {
            dtype: Dtype,
            shape: &'a [usize],
            data_offsets: [u64; 2],
        }
        let dtype = match element {
            Element::F16 => Dtype::F16,
            Element::F32 => Dtype::F32,
        };
        let mut header = Map::new();
        if !self.metadata.is_empty() {
            header.insert(METADATA.into(), json!(self.metadata));
        }
        let mut start = 0;
        for (name, tensor) in &self.tensors {
            if name == METADATA {
                return Err(TensorFileErrorKind::ReservedName);
            }
            let end = start + tensor.data().len() as u64 * element.bytes();
            header.insert(name.clone(), json!(Entry { dtype, shape: tensor.shape(), data_offsets: [start, end] }));
            start = end;
        }
        let mut bytes = Value::Object(header).to_string().into_bytes();
        bytes.resize(bytes.len().next_multiple_of(8), b' ');
        Ok(bytes)
    }
}

/// The length that a safetensors file's own words tell of, if they are such words: that of its header, and if that is
/// whole, the end of the last tensor.
fn length_told(bytes: &[u8]) -> Option<u64> {
    let length = u64::from_le_bytes(*bytes.first_chunk()?);
    // Something else than a header would be a length beyond all sense.
    if bytes.get(8) != Some(&b'{') || length > LONGEST_HEADER {
        return None;
    }
    let start = 8 + length;
    let Some(header) = bytes.get(8..start as usize) else { return Some(start) };
    let header: Map<String, Value> = serde_json::from_slice(header).ok()?;
    let ends = header.values().filter_map(|entry| entry.get("data_offsets")?.get(1)?.as_u64());
    Some(start.saturating_add(ends.max().unwrap_or(0)))
}

/// Little-endian values of a type as f32, or nothing for a type that f32 cannot stand for (complex, 8 bits and less of
/// floating point). Bytes after the last whole value are left out.
pub(crate) fn decode(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Option<Vec<f32>> {
        Some(bytes.as_chunks::<N>().0.iter().map(|&chunk| value(chunk)).collect())
    }
    match dtype {
        Dtype::F32 => each(bytes, f32::from_le_bytes),
        Dtype::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => each(bytes, |b| bf16::from_le_bytes(b).to_f32()),
        Dtype::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::I64 => each(bytes, |b| i64::from_le_bytes(b) as f32),
        Dtype::I32 => each(bytes, |b| i32::from_le_bytes(b) as f32),
        Dtype::I16 => each(bytes, |b| f32::from(i16::from_le_bytes(b))),
        Dtype::I8 => each(bytes, |b| f32::from(i8::from_le_bytes(b))),
        Dtype::U64 => each(bytes, |b| u64::from_le_bytes(b) as f32),
        Dtype::U32 => each(bytes, |b| u32::from_le_bytes(b) as f32),
        Dtype::U16 => each(bytes, |b| f32::from(u16::from_le_bytes(b))),
        Dtype::U8 => each(bytes, |[b]| f32::from(b)),
        Dtype::BOOL => each(bytes, |[b]| if b == 0 { 0.0 } else { 1.0 }),
        _ => None,
    }
}

//! `torch.save` since PyTorch 1.6: a zip with `<name>/data.pkl`, one entry a storage under `<name>/data/`, and
//! `<name>/byteorder`.

use super::error::{CheckpointErrorKind, TensorProblem, shorten};
use super::storage::{Storage, Storages};
use super::{StateDict, rebuild, unpickle};
use std::borrow::Cow;
use std::io::{Cursor, Read};
use zip::ZipArchive;
use zip::result::ZipError;

/// The largest pickle: one of this network takes some 100 kB.
const MAX_PICKLE: u64 = 64 << 20;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// The state dict in a zip.
pub(super) fn parse(bytes: &[u8]) -> Result<StateDict, CheckpointErrorKind> {
    let damaged = |error| CheckpointErrorKind::Zip { entry: None, error };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let folder = folder(&archive)?;
    let big_endian = match small_entry(&mut archive, &format!("{folder}/byteorder"), 16)?.as_deref() {
        None | Some(b"little") => false,
        Some(b"big") => true,
        Some(other) => {
            let found = String::from_utf8_lossy(other);
            return Err(CheckpointErrorKind::ZipLayout(format!("its byte order is {found:?}, neither little nor big")));
        }
    };
    let name = format!("{folder}/data.pkl");
    let bytes_of_pickle = small_entry(&mut archive, &name, MAX_PICKLE)?
        .ok_or_else(|| CheckpointErrorKind::ZipLayout(format!("it has no entry {name:?}")))?;
    let pickle =
        unpickle::parse(&bytes_of_pickle).map_err(|error| CheckpointErrorKind::Pickle { part: "data.pkl", error })?;
    rebuild::state_dict(&pickle, bytes.len(), &mut Entries { archive, folder, big_endian })
}

/// The folder that everything lies in, named after the file it was saved as.
fn folder(archive: &Archive<'_>) -> Result<String, CheckpointErrorKind> {
    let mut folders = archive
        .file_names_raw()
        .filter_map(|name| str::from_utf8(name).ok()?.strip_suffix("/data.pkl"))
        .filter(|folder| !folder.contains('/'));
    match (folders.next(), folders.next()) {
        (Some(folder), None) => Ok(folder.to_string()),
        (None, _) => Err(CheckpointErrorKind::ZipLayout("it has no entry `<name>/data.pkl`".into())),
        (Some(_), Some(_)) => Err(CheckpointErrorKind::ZipLayout("it has several entries `<name>/data.pkl`".into())),
    }
}

/// A whole entry of at most `limit` bytes, or nothing where there is none of this name.
fn small_entry(archive: &mut Archive<'_>, name: &str, limit: u64) -> Result<Option<Vec<u8>>, CheckpointErrorKind> {
    let bytes = match read(archive, name, limit) {
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(CheckpointErrorKind::Zip { entry: Some(shorten(name)), error }),
        Ok(bytes) => bytes,
    };
    if bytes.len() as u64 > limit {
        return Err(CheckpointErrorKind::ZipLayout(format!("its entry {name:?} has more than {limit} bytes")));
    }
    Ok(Some(bytes))
}

/// An entry up to one byte past `limit`: read to its end, its checksum is compared as well. The buffer grows with
/// what is really there, whatever the entry declares.
fn read(archive: &mut Archive<'_>, name: &str, limit: u64) -> Result<Vec<u8>, ZipError> {
    let mut bytes = Vec::new();
    archive.by_name(name)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

struct Entries<'a> {
    archive: Archive<'a>,
    folder: String,
    big_endian: bool,
}

impl Storages for Entries<'_> {
    fn read(&mut self, storage: &Storage<'_>) -> Result<Cow<'_, [u8]>, TensorProblem> {
        let name = format!("{}/data/{}", self.folder, storage.key);
        match read(&mut self.archive, &name, storage.bytes()?) {
            Ok(bytes) => Ok(Cow::Owned(bytes)),
            Err(ZipError::FileNotFound) => Err(TensorProblem::MissingStorage(shorten(storage.key))),
            Err(error) => Err(TensorProblem::Damaged { key: shorten(storage.key), error }),
        }
    }

    fn big_endian(&self) -> bool {
        self.big_endian
    }
}

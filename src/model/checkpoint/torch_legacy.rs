//! `torch.save` before PyTorch 1.6: five pickles one after another (a magic number, the protocol, the system, the
//! object, the storages' keys), then each storage as an 8-byte count and its values. Values are little-endian whatever
//! the system.

use super::error::{CheckpointErrorKind, TensorProblem, shorten};
use super::pickle::{Node, Pickle, Value};
use super::storage::{Storage, Storages};
use super::{StateDict, rebuild, unpickle};
use std::borrow::Cow;
use std::collections::HashMap;

/// 0x1950a86a20f9469cfc6c, as a pickled integer.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const PROTOCOL: i64 = 1001;

/// The state dict in a legacy stream.
pub(super) fn parse(bytes: &[u8]) -> Result<StateDict, CheckpointErrorKind> {
    let mut rest = bytes;
    let magic = next_pickle(&mut rest, "magic number")?;
    if magic.root != Value::Long(&MAGIC) {
        return Err(layout("it is a pickle without PyTorch's magic number"));
    }
    if next_pickle(&mut rest, "protocol")?.root != Value::Int(PROTOCOL) {
        return Err(layout("its protocol is not 1001"));
    }
    next_pickle(&mut rest, "system information")?;
    let object = next_pickle(&mut rest, "object")?;
    let keys = next_pickle(&mut rest, "storage keys")?;
    let mut stream = Stream { storages: HashMap::new() };
    let declared = declared(&object);
    let Some(Node::List(keys)) = keys.node(keys.root) else {
        return Err(layout("its storage keys are no list"));
    };
    for &key in keys {
        let Value::Text(key) = key else { return Err(layout("a storage key is no string")) };
        let storage =
            declared.get(key).ok_or_else(|| layout(format!("nothing refers to its storage {:?}", shorten(key))))?;
        stream.storages.insert(key, next_storage(&mut rest, storage)?);
    }
    rebuild::state_dict(&object, bytes.len(), &mut stream)
}

fn layout(problem: impl Into<String>) -> CheckpointErrorKind {
    CheckpointErrorKind::LegacyLayout(problem.into())
}

fn next_pickle<'a>(rest: &mut &'a [u8], part: &'static str) -> Result<Pickle<'a>, CheckpointErrorKind> {
    let pickle = unpickle::parse(rest).map_err(|error| CheckpointErrorKind::Pickle { part, error })?;
    *rest = &rest[pickle.length..];
    Ok(pickle)
}

/// Every storage that the object refers to, the optimizer's too: their types tell how long each is.
fn declared<'a>(object: &Pickle<'a>) -> HashMap<&'a str, Storage<'a>> {
    let identities = object.nodes().iter().filter_map(|node| match node {
        Node::Persistent(identity) => rebuild::storage(object, *identity).ok(),
        _ => None,
    });
    identities.map(|storage| (storage.key, storage)).collect()
}

fn next_storage<'a>(rest: &mut &'a [u8], storage: &Storage<'_>) -> Result<&'a [u8], CheckpointErrorKind> {
    let cut = || layout(format!("it ends within storage {:?}: fetch or copy the file again", shorten(storage.key)));
    let (count, after) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
    let found = u64::from_le_bytes(*count);
    if found != storage.values {
        let (key, declared) = (shorten(storage.key), storage.values);
        return Err(layout(format!("its storage {key:?} was declared with {declared} values, but has {found}")));
    }
    let length = storage.bytes().ok().and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(cut)?;
    let (values, after) = after.split_at_checked(length).ok_or_else(cut)?;
    *rest = after;
    Ok(values)
}

struct Stream<'a> {
    storages: HashMap<&'a str, &'a [u8]>,
}

impl Storages for Stream<'_> {
    fn read(&mut self, storage: &Storage<'_>) -> Result<Cow<'_, [u8]>, TensorProblem> {
        let found = self.storages.get(storage.key);
        found.map(|&bytes| Cow::Borrowed(bytes)).ok_or_else(|| TensorProblem::MissingStorage(shorten(storage.key)))
    }

    fn big_endian(&self) -> bool {
        false
    }
}

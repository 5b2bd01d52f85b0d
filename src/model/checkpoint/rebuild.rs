//! From the pickle's tree to tensors: reads how each tensor of the state dict views its storage, copies it out.

use super::StateDict;
use super::error::{CheckpointErrorKind, TensorProblem, shorten};
use super::globals::Global;
use super::pickle::{Node, Pickle, Value};
use super::search::{Items, items, weights};
use super::storage::{Budget, Storage, Storages, View};
use crate::tensor::Tensor;
use std::collections::BTreeMap;

/// More axes than any tensor has.
const MAX_RANK: usize = 16;

/// A storage and the tensors that view it, by name.
type Shared<'a> = (Storage<'a>, Vec<(&'a str, View<'a>)>);

/// The state dict in a pickle, its values taken from `storages`; `length` is the file's.
pub(super) fn state_dict(
    pickle: &Pickle<'_>,
    length: usize,
    storages: &mut impl Storages,
) -> Result<StateDict, CheckpointErrorKind> {
    let root = items(pickle, pickle.root)
        .ok_or_else(|| CheckpointErrorKind::NoStateDict { found: pickle.describe(pickle.root) })?;
    let (weights, chosen) = weights(pickle, root)?;
    Ok(StateDict { tensors: tensors(pickle, weights, length, storages)?, metadata: BTreeMap::new(), chosen })
}

fn tensors(
    pickle: &Pickle<'_>,
    weights: Items<'_>,
    length: usize,
    storages: &mut impl Storages,
) -> Result<BTreeMap<String, Tensor>, CheckpointErrorKind> {
    let at = |name: &str| {
        let name = shorten(name);
        move |problem| CheckpointErrorKind::Tensor { name, problem: Box::new(problem) }
    };
    // By name first: the last of equal names counts, and no other.
    let mut named = BTreeMap::new();
    for (key, value) in weights {
        match key {
            Value::Text(name) => named.insert(name, value),
            _ => return Err(CheckpointErrorKind::NoStateDict { found: "a dict with keys that are no names" }),
        };
    }
    // Then by storage, so that a shared one is read once, and only one is held at a time.
    let mut budget = Budget::new(length);
    let mut shared: BTreeMap<&str, Shared<'_>> = BTreeMap::new();
    for (name, value) in named {
        let view = view(pickle, value).map_err(at(name))?;
        budget.tensor(&view).map_err(at(name))?;
        let storage = view.storage;
        let (first, views) = shared.entry(storage.key).or_insert_with(|| (storage, Vec::new()));
        if *first != storage {
            return Err(at(name)(TensorProblem::Malformed("its storage, which another tensor declares differently,")));
        }
        if views.is_empty() {
            budget.storage(&storage).map_err(at(name))?;
        }
        views.push((name, view));
    }
    let big_endian = storages.big_endian();
    let mut tensors = BTreeMap::new();
    for (storage, views) in shared.into_values() {
        let first = views.first().map_or("", |(name, _)| name);
        let bytes = storages.read(&storage).map_err(at(first))?;
        storage.check_length(bytes.len() as u64).map_err(at(first))?;
        for (name, view) in views {
            tensors.insert(name.to_string(), view.tensor(&bytes, big_endian).map_err(at(name))?);
        }
    }
    Ok(tensors)
}

/// How a tensor views its storage.
///
/// Source: `torch/_utils.py`, `_rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, hooks, …)`,
/// `_rebuild_parameter(data, requires_grad, hooks, …)`, and `torch/_tensor.py`, `_rebuild_from_type_v2(function, type,
/// arguments, state)`.
fn view<'a>(pickle: &Pickle<'a>, value: Value<'a>) -> Result<View<'a>, TensorProblem> {
    let no_tensor = || TensorProblem::NotATensor(pickle.describe(value));
    let called = |value| match pickle.node(value) {
        Some(Node::Call { function, arguments, .. }) => Some((*function, *arguments)),
        _ => None,
    };
    let arguments = |value| pickle.tuple(value).ok_or(TensorProblem::Malformed("the call that rebuilds it"));
    let (mut function, mut given) = called(value).ok_or_else(no_tensor)?;
    if function == Global::RebuildFromType {
        (function, given) = match arguments(given)? {
            &[Value::Global(function), _, given, ..] => (function, given),
            _ => return Err(no_tensor()),
        };
    }
    if function == Global::RebuildParameter {
        (function, given) = arguments(given)?.first().and_then(|&data| called(data)).ok_or_else(no_tensor)?;
    }
    if function != Global::RebuildTensor {
        return Err(no_tensor());
    }
    let &[storage_at, offset, shape, stride, ref rest @ ..] = arguments(given)? else {
        return Err(TensorProblem::Malformed("the call that rebuilds it"));
    };
    // After `requires_grad` and hooks: that its values stand for their negatives, or conjugates.
    if let Some(&flags) = rest.get(2)
        && items(pickle, flags).is_none_or(|flags| !flags.is_empty())
        && flags != Value::None
    {
        return Err(TensorProblem::Flagged);
    }
    let storage = match pickle.node(storage_at) {
        Some(Node::Persistent(identity)) => storage(pickle, *identity)?,
        _ => return Err(TensorProblem::Malformed("its storage")),
    };
    let offset = index(offset).ok_or(TensorProblem::Malformed("its offset"))?;
    let shape = indices(pickle, shape).ok_or(TensorProblem::Malformed("its shape"))?;
    let stride = indices(pickle, stride).ok_or(TensorProblem::Malformed("its stride"))?;
    View::new(storage, offset, shape, stride)
}

/// A storage by its persistent identity, `('storage', type, key, location, values)`; legacy files add a view of
/// another storage, `None` since PyTorch 0.4.
pub(super) fn storage<'a>(pickle: &Pickle<'a>, identity: Value<'a>) -> Result<Storage<'a>, TensorProblem> {
    match pickle.tuple(identity) {
        Some(
            &[Value::Text("storage"), Value::Global(class), Value::Text(key), _, Value::Int(values), ref rest @ ..],
        ) if matches!(rest, [] | [Value::None]) => {
            let dtype = match class {
                Global::Storage(dtype) => dtype,
                Global::Opaque(name) => return Err(TensorProblem::Dtype(shorten(name))),
                _ => return Err(TensorProblem::Malformed("its storage")),
            };
            let values = u64::try_from(values).map_err(|_| TensorProblem::Malformed("its storage's length"))?;
            Ok(Storage { key, dtype, values })
        }
        _ => Err(TensorProblem::Malformed("its storage")),
    }
}

fn index(value: Value<'_>) -> Option<usize> {
    match value {
        Value::Int(value) => usize::try_from(value).ok(),
        _ => None,
    }
}

fn indices<'a>(pickle: &Pickle<'a>, value: Value<'a>) -> Option<Vec<usize>> {
    let values = pickle.tuple(value).filter(|values| values.len() <= MAX_RANK)?;
    values.iter().map(|&value| index(value)).collect()
}

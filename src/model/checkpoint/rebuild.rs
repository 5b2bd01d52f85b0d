//! From the pickle's tree to tensors: finds the state dict, reads how each tensor views its storage, copies it out.

use super::error::{CheckpointErrorKind, TensorProblem, shorten};
use super::globals::Global;
use super::pickle::{Node, Pickle, Value};
use super::storage::{Budget, Storage, Storages, View};
use super::{Chosen, FIRST, StateDict};
use crate::tensor::Tensor;
use std::collections::{BTreeMap, HashSet};

/// Keys that training scripts put the state dict under, in the order of preference: averaged weights before the last.
const WRAPPERS: [&str; 17] = [
    "params_ema",
    "ema",
    "model_ema",
    "ema_state_dict",
    "state_dict_ema",
    "shadow",
    "model",
    "state_dict",
    "params",
    "model_state_dict",
    "model_state",
    "net",
    "net_g",
    "network",
    "generator",
    "weights",
    "module",
];

/// How many dicts may lie around the weights.
const MAX_WRAPPED: usize = 3;

/// More axes than any tensor has.
const MAX_RANK: usize = 16;

type Items<'a> = Vec<(Value<'a>, Value<'a>)>;

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
    let mut candidates = vec![];
    gather(pickle, &root, (MAX_WRAPPED, ""), &mut vec![], &mut candidates);
    let networks: Vec<usize> = (0..candidates.len()).filter(|&at| is_network(&candidates[at].1)).collect();
    let mut keys = networks.iter().map(|&at| candidates[at].0.clone());
    let chosen = keys.next().map(|under| Chosen { under, others: keys.collect() });
    let weights = match networks.first() {
        Some(&network) => candidates.swap_remove(network).1,
        None => anywhere(pickle, &root).unwrap_or_else(|| {
            // To be refused by the name of what is wrong in it.
            let first = candidates.into_iter().next().map(|(_, items)| items);
            first.or_else(|| WRAPPERS.into_iter().find_map(|key| items(pickle, under(&root, key)?))).unwrap_or(root)
        }),
    };
    Ok(StateDict { tensors: tensors(pickle, weights, length, storages)?, metadata: BTreeMap::new(), chosen })
}

/// The tensors of the first dict, from the outermost on, that is a network of this kind, whatever it lies under and
/// whatever lies beside its tensors.
fn anywhere<'a>(pickle: &Pickle<'a>, root: &Items<'a>) -> Option<Items<'a>> {
    let (mut level, mut seen) = (vec![root.clone()], HashSet::new());
    for _ in 0..=MAX_WRAPPED {
        let mut inner = vec![];
        for dict in level {
            // A number beside them has a plain name; where a layer's parameter should be it is an error.
            let belongs = |&&(key, value): &&(Value<'a>, Value<'a>)| {
                is_tensor(pickle, value) || matches!(key, Value::Text(name) if name.contains('.'))
            };
            let tensors: Items<'a> = dict.iter().filter(belongs).copied().collect();
            if is_network(&tensors) {
                return Some(tensors);
            }
            for (key, value) in dict {
                if let (Value::Text(_), Value::Node(number)) = (key, value)
                    && seen.insert(number)
                {
                    inner.extend(items(pickle, value));
                }
            }
        }
        level = inner;
    }
    None
}

/// What a dict has under a key: the last of equal keys is the one that Python keeps.
fn under<'a>(items: &Items<'a>, wrapper: &str) -> Option<Value<'a>> {
    items.iter().rfind(|(key, _)| *key == Value::Text(wrapper)).map(|&(_, value)| value)
}

/// The dicts of tensors alone under the wrappers in a dict, with their keys, in the wrappers' order; each dict that was `seen`
/// is looked at once.
fn gather<'a>(
    pickle: &Pickle<'a>,
    outer: &Items<'a>,
    (depth, keys): (usize, &str),
    seen: &mut Vec<Value<'a>>,
    candidates: &mut Vec<(String, Items<'a>)>,
) {
    for wrapper in WRAPPERS {
        let Some(value) = under(outer, wrapper) else { continue };
        if depth == 0 || seen.contains(&value) {
            continue;
        }
        seen.push(value);
        let Some(inner) = items(pickle, value) else { continue };
        let keys = if keys.is_empty() { wrapper.to_owned() } else { format!("{keys}.{wrapper}") };
        if !inner.is_empty() && inner.iter().all(|&(_, value)| is_tensor(pickle, value)) {
            candidates.push((keys, inner));
        } else {
            gather(pickle, &inner, (depth - 1, &keys), seen, candidates);
        }
    }
}

fn is_tensor(pickle: &Pickle<'_>, value: Value<'_>) -> bool {
    let rebuilds = [Global::RebuildTensor, Global::RebuildParameter, Global::RebuildFromType];
    matches!(pickle.node(value), Some(Node::Call { function, .. }) if rebuilds.contains(function))
}

/// Whether the names are of one network of this kind, all behind what stands before its first layer's.
fn is_network(items: &Items<'_>) -> bool {
    let names = || items.iter().filter_map(|(key, _)| if let Value::Text(name) = key { Some(*name) } else { None });
    let first = names().find_map(|name| name.split_once(FIRST));
    first.is_some_and(|(before, _)| names().all(|name| name.starts_with(before) || name.ends_with("n_averaged")))
}

/// The items of a dict or of one of its kin.
fn items<'a>(pickle: &Pickle<'a>, value: Value<'a>) -> Option<Items<'a>> {
    match pickle.node(value)? {
        Node::Dict(items) => Some(items.clone()),
        Node::Call { function: Global::Mapping, arguments, items } => {
            // Python 2 gives an OrderedDict its items as an argument: a list of lists of two.
            let argument = pickle.tuple(*arguments).and_then(|arguments| arguments.first().copied());
            let mut all = match argument.and_then(|argument| pickle.node(argument)) {
                Some(Node::List(pairs)) => pairs.iter().map(|&pair| two(pickle, pair)).collect::<Option<_>>()?,
                Some(Node::Dict(items)) => items.clone(),
                _ => Vec::new(),
            };
            all.extend(items);
            Some(all)
        }
        _ => None,
    }
}

fn two<'a>(pickle: &Pickle<'a>, pair: Value<'a>) -> Option<(Value<'a>, Value<'a>)> {
    match pickle.node(pair)? {
        Node::List(pair) | Node::Tuple(pair) => match pair[..] {
            [key, value] => Some((key, value)),
            _ => None,
        },
        _ => None,
    }
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

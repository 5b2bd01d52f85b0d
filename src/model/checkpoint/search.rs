//! Where in a pickle's tree the weights lie.

use super::error::{CheckpointErrorKind, shorten};
use super::globals::Global;
use super::pickle::{MAX_OPERATIONS, Node, Pickle, Value};
use super::{Chosen, FIRST};
use std::collections::{HashSet, VecDeque};

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

/// Parts of keys under which tensors have the names of weights and are something else.
const OTHERS: [&str; 4] = ["optim", "sched", "grad", "scaler"];

/// How many dicts may lie around the weights.
const MAX_WRAPPED: usize = 3;

pub(super) type Items<'a> = Vec<(Value<'a>, Value<'a>)>;

/// A dict on the way.
struct Found<'a> {
    /// The keys that lead to it; none to the root.
    keys: Vec<&'a str>,
    /// Its node; none is the root's.
    value: Option<Value<'a>>,
    /// Whether it is a network of this kind.
    network: bool,
    /// Whether it has tensors and nothing else.
    tensors_alone: bool,
}

/// The items of the network of this kind in a dict, under whatever key it is and whatever numbers and texts lie beside its
/// tensors, and how it was chosen: averaged weights first, then by the order of [`WRAPPERS`]. Without one, of what its place
/// suggests, to be refused by the name of what is wrong in it.
///
/// # Errors
/// When there are several networks and nothing tells which is meant.
pub(super) fn weights<'a>(
    pickle: &Pickle<'a>,
    root: Items<'a>,
) -> Result<(Items<'a>, Option<Chosen>), CheckpointErrorKind> {
    let found = search(pickle, &root);
    let mut networks: Vec<&Found> = found.iter().filter(|found| found.network).collect();
    networks.sort_by_key(|found| rank(&found.keys));
    let path = |found: &Found| shorten(&found.keys.join("."));
    match networks[..] {
        [] => {}
        [first, second, ..] if rank(&first.keys) == rank(&second.keys) => {
            return Err(CheckpointErrorKind::Several { keys: networks.iter().map(|found| path(found)).collect() });
        }
        [first, ref others @ ..] => {
            let chosen = Chosen { under: path(first), others: others.iter().map(|found| path(found)).collect() };
            let all = first.value.and_then(|value| items(pickle, value)).unwrap_or(root);
            let weights = all.into_iter().filter(|&item| belongs(pickle, item)).collect();
            return Ok((weights, Some(chosen)));
        }
    }
    let suggested = |found: &&Found| {
        found.tensors_alone && !found.keys.is_empty() && found.keys.iter().all(|key| WRAPPERS.contains(key))
    };
    let first = found.iter().filter(suggested).min_by_key(|found| rank(&found.keys));
    let first = first.and_then(|found| items(pickle, found.value?));
    let under = |key: &str| {
        // The last of equal keys is the one that Python keeps.
        let (_, value) = root.iter().rfind(|(name, _)| *name == Value::Text(key))?;
        items(pickle, *value)
    };
    let first = first.or_else(|| WRAPPERS.into_iter().find_map(under));
    Ok((first.unwrap_or(root), None))
}

/// The dicts in a dict, the outer ones first. It ends, early for a file that has few dicts over and over: each is looked at
/// once, and so many items in all.
fn search<'a>(pickle: &Pickle<'a>, root: &Items<'a>) -> Vec<Found<'a>> {
    let (mut found, mut seen, mut left) = (vec![], HashSet::new(), MAX_OPERATIONS);
    let mut queue = VecDeque::from([(vec![], None)]);
    while let Some((keys, value)) = queue.pop_front() {
        let dict = match value {
            None => root.clone(),
            Some(value) => items(pickle, value).unwrap_or_default(),
        };
        let Some(rest) = left.checked_sub(dict.len()) else { break };
        left = rest;
        for &(key, value) in dict.iter().filter(|_| keys.len() < MAX_WRAPPED) {
            if let (Value::Text(key), Value::Node(number)) = (key, value)
                && is_dict(pickle, value)
                && !OTHERS.iter().any(|other| key.contains(other))
                && seen.insert(number)
            {
                queue.push_back(([&keys[..], &[key]].concat(), Some(value)));
            }
        }
        let tensors_alone = !dict.is_empty() && dict.iter().all(|&(_, value)| is_tensor(pickle, value));
        let names = dict.into_iter().filter(|&item| belongs(pickle, item));
        let network = is_network(&names.collect());
        found.push(Found { keys, value, network, tensors_alone });
    }
    found
}

/// The order of preference: averaged weights, then what the root has itself, then the wrappers, then other keys; of equal ones
/// the outer.
fn rank(keys: &[&str]) -> (bool, usize, usize) {
    let averaged = keys.iter().any(|key| *key == "shadow" || key.split(['_', '.', '-']).any(|word| word == "ema"));
    let listed = keys.iter().filter_map(|key| WRAPPERS.iter().position(|wrapper| wrapper == key)).min();
    (!averaged, if keys.is_empty() { 0 } else { 1 + listed.unwrap_or(WRAPPERS.len()) }, keys.len())
}

/// Whether an item is a network's: what lies beside its tensors has a plain name; where a layer's parameter should be it is
/// an error.
fn belongs<'a>(pickle: &Pickle<'a>, (key, value): (Value<'a>, Value<'a>)) -> bool {
    is_tensor(pickle, value) || matches!(key, Value::Text(name) if name.contains('.'))
}

fn is_dict(pickle: &Pickle<'_>, value: Value<'_>) -> bool {
    matches!(pickle.node(value), Some(Node::Dict(_) | Node::Call { function: Global::Mapping, .. }))
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
pub(super) fn items<'a>(pickle: &Pickle<'a>, value: Value<'a>) -> Option<Items<'a>> {
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

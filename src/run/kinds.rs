//! What kinds of convolutions a graph has, and a sample of each: what kernels are chosen, timed and kept by.

use super::RunError;
use crate::compile::{
    Choice, PlanError, Reason, alone, assign_elements, block, block_candidates, candidates, choose, choose_block, key,
};
use crate::gpu::Preferences;
use crate::graph::{Graph, NodeId};
use crate::kernels::Target;
use crate::tensor::Element;
use std::collections::BTreeMap;

/// Convolutions, or residual blocks, of a graph between which the choice of kernels makes no difference.
#[derive(Clone, Debug)]
pub struct Kind {
    /// What they have in common, and is known of them by: size, stride, channels, about how many pixels.
    pub key: String,
    /// The first of them: a convolution, or both convolutions of a block.
    pub nodes: Vec<NodeId>,
    /// How many there are.
    pub count: usize,
    /// The kernels that can compute them.
    pub candidates: Vec<&'static str>,
    /// The kernel that is taken, and why.
    pub choice: Choice,
}

impl Kind {
    /// Whether several kernels compute it, and none is known to be the fastest.
    pub(super) fn is_open(&self, known: &Preferences) -> bool {
        self.candidates.len() > 1 && self.choice.reason != Reason::Shipped && !known.fastest.contains_key(&self.key)
    }
}

/// The kinds of convolutions and residual blocks of a graph whose passes are done, with the kernels that a target gives
/// them; blocks last.
pub fn kinds(graph: &Graph, precision: Element, target: &Target) -> Vec<Kind> {
    let mut graph = graph.clone();
    assign_elements(&mut graph, precision);
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut kinds: Vec<Kind> = vec![];
    let mut count = |key: String, nodes: &[NodeId], chosen: &dyn Fn() -> (Vec<&'static str>, Choice)| {
        if let Some(&place) = places.get(&key) {
            kinds[place].count += 1;
            return;
        }
        places.insert(key.clone(), kinds.len());
        let (candidates, choice) = chosen();
        kinds.push(Kind { key, nodes: nodes.to_vec(), count: 1, candidates, choice });
    };
    for node in (0..graph.nodes.len()).map(NodeId) {
        if let Some(key) = key(&graph, precision, node) {
            let chosen = || (candidates(&graph, precision, target, node), choose(&graph, precision, target, node));
            count(key, &[node], &chosen);
        }
        if let Some((nodes, key)) = block(&graph, precision, node) {
            count(key.clone(), &nodes, &|| (block_candidates(), choose_block(precision, target, &key)));
        }
    }
    // A block is compared with the best kernels for its convolutions, so those are timed before it.
    kinds.sort_by_key(|kind| kind.nodes.len());
    kinds
}

/// A line for each kind: how many there are, the kernel that is taken, and why.
pub fn explain(graph: &Graph, precision: Element, target: &Target) -> Vec<String> {
    let line =
        |Kind { key, count, choice, .. }: Kind| format!("{count:>3} x {key}: {} ({})", choice.kernel, choice.reason);
    kinds(graph, precision, target).into_iter().map(line).collect()
}

/// The convolution or block of a kind alone, on maps of about so many pixels at most.
///
/// # Errors
/// None for a graph that was built.
pub fn sample(graph: &Graph, precision: Element, kind: &Kind, most_pixels: usize) -> Result<Graph, RunError> {
    let mut graph = graph.clone();
    assign_elements(&mut graph, precision);
    Ok(alone(&graph, precision, &kind.nodes, most_pixels).map_err(PlanError::from)?)
}

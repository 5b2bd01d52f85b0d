//! Walks a graph in order, each map freed after its last use.

use super::*;
use crate::graph::{Graph, Node, Op};
use crate::tensor::{FeatureMap, Shape};
use thiserror::Error;

/// Inputs that don't fit the graph.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ReferenceError {
    /// Not one map per input.
    #[error("the graph takes {expected} inputs, but {found} are given")]
    InputCount {
        /// Inputs of the graph.
        expected: usize,
        /// Maps given.
        found: usize,
    },
    /// A map of another shape than the graph was built for.
    #[error("input `{name}` has shape {expected}, but a map of {found} with {values} values is given")]
    InputShape {
        /// The input's name.
        name: String,
        /// The shape the graph was built for.
        expected: Shape,
        /// The shape given.
        found: Shape,
        /// The number of values given.
        values: usize,
    },
}

/// The results of `graph`, in the order of its outputs, for `inputs` in the order of [`Graph::inputs`].
///
/// # Errors
/// When the inputs are not those that the graph was built for.
pub fn execute<T: Real>(graph: &Graph, inputs: &[FeatureMap<T>]) -> Result<Vec<FeatureMap<T>>, ReferenceError> {
    execute_with(graph, inputs, &mut |_, _, _| ())
}

/// [`execute()`], telling `observer` the step, of how many, and the node's name, before each step.
///
/// # Errors
/// When the inputs are not those that the graph was built for.
pub fn execute_with<T: Real>(
    graph: &Graph,
    inputs: &[FeatureMap<T>],
    observer: &mut dyn FnMut(usize, usize, &str),
) -> Result<Vec<FeatureMap<T>>, ReferenceError> {
    check(graph, inputs)?;
    let mut uses = graph.uses();
    let mut maps: Vec<Option<FeatureMap<T>>> = vec![None; graph.nodes.len()];
    for (id, input) in graph.inputs().zip(inputs) {
        maps[id.0] = Some(input.clone());
    }
    for (id, node) in graph.nodes.iter().enumerate() {
        observer(id, graph.nodes.len(), &node.name);
        if maps[id].is_some() || uses[id] == 0 {
            continue;
        }
        let operands: Vec<&FeatureMap<T>> = node.inputs.iter().map(|input| alive(&maps[input.0])).collect();
        let result = compute(graph, node, &operands);
        debug_assert_eq!(result.shape, node.shape, "{}", node.name);
        maps[id] = Some(result);
        for input in &node.inputs {
            uses[input.0] -= 1;
            if uses[input.0] == 0 {
                maps[input.0] = None;
            }
        }
    }
    Ok(graph.outputs.iter().map(|output| alive(&maps[output.node.0]).clone()).collect())
}

pub(crate) fn check<T>(graph: &Graph, inputs: &[FeatureMap<T>]) -> Result<(), ReferenceError> {
    let expected = graph.inputs().count();
    if expected != inputs.len() {
        return Err(ReferenceError::InputCount { expected, found: inputs.len() });
    }
    for (id, input) in graph.inputs().zip(inputs) {
        let node = graph.node(id);
        if input.shape != node.shape || input.data.len() != node.shape.values() {
            return Err(ReferenceError::InputShape {
                name: node.name.clone(),
                expected: node.shape,
                found: input.shape,
                values: input.data.len(),
            });
        }
    }
    Ok(())
}

/// A map that the use counts keep: nodes stand in topological order, so whatever is read was made and not yet freed.
pub(crate) fn alive<T>(map: &Option<FeatureMap<T>>) -> &FeatureMap<T> {
    map.as_ref().expect("a node reads only nodes before it, and they live until their last use")
}

pub(crate) fn compute<T: Real>(graph: &Graph, node: &Node, inputs: &[&FeatureMap<T>]) -> FeatureMap<T> {
    match &node.op {
        Op::Input { .. } => unreachable!("inputs are given"),
        Op::Conv2d(conv) => conv2d::conv2d(graph, conv, inputs),
        Op::ConvTranspose2d(conv) => conv_transpose2d::conv_transpose2d(graph, conv, inputs[0]),
        Op::Concat => concat::concat(inputs[0], inputs[1]),
        Op::BatchNorm { parameters, eps } => {
            batch_norm::batch_norm(inputs[0], parameters.map(|id| graph.tensor(id)), *eps)
        }
        Op::Gelu => gelu::gelu(inputs[0]),
        Op::Add { scale } => add::add(inputs[0], inputs[1], T::of(f64::from(*scale))),
        Op::AvgPool { size } => avg_pool::avg_pool(inputs[0], *size),
        Op::UpsampleSum { base, gelu, .. } => {
            let (base, sources) = inputs.split_at(usize::from(*base));
            upsample_sum::upsample_sum(base.first().copied(), sources, *gelu, node.shape)
        }
        Op::NearestHalf => nearest_half::nearest_half(inputs[0]),
        Op::InstanceNorm { weight, bias, eps } => {
            instance_norm::instance_norm(inputs[0], graph.tensor(*weight), graph.tensor(*bias), *eps)
        }
        Op::Moments => instance_norm::moments(inputs[0]),
        Op::Normalise { weight, bias, eps } => {
            instance_norm::normalise(inputs[0], inputs[1], graph.tensor(*weight), graph.tensor(*bias), *eps)
        }
        Op::GlobalMean => global_mean::global_mean(inputs[0]),
        Op::BoxMean { base, train } => box_mean::box_mean(inputs[0], *base, *train),
        Op::LowBand { cutoff } => low_band::low_band(inputs[0], *cutoff),
        Op::Fft2 => fft::fft2(inputs[0]),
        Op::TapActivation { groups, channels, activation } => {
            filter_taps::tap_activation(inputs[0], *groups, *channels, *activation)
        }
        Op::FilterTaps(taps) => filter_taps::filter_taps(graph, taps, inputs[0]),
        Op::DynamicFilter(filter) => dynamic_filter::dynamic_filter(graph, filter, inputs[0], inputs[1], inputs[2]),
        Op::ReflectPad { left, top, .. } => reflect_pad::reflect_pad(inputs[0], *left, *top, node.shape),
    }
}

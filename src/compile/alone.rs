//! A few nodes as a graph of their own, to be timed and checked.

use crate::graph::{Graph, GraphError, NodeId, Op, WeightId};
use crate::tensor::{Element, Shape};
use std::collections::HashMap;

/// A graph of nothing but `nodes` of `graph`, convolutions in topological order: what they read of others becomes the
/// graph's inputs, what the last makes its output. Elements are assigned already. Rows are left out until no map has more
/// pixels than so many, as far as all heights stay whole.
///
/// # Errors
/// None for convolutions of a graph that was built.
pub fn alone(graph: &Graph, precision: Element, nodes: &[NodeId], most_pixels: usize) -> Result<Graph, GraphError> {
    let rows = rows(graph, nodes, most_pixels);
    let mut new = Graph::new();
    let picture = |element| element == Element::F32 && precision == Element::F16;
    let mut moved: HashMap<NodeId, NodeId> = HashMap::new();
    for &id in nodes {
        let node = graph.node(id);
        let mut inputs = vec![];
        for &input in &node.inputs {
            let of = graph.node(input);
            let name = format!("input {}", moved.len());
            let shape = Shape { height: rows(of.shape.height), ..of.shape };
            inputs.push(*moved.entry(input).or_insert_with(|| new.input(name, shape, picture(of.element))));
        }
        let mut kept = |id: WeightId| {
            let weight = &graph.weights[id.0];
            new.weight(weight.name.clone(), weight.tensor.clone())
        };
        let op = match node.op.clone() {
            Op::Conv2d(mut conv) => {
                (conv.weight, conv.bias) = (kept(conv.weight), conv.bias.map(&mut kept));
                Op::Conv2d(conv)
            }
            Op::ConvTranspose2d(mut conv) => {
                (conv.weight, conv.bias) = (kept(conv.weight), conv.bias.map(&mut kept));
                Op::ConvTranspose2d(conv)
            }
            other => other,
        };
        moved.insert(id, new.push(node.name.clone(), op, &inputs)?);
    }
    if let Some((&made, last)) = nodes.last().and_then(|id| Some((moved.get(id)?, graph.node(*id)))) {
        new.output("output", made, picture(last.element));
    }
    Ok(new)
}

/// The height that a sample of these nodes has for a map's height.
fn rows(graph: &Graph, nodes: &[NodeId], most_pixels: usize) -> impl Fn(usize) -> usize + use<> {
    let shapes = || {
        nodes.iter().flat_map(|&id| graph.node(id).inputs.iter().copied().chain([id])).map(|id| graph.node(id).shape)
    };
    let least = shapes().map(|shape| shape.height).min().unwrap_or(1).max(1);
    let most = shapes().map(|shape| shape.pixels()).max().unwrap_or(0);
    let whole = shapes().all(|shape| shape.height % least == 0);
    let kept = if whole && most > most_pixels { (least * most_pixels / most).max(1) } else { least };
    move |height| height / least * kept + if kept == least { height % least } else { 0 }
}

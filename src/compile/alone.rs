//! One node as a graph of its own, to be timed and checked.

use crate::graph::{Graph, GraphError, NodeId, Op, WeightId};
use crate::tensor::Element;

/// A graph of nothing but a convolution of `graph`: its inputs become the graph's. Elements are assigned already.
///
/// # Errors
/// None for a convolution of a graph that was built.
pub fn alone(graph: &Graph, precision: Element, id: NodeId) -> Result<Graph, GraphError> {
    let node = graph.node(id);
    let mut new = Graph::new();
    let picture = |element| element == Element::F32 && precision == Element::F16;
    let inputs: Vec<NodeId> = node
        .inputs
        .iter()
        .enumerate()
        .map(|(index, &input)| {
            let input = graph.node(input);
            new.input(format!("input {index}"), input.shape, picture(input.element))
        })
        .collect();
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
    let made = new.push(node.name.clone(), op, &inputs)?;
    new.output("output", made, picture(node.element));
    Ok(new)
}

//! The walk that every pass shares: node by node in topological order, some replaced; what is no longer read goes.

use crate::graph::{Graph, GraphError, NodeId, Op};

/// What stands in a node's place. Inputs are nodes of the old graph.
pub(super) struct Replacement {
    pub name: String,
    pub op: Op,
    pub inputs: Vec<NodeId>,
}

/// A copy of `graph` in which `rule` replaces nodes. A rule sees the old graph and how often each node is read, and may
/// add weights to the new one.
pub(super) fn rewrite(
    graph: &Graph,
    rule: impl Fn(&Graph, &[usize], NodeId, &mut Graph) -> Option<Replacement>,
) -> Result<Graph, GraphError> {
    let uses = graph.uses();
    let mut new = Graph { weights: graph.weights.clone(), ..Graph::default() };
    let mut moved: Vec<NodeId> = Vec::with_capacity(graph.nodes.len());
    for (index, node) in graph.nodes.iter().enumerate() {
        let id = if let Op::Input { image } = node.op {
            new.input(node.name.clone(), node.shape, image)
        } else {
            let replacement = rule(graph, &uses, NodeId(index), &mut new);
            let (name, op, inputs) = match replacement {
                Some(Replacement { name, op, inputs }) => (name, op, inputs),
                None => (node.name.clone(), node.op.clone(), node.inputs.clone()),
            };
            let inputs: Vec<NodeId> = inputs.iter().map(|input| moved[input.0]).collect();
            new.push(name, op, &inputs)?
        };
        new.nodes[id.0].element = node.element;
        moved.push(id);
    }
    for output in &graph.outputs {
        new.output(output.name.clone(), moved[output.node.0], output.image);
    }
    Ok(without_dead_nodes(new))
}

/// The graph without what no output needs. Inputs stay, so that callers may count on them.
fn without_dead_nodes(graph: Graph) -> Graph {
    let mut needed = vec![false; graph.nodes.len()];
    graph.outputs.iter().for_each(|output| needed[output.node.0] = true);
    for (index, node) in graph.nodes.iter().enumerate().rev() {
        needed[index] |= matches!(node.op, Op::Input { .. });
        if needed[index] {
            node.inputs.iter().for_each(|input| needed[input.0] = true);
        }
    }
    let mut places = vec![NodeId(usize::MAX); graph.nodes.len()];
    let mut nodes = Vec::new();
    for (index, mut node) in graph.nodes.into_iter().enumerate() {
        if needed[index] {
            node.inputs.iter_mut().for_each(|input| *input = places[input.0]);
            places[index] = NodeId(nodes.len());
            nodes.push(node);
        }
    }
    let mut outputs = graph.outputs;
    outputs.iter_mut().for_each(|output| output.node = places[output.node.0]);
    Graph { nodes, weights: graph.weights, outputs }
}

//! Floor 2: the network as data: an op set, shape inference, a builder, and dumps as text and DOT.

mod dump;
pub mod extent;
mod infer;
mod op;

pub use infer::GraphError;
pub use op::{Activation, Conv2d, ConvTranspose2d, DynamicFilter, Epilogue, Op, TapWeights};

use crate::tensor::{Element, Shape, Tensor};
use std::sync::Arc;

/// A node's place in [`Graph::nodes`]; a node's inputs always stand before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// A weight's place in [`Graph::weights`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WeightId(pub usize);

/// One operation and what it makes.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it comes from in the network, for dumps and profiles.
    pub name: String,
    /// What is computed.
    pub op: Op,
    /// What it is computed from.
    pub inputs: Vec<NodeId>,
    /// The shape of the result, inferred.
    pub shape: Shape,
    /// How the device stores the result; set by the pass `assign_elements`.
    pub element: Element,
}

impl Node {
    /// Bytes of the result as the device stores it.
    pub fn bytes(&self) -> u64 {
        self.shape.stored_values() as u64 * self.element.bytes()
    }
}

/// A named tensor that the checkpoint (or a folding pass) provides.
#[derive(Clone, Debug)]
pub struct Weight {
    /// The checkpoint's name, or that of the pass's making.
    pub name: String,
    /// The values, in PyTorch's layout.
    pub tensor: Arc<Tensor>,
}

/// A named result of the graph.
#[derive(Clone, Debug)]
pub struct Output {
    /// The name it is asked for by: `full`, `half`, `quarter`.
    pub name: String,
    /// The node that makes it.
    pub node: NodeId,
    /// A picture, kept in f32 whatever the precision of the activations.
    pub image: bool,
}

/// A directed acyclic graph in topological order, for one picture (N = 1) of one size.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// In topological order.
    pub nodes: Vec<Node>,
    /// All that the nodes refer to.
    pub weights: Vec<Weight>,
    /// What is asked of it.
    pub outputs: Vec<Output>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a weight under a name.
    pub fn weight(&mut self, name: impl Into<String>, tensor: impl Into<Arc<Tensor>>) -> WeightId {
        self.weights.push(Weight { name: name.into(), tensor: tensor.into() });
        WeightId(self.weights.len() - 1)
    }

    /// Adds an input of `shape`: a picture (`image`, kept in f32) or a feature map.
    pub fn input(&mut self, name: impl Into<String>, shape: Shape, image: bool) -> NodeId {
        let node = Node { name: name.into(), op: Op::Input { image }, inputs: vec![], shape, element: Element::F32 };
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    /// Adds an operation.
    ///
    /// # Errors
    /// When the op doesn't fit the shapes of its inputs or weights.
    pub fn push(&mut self, name: impl Into<String>, op: Op, inputs: &[NodeId]) -> Result<NodeId, GraphError> {
        let name = name.into();
        let shape = infer::infer(self, &name, &op, inputs)?;
        self.nodes.push(Node { name, op, inputs: inputs.to_vec(), shape, element: Element::F32 });
        Ok(NodeId(self.nodes.len() - 1))
    }

    /// Asks for a node's result under a name.
    pub fn output(&mut self, name: impl Into<String>, node: NodeId, image: bool) {
        self.outputs.push(Output { name: name.into(), node, image });
    }

    /// The node of an id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The tensor of a weight.
    pub fn tensor(&self, id: WeightId) -> &Tensor {
        &self.weights[id.0].tensor
    }

    /// The ids of all nodes, in order.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// The graph's inputs, in order.
    pub fn inputs(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.ids().filter(|&id| matches!(self.node(id).op, Op::Input { .. }))
    }

    /// The nodes that read a node's result, in order.
    pub fn readers(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.ids().filter(move |&reader| self.node(reader).inputs.contains(&id))
    }

    /// How many nodes and outputs read each node's result.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.nodes.len()];
        let reads = self.nodes.iter().flat_map(|node| &node.inputs).chain(self.outputs.iter().map(|o| &o.node));
        reads.for_each(|id| uses[id.0] += 1);
        uses
    }

    /// Multiplications with additions of all convolutions, transposed ones included.
    pub fn multiply_adds(&self) -> u64 {
        self.nodes.iter().map(|node| self.multiply_adds_of(node)).sum()
    }

    /// Multiplications with additions of one node, if it is a convolution; else none.
    pub fn multiply_adds_of(&self, node: &Node) -> u64 {
        match &node.op {
            Op::Conv2d(conv) => (node.shape.pixels() * self.tensor(conv.weight).data().len()) as u64,
            Op::ConvTranspose2d(conv) => {
                (self.node(node.inputs[0]).shape.pixels() * self.tensor(conv.weight).data().len()) as u64
            }
            _ => 0,
        }
    }
}

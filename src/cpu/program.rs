//! A graph made ready for the CPU: its convolutions chosen and packed, then walked in order.

use super::Epilogue;
use super::direct::Direct;
use super::pool::Pool;
use super::transposed::Transposed;
use super::winograd::Winograd;
use crate::graph::{Graph, Node, Op};
use crate::reference::{self, ReferenceError};
use crate::tensor::FeatureMap;
use std::sync::Arc;

/// A graph with its weights packed; runs any number of pictures of the graph's size.
pub struct Program {
    graph: Graph,
    steps: Vec<Step>,
}

/// How a node is computed.
enum Step {
    Winograd(Arc<Winograd>),
    Direct(Arc<Direct>),
    Transposed(Arc<Transposed>),
    /// By the reference, into memory used again.
    Upsample,
    /// By the reference.
    Plain,
}

impl Program {
    /// Packs the weights of `graph`, but for those that another program has packed: the network for another size reads the
    /// same ones.
    pub fn new(graph: &Graph) -> Self {
        let steps = graph.nodes.iter().map(|node| step(graph, node)).collect();
        Self { graph: graph.clone(), steps }
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// How the node at `index` is computed: `winograd`, `direct`, `transposed`, `plain`.
    pub fn how(&self, index: usize) -> &'static str {
        match self.steps[index] {
            Step::Winograd(_) => "winograd",
            Step::Direct(_) => "direct",
            Step::Transposed(_) => "transposed",
            Step::Upsample | Step::Plain => "plain",
        }
    }

    /// The results, in the order of the graph's outputs, for `inputs` in the order of [`Graph::inputs`].
    ///
    /// # Errors
    /// When the inputs are not those that the graph was built for.
    pub fn run(&self, inputs: &[FeatureMap<f32>]) -> Result<Vec<FeatureMap<f32>>, ReferenceError> {
        self.run_with(inputs, &mut |_, _, _| ())
    }

    /// [`Program::run`], telling `observer` the step, of how many, and the node's name, before each step.
    ///
    /// # Errors
    /// As [`Program::run`].
    pub fn run_with(
        &self,
        inputs: &[FeatureMap<f32>],
        observer: &mut dyn FnMut(usize, usize, &str),
    ) -> Result<Vec<FeatureMap<f32>>, ReferenceError> {
        let graph = &self.graph;
        reference::check(graph, inputs)?;
        let mut pool = Pool::default();
        let mut uses = graph.uses();
        let mut maps: Vec<Option<FeatureMap<f32>>> = vec![None; graph.nodes.len()];
        for (id, input) in graph.inputs().zip(inputs) {
            maps[id.0] = Some(input.clone());
        }
        for (id, node) in graph.nodes.iter().enumerate() {
            observer(id, graph.nodes.len(), &node.name);
            if maps[id].is_some() || uses[id] == 0 {
                continue;
            }
            let operands: Vec<&FeatureMap<f32>> =
                node.inputs.iter().map(|input| reference::alive(&maps[input.0])).collect();
            let result = self.compute(id, &operands, &mut pool);
            debug_assert_eq!(result.shape, node.shape, "{}", node.name);
            maps[id] = Some(result);
            for input in &node.inputs {
                uses[input.0] -= 1;
                if uses[input.0] == 0 {
                    let dead = maps[input.0].take();
                    if !matches!(self.steps[input.0], Step::Plain) {
                        dead.into_iter().for_each(|map| pool.give(map));
                    }
                }
            }
        }
        Ok(graph.outputs.iter().map(|output| reference::alive(&maps[output.node.0]).clone()).collect())
    }

    fn compute(&self, id: usize, operands: &[&FeatureMap<f32>], pool: &mut Pool) -> FeatureMap<f32> {
        let node = &self.graph.nodes[id];
        match (&self.steps[id], &node.op) {
            (Step::Upsample, &Op::UpsampleSum { base, gelu, .. }) => {
                let (base, sources) = operands.split_at(usize::from(base));
                let mut result = pool.take(node.shape);
                reference::upsample_sum_into(base.first().copied(), sources, gelu, &mut result);
                return result;
            }
            (Step::Plain, _) => return reference::compute(&self.graph, node, operands),
            _ => {}
        }
        let (bias, gelu, sources) = match &node.op {
            Op::Conv2d(conv) => (conv.bias, conv.epilogue.gelu, conv.sources(operands.len())),
            Op::ConvTranspose2d(conv) => (conv.bias, conv.gelu, 1),
            _ => unreachable!("only convolutions are packed"),
        };
        let (sources, residual) = operands.split_at(sources);
        let epilogue = Epilogue {
            bias: bias.map(|bias| self.graph.tensor(bias).data()),
            gelu,
            residual: residual.first().map(|map| map.data.as_slice()),
        };
        let mut result = pool.take(node.shape);
        match &self.steps[id] {
            Step::Winograd(convolution) => convolution.run(sources, &epilogue, &mut result.data),
            Step::Direct(convolution) => convolution.run(sources, &epilogue, node.shape, &mut result.data),
            Step::Transposed(convolution) => convolution.run(sources[0], &epilogue, &mut result.data),
            Step::Upsample | Step::Plain => unreachable!("computed above"),
        }
        result
    }
}

fn step(graph: &Graph, node: &Node) -> Step {
    if node.shape.values() == 0 {
        return Step::Plain;
    }
    match &node.op {
        Op::Conv2d(conv) => {
            let weight = graph.tensor(conv.weight);
            let &[out, channels, ..] = weight.shape() else { unreachable!("inference checks the weight's rank") };
            let three = (conv.kernel, conv.stride, conv.padding) == (3, 1, 1);
            if three && Winograd::suits(channels, out, node.shape) {
                Step::Winograd(weight.form("cpu winograd", Winograd::pack))
            } else {
                let name = format!("cpu direct {} {}", conv.stride, conv.padding);
                Step::Direct(weight.form(&name, |weight| Direct::pack(weight, conv.stride, conv.padding)))
            }
        }
        Op::ConvTranspose2d(conv) => {
            Step::Transposed(graph.tensor(conv.weight).form("cpu transposed", Transposed::pack))
        }
        Op::UpsampleSum { .. } => Step::Upsample,
        _ => Step::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Conv2d, Epilogue};
    use crate::tensor::{Shape, Tensor};

    #[test]
    fn sizes_share_packed_weights() {
        let weight = Arc::new(Tensor::new([16, 16, 3, 3], vec![0.5; 16 * 16 * 9]).unwrap());
        let program = |side: usize| {
            let mut graph = Graph::new();
            let input = graph.input("x", Shape::new(side, 2 * side, 16), false);
            let weight = graph.weight("w", Arc::clone(&weight));
            let (kernel, stride, padding, epilogue) = (3, 1, 1, Epilogue::default());
            let op = Op::Conv2d(Conv2d { weight, bias: None, kernel, stride, padding, epilogue });
            let node = graph.push("conv", op, &[input]).unwrap();
            graph.output("y", node, false);
            Program::new(&graph)
        };
        let [small, large, tiny] = [8, 12, 4].map(program);
        match [&small, &large, &tiny].map(|program| &program.steps[1]) {
            [Step::Winograd(a), Step::Winograd(b), Step::Direct(_)] => assert!(Arc::ptr_eq(a, b)),
            _ => panic!("{:?}", [small, large, tiny].map(|program| program.how(1))),
        }
    }
}

//! What kernels are checked on: small graphs whose maps fill neither a kernel's tiles nor its lanes, and that reach what it
//! does in its several forms; and what goes into them.

use super::RunError;
use super::kinds::kinds;
use crate::compile::PlanError;
use crate::graph::{
    Activation, Conv2d, ConvTranspose2d, DynamicFilter, Epilogue, Graph, GraphError, NodeId, Op, TapWeights,
};
use crate::kernels::Target;
use crate::tensor::{Element, FeatureMap, Shape, Tensor};
use half::f16;

/// Of the graphs to check on, those that the kernel which a target prefers computes.
pub(super) fn check_graphs(precision: Element, target: &Target) -> Result<Vec<Graph>, RunError> {
    const MAPS: &[usize] = &[12, 8];
    let strided = [24, 40].map(|channels| single_convolution([3, 2], (MAPS, false), (channels, false)));
    let pointwise = [8, 24, 72].map(|channels| single_convolution([1, 1], (MAPS, false), (channels, false)));
    let pictures =
        [single_convolution([3, 1], (&[3], true), (40, false)), single_convolution([3, 1], (MAPS, false), (3, true))];
    // Several rounds of as many channels as a matrix has rows at most.
    let rounds = [72, 24].map(|channels| single_convolution([3, 1], (&[16, 32], false), (channels, false)));
    let rounds = rounds.into_iter().chain([convolution([17, 21], [32, 72]), convolution([17, 21], [32, 24]), wide(32)]);
    // In kernels that have several forms, each takes another.
    let transposed =
        [(7, 9, 24), (40, 40, 72), (56, 56, 72)].map(|(height, width, channels)| transposed(height, width, channels));
    let all = [convolution([11, 13], [20, 24]), residual_block(), wide(20)]
        .into_iter()
        .chain(transposed)
        .chain(strided)
        .chain(pointwise);
    let all: Vec<Graph> = all.chain(pictures).chain(rounds).collect::<Result<_, _>>().map_err(PlanError::from)?;
    let by_it =
        |graph: &Graph| kinds(graph, precision, target).iter().any(|kind| Some(kind.choice.kernel) == target.prefer);
    Ok(all.into_iter().filter(by_it).collect())
}

/// A 3×3 convolution with all that an epilogue can have.
fn convolution([height, width]: [usize; 2], [from, to]: [usize; 2]) -> Result<Graph, GraphError> {
    let mut graph = Graph::new();
    let weight = graph.weight("weight", values(&[to, from, 3, 3], 0.1));
    let bias = Some(graph.weight("bias", values(&[to], 1.0)));
    let x = graph.input("x", Shape::new(height, width, from), false);
    let residual = graph.input("residual", Shape::new(height, width, to), false);
    let epilogue = Epilogue { gelu: true, residual: true };
    let op = Op::Conv2d(Conv2d { weight, bias, kernel: 3, stride: 1, padding: 1, epilogue });
    let made = graph.push("convolution", op, &[x, residual])?;
    graph.output("output", made, false);
    Ok(graph)
}

fn residual_block() -> Result<Graph, GraphError> {
    let mut graph = Graph::new();
    let x = graph.input("x", Shape::new(11, 21, 20), false);
    let mut made = x;
    for (shape, gelu) in [([24, 20, 3, 3], true), ([20, 24, 3, 3], false)] {
        let weight = graph.weight("weight", values(&shape, 0.1));
        let bias = Some(graph.weight("bias", values(&shape[..1], 1.0)));
        let epilogue = Epilogue { gelu, residual: !gelu };
        let op = Op::Conv2d(Conv2d { weight, bias, kernel: 3, stride: 1, padding: 1, epilogue });
        // The second takes what the first made, and x again.
        made = graph.push("convolution", op, &[made, x][usize::from(gelu)..])?;
    }
    graph.output("output", made, false);
    Ok(graph)
}

fn transposed(height: usize, width: usize, channels: usize) -> Result<Graph, GraphError> {
    let mut graph = Graph::new();
    let weight = graph.weight("weight", values(&[20, channels, 4, 4], 0.2));
    let bias = Some(graph.weight("bias", values(&[channels], 1.0)));
    let x = graph.input("x", Shape::new(height, width, 20), false);
    let made = graph.push("transposed", Op::ConvTranspose2d(ConvTranspose2d { weight, bias, gelu: true }), &[x])?;
    graph.output("output", made, false);
    Ok(graph)
}

/// A convolution of many channels whose sums a dynamic filter takes.
fn wide(from: usize) -> Result<Graph, GraphError> {
    const CHANNELS: usize = 136;
    let mut graph = Graph::new();
    let weight = graph.weight("weight", values(&[CHANNELS, from, 3, 3], 0.1));
    let x = graph.input("x", Shape::new(19, 13, from), false);
    let op = Op::Conv2d(Conv2d { weight, bias: None, kernel: 3, stride: 1, padding: 1, epilogue: Epilogue::default() });
    let made = graph.push("convolution", op, &[x])?;
    let mean = graph.push("mean", Op::GlobalMean, &[made])?;
    let weight = graph.weight("weight", values(&[72, CHANNELS, 1, 1], 0.5));
    let bias = graph.weight("bias", values(&[72], 1.0));
    let taps = Op::FilterTaps(TapWeights { weight, bias, groups: 8, activation: Activation::Tanh });
    let taps = graph.push("taps", taps, &[mean])?;
    let [inside, lamb_l, lamb_h] =
        [&[CHANNELS, 1, 1][..], &[CHANNELS], &[CHANNELS]].map(|shape| graph.weight("gain", values(shape, 1.0)));
    let filter = Op::DynamicFilter(DynamicFilter { inside, lamb_l, lamb_h });
    let made = graph.push("filter", filter, &[made, taps, mean])?;
    graph.output("output", made, false);
    Ok(graph)
}

/// A convolution of a kernel's size and a stride: of maps with `inputs` channels each to one of `channels`. `from` and `to`:
/// whether the former, and the latter, are pictures.
fn single_convolution(
    [kernel, stride]: [usize; 2],
    (inputs, from): (&[usize], bool),
    (channels, to): (usize, bool),
) -> Result<Graph, GraphError> {
    let mut graph = Graph::new();
    let weight = graph.weight("weight", values(&[channels, inputs.iter().sum(), kernel, kernel], 0.1));
    let bias = Some(graph.weight("bias", values(&[channels], 1.0)));
    let mut input = |&channels: &usize| graph.input(format!("x {channels}"), Shape::new(12, 14, channels), from);
    let inputs: Vec<NodeId> = inputs.iter().map(&mut input).collect();
    let epilogue = Epilogue::default();
    let op = Op::Conv2d(Conv2d { weight, bias, kernel, stride, padding: kernel / 2, epilogue });
    let made = graph.push("convolution", op, &inputs)?;
    graph.output("output", made, to);
    Ok(graph)
}

/// Values up to `scale` that look random and are the same each time.
fn values(shape: &[usize], scale: f32) -> Tensor {
    let data = noise(shape.iter().product(), 1).map(|value| value * scale).collect();
    Tensor::new(shape, data).unwrap_or_else(|_| unreachable!("as many values as the shape holds"))
}

fn noise(count: usize, seed: u64) -> impl Iterator<Item = f32> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..count).map(move |_| rng.f32() * 2.0 - 1.0)
}

/// Inputs for a graph: they look random, are the same each time, and half precision holds them exactly.
pub fn check_inputs(graph: &Graph) -> Vec<FeatureMap<f32>> {
    let shapes = graph.inputs().map(|id| graph.node(id).shape);
    let halves = |shape: Shape| noise(shape.values(), 2).map(|value| f16::from_f32(value).to_f32()).collect();
    shapes.map(|shape| FeatureMap { shape, data: halves(shape) }).collect()
}

#[cfg(test)]
mod tests {
    use super::{check_graphs, kinds};
    use crate::compile::CHOICES;
    use crate::gpu::Matrices;
    use crate::kernels::Target;
    use crate::tensor::Element;

    /// The check of a kernel runs this kernel, not what is taken where it can't be.
    #[test]
    fn every_kernel_is_checked_by_itself() {
        let able = Target {
            subgroup: Some(8),
            matrix: Some(Matrices { side: 16, lanes: 32 }),
            workgroup_memory: 48 << 10,
            ..Target::default()
        };
        for kernel in CHOICES {
            let target = Target { prefer: Some(kernel), ..able };
            let graphs = check_graphs(Element::F16, &target).expect("builds");
            let several = !kernel.starts_with("conv_transpose2d") && *kernel != "residual_block";
            assert!(graphs.len() > usize::from(several), "{kernel}: {} graphs", graphs.len());
            for graph in graphs {
                let taken: Vec<_> =
                    kinds(&graph, Element::F16, &target).iter().map(|kind| kind.choice.kernel).collect();
                assert!(taken.contains(kernel), "{kernel}: {taken:?}");
            }
        }
    }
}

//! What kernels are checked on: small graphs whose maps fill neither a kernel's tiles nor its lanes, and that reach what it
//! does in its several forms; and what goes into them.

use super::RunError;
use super::kinds::kinds;
use crate::compile::{PlanError, assign_elements, choose, compile, key, shader};
use crate::graph::{
    Activation, Conv2d, ConvTranspose2d, DynamicFilter, Epilogue, Graph, GraphError, NodeId, Op, TapWeights,
};
use crate::kernels::{Step, Target};
use crate::tensor::{Element, FeatureMap, Shape, Tensor};
use half::f16;
use std::collections::BTreeSet;

/// Features of a variant by which it reads and writes: they make no other form of a kernel.
const COMMON: [&str; 8] =
    ["weight_f32", "weight_i16", "input_f32", "output_f32", "two_inputs", "bias", "gelu", "residual"];

/// The forms of a kernel, by the features that make them.
type Forms = BTreeSet<Vec<&'static str>>;

/// Of the graphs to check on, those that the kernel which a target prefers computes; together they take it in every form
/// that a network of a usual size does.
pub(super) fn check_graphs(precision: Element, target: &Target) -> Result<Vec<Graph>, RunError> {
    let by_it =
        |graph: &Graph| kinds(graph, precision, target).iter().any(|kind| Some(kind.choice.kernel) == target.prefer);
    let of = |graphs: Vec<Result<Graph, GraphError>>| {
        let graphs: Vec<Graph> = graphs.into_iter().collect::<Result<_, _>>().map_err(PlanError::from)?;
        Ok::<_, PlanError>(graphs.into_iter().filter(by_it))
    };
    let mut taken: Vec<Graph> = of(odd_ones())?.collect();
    let mut known = Forms::new();
    for graph in &taken {
        known.extend(forms(graph, precision, target)?);
    }
    for graph in of(networks())? {
        let more = forms(&graph, precision, target)?;
        if !more.is_subset(&known) {
            known.extend(more);
            taken.push(graph);
        }
    }
    Ok(taken)
}

/// The forms in which the kernel that a target prefers computes a graph. Several kernels may share a file.
fn forms(graph: &Graph, precision: Element, target: &Target) -> Result<Forms, PlanError> {
    let plan = compile(graph, precision, *target)?;
    let mut graph = graph.clone();
    assign_elements(&mut graph, precision);
    let file = target.prefer.and_then(shader);
    let is_by_another = |node: NodeId| {
        let kernel = choose(&graph, precision, target, node).kernel;
        Some(kernel) != target.prefer && shader(kernel) == file
    };
    let convolutions = graph.ids().filter(|&id| key(&graph, precision, id).is_some());
    let others: BTreeSet<&str> =
        convolutions.filter(|&id| is_by_another(id)).map(|id| graph.node(id).name.as_str()).collect();
    let by_it = |step: &&Step| Some(step.variant.shader) == file && !others.contains(step.name.as_str());
    let form = |step: &Step| step.variant.features().filter(|feature| !COMMON.contains(feature)).collect();
    Ok(plan.steps.iter().filter(by_it).map(form).collect())
}

/// Maps that no tile, round or lane divides.
fn odd_ones() -> Vec<Result<Graph, GraphError>> {
    const MAPS: &[usize] = &[12, 8];
    let mut all = vec![convolution([11, 13], [20, 24]), residual_block(), filtered([20, 136])];
    all.extend([(7, 9, 24), (40, 40, 72), (56, 56, 72)].map(|(height, width, to)| transposed(height, width, to)));
    all.extend([24, 40].map(|to| single_convolution([3, 2], (MAPS, false), (to, false))));
    all.extend([8, 24, 72].map(|to| single_convolution([1, 1], (MAPS, false), (to, false))));
    // Pictures.
    all.extend([
        single_convolution([3, 1], (&[3], true), (40, false)),
        single_convolution([3, 1], (MAPS, false), (3, true)),
    ]);
    // Several rounds of as many channels as a matrix has rows at most.
    all.extend([72, 24].map(|to| single_convolution([3, 1], (&[16, 32], false), (to, false))));
    all.extend([convolution([17, 21], [32, 72]), convolution([17, 21], [32, 24]), filtered([32, 136])]);
    all
}

/// Channels of the shipped and the published networks, of which a kernel may take more at once.
fn networks() -> Vec<Result<Graph, GraphError>> {
    let of = |to: usize| {
        let large = |kernel, stride| single_convolution([kernel, stride], (&[32], false), (to, false));
        [convolution([17, 21], [32, to]), filtered([32, to]), large(3, 2), large(1, 1), transposed(120, 120, to)]
    };
    [16, 32, 64, 128].into_iter().flat_map(of).collect()
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

/// A convolution whose sums a dynamic filter takes: of a map so large that the convolution leaves them.
fn filtered([from, to]: [usize; 2]) -> Result<Graph, GraphError> {
    let mut graph = Graph::new();
    let weight = graph.weight("weight", values(&[to, from, 3, 3], 0.1));
    let x = graph.input("x", Shape::new(29, 23, from), false);
    let op = Op::Conv2d(Conv2d { weight, bias: None, kernel: 3, stride: 1, padding: 1, epilogue: Epilogue::default() });
    let made = graph.push("convolution", op, &[x])?;
    let mean = graph.push("mean", Op::GlobalMean, &[made])?;
    let weight = graph.weight("weight", values(&[72, to, 1, 1], 0.5));
    let bias = graph.weight("bias", values(&[72], 1.0));
    let taps = Op::FilterTaps(TapWeights { weight, bias, groups: 8, activation: Activation::Tanh });
    let taps = graph.push("taps", taps, &[mean])?;
    let [inside, lamb_l, lamb_h] =
        [&[to, 1, 1][..], &[to], &[to]].map(|shape| graph.weight("gain", values(shape, 1.0)));
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
    use super::{Forms, check_graphs, forms, kinds};
    use crate::compile::{CHOICES, optimise};
    use crate::gpu::Matrices;
    use crate::graph::Graph;
    use crate::kernels::Target;
    use crate::model::{Activation, Config, MeanKind, random_model};
    use crate::tensor::Element;

    /// A device that runs every kernel.
    fn able() -> Target {
        Target {
            subgroup: Some(8),
            matrix: Some(Matrices { side: 16, lanes: 32 }),
            workgroup_memory: 48 << 10,
            ..Target::default()
        }
    }

    /// The forms of a kernel that networks take at a usual size are among those that it is checked in.
    #[test]
    fn every_form_of_a_kernel_is_checked() {
        for kernel in CHOICES {
            let target = Target { prefer: Some(kernel), ..able() };
            let graphs = check_graphs(Element::F16, &target).expect("builds");
            let of = |graph: &Graph| forms(graph, Element::F16, &target).expect("compiles");
            let checked: Forms = graphs.iter().flat_map(of).collect();
            for width in [16, 32] {
                let model = random_model(Config::new(width, 2, Activation::Tanh, MeanKind::Global));
                let graph = optimise(&model.graph(512, 768).expect("builds")).expect("fuses");
                let taken = of(&graph);
                let unchecked: Vec<_> = taken.difference(&checked).collect();
                assert!(unchecked.is_empty(), "{kernel}, width {width}: {unchecked:?} of {taken:?}");
            }
        }
    }

    /// The check of a kernel runs this kernel, not what is taken where it can't be.
    #[test]
    fn every_kernel_is_checked_by_itself() {
        for kernel in CHOICES {
            let target = Target { prefer: Some(kernel), ..able() };
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

//! Whether a kernel agrees with the CPU reference on this device, by small graphs that reach what it does in its several
//! forms.

use super::tune::{kinds, session_by_kernel};
use super::{RunError, target};
use crate::compile::{CHOICES, PlanError};
use crate::gpu::{Gpu, GpuError};
use crate::graph::{
    Activation, Conv2d, ConvTranspose2d, DynamicFilter, Epilogue, Graph, GraphError, NodeId, Op, TapWeights,
};
use crate::kernels::Target;
use crate::reference;
use crate::tensor::{Element, FeatureMap, Shape, Tensor};
use half::f16;
use std::sync::Arc;

/// What a comparison with the CPU reference says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Both compute the same.
    Agrees,
    /// What speaks against the kernel.
    Objection(String),
    /// There was no room for all that it was to be compared on, which tells nothing of another day.
    NotCompared,
}

/// Whether a kernel agrees with the CPU reference on a device, or the driver refuses it. On maps that fill neither its tiles
/// nor its lanes; `thorough` on every graph that it computes, else on the first. Tests do that on software drivers, which
/// compile slowly; a GPU may never have seen the kernel.
///
/// # Errors
/// When the device fails.
pub fn verdict(gpu: &Arc<Gpu>, kernel: &str, precision: Element, thorough: bool) -> Result<Verdict, RunError> {
    let objection = |text: String| Ok(Verdict::Objection(text));
    // What is no kernel of its own has nothing to be compared.
    let Some(kernel) = CHOICES.iter().copied().find(|choice| *choice == kernel) else { return Ok(Verdict::Agrees) };
    let graphs = graphs(precision, &Target { prefer: Some(kernel), ..target(gpu, false) })?;
    if graphs.is_empty() {
        return objection("computes nothing here".into());
    }
    let mut verdict = Verdict::Agrees;
    for graph in graphs.iter().take(if thorough { graphs.len() } else { 1 }) {
        let inputs = check_inputs(graph);
        let found = match session_by_kernel(gpu, graph, precision, kernel).and_then(|session| session.run(&inputs)) {
            Err(RunError::Gpu(GpuError::Shader(error))) if gpu.has_embedded_shaders() => {
                // Unless the device is at fault.
                gpu.check()?;
                return objection(format!("is refused ({error})"));
            }
            // A picture has no room either, and says so better.
            Err(error) if error.is_for_want_of_room() => {
                verdict = Verdict::NotCompared;
                continue;
            }
            found => found?,
        };
        let exact: Vec<FeatureMap<f64>> = inputs.iter().map(FeatureMap::cast).collect();
        let truth = reference::execute(graph, &exact).unwrap_or_else(|error| unreachable!("its own inputs: {error}"));
        let (mut square, mut norm) = (0.0, 0.0);
        for (&a, &b) in found[0].data.iter().zip(&truth[0].data) {
            square += (f64::from(a) - b).powi(2);
            norm += b.powi(2);
        }
        // NaN fails.
        let agrees = (square / norm).sqrt() <= precision.error_bound();
        if !agrees {
            return objection("disagrees with the CPU reference".into());
        }
    }
    Ok(verdict)
}

/// The graphs that the kernel which a target prefers computes.
fn graphs(precision: Element, target: &Target) -> Result<Vec<Graph>, RunError> {
    const MAPS: &[usize] = &[12, 8];
    let strided = [24, 40].map(|channels| alone([3, 2], (MAPS, false), (channels, false)));
    let pointwise = [8, 24, 72].map(|channels| alone([1, 1], (MAPS, false), (channels, false)));
    let pictures = [alone([3, 1], (&[3], true), (40, false)), alone([3, 1], (MAPS, false), (3, true))];
    // Several rounds of as many channels as a matrix has rows at most.
    let rounds = [72, 24].map(|channels| alone([3, 1], (&[16, 32], false), (channels, false)));
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

/// A convolution of a size and stride over inputs of so many channels, or over a picture, to so many or a picture of them.
fn alone(
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

/// What goes into a graph, the same each time, and the same in half precision.
pub fn check_inputs(graph: &Graph) -> Vec<FeatureMap<f32>> {
    let shapes = graph.inputs().map(|id| graph.node(id).shape);
    let halves = |shape: Shape| noise(shape.values(), 2).map(|value| f16::from_f32(value).to_f32()).collect();
    shapes.map(|shape| FeatureMap { shape, data: halves(shape) }).collect()
}

#[cfg(test)]
mod tests {
    use super::{graphs, kinds};
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
            let graphs = graphs(Element::F16, &target).expect("builds");
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

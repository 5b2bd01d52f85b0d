//! What measuring a device shows: whether its kernels agree with the plain ones, and which is fastest for what.

use super::{RunError, TensorSession, target};
use crate::compile::{
    CHOICES, Choice, Reason, alone, assign_elements, block, block_candidates, candidates, check_key, choose,
    choose_block, key,
};
use crate::gpu::{Gpu, Preferences};
use crate::graph::{Conv2d, ConvTranspose2d, Epilogue, Graph, NodeId, Op};
use crate::kernels::Target;
use crate::tensor::{Element, FeatureMap, Shape, Tensor};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The convolutions, or residual blocks, of a graph that are one to the choice of kernels.
#[derive(Clone, Debug)]
pub struct Kind {
    /// What they have in common.
    pub key: String,
    /// The first of them: a convolution, or both of a block.
    pub nodes: Vec<NodeId>,
    /// How many there are.
    pub count: usize,
    /// The kernels that compute them.
    pub candidates: Vec<&'static str>,
    /// The one that is taken.
    pub choice: Choice,
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

/// A kernel timed on a convolution.
#[derive(Clone, Debug)]
pub struct Timing {
    /// The kernel.
    pub kernel: &'static str,
    /// One pass, pipelines made.
    pub time: Duration,
    /// Its result.
    pub result: FeatureMap<f32>,
}

/// The convolution or block of a kind alone, and what goes in, the same each time.
///
/// # Errors
/// None for a graph that was built.
pub fn sample(graph: &Graph, precision: Element, kind: &Kind) -> Result<(Graph, Vec<FeatureMap<f32>>), RunError> {
    let mut graph = graph.clone();
    assign_elements(&mut graph, precision);
    let graph = alone(&graph, precision, &kind.nodes).map_err(crate::compile::PlanError::from)?;
    let inputs = inputs(&graph);
    Ok((graph, inputs))
}

/// Times a kernel: the least of several passes within a budget.
///
/// # Errors
/// When the device refuses or fails.
pub fn time(
    gpu: &Arc<Gpu>,
    (graph, inputs): &(Graph, Vec<FeatureMap<f32>>),
    precision: Element,
    kernel: &'static str,
    budget: Duration,
) -> Result<Timing, RunError> {
    let wanted = Target { prefer: Some(kernel), ..target(gpu, false) };
    let session = TensorSession::with_target(gpu, graph, precision, wanted)?;
    let result = session.run(inputs)?.swap_remove(0);
    let (started, mut least) = (Instant::now(), Duration::MAX);
    loop {
        let begun = Instant::now();
        session.session().dispatch()?;
        least = least.min(begun.elapsed());
        if started.elapsed() > budget {
            return Ok(Timing { kernel, time: least, result });
        }
    }
}

/// Reads what is known of a device and measures what is not: kernels that the plan would take are compared with the
/// plain ones, once; with a budget, kinds that were never timed are, as far as it reaches. Returns warnings.
///
/// # Errors
/// When the device fails.
pub fn prepare(
    gpu: &Arc<Gpu>,
    graph: &Graph,
    precision: Element,
    budget: Option<Duration>,
) -> Result<Vec<String>, RunError> {
    let mut warnings = vec![];
    let file = gpu.preferences_file();
    let before = match gpu.preferences() {
        Some(known) => known.clone(),
        None => match file.as_deref().map_or_else(|| Ok(Preferences::default()), Preferences::load) {
            Ok(known) => known,
            Err(reason) => {
                warnings.push(format!("{reason}: what was measured of this device is ignored and measured again"));
                Preferences::default()
            }
        },
    };
    let mut known = Preferences { adapter: gpu.name.clone(), ..before.clone() };
    gpu.prefer(known.clone());
    if let Some(budget) = budget {
        tune(gpu, graph, precision, budget, &mut known)?;
        gpu.prefer(known.clone());
    }
    // A demotion brings the next choice, which is to be checked in its turn.
    loop {
        let mut chosen: Vec<&str> =
            kinds(graph, precision, &target(gpu, false)).iter().map(|kind| kind.choice.kernel).collect();
        chosen.sort_unstable();
        chosen.dedup();
        // What is no kernel of its own has nothing to be compared.
        chosen.retain(|kernel| CHOICES.contains(kernel) && !known.agrees.contains_key(&check_key(kernel, precision)));
        if chosen.is_empty() {
            break;
        }
        for kernel in chosen {
            let agrees = agrees(gpu, kernel, precision)?;
            if !agrees {
                warnings.push(format!(
                    "{}: `{kernel}` in {precision} disagrees with the plain kernel, so it is not used",
                    gpu.name
                ));
            }
            known.agrees.insert(check_key(kernel, precision), agrees);
        }
        gpu.prefer(known.clone());
    }
    if known != before
        && let Some(file) = file
        && let Err(error) = known.save(&file)
    {
        warnings.push(format!("{}: {error}; this device will be measured again", file.display()));
    }
    Ok(warnings)
}

/// Times every kind that was never timed, until the budget is spent.
fn tune(
    gpu: &Arc<Gpu>,
    graph: &Graph,
    precision: Element,
    budget: Duration,
    known: &mut Preferences,
) -> Result<(), RunError> {
    let started = Instant::now();
    let kinds = kinds(graph, precision, &target(gpu, false));
    let open = |kind: &&Kind| {
        kind.candidates.len() > 1 && kind.choice.reason != Reason::Shipped && !known.fastest.contains_key(&kind.key)
    };
    let open: Vec<Kind> = kinds.iter().filter(open).cloned().collect();
    for (index, kind) in open.iter().enumerate() {
        let Some(left) = budget.checked_sub(started.elapsed()) else { break };
        let portion = left / ((open.len() - index) * kind.candidates.len()) as u32;
        if kind.nodes.len() > 1 {
            gpu.prefer(known.clone());
        }
        let sample = sample(graph, precision, kind)?;
        let mut fastest: Option<Timing> = None;
        for kernel in &kind.candidates {
            let timing = time(gpu, &sample, precision, kernel, portion)?;
            if fastest.as_ref().is_none_or(|fastest| timing.time < fastest.time) {
                fastest = Some(timing);
            }
        }
        if let Some(Timing { kernel, .. }) = fastest {
            known.fastest.insert(kind.key.clone(), kernel.into());
        }
    }
    Ok(())
}

/// Whether a kernel agrees with the plain one on a small map that fills neither its tiles nor its lanes.
fn agrees(gpu: &Arc<Gpu>, kernel: &str, precision: Element) -> Result<bool, RunError> {
    let kernel = CHOICES.iter().copied().find(|choice| *choice == kernel);
    let wanted = Target { prefer: kernel, ..target(gpu, false) };
    let Some(graph) = check_graph(precision, &wanted)? else { return Ok(false) };
    let inputs = inputs(&graph);
    let run = |target: Target| TensorSession::with_target(gpu, &graph, precision, target)?.run(&inputs);
    let (found, plain) = (run(wanted)?, run(target(gpu, true))?);
    let (mut square, mut norm) = (0.0, 0.0);
    for (&a, &b) in found[0].data.iter().zip(&plain[0].data) {
        square += (f64::from(a) - f64::from(b)).powi(2);
        norm += f64::from(b).powi(2);
    }
    // NaN fails.
    Ok((square / norm).sqrt() <= precision.error_bound())
}

/// A small graph that the kernel which a target prefers computes; none if it computes nothing there.
fn check_graph(precision: Element, target: &Target) -> Result<Option<Graph>, RunError> {
    for graph in [convolution(), transposed(), residual_block()] {
        let graph = graph.map_err(crate::compile::PlanError::from)?;
        let prefer = target.prefer;
        if kinds(&graph, precision, target).iter().any(|kind| Some(kind.choice.kernel) == prefer) {
            return Ok(Some(graph));
        }
    }
    Ok(None)
}

/// A 3×3 convolution with all that an epilogue can have.
fn convolution() -> Result<Graph, crate::graph::GraphError> {
    let mut graph = Graph::new();
    let weight = graph.weight("weight", values(&[24, 20, 3, 3], 0.1));
    let bias = Some(graph.weight("bias", values(&[24], 1.0)));
    let x = graph.input("x", Shape::new(11, 13, 20), false);
    let residual = graph.input("residual", Shape::new(11, 13, 24), false);
    let epilogue = Epilogue { gelu: true, residual: true };
    let op = Op::Conv2d(Conv2d { weight, bias, kernel: 3, stride: 1, padding: 1, epilogue });
    let made = graph.push("convolution", op, &[x, residual])?;
    graph.output("output", made, false);
    Ok(graph)
}

fn residual_block() -> Result<Graph, crate::graph::GraphError> {
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

fn transposed() -> Result<Graph, crate::graph::GraphError> {
    let mut graph = Graph::new();
    let weight = graph.weight("weight", values(&[20, 24, 4, 4], 0.2));
    let bias = Some(graph.weight("bias", values(&[24], 1.0)));
    let x = graph.input("x", Shape::new(7, 9, 20), false);
    let made = graph.push("transposed", Op::ConvTranspose2d(ConvTranspose2d { weight, bias, gelu: true }), &[x])?;
    graph.output("output", made, false);
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

fn inputs(graph: &Graph) -> Vec<FeatureMap<f32>> {
    let shapes = graph.inputs().map(|id| graph.node(id).shape);
    shapes.map(|shape| FeatureMap { shape, data: noise(shape.values(), 2).collect() }).collect()
}

#[cfg(test)]
mod tests {
    use super::{check_graph, kinds};
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
            let graph = check_graph(Element::F16, &target).expect("builds").expect("a graph that it computes");
            let taken: Vec<_> = kinds(&graph, Element::F16, &target).iter().map(|kind| kind.choice.kernel).collect();
            assert!(taken.contains(kernel), "{kernel}: {taken:?}");
        }
    }
}

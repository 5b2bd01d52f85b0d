//! Which kernel is the fastest for what on a device, and how that is measured.

use super::prepare::{first_run, unused};
use super::{RunError, TensorSession, target};
use crate::compile::{
    CHOICES, Choice, PlanError, Reason, alone, assign_elements, block, block_candidates, candidates, check_key, choose,
    choose_block, key,
};
use crate::gpu::{Gpu, GpuError, Preferences};
use crate::graph::{Graph, NodeId};
use crate::kernels::Target;
use crate::tensor::Element;
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

/// The convolution or block of a kind alone, on maps of about so many pixels at most.
///
/// # Errors
/// None for a graph that was built.
pub fn sample(graph: &Graph, precision: Element, kind: &Kind, most_pixels: usize) -> Result<Graph, RunError> {
    let mut graph = graph.clone();
    assign_elements(&mut graph, precision);
    Ok(alone(&graph, precision, &kind.nodes, most_pixels).map_err(PlanError::from)?)
}

/// A graph by one kernel, where it computes it.
///
/// # Errors
/// When the device refuses or fails.
pub fn session_by_kernel(
    gpu: &Arc<Gpu>,
    graph: &Graph,
    precision: Element,
    kernel: &'static str,
) -> Result<TensorSession, RunError> {
    TensorSession::with_target(gpu, graph, precision, Target { prefer: Some(kernel), ..target(gpu, false) })
}

/// Time of the passes that are submitted at once: submitting and waiting, some 50 µs of a host, is little beside it.
const AT_ONCE: Duration = Duration::from_millis(5);

/// The most passes that are submitted at once.
const MOST_AT_ONCE: u128 = 256;

/// How long a GPU that has idled is kept busy before it is timed: an H100's clock takes a tenth of a second and more to rise
/// from a fifth of its rate.
pub const WARMING: Duration = Duration::from_millis(250);

/// The least time of a pass, of several within a budget after so long a warm-up, on whatever its maps hold.
///
/// # Errors
/// When the device fails.
pub fn least_time(session: &TensorSession, warming: Duration, budget: Duration) -> Result<Duration, RunError> {
    let session = session.session();
    // A software driver compiles in the first pass, and knows no clock that rises.
    let warming = if session.gpu().software { Duration::ZERO } else { warming };
    session.dispatch()?;
    let (started, mut least, mut passes) = (Instant::now(), Duration::MAX, 1);
    loop {
        let begun = Instant::now();
        session.repeat(passes)?;
        least = least.min(begun.elapsed() / passes as u32);
        if started.elapsed() > warming + budget {
            return Ok(least);
        }
        passes = (AT_ONCE.as_nanos() / least.as_nanos().max(1)).clamp(1, MOST_AT_ONCE) as usize;
    }
}

/// Pixels of the largest map that a kernel is timed on, and its operations: enough to fill a large GPU, and not more than a
/// small one computes by its plainest kernel in a fraction of a second.
const PIXELS: usize = 1 << 19;
const FLOPS: u64 = 10_000_000_000;

/// What timing a kernel takes at most: then more passes tell no more.
const ENOUGH: Duration = Duration::from_millis(100);

/// A convolution of fewer operations tells nothing of a device's pace.
const TELLING_FLOPS: u64 = 100_000_000;

/// Whether several kernels compute a kind, and none is known to be the fastest.
pub(super) fn is_open(kind: &Kind, known: &Preferences) -> bool {
    kind.candidates.len() > 1 && kind.choice.reason != Reason::Shipped && !known.fastest.contains_key(&kind.key)
}

/// Times every kind that was never timed, until the budget is spent. A kernel for which there is no room is left out, and
/// one that the driver refuses isn't used any more. Notes the device's pace. `kept`: what is learnt is, and so that a first
/// run began. Returns warnings.
///
/// # Errors
/// When the device fails.
pub fn tune(
    gpu: &Arc<Gpu>,
    graph: &Graph,
    precision: Element,
    budget: Duration,
    kept: bool,
    known: &mut Preferences,
) -> Result<Vec<String>, RunError> {
    let (started, mut warnings) = (Instant::now(), vec![]);
    let kinds = kinds(graph, precision, &target(gpu, false));
    let open: Vec<Kind> = kinds.iter().filter(|kind| is_open(kind, known)).cloned().collect();
    // What is known for as long as this takes: of the samples' own kinds too, which are smaller.
    let mut trial = known.clone();
    let mut warming = WARMING.min(budget / 4);
    for (index, kind) in open.iter().enumerate() {
        // What was begun is ended: the next time would begin with it again, and get no further.
        let Some(left) = budget.checked_sub(started.elapsed()) else { break };
        if kind.nodes.len() > 1 {
            gpu.prefer(trial.clone());
        }
        let mut sample = sample(graph, precision, kind, PIXELS)?;
        let flops = 2 * sample.multiply_adds();
        if flops > FLOPS {
            sample = self::sample(graph, precision, kind, (PIXELS as u64 * FLOPS / flops) as usize)?;
        }
        let portion = ENOUGH.min(left / ((open.len() - index) * kind.candidates.len()) as u32);
        let mut fastest: Option<(Duration, &str)> = None;
        for &kernel in &kind.candidates {
            if known.demoted(&check_key(kernel, precision)) {
                continue;
            }
            let run = || least_time(&session_by_kernel(gpu, &sample, precision, kernel)?, warming, portion);
            let timed = first_run(gpu, known, kernel, precision, kept, run);
            if timed.is_ok() {
                // The rests from here on are short ones, and of all that is open some is to be timed.
                warming = Duration::ZERO;
            }
            match timed {
                Ok(time) if fastest.is_none_or(|(least, _)| time < least) => fastest = Some((time, kernel)),
                Ok(_) => {}
                Err(RunError::Gpu(GpuError::Shader(error)))
                    if gpu.has_embedded_shaders() && CHOICES.contains(&kernel) =>
                {
                    // Unless the device is at fault.
                    gpu.check()?;
                    known.agrees.insert(check_key(kernel, precision), false);
                    warnings.push(unused(gpu, kernel, precision, &format!("is refused ({error})")));
                }
                Err(error) if error.is_of_one_kernel() && !CHOICES.contains(&kernel) => {}
                Err(error) if error.is_for_want_of_room() => {}
                Err(error) => return Err(error),
            }
        }
        if let Some((time, kernel)) = fastest {
            let flops = 2 * sample.multiply_adds();
            if flops >= TELLING_FLOPS && !time.is_zero() {
                let pace = flops as f64 / time.as_secs_f64();
                known.flops_per_second = Some(known.flops_per_second.map_or(pace, |known| known.max(pace)));
            }
            known.fastest.insert(kind.key.clone(), kernel.into());
            let own = self::kinds(&sample, precision, &target(gpu, false)).swap_remove(0).key;
            trial.fastest.extend([kind.key.clone(), own].map(|key| (key, kernel.into())));
        }
    }
    Ok(warnings)
}

//! Which kernel is the fastest for what on a device, and how that is measured.

use super::kinds::{Kind, kinds, sample};
use super::learning::Learning;
use super::{RunError, TensorSession, target};
use crate::compile::CHOICES;
use crate::gpu::GpuError;
use crate::graph::Graph;
use std::time::{Duration, Instant};

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

/// Times every kind that was never timed, until the budget is spent. A kernel for which there is no room is left out, and
/// one that the driver refuses isn't used any more. Notes the device's pace. Returns warnings.
///
/// # Errors
/// When the device fails.
pub fn tune(learning: &mut Learning, graph: &Graph, budget: Duration) -> Result<Vec<String>, RunError> {
    let Learning { gpu, precision, .. } = *learning;
    let (started, mut warnings) = (Instant::now(), vec![]);
    let kinds = kinds(graph, precision, &target(gpu, false));
    let open: Vec<Kind> = kinds.iter().filter(|kind| kind.is_open(learning.known)).cloned().collect();
    // What is known for as long as this takes: of the samples' own kinds too, which are smaller.
    let mut trial = learning.known.clone();
    let mut warming = WARMING.min(budget / 4);
    for (index, kind) in open.iter().enumerate() {
        // What was begun is ended: the next time would begin with it again, and get no further.
        let Some(left) = budget.checked_sub(started.elapsed()) else { break };
        if kind.nodes.len() > 1 {
            gpu.prefer(trial.clone());
        }
        let mut sampled = sample(graph, precision, kind, PIXELS)?;
        let flops = 2 * sampled.multiply_adds();
        if flops > FLOPS {
            sampled = sample(graph, precision, kind, (PIXELS as u64 * FLOPS / flops) as usize)?;
        }
        let portion = ENOUGH.min(left / ((open.len() - index) * kind.candidates.len()) as u32);
        let mut fastest: Option<(Duration, &str)> = None;
        for &kernel in &kind.candidates {
            if learning.is_out_of_use(kernel) {
                continue;
            }
            let run = || least_time(&TensorSession::by_kernel(gpu, &sampled, precision, kernel)?, warming, portion);
            let timed = learning.first_run(kernel, run);
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
                    warnings.push(learning.put_out_of_use(kernel, &format!("is refused ({error})")));
                }
                Err(error) if error.is_of_one_kernel() && !CHOICES.contains(&kernel) => {}
                Err(error) if error.is_for_want_of_room() => {}
                Err(error) => return Err(error),
            }
        }
        if let Some((time, kernel)) = fastest {
            let flops = 2 * sampled.multiply_adds();
            if flops >= TELLING_FLOPS && !time.is_zero() {
                let pace = flops as f64 / time.as_secs_f64();
                let known = &mut learning.known.flops_per_second;
                *known = Some(known.map_or(pace, |known| known.max(pace)));
            }
            learning.known.fastest.insert(kind.key.clone(), kernel.into());
            let own = self::kinds(&sampled, precision, &target(gpu, false)).swap_remove(0).key;
            trial.fastest.extend([kind.key.clone(), own].map(|key| (key, kernel.into())));
        }
    }
    Ok(warnings)
}

//! Which kernel is the fastest for what on a device, and how that is measured.

use super::kinds::{Kind, kinds, sample};
use super::{Learning, RunError, TensorSession, target};
use crate::compile::CHOICES;
use crate::gpu::GpuError;
use crate::graph::Graph;
use crate::tensor::Element;
use std::time::{Duration, Instant};

/// Time of the passes that are submitted at once: submitting and waiting, some 50 µs of a host, is little beside it.
const AT_ONCE: Duration = Duration::from_millis(5);

/// The most passes that are submitted at once.
const MOST_AT_ONCE: u128 = 256;

/// How long a GPU that has idled is kept busy before it is timed: an H100's clock takes a tenth of a second and more to rise
/// from a fifth of its rate.
pub const WARMING: Duration = Duration::from_millis(250);

/// The least time of a session's passes, of which there are as many as a budget allows, after the device was kept busy for
/// `warming`. What the maps hold is left as it is.
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

/// What was measured of each kernel, or why it was left out.
type Measured<T> = Vec<(&'static str, Result<T, RunError>)>;

impl Learning<'_> {
    /// What `measure` finds of each kernel. One is left out where there is no room for it, or the driver refuses it, which
    /// also puts it out of use.
    ///
    /// # Errors
    /// When the device fails, or refuses a shader that isn't the binary's: its writer is to know.
    pub fn measure_each<T>(
        &mut self,
        kernels: &[&'static str],
        mut measure: impl FnMut(&'static str) -> Result<T, RunError>,
    ) -> Result<Measured<T>, RunError> {
        let mut measured = vec![];
        for &kernel in kernels {
            let found = match self.first_run(kernel, || measure(kernel)) {
                Err(error @ RunError::Gpu(GpuError::Shader(_))) => {
                    // Unless the device is at fault.
                    self.gpu.check()?;
                    // What is no kernel of its own has none to put out of use: those it is made of are tried by themselves.
                    if CHOICES.contains(&kernel) {
                        if !self.gpu.has_embedded_shaders() {
                            return Err(error);
                        }
                        self.note(kernel, false);
                    }
                    Err(error)
                }
                Err(error) if error.is_for_want_of_room() => Err(error),
                found => Ok(found?),
            };
            measured.push((kernel, found));
        }
        Ok(measured)
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

/// Times every kind that was never timed, until the budget is spent, and notes the fastest kernel of each and the device's
/// pace. A kernel that is out of use is passed over, as is one for which there is no room. Returns warnings.
///
/// # Errors
/// As [`Learning::measure_each`].
pub fn tune(learning: &mut Learning, graph: &Graph, budget: Duration) -> Result<Vec<String>, RunError> {
    let Learning { gpu, precision, .. } = *learning;
    let (started, mut warnings) = (Instant::now(), vec![]);
    let mut open = kinds(graph, precision, &target(gpu, false));
    open.retain(|kind| kind.is_open(learning.known));
    // What is known for as long as this takes: of the samples' own kinds too, which are smaller.
    let mut trial = learning.known.clone();
    let mut warming = WARMING.min(budget / 4);
    for (index, kind) in open.iter().enumerate() {
        // What was begun is ended: the next time would begin with it again, and get no further.
        let Some(left) = budget.checked_sub(started.elapsed()) else { break };
        if kind.nodes.len() > 1 {
            gpu.prefer(trial.clone());
        }
        let sample = sample_to_time(graph, precision, kind)?;
        let portion = ENOUGH.min(left / ((open.len() - index) * kind.candidates.len()) as u32);
        let in_use: Vec<&str> =
            kind.candidates.iter().copied().filter(|kernel| !learning.is_out_of_use(kernel)).collect();
        let found = learning.measure_each(&in_use, |kernel| {
            let time = least_time(&TensorSession::by_kernel(gpu, &sample, precision, kernel)?, warming, portion)?;
            // The rests from here on are short ones, and of all that is open some is to be timed.
            warming = Duration::ZERO;
            Ok(time)
        })?;
        let mut timed = vec![];
        for (kernel, time) in found {
            match time {
                Ok(time) => timed.push((time, kernel)),
                Err(error) if learning.is_out_of_use(kernel) => {
                    warnings.push(learning.unused(kernel, &format!("is refused ({error})")));
                }
                Err(_) => {}
            }
        }
        let Some((time, kernel)) = timed.into_iter().min_by_key(|(time, _)| *time) else { continue };
        let flops = 2 * sample.multiply_adds();
        if flops >= TELLING_FLOPS && !time.is_zero() {
            let pace = flops as f64 / time.as_secs_f64();
            let known = &mut learning.known.flops_per_second;
            *known = Some(known.map_or(pace, |known| known.max(pace)));
        }
        learning.known.fastest.insert(kind.key.clone(), kernel.into());
        let own = kinds(&sample, precision, &target(gpu, false)).swap_remove(0).key;
        trial.fastest.extend([kind.key.clone(), own].map(|key| (key, kernel.into())));
    }
    Ok(warnings)
}

/// The convolution or block of a kind, not larger than is worth timing.
fn sample_to_time(graph: &Graph, precision: Element, kind: &Kind) -> Result<Graph, RunError> {
    let large = sample(graph, precision, kind, PIXELS)?;
    match 2 * large.multiply_adds() {
        flops if flops > FLOPS => sample(graph, precision, kind, (PIXELS as u64 * FLOPS / flops) as usize),
        _ => Ok(large),
    }
}

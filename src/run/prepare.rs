//! Before a graph runs on a device: what is known of its kernels is read, what isn't is measured, once, and kept. Kernels are
//! timed, and compared with the CPU reference; one that is wrong, that the driver refuses, or that ended the program is out
//! of use from then on.

use super::kinds::kinds;
use super::self_check::{Verdict, verdict};
use super::tune::tune;
use super::{Learning, RunError, first_run, target};
use crate::compile::{CHOICES, check_key, is_plain};
use crate::gpu::{Gpu, GpuError, LearningLock, Preferences};
use crate::graph::Graph;
use crate::tensor::Element;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Reads what is known of a device and measures what is not: kernels that the plan would take are compared with the CPU
/// reference, once; kinds of convolutions that were never timed are timed, as far as a budget reaches. Returns warnings.
///
/// # Errors
/// When the device fails, or can't be relied on even by its plainest kernels.
pub fn prepare(
    gpu: &Arc<Gpu>,
    graph: &Graph,
    precision: Element,
    budget: Option<Duration>,
) -> Result<Vec<String>, RunError> {
    let mut warnings = vec![];
    let file = gpu.preferences_file();
    let mut read = || match file.as_deref().map_or_else(|| Ok(Preferences::default()), Preferences::load) {
        Ok(known) => known,
        Err(reason) => {
            warnings.push(format!("{reason}: what was measured of this device is ignored and measured again"));
            Preferences::default()
        }
    };
    let named = |known: Preferences| Preferences { adapter: gpu.name.clone(), ..known };
    gpu.prefer(named(gpu.preferences().map_or_else(&mut read, Clone::clone)));
    if !is_news(gpu, graph, precision, budget) {
        return Ok(warnings);
    }
    // Several programs on a new machine would measure side by side, and take each other's first runs for broken ones.
    let lock = LearningLock::take(file.as_deref());
    let before = if lock.is_held() { read() } else { Preferences::default() };
    // A broken file was told of once.
    warnings.dedup();
    let mut known = named(before.clone()).with(gpu.preferences().unwrap_or(&before));
    let mut learning = Learning { gpu, precision, kept: lock.is_held(), known: &mut known };
    if learning.kept {
        warnings.extend(learning.judge_first_runs());
    }
    learning.apply();
    let learnt = learn(&mut learning, graph, budget);
    learning.apply();
    // Also what a failure has taught.
    if let Some(file) = file.filter(|_| lock.is_held() && known != before)
        && let Err(error) = known.save(&file)
    {
        warnings.push(format!("{}: {error}; this device will be measured again", file.display()));
    }
    first_run::is_kept();
    warnings.extend(learnt?);
    Ok(warnings)
}

/// Whether a graph has a kernel to be compared, or within a budget one to be timed.
fn is_news(gpu: &Gpu, graph: &Graph, precision: Element, budget: Option<Duration>) -> bool {
    let known = gpu.preferences().cloned().unwrap_or_default();
    let unchecked = |kernel| CHOICES.contains(&kernel) && !known.agrees.contains_key(&check_key(kernel, precision));
    let kinds = kinds(graph, precision, &target(gpu, false));
    kinds.iter().any(|kind| unchecked(kind.choice.kernel) || budget.is_some() && kind.is_open(&known))
}

/// Times kernels where there is a budget, then compares those that the plan takes.
fn learn(learning: &mut Learning, graph: &Graph, budget: Option<Duration>) -> Result<Vec<String>, RunError> {
    let mut warnings = vec![];
    if let Some(budget) = budget {
        warnings.extend(tune(learning, graph, budget)?);
        learning.apply();
    }
    let Learning { gpu, precision, .. } = *learning;
    // A demotion brings the next choice, which is to be checked in its turn.
    let mut not_compared = BTreeSet::new();
    loop {
        let mut chosen: Vec<&str> =
            kinds(graph, precision, &target(gpu, false)).iter().map(|kind| kind.choice.kernel).collect();
        chosen.sort_unstable();
        chosen.dedup();
        // What is no kernel of its own has nothing to be compared.
        chosen.retain(|kernel| CHOICES.contains(kernel) && !not_compared.contains(kernel));
        chosen.retain(|kernel| !learning.known.agrees.contains_key(&learning.key(kernel)));
        if chosen.is_empty() {
            return Ok(warnings);
        }
        for kernel in chosen {
            match learning.first_run(kernel, || verdict(gpu, kernel, precision, !gpu.software))? {
                Verdict::Agrees => learning.note(kernel, true),
                Verdict::NotCompared => {
                    not_compared.insert(kernel);
                }
                Verdict::Objection(objection) if is_plain(kernel) && gpu.has_embedded_shaders() => {
                    let reason = format!("its `{kernel}`, which takes the place of all others, {objection}");
                    return Err(GpuError::Unsound { adapter: gpu.name.clone(), reason }.into());
                }
                Verdict::Objection(objection) => {
                    learning.note(kernel, false);
                    warnings.push(learning.unused(kernel, &objection));
                }
            }
        }
        learning.apply();
    }
}

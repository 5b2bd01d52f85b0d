//! Before a graph runs on a device: what is known of its kernels is read, what isn't is measured, once, and kept. Kernels are
//! timed, and compared with the CPU reference; one that is wrong, that the driver refuses, or that ended the program is out
//! of use from then on.

use super::self_check::{Verdict, verdict};
use super::tune::{kinds, tune};
use super::{RunError, target};
use crate::compile::{CHOICES, check_key, is_plain};
use crate::gpu::{Gpu, GpuError, Preferences, Turn};
use crate::graph::Graph;
use crate::tensor::Element;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// So many ends of the program, or of the machine, in a kernel's first run are no accident.
const ACCIDENTS: u32 = 2;

/// Reads what is known of a device and measures what is not: kernels that the plan would take are compared with the CPU
/// reference, once; with a budget, kinds that were never timed are, as far as it reaches. Returns warnings.
///
/// # Errors
/// When the device fails, or computes wrong results by its plainest kernels too.
pub fn prepare(
    gpu: &Arc<Gpu>,
    graph: &Graph,
    precision: Element,
    budget: Option<Duration>,
) -> Result<Vec<String>, RunError> {
    let mut warnings = vec![];
    // Several programs on a new machine would measure side by side, and take each other's first runs for broken ones.
    let turn = Turn::take(gpu.preferences_file().as_deref());
    let before = match gpu.preferences() {
        Some(known) => known.clone(),
        None => gpu
            .preferences_file()
            .map_or_else(|| Ok(Preferences::default()), |file| Preferences::load(&file))
            .unwrap_or_else(|reason| {
                warnings.push(format!("{reason}: what was measured of this device is ignored and measured again"));
                Preferences::default()
            }),
    };
    let mut known = Preferences { adapter: gpu.name.clone(), ..before.clone() };
    let fatal: Vec<String> =
        known.begun.iter().filter(|(_, ends)| **ends >= ACCIDENTS).map(|(key, _)| key.clone()).collect();
    for key in fatal {
        known.begun.remove(&key);
        warnings.push(format!("{}: `{key}` ended the program {ACCIDENTS} times, so it is not used", gpu.name));
        known.agrees.insert(key, false);
    }
    gpu.prefer(known.clone());
    let learnt = learn(gpu, graph, precision, budget, &mut known);
    gpu.prefer(known.clone());
    // Also what a failure has taught.
    if known != before
        && let Err(reason) = keep(gpu, &known)
    {
        warnings.push(format!("{reason}; this device will be measured again"));
    }
    drop(turn);
    warnings.extend(learnt?);
    Ok(warnings)
}

fn learn(
    gpu: &Arc<Gpu>,
    graph: &Graph,
    precision: Element,
    budget: Option<Duration>,
    known: &mut Preferences,
) -> Result<Vec<String>, RunError> {
    let mut warnings = vec![];
    if let Some(budget) = budget {
        warnings.extend(tune(gpu, graph, precision, budget, known)?);
        gpu.prefer(known.clone());
    }
    // A demotion brings the next choice, which is to be checked in its turn.
    let mut not_compared = BTreeSet::new();
    loop {
        let mut chosen: Vec<&str> =
            kinds(graph, precision, &target(gpu, false)).iter().map(|kind| kind.choice.kernel).collect();
        chosen.sort_unstable();
        chosen.dedup();
        // What is no kernel of its own has nothing to be compared.
        chosen.retain(|kernel| CHOICES.contains(kernel) && !not_compared.contains(kernel));
        chosen.retain(|kernel| !known.agrees.contains_key(&check_key(kernel, precision)));
        if chosen.is_empty() {
            return Ok(warnings);
        }
        for kernel in chosen {
            let key = check_key(kernel, precision);
            match first_run(gpu, known, &key, || verdict(gpu, kernel, precision, !gpu.software))? {
                Verdict::Agrees => known.agrees.insert(key, true),
                Verdict::NotCompared => {
                    not_compared.insert(kernel);
                    continue;
                }
                Verdict::Objection(objection) if is_plain(kernel) && gpu.has_embedded_shaders() => {
                    let reason = format!("its `{kernel}`, which takes the place of all others, {objection}");
                    return Err(GpuError::Unsound { adapter: gpu.name.clone(), reason }.into());
                }
                Verdict::Objection(objection) => {
                    warnings.push(unused(gpu, kernel, precision, &objection));
                    known.agrees.insert(key, false)
                }
            };
        }
        gpu.prefer(known.clone());
    }
}

/// Runs a kernel, by the name that its check goes by. If that is its first run here and the device is lost over it, it isn't
/// used any more; neither if the program doesn't live to see the end of it, as often as is no accident.
pub(super) fn first_run<T>(
    gpu: &Gpu,
    known: &mut Preferences,
    key: &str,
    run: impl FnOnce() -> Result<T, RunError>,
) -> Result<T, RunError> {
    if known.agrees.contains_key(key) || known.ran.contains(key) {
        return run();
    }
    *known.begun.entry(key.into()).or_default() += 1;
    let _ = keep(gpu, known);
    let done = run();
    known.begun.remove(key);
    known.ran.insert(key.into());
    if matches!(done, Err(RunError::Gpu(GpuError::Failed { .. }))) {
        known.agrees.insert(key.into(), false);
    }
    done
}

fn keep(gpu: &Gpu, known: &Preferences) -> Result<(), String> {
    gpu.preferences_file()
        .map_or(Ok(()), |file| known.save(&file).map_err(|error| format!("{}: {error}", file.display())))
}

/// What is said of a kernel that is not used on a device.
pub(super) fn unused(gpu: &Gpu, kernel: &str, precision: Element, objection: &str) -> String {
    format!("{}: `{kernel}` in {precision} {objection}, so it is not used", gpu.name)
}

//! Before a graph runs on a device: what is known of its kernels is read, what isn't is measured, once, and kept. Kernels are
//! timed, and compared with the CPU reference; one that is wrong, that the driver refuses, or that ended the program is out
//! of use from then on.

use super::self_check::{Verdict, verdict};
use super::tune::{is_open, kinds, tune};
use super::{RunError, target};
use crate::compile::{CHOICES, check_key, is_plain};
use crate::gpu::{Gpu, GpuError, LearningLock, Preferences};
use crate::graph::Graph;
use crate::tensor::Element;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many ends of the program, or of the machine, in a kernel's first run are no accident.
const ACCIDENTS: u32 = 3;

/// A first run that takes longer hangs: to interrupt it is no excuse for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads what is known of a device and measures what is not: kernels that the plan would take are compared with the CPU
/// reference, once; with a budget, kinds that were never timed are, as far as it reaches. Returns warnings.
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
    if lock.is_held() {
        warnings.extend(judge(gpu, &mut known));
    }
    gpu.prefer(known.clone());
    let learnt = learn(gpu, graph, precision, budget, lock.is_held(), &mut known);
    gpu.prefer(known.clone());
    // Also what a failure has taught.
    if lock.is_held()
        && known != before
        && let Err(reason) = keep(gpu, &known)
    {
        warnings.push(format!("{reason}; this device will be measured again"));
    }
    warnings.extend(learnt?);
    Ok(warnings)
}

/// Whether a graph has a kernel to be compared, or within a budget one to be timed.
fn is_news(gpu: &Gpu, graph: &Graph, precision: Element, budget: Option<Duration>) -> bool {
    let known = gpu.preferences().cloned().unwrap_or_default();
    let unchecked = |kernel| CHOICES.contains(&kernel) && !known.agrees.contains_key(&check_key(kernel, precision));
    let kinds = kinds(graph, precision, &target(gpu, false));
    kinds.iter().any(|kind| unchecked(kind.choice.kernel) || budget.is_some() && is_open(kind, &known))
}

/// Puts kernels whose first run ended the program too often out of use.
fn judge(gpu: &Gpu, known: &mut Preferences) -> Vec<String> {
    let fatal = |key: &String| known.begun[key] >= ACCIDENTS && !is_plain(key.split(' ').next().unwrap_or_default());
    let fatal: Vec<String> = known.begun.keys().filter(|key| fatal(key)).cloned().collect();
    let tell = |key: String| {
        known.begun.remove(&key);
        known.agrees.insert(key.clone(), false);
        format!("{}: `{key}` ended the program {ACCIDENTS} times, so it is not used", gpu.name)
    };
    fatal.into_iter().map(tell).collect()
}

fn learn(
    gpu: &Arc<Gpu>,
    graph: &Graph,
    precision: Element,
    budget: Option<Duration>,
    kept: bool,
    known: &mut Preferences,
) -> Result<Vec<String>, RunError> {
    let mut warnings = vec![];
    if let Some(budget) = budget {
        warnings.extend(tune(gpu, graph, precision, budget, kept, known)?);
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
            let run = || verdict(gpu, kernel, precision, !gpu.software);
            let objection = match first_run(gpu, known, kernel, precision, kept, run)? {
                Verdict::Agrees => None,
                Verdict::NotCompared => {
                    not_compared.insert(kernel);
                    continue;
                }
                Verdict::Objection(objection) => Some(objection),
            };
            known.agrees.insert(check_key(kernel, precision), objection.is_none());
            let Some(objection) = objection else { continue };
            if is_plain(kernel) && gpu.has_embedded_shaders() {
                known.agrees.remove(&check_key(kernel, precision));
                let reason = format!("its `{kernel}`, which takes the place of all others, {objection}");
                return Err(GpuError::Unsound { adapter: gpu.name.clone(), reason }.into());
            }
            warnings.push(unused(gpu, kernel, precision, &objection));
        }
        gpu.prefer(known.clone());
    }
}

/// A first run that is going on: since when, where that is kept, and what was known before it.
static RUNNING: Mutex<Option<(Instant, PathBuf, Preferences)>> = Mutex::new(None);

/// To be called when the program is interrupted: what it was at isn't to blame, unless it hung.
pub fn excuse_interruption() {
    if let Some((since, file, before)) = RUNNING.lock().unwrap_or_else(PoisonError::into_inner).take()
        && since.elapsed() < PATIENCE
    {
        let _ = before.save(&file);
    }
}

/// Runs a kernel. If that is its first run here and the device is lost over it, it isn't used any more; neither if the
/// program doesn't live to see the end of it, as often as is no accident, where that can be `kept`.
///
/// # Errors
/// Those of `run`, and when the device was lost before.
pub(super) fn first_run<T>(
    gpu: &Gpu,
    known: &mut Preferences,
    kernel: &str,
    precision: Element,
    kept: bool,
    run: impl FnOnce() -> Result<T, RunError>,
) -> Result<T, RunError> {
    let key = check_key(kernel, precision);
    // What is no kernel of its own can't be out of use, nor can what nothing takes the place of.
    let may_end = CHOICES.contains(&kernel) && !is_plain(kernel);
    if !may_end || known.agrees.contains_key(&key) || known.ran.contains(&key) {
        return run();
    }
    gpu.check()?;
    if let Some(file) = gpu.preferences_file().filter(|_| kept) {
        let before = known.clone();
        *known.begun.entry(key.clone()).or_default() += 1;
        let _ = keep(gpu, known);
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), file, before));
    }
    let done = run();
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner).take();
    known.begun.remove(&key);
    known.ran.insert(key.clone());
    if matches!(done, Err(RunError::Gpu(GpuError::Failed { .. }))) {
        known.agrees.insert(key, false);
    }
    done
}

fn keep(gpu: &Gpu, known: &Preferences) -> Result<(), String> {
    let Some(file) = gpu.preferences_file() else { return Ok(()) };
    known.save(&file).map_err(|error| format!("{}: {error}", file.display()))
}

/// What is said of a kernel that is not used on a device, unless nothing takes its place.
pub(super) fn unused(gpu: &Gpu, kernel: &str, precision: Element, objection: &str) -> String {
    let so = if is_plain(kernel) { "and nothing can take its place" } else { "so it is not used" };
    format!("{}: `{kernel}` in {precision} {objection}, {so}", gpu.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_is_excused_unless_the_kernel_hung() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("device.json");
        let before = Preferences { adapter: "before".into(), ..Preferences::default() };
        let begun = Preferences { begun: [("conv2d_tiled f16".into(), 1)].into(), ..before.clone() };
        for (long, left) in [(Duration::ZERO, &before), (PATIENCE, &begun)] {
            begun.save(&file).expect("writes");
            let since = Instant::now().checked_sub(long).expect("the machine has run for so long");
            *RUNNING.lock().expect("is whole") = Some((since, file.clone(), before.clone()));
            excuse_interruption();
            assert_eq!(Preferences::load(&file).as_ref(), Ok(left));
        }
        // Nothing is going on any more.
        excuse_interruption();
        assert_eq!(Preferences::load(&file), Ok(begun));
    }

    #[test]
    fn what_several_programs_learnt_is_kept_together() {
        let of = |kernel: &str, pace| {
            let agrees = [(kernel.to_string(), true)].into();
            Preferences { agrees, flops_per_second: pace, ..Preferences::default() }
        };
        let both = of("a", Some(2.0)).with(&of("b", Some(1.0)));
        assert_eq!((both.agrees.len(), both.flops_per_second), (2, Some(2.0)));
        assert_eq!(of("a", None).with(&of("a", Some(1.0))).flops_per_second, Some(1.0));
    }
}

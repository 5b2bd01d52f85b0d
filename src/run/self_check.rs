//! Whether a kernel agrees with the CPU reference on this device, asked before it is trusted.

use super::check_graphs::{check_graphs, check_inputs};
use super::{RunError, TensorSession, target};
use crate::compile::CHOICES;
use crate::gpu::{Gpu, GpuError};
use crate::kernels::Target;
use crate::reference;
use crate::tensor::{Element, FeatureMap};
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

/// Whether a kernel agrees with the CPU reference on a device, or the driver refuses it. `thorough`: on all graphs
/// that are there to check it on, as is worth it on a GPU, which may never have run the kernel; else on the first alone,
/// which is enough on a software driver: those compile slowly, and tests compare on all graphs there.
///
/// # Errors
/// When the device fails.
pub fn verdict(gpu: &Arc<Gpu>, kernel: &str, precision: Element, thorough: bool) -> Result<Verdict, RunError> {
    let objection = |text: String| Ok(Verdict::Objection(text));
    // What is no kernel of its own has nothing to be compared.
    let Some(kernel) = CHOICES.iter().copied().find(|choice| *choice == kernel) else { return Ok(Verdict::Agrees) };
    let graphs = check_graphs(precision, &Target { prefer: Some(kernel), ..target(gpu, false) })?;
    if graphs.is_empty() {
        return objection("computes nothing here".into());
    }
    let mut verdict = Verdict::Agrees;
    for graph in graphs.iter().take(if thorough { graphs.len() } else { 1 }) {
        let inputs = check_inputs(graph);
        let found =
            match TensorSession::by_kernel(gpu, graph, precision, kernel).and_then(|session| session.run(&inputs)) {
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

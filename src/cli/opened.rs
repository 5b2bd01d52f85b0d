//! What is said on standard error of a device that was opened, and of its kernels before they run.

use super::Failure;
use super::output::say;
use crate::gpu::Gpu;
use crate::graph::Graph;
use crate::restore::Executor;
use crate::run::{explain, prepare, target};
use crate::tensor::Element;
use clap::Args;
use std::sync::Arc;

/// For the commands that take the kernels of a network's plan.
#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// Say which kernel computes each kind of convolution, and why
    #[arg(long)]
    pub explain: bool,
}

impl ExplainArguments {
    /// Readies the kernels of a graph whose passes are done, and says which they are and why, if that was asked for.
    pub fn prepare(&self, executor: &Executor, graph: &Graph, precision: Element) -> Result<(), Failure> {
        let Executor::Gpu(gpu) = executor else {
            if self.explain {
                say!("irnext: the CPU executor has one kernel for each op");
            }
            return Ok(());
        };
        prepare_kernels(gpu, graph, precision)?;
        if self.explain {
            explain(graph, precision, &target(gpu, false)).iter().for_each(|line| say!("{line}"));
        }
        Ok(())
    }
}

/// Checks kernels that were never run on a device, and says which are out of use.
pub(super) fn prepare_kernels(gpu: &Arc<Gpu>, graph: &Graph, precision: Element) -> Result<(), Failure> {
    prepare(gpu, graph, precision, None)?.iter().for_each(|warning| say!("irnext: {warning}"));
    Ok(())
}

/// Says which GPUs were passed over, and why the CPU executor runs where a GPU was wanted.
pub(super) fn passed_over(executor: &Executor) {
    match executor {
        Executor::Gpu(gpu) => gpu.passed_over.iter().for_each(|reason| say!("irnext: {reason}")),
        Executor::Cpu(reason) => reason.iter().for_each(|reason| say!("irnext: {reason}")),
    }
}

/// Says that times are not those of the program's own shaders.
pub(super) fn checked_indices(executor: &Executor) {
    if let Executor::Gpu(gpu) = executor
        && !gpu.has_embedded_shaders()
    {
        say!("irnext: shaders of a folder are compiled with a check of every index, and are slower than built in");
    }
}

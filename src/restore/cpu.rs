//! The walk of a picture through the CPU executor.

use super::pixels::{Restored, rgb};
use super::plans::Plans;
use super::{RestoreError, Restorer, padded_size};
use crate::cpu::Program;
use crate::graph::Graph;
use crate::kernels::Raster;
use crate::photo::Pixels;
use crate::tensor::memory::{self, Bytes};
use crate::tensor::{FeatureMap, Shape};
use std::sync::{Arc, Mutex, PoisonError};

/// Programs, by padded sizes, with their weights packed.
pub(super) type Kept = Mutex<Plans<Arc<Program>>>;

/// More memory than this is worth a word.
const NOTEWORTHY_BYTES: u64 = 2 << 30;

impl Restorer {
    /// The restored pixels, and how many are not finite. Threads may do it side by side.
    pub(super) fn on_cpu(
        &self,
        raster: Raster,
        pixels: &Pixels,
        progress: &mut dyn FnMut(f64),
    ) -> Result<(Pixels, u64), RestoreError> {
        let program = self.program(raster)?;
        let shape = program.graph().inputs().next().map_or(Shape::new(0, 0, 3), |id| program.graph().node(id).shape);
        let input = FeatureMap::from_fn(shape, |y, x, values| values.copy_from_slice(&rgb(raster, pixels, y, x)));
        let observer = &mut |step: usize, steps: usize, _: &str| progress(step as f64 / steps as f64);
        // The input has the graph's own shape.
        let results = program.run_with(&[input], observer).unwrap_or_else(|error| unreachable!("{error}"));
        let mut restored = Restored::new(raster, pixels);
        let FeatureMap { shape, data } = &results[0];
        for (y, row) in data.chunks_exact(shape.width * shape.channels).enumerate() {
            restored.put_row(y, row, shape.channels);
        }
        Ok((restored.pixels, restored.not_finite))
    }

    fn program(&self, raster: Raster) -> Result<Arc<Program>, RestoreError> {
        let [height, width] = padded_size(raster.height, raster.width);
        let padded = Raster { height, width, sixteen: false };
        let mut kept = self.program.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = kept.get(padded) {
            return Ok(Arc::clone(program));
        }
        let graph = self.graph(raster)?;
        let bytes = needed(&graph, self.memory)?;
        if bytes > NOTEWORTHY_BYTES {
            self.notice(&format!("the CPU executor takes about {} for this picture", Bytes(bytes)));
        }
        // An old one goes before the new one is made.
        kept.make_room(padded, |_| true);
        Ok(Arc::clone(kept.keep(padded, Arc::new(Program::new(&graph)))))
    }
}

/// Bytes of maps that the CPU executor holds at once for a graph.
///
/// # Errors
/// When that is more than `memory` allows, or than the system gives.
pub(crate) fn needed(graph: &Graph, memory: Option<u64>) -> Result<u64, RestoreError> {
    let bytes = bytes(graph);
    let refuse = |limit: String| Err(RestoreError::Memory { needed: Bytes(bytes), limit });
    if let Some(memory) = memory.filter(|&memory| bytes > memory) {
        return refuse(format!("`--memory` allows {}", Bytes(memory)));
    }
    if !memory::is_free(bytes) {
        let left = memory::left().map(|left| format!("this machine has {} left", Bytes(left)));
        return refuse(left.unwrap_or_else(|| "the system doesn't give so much".into()));
    }
    Ok(bytes)
}

fn bytes(graph: &Graph) -> u64 {
    let mut uses = graph.uses();
    let bytes = |index: usize| 4 * graph.nodes[index].shape.values() as u64;
    // The caller keeps the input too.
    let mut live: u64 = graph.inputs().map(|id| 2 * bytes(id.0)).sum();
    let mut peak = live;
    for (index, node) in graph.nodes.iter().enumerate().filter(|(_, node)| !node.inputs.is_empty()) {
        live += bytes(index);
        peak = peak.max(live);
        for input in &node.inputs {
            uses[input.0] -= 1;
            live -= if uses[input.0] == 0 { bytes(input.0) } else { 0 };
        }
    }
    peak
}

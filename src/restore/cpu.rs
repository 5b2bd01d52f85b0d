//! The walk of a picture through the CPU executor.

use super::pixels::{Restored, rgb};
use crate::compile::Frame;
use crate::cpu::Program;
use crate::graph::Graph;
use crate::photo::Pixels;
use crate::tensor::{FeatureMap, Shape};

/// The restored pixels, and how many are not finite.
pub(super) fn restore(graph: &Graph, frame: Frame, pixels: &Pixels, progress: &mut dyn FnMut(f64)) -> (Pixels, u64) {
    let shape = graph.inputs().next().map_or(Shape::new(0, 0, 3), |id| graph.node(id).shape);
    let input = FeatureMap::from_fn(shape, |y, x, values| values.copy_from_slice(&rgb(frame, pixels, y, x)));
    let observer = &mut |step: usize, steps: usize, _: &str| progress(step as f64 / steps as f64);
    // The input has the graph's own shape.
    let results = Program::new(graph).run_with(&[input], observer).unwrap_or_else(|error| unreachable!("{error}"));
    let mut restored = Restored::new(frame, pixels);
    let FeatureMap { shape, data } = &results[0];
    for (y, row) in data.chunks_exact(shape.width * shape.channels).enumerate() {
        restored.put_row(y, row, shape.channels);
    }
    (restored.pixels, restored.not_finite)
}

/// Bytes of maps that the CPU executor holds at once for a graph.
pub(super) fn bytes(graph: &Graph) -> u64 {
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

//! Where a graph is cut into spans for a device with little room, and how tall their windows are.

use super::reach::is_local;
use super::segment::{Band, Layers, Span, work};
use crate::gpu::UPLOAD_BYTES;
use crate::graph::{NodeId, Op};
use crate::kernels::Target;

/// What limits a plan.
#[derive(Clone, Debug)]
pub struct Room {
    /// Bytes of device memory.
    pub budget: u64,
    /// The device's limits.
    pub limits: wgpu::Limits,
    /// Operations of a dispatch.
    pub flops_at_once: u64,
}

/// A stage, chosen but not compiled.
pub(super) enum StageChoice {
    Host(NodeId),
    Device(Span, usize, Vec<Band>),
}

/// Cuts each run of local nodes into spans such that all takes the least work, moved bytes reckoned as work too.
pub(super) fn choose_spans(layers: &Layers, target: Target, room: &Room) -> Option<Vec<StageChoice>> {
    let nodes = &layers.graph.nodes;
    let mut choices = vec![];
    let mut at = 0;
    while at < nodes.len() {
        let run = nodes[at..].iter().take_while(|node| is_local(node)).count();
        if run == 0 {
            if !matches!(nodes[at].op, Op::Input { .. }) {
                choices.push(StageChoice::Host(NodeId(at)));
            }
            at += 1;
            continue;
        }
        // best[end]: the least cost of nodes up to `end`, and where its last span starts.
        let mut best: Vec<Option<(f64, usize)>> = vec![None; run + 1];
        best[0] = Some((0.0, 0));
        for start in 0..run {
            let Some((before, _)) = best[start] else { continue };
            for (end, best) in best.iter_mut().enumerate().skip(start + 1) {
                let span = layers.span(at + start..at + end);
                let Some((rows, bands)) = bands_within(layers, &span, room) else { break };
                let cost = before + cost(layers, target, &span, rows, bands.len());
                if best.is_none_or(|(least, _)| cost < least) {
                    *best = Some((cost, start));
                }
            }
        }
        let mut spans = vec![];
        let mut end = run;
        while end > 0 {
            let start = best[end]?.1;
            let span = layers.span(at + start..at + end);
            let (rows, bands) = bands_within(layers, &span, room)?;
            spans.push(StageChoice::Device(span, rows, bands));
            end = start;
        }
        choices.extend(spans.into_iter().rev());
        at += run;
    }
    Some(choices)
}

/// The tallest window of a span that the room holds, and the bands that it makes.
fn bands_within(layers: &Layers, span: &Span, room: &Room) -> Option<(usize, Vec<Band>)> {
    let weights = layers.graph.nodes[span.nodes.clone()].iter().flat_map(|node| node.op.weights());
    let constants: u64 = weights.map(|id| 4 * layers.graph.tensor(id).data().len() as u64 + 256).sum();
    let bound = constants + 512 * span.nodes.len() as u64 + span.statistics;
    let ports = |ids: &[NodeId]| ids.iter().map(|&id| layers.bytes(id)).sum::<u64>();
    let (given, results) = (ports(&span.inputs), ports(&span.outputs));
    // Of `bytes` for the picture's rows, how many rows `room` holds.
    let rows_in = |room: u64, bytes: u64| {
        (u128::from(room) * layers.rows as u128 / u128::from(bytes.max(1))).min(layers.rows as u128) as usize
    };
    let heaviest = span.nodes.clone().map(|index| work(layers.graph, NodeId(index))).max().unwrap_or(0);
    // What is on its way to the device is there twice, but never more of it than a portion.
    let small = rows_in(room.budget.saturating_sub(2 * bound), span.live + results + given);
    let large = rows_in(room.budget.saturating_sub(bound + UPLOAD_BYTES), span.live + results);
    let rows = small
        .max(large)
        .min(rows_in(room.limits.max_storage_buffer_binding_size.min(room.limits.max_buffer_size), span.largest))
        .min(rows_in(room.flops_at_once, heaviest))
        // Kernels that run value by value have a row of workgroups for each.
        .min(room.limits.max_compute_workgroups_per_dimension as usize);
    let rows = rows / span.step * span.step;
    if rows == 0 { None } else { layers.bands(span, rows).map(|bands| (rows, bands)) }
}

/// Operations of a span in bands, and for every byte moved those that a device could have done meanwhile.
fn cost(layers: &Layers, target: Target, span: &Span, rows: usize, bands: usize) -> f64 {
    let a_byte = if target.software { 10.0 } else { 300.0 };
    let share = (bands * rows) as f64 / layers.rows as f64;
    let work: u64 = span.nodes.clone().map(|index| work(layers.graph, NodeId(index))).sum();
    let maps = span.inputs.iter().chain(&span.outputs);
    let moved: u64 = maps.map(|&id| layers.bytes(id)).sum();
    share * (work as f64 + a_byte * moved as f64)
}

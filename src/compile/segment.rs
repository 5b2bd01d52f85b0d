//! A run of nodes that a device takes together, window of rows by window of rows.
//!
//! All maps of a segment are taken over the same rows of the picture. Within a window every op runs as if the window
//! were the whole picture, so rows near a border that is not the picture's come out wrong; [`super::reach`] says which,
//! and the next window starts early enough to make them again. At the picture's own borders the op's own padding is
//! right, so the result is that of the whole picture in one piece.

use super::PlanError;
use super::reach::{Known, right_rows};
use crate::graph::{Graph, NodeId};
use std::collections::BTreeSet;
use std::ops::Range;

/// A window's place, and what is taken from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Band {
    /// The window's first row, in rows of the picture.
    pub start: usize,
    /// The rows that the band finishes, in rows of the picture.
    pub rows: Range<usize>,
}

/// Consecutive nodes, what goes in and out, and what they take.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub nodes: Range<usize>,
    /// What the nodes read that is made outside, pictures and statistics too.
    pub inputs: Vec<NodeId>,
    /// What is read outside.
    pub outputs: Vec<NodeId>,
    /// Every window starts at, and is, a multiple of this.
    pub step: usize,
    /// The most bytes of maps that are there at once if the window is the picture: inputs from the start, outputs to
    /// the end.
    pub live: u64,
    /// Bytes of the largest of them.
    pub largest: u64,
    /// Bytes of statistics, whatever the window.
    pub statistics: u64,
}

/// The graph, and what is reckoned of it once.
pub(super) struct Layers<'a> {
    pub graph: &'a Graph,
    /// Rows of the picture.
    pub rows: usize,
    /// Rows of the picture per row of each node's map; none for statistics.
    pub units: Vec<Option<usize>>,
    /// The last node that reads each node; outputs are read by one beyond the last.
    pub last_use: Vec<usize>,
}

impl Layers<'_> {
    /// Bytes of a node's map as the device stores it.
    pub fn bytes(&self, id: NodeId) -> u64 {
        self.graph.node(id).bytes()
    }

    /// Nodes `nodes` as a span.
    pub fn span(&self, nodes: Range<usize>) -> Span {
        let reads = |index: usize| {
            let mut inputs = self.graph.nodes[index].inputs.clone();
            inputs.sort_unstable();
            inputs.dedup();
            inputs
        };
        let mut inputs: Vec<NodeId> = nodes.clone().flat_map(reads).filter(|id| !nodes.contains(&id.0)).collect();
        inputs.sort_unstable();
        inputs.dedup();
        let outputs: Vec<NodeId> = nodes.clone().map(NodeId).filter(|id| self.last_use[id.0] >= nodes.end).collect();
        let of_rows = |id: &NodeId| self.units[id.0].is_some();
        let maps = || inputs.iter().copied().chain(nodes.clone().map(NodeId)).filter(of_rows);
        // Backwards, a map is there from its last use to where it is made.
        let mut there: BTreeSet<NodeId> = outputs.iter().copied().collect();
        let mut live: u64 = there.iter().map(|&id| self.bytes(id)).sum();
        let mut peak = live;
        for index in nodes.clone().rev() {
            for id in reads(index).into_iter().filter(of_rows) {
                live += if there.insert(id) { self.bytes(id) } else { 0 };
            }
            peak = peak.max(live);
            live -= if there.remove(&NodeId(index)) { self.bytes(NodeId(index)) } else { 0 };
        }
        // All inputs are there from the start on.
        let statistics = inputs.iter().filter(|id| !of_rows(id)).map(|&id| self.bytes(id)).sum();
        // Units are powers of two, so the largest is a multiple of the others.
        let step = maps().filter_map(|id| self.units[id.0]).max().unwrap_or(1);
        let largest = maps().map(|id| self.bytes(id)).max().unwrap_or(0);
        Span { nodes, inputs, outputs, step, live: peak, largest, statistics }
    }

    /// The rows of the picture of which a window has all outputs right.
    fn right(&self, span: &Span, window: &Range<usize>) -> Range<usize> {
        let mut known: Known = vec![None; span.nodes.end];
        for id in &span.inputs {
            known[id.0] = self.units[id.0].map(|unit| window.start / unit..window.end / unit);
        }
        for index in span.nodes.clone() {
            if let Some(unit) = self.units[index] {
                let rows = window.start / unit..window.end / unit;
                known[index] = Some(right_rows(self.graph, NodeId(index), rows, &known));
            }
        }
        let mut right = window.clone();
        for id in &span.outputs {
            if let (Some(rows), Some(unit)) = (&known[id.0], self.units[id.0]) {
                right = right.start.max(rows.start * unit)..right.end.min(rows.end * unit);
            }
        }
        right
    }

    /// The windows of `rows` that make a span's outputs, from the top down; none if they are too low to get on.
    pub fn bands(&self, span: &Span, rows: usize) -> Option<Vec<Band>> {
        let (mut bands, mut done, mut halo) = (vec![], 0, 0usize);
        while done < self.rows {
            let mut start = (done - halo.min(done)).min(self.rows - rows) / span.step * span.step;
            let right = loop {
                let right = self.right(span, &(start..start + rows));
                if right.end <= done {
                    return None;
                }
                if right.start <= done {
                    break right;
                }
                start = start.checked_sub(span.step)?;
            };
            halo = done.saturating_sub(start);
            let end = if right.end == self.rows { right.end } else { right.end / span.step * span.step };
            if end <= done {
                return None;
            }
            bands.push(Band { start, rows: done..end });
            done = end;
        }
        Some(bands)
    }
}

/// Rows of the picture per row of each node's map; none for statistics.
///
/// # Errors
/// When a map's rows are no whole share of the picture's.
pub(super) fn units(graph: &Graph, rows: usize) -> Result<Vec<Option<usize>>, PlanError> {
    let unit = |node: &crate::graph::Node| {
        if super::reach::is_statistic(&node.op) {
            return Ok(None);
        }
        let unit = rows / node.shape.height.max(1);
        let divides = node.shape.height * unit == rows && unit.is_power_of_two();
        if divides { Ok(Some(unit)) } else { Err(PlanError::Uneven { node: node.name.clone() }) }
    };
    graph.nodes.iter().map(unit).collect()
}

/// Operations of a node, about.
pub(super) fn work(graph: &Graph, id: NodeId) -> u64 {
    let node = graph.node(id);
    match graph.multiply_adds_of(node) {
        0 => 20 * node.shape.values() as u64,
        multiply_adds => 2 * multiply_adds,
    }
}

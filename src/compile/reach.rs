//! Which rows of a result are right when only some rows of its inputs are there: the halo of every op, told by the rows
//! that it reads.

use crate::graph::{Graph, Node, NodeId, Op};
use std::ops::Range;

/// The rows of a map that are known.
pub(super) type Known = Vec<Option<Range<usize>>>;

/// Rows that row `row` of a node reads of its `index`th input of `of` rows, borders not yet cut off; none if it may be
/// any.
fn reads(node: &Node, index: usize, row: usize, of: usize) -> Option<Range<isize>> {
    let row_at = row as isize;
    let same = row_at..row_at + 1;
    Some(match &node.op {
        Op::Conv2d(conv) if index >= conv.sources(node.inputs.len()) => same,
        Op::Conv2d(conv) => {
            let first = row_at * conv.stride as isize - conv.padding as isize;
            first..first + conv.kernel as isize
        }
        Op::ConvTranspose2d(_) => (row_at - 1).div_euclid(2)..(row_at + 1).div_euclid(2) + 1,
        Op::AvgPool { size } => {
            let first = row_at * *size as isize;
            first..first + *size as isize
        }
        Op::UpsampleSum { base: true, .. } if index == 0 => same,
        Op::UpsampleSum { .. } => {
            let low = (row * (of - 1) / (node.shape.height - 1).max(1)) as isize;
            low..low + 2
        }
        Op::NearestHalf => 2 * row_at..2 * row_at + 1,
        Op::DynamicFilter(_) if index == 0 => row_at - 1..row_at + 2,
        Op::DynamicFilter(_) | Op::Gelu | Op::Add { .. } | Op::Normalise { .. } | Op::BatchNorm { .. } | Op::Concat => {
            same
        }
        Op::Input { .. }
        | Op::InstanceNorm { .. }
        | Op::Moments
        | Op::GlobalMean
        | Op::BoxMean { .. }
        | Op::LowBand { .. }
        | Op::Fft2
        | Op::TapActivation { .. }
        | Op::FilterTaps(_)
        | Op::ReflectPad { .. } => return None,
    })
}

/// Whether a row of the result reads only rows near it.
pub(super) fn is_local(node: &Node) -> bool {
    reads(node, 0, 0, 1).is_some()
}

/// Whether the result belongs to the whole picture and has no rows of it.
pub fn is_statistic(op: &Op) -> bool {
    matches!(op, Op::Moments | Op::GlobalMean | Op::TapActivation { .. } | Op::FilterTaps(_))
}

/// The rows of a node within `window` (its own rows) that are right, given the `known` rows of its inputs.
pub(super) fn right_rows(graph: &Graph, id: NodeId, window: Range<usize>, known: &Known) -> Range<usize> {
    let node = graph.node(id);
    let height = node.shape.height;
    let (mut start, mut end) = (window.start, window.end);
    for (index, input) in node.inputs.iter().enumerate() {
        // Statistics are known as a whole.
        let Some(rows) = &known[input.0] else { continue };
        let of = graph.node(*input).shape.height;
        let read = |row: usize| {
            let range = reads(node, index, row, of).unwrap_or(0..of as isize);
            range.start.max(0) as usize..range.end.clamp(0, of as isize) as usize
        };
        // What is read moves down with the row.
        start = start.max(first_where(height, |row| read(row).start >= rows.start));
        end = end.min(first_where(height, |row| read(row).end > rows.end));
    }
    start..end
}

/// The first number below `end` for which a condition, false then true, holds; else `end`.
fn first_where(end: usize, condition: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low.midpoint(high);
        if condition(middle) { high = middle } else { low = middle + 1 }
    }
    low
}

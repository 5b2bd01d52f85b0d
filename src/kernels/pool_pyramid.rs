//! The average pools of 2, 4 and 8 of one map in one dispatch, which reads the map once.

use super::lowering::rows;
use super::{Cost, Lowering, StepParts, combinations};
use crate::gpu::Variant;
use crate::graph::{Graph, NodeId, Op};
use crate::tensor::{Element, Shape};
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    in_width: u32,
    blocks: u32,
    halves: [u32; 2],
    quarters: [u32; 2],
    eighths: [u32; 2],
}

/// The pools' windows.
const SIZES: [usize; 3] = [2, 4, 8];

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations("pool_pyramid", &["f32"])
}

/// The three pools of 2, 4 and 8 that one dispatch makes, `node` among them; none if it has not both siblings.
pub fn siblings(graph: &Graph, node: NodeId) -> Option<[NodeId; 3]> {
    let input = graph.node(node).inputs[0];
    let first = |size: usize| {
        let pools = |id: &NodeId| {
            let other = graph.node(*id);
            matches!(other.op, Op::AvgPool { size: its } if its == size) && other.inputs[0] == input
        };
        graph.ids().find(pools)
    };
    let [half, quarter, eighth] = SIZES.map(first);
    let all = [half?, quarter?, eighth?];
    all.contains(&node).then_some(all)
}

/// One dispatch for the three, recorded with the first of them.
pub fn lower(lowering: &mut Lowering, node: NodeId, all: [NodeId; 3]) {
    if all.iter().min() != Some(&node) {
        return;
    }
    let graph = lowering.graph;
    let input = graph.node(graph.node(node).inputs[0]);
    let sides = all.map(|id| [graph.node(id).shape.height as u32, graph.node(id).shape.width as u32]);
    let [halves, quarters, eighths] = sides;
    let params =
        Params { in_width: input.shape.width as u32, blocks: input.shape.blocks() as u32, halves, quarters, eighths };
    let windows = Shape::new(halves[0].div_ceil(4) as usize, halves[1].div_ceil(4) as usize, input.shape.channels);
    let outputs = all.map(|id| lowering.output(id));
    let written: u64 = all.iter().map(|&id| lowering.map_bytes(id)).sum();
    let read = input.bytes();
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings: vec![(1, lowering.input(node, 0)), (2, outputs[0]), (3, outputs[1]), (4, outputs[2])],
        workgroups: rows(windows),
        // An addition a value, and a third of one for the sums of sums.
        cost: Cost { flops: input.shape.values() as u64 * 4 / 3, bytes: read + written },
    };
    lowering.step(node, Variant::new("pool_pyramid", &[("f32", input.element == Element::F32)]), parts);
}

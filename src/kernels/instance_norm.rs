//! Instance norm: the picture's moments, then the norm itself.

use super::lowering::wrapped;
use super::{Cost, Lowering, Operand, StepParts, combinations, constants::pack_channels, moments};
use crate::gpu::Variant;
use crate::graph::{NodeId, WeightId};
use crate::tensor::Element;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    count: u32,
    row: u32,
    blocks: u32,
    eps: f32,
}

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations("instance_norm", &["f32"])
}

/// Three dispatches.
pub fn lower(lowering: &mut Lowering, node: NodeId, weight: WeightId, bias: WeightId, eps: f64) {
    let out = lowering.graph.node(node);
    let bytes = 2 * out.shape.stored_channels() as u64 * Element::F32.bytes();
    let statistics = Operand::Buffer(lowering.buffer(format!("{} (moments)", out.name), bytes));
    moments::record(lowering, node, statistics);
    normalise(lowering, node, statistics, weight, bias, eps);
}

/// The last dispatch alone, with moments that are there.
pub fn normalise(
    lowering: &mut Lowering,
    node: NodeId,
    statistics: Operand,
    weight: WeightId,
    bias: WeightId,
    eps: f64,
) {
    let (graph, out) = (lowering.graph, lowering.graph.node(node));
    let affine = lowering.constants.get(&format!("affine {} {}", weight.0, bias.0), || {
        [weight, bias].iter().flat_map(|&id| pack_channels(graph.tensor(id).data())).collect::<Vec<u8>>()
    });
    let count = out.shape.stored_values() as u64 / 4;
    let (workgroups, row) = wrapped(count, lowering.target.max_workgroups);
    let params = Params { count: count as u32, row, blocks: out.shape.blocks() as u32, eps: eps as f32 };
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings: vec![(1, lowering.input(node, 0)), (2, statistics), (3, affine), (4, lowering.output(node))],
        workgroups,
        cost: Cost { flops: 3 * out.shape.values() as u64, bytes: lowering.traffic(node) },
    };
    lowering.step(node, Variant::new("instance_norm", &[("f32", out.element == Element::F32)]), parts);
}

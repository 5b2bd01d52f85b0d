//! The dynamic filter's taps, from the global mean.

use super::constants::pack_channels;
use super::{Cost, Lowering, StepParts};
use crate::gpu::Variant;
use crate::graph::{Activation, NodeId, TapWeights};
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    blocks: u32,
    group_channels: u32,
    groups: u32,
    channels: u32,
}

/// The most groups that the shader's workgroup memory holds taps for.
pub const MAX_GROUPS: usize = 128;

/// All variants: statistics are always f32.
pub fn variants() -> Vec<Variant> {
    [Activation::Tanh, Activation::Softmax, Activation::SoftmaxTanh].map(variant).to_vec()
}

fn variant(activation: Activation) -> Variant {
    let (softmax, tanh) = match activation {
        Activation::Tanh => (false, true),
        Activation::Softmax => (true, false),
        Activation::SoftmaxTanh => (true, true),
    };
    Variant::new("filter_taps", &[("softmax", softmax), ("tanh", tanh)])
}

/// One dispatch of one workgroup.
pub fn lower(lowering: &mut Lowering, node: NodeId, taps: &TapWeights) {
    let (graph, shape) = (lowering.graph, lowering.graph.node(node).shape);
    let params = Params {
        blocks: shape.blocks() as u32,
        group_channels: (shape.channels / taps.groups) as u32,
        groups: taps.groups as u32,
        channels: shape.channels as u32,
    };
    let weight = lowering.constants.get(&format!("taps {}", taps.weight.0), || {
        graph.tensor(taps.weight).data().chunks(shape.channels).flat_map(pack_channels).collect()
    });
    let flops = 2 * graph.tensor(taps.weight).data().len() as u64;
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings: vec![
            (1, lowering.input(node, 0)),
            (2, weight),
            (3, lowering.channels(taps.bias)),
            (4, lowering.output(node)),
        ],
        workgroups: [1, 1, 1],
        cost: Cost { flops, bytes: 2 * flops + lowering.traffic(node) },
    };
    lowering.step(node, variant(taps.activation), parts);
}

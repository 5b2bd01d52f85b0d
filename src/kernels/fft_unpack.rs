//! Spectra of single channels out of spectra of pairs.

use super::lowering::rows;
use super::{Cost, Lowering, Operand, StepParts};
use crate::gpu::Variant;
use crate::graph::NodeId;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    height: u32,
    width: u32,
    channels: u32,
    in_blocks: u32,
    out_blocks: u32,
}

/// All variants: spectra are always f32.
pub fn variants() -> Vec<Variant> {
    vec![Variant::new("fft_unpack", &[])]
}

/// One dispatch, after those of fft.rs.
pub(super) fn lower(lowering: &mut Lowering, node: NodeId, pairs: Operand) {
    let shape = lowering.graph.node(node).shape;
    let channels = shape.channels / 2;
    let params = Params {
        height: shape.height as u32,
        width: shape.width as u32,
        channels: channels as u32,
        in_blocks: channels.div_ceil(4) as u32,
        out_blocks: shape.blocks() as u32,
    };
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings: vec![(1, pairs), (2, lowering.output(node))],
        workgroups: rows(shape),
        cost: Cost { flops: 2 * shape.values() as u64, bytes: 2 * lowering.map_bytes(node) },
    };
    lowering.step(node, Variant::new("fft_unpack", &[]), parts);
}

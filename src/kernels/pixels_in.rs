//! A picture file's pixels into the network's input.

use super::lowering::WORKGROUP;
use super::{Cost, Lowering, Operand, Raster, StepParts, combinations};
use crate::gpu::Variant;
use crate::graph::NodeId;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    height: i32,
    width: i32,
    padded_width: u32,
}

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations("pixels_in", &["sixteen"])
}

/// One dispatch: `pixels` of a raster, reflected to the size of the input node `input`.
pub fn lower(lowering: &mut Lowering, input: NodeId, pixels: Operand, raster: Raster) {
    let Raster { height, width, sixteen } = raster;
    let padded = lowering.graph.node(input).shape;
    let params = Params { height: height as i32, width: width as i32, padded_width: padded.width as u32 };
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings: vec![(1, pixels), (2, lowering.output(input))],
        workgroups: [(padded.width as u32).div_ceil(WORKGROUP), padded.height as u32, 1],
        cost: Cost { flops: 3 * padded.pixels() as u64, bytes: raster.bytes() + lowering.map_bytes(input) },
    };
    lowering.named_step("pixels in".into(), Variant::new("pixels_in", &[("sixteen", sixteen)]), parts);
}

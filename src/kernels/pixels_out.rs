//! The network's result into a picture file's pixels.

use super::lowering::WORKGROUP;
use super::{Cost, Lowering, Operand, Raster, StepParts, combinations};
use crate::gpu::Variant;
use crate::graph::NodeId;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    height: u32,
    width: u32,
    padded_width: u32,
}

/// The buffers of a picture on its way in and out.
#[derive(Clone, Copy, Debug)]
pub struct PixelBuffers {
    /// The pixels as they came, for their alpha.
    pub original: Operand,
    /// The pixels as they go.
    pub restored: Operand,
    /// A word that counts values that are not finite; zeroed before the plan runs.
    pub not_finite: Operand,
}

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations("pixels_out", &["sixteen"])
}

/// One dispatch: the node `result`, cropped to the picture's size.
pub fn lower(lowering: &mut Lowering, result: NodeId, raster: Raster, buffers: &PixelBuffers) {
    let padded = lowering.graph.node(result).shape;
    let params = Params { height: raster.height as u32, width: raster.width as u32, padded_width: padded.width as u32 };
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings: vec![
            (1, lowering.output(result)),
            (2, buffers.original),
            (3, buffers.restored),
            (4, buffers.not_finite),
        ],
        workgroups: [(raster.width as u32).div_ceil(WORKGROUP), raster.height as u32, 1],
        cost: Cost { flops: 9 * raster.pixels() as u64, bytes: 2 * raster.bytes() + lowering.map_bytes(result) },
    };
    lowering.named_step("pixels out".into(), Variant::new("pixels_out", &[("sixteen", raster.sixteen)]), parts);
}

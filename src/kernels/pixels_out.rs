//! The network's result into a picture file's pixels.

use super::lowering::WORKGROUP;
use super::{Cost, Lowering, Operand, StepParts, combinations};
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
pub struct Picture {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 16 bits a channel, not 8.
    pub sixteen: bool,
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
pub fn lower(lowering: &mut Lowering, result: NodeId, picture: &Picture) {
    let padded = lowering.graph.node(result).shape;
    let params =
        Params { height: picture.height as u32, width: picture.width as u32, padded_width: padded.width as u32 };
    let bytes = (picture.height * picture.width * if picture.sixteen { 8 } else { 4 }) as u64;
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings: vec![
            (1, lowering.output(result)),
            (2, picture.original),
            (3, picture.restored),
            (4, picture.not_finite),
        ],
        workgroups: [(picture.width as u32).div_ceil(WORKGROUP), picture.height as u32, 1],
        cost: Cost {
            flops: 9 * (picture.height * picture.width) as u64,
            bytes: 2 * bytes + lowering.map_bytes(result),
        },
    };
    lowering.named_step("pixels out".into(), Variant::new("pixels_out", &[("sixteen", picture.sixteen)]), parts);
}

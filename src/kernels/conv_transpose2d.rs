//! The 4×4 transposed convolution of stride 2, as a gather; with which all others are compared.

use super::constants::pack_convolution;
use super::lowering::WORKGROUP;
use super::{Candidate, Cost, Lowering, StepParts, combinations};
use crate::gpu::Variant;
use crate::graph::{ConvTranspose2d, NodeId};
use crate::tensor::Element;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    in_height: u32,
    in_width: u32,
    in_blocks: u32,
    out_blocks: u32,
}

const SHADER: &str = "conv_transpose2d";

pub(super) const CANDIDATE: Candidate<ConvTranspose2d> =
    Candidate { name: SHADER, shader: SHADER, computes: |_| true, suits: |_| true, lower };

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations(SHADER, &["f32", "bias", "gelu"])
}

/// One dispatch.
fn lower(lowering: &mut Lowering, node: NodeId, conv: &ConvTranspose2d) {
    let (graph, out) = (lowering.graph, lowering.graph.node(node));
    let x = graph.node(out.inputs[0]).shape;
    let (variant, mut parts) = record(lowering, node, conv, SHADER);
    parts.workgroups = [(x.width as u32).div_ceil(WORKGROUP), x.height as u32, out.shape.blocks() as u32];
    lowering.step(node, variant, parts);
}

/// Parameters, bindings and cost of a transposed convolution; the geometry is the kernel's own.
pub(super) fn record(
    lowering: &mut Lowering,
    node: NodeId,
    conv: &ConvTranspose2d,
    shader: &'static str,
) -> (Variant, StepParts) {
    let (graph, out) = (lowering.graph, lowering.graph.node(node));
    let x = graph.node(out.inputs[0]).shape;
    let params = Params {
        in_height: x.height as u32,
        in_width: x.width as u32,
        in_blocks: x.blocks() as u32,
        out_blocks: out.shape.blocks() as u32,
    };
    let element = out.element;
    let weight = lowering.packed(conv.weight, &format!("transposed {element}"), |weight| {
        pack_convolution(weight, &[x.channels], true, element)
    });
    let mut bindings = vec![(1, lowering.input(node, 0)), (2, weight), (4, lowering.output(node))];
    if let Some(bias) = conv.bias {
        bindings.push((3, lowering.channels(bias)));
    }
    let variant =
        Variant::new(shader, &[("f32", element == Element::F32), ("bias", conv.bias.is_some()), ("gelu", conv.gelu)]);
    let weights = graph.tensor(conv.weight).data().len() as u64;
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings,
        workgroups: [0; 3],
        cost: Cost {
            flops: 2 * weights * x.pixels() as u64,
            bytes: lowering.traffic(node) + weights * element.bytes(),
        },
    };
    (variant, parts)
}

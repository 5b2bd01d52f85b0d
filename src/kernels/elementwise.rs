//! GELU of one map, or the scaled sum of two.

use super::lowering::wrapped;
use super::{Cost, Lowering, StepParts};
use crate::gpu::Variant;
use crate::graph::NodeId;
use crate::tensor::Element;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    count: u32,
    row: u32,
    scale: f32,
}

/// All variants.
pub fn variants() -> Vec<Variant> {
    [Element::F16, Element::F32].iter().flat_map(|&element| [variant(element, true), variant(element, false)]).collect()
}

fn variant(element: Element, add: bool) -> Variant {
    Variant::new("elementwise", &[("f32", element == Element::F32), ("add", add), ("gelu", !add)])
}

/// One dispatch: GELU of one map.
pub fn lower_gelu(lowering: &mut Lowering, node: NodeId) {
    lower(lowering, node, None);
}

/// One dispatch: `a + scale·b`.
pub fn lower_add(lowering: &mut Lowering, node: NodeId, scale: f32) {
    lower(lowering, node, Some(scale));
}

fn lower(lowering: &mut Lowering, node: NodeId, add: Option<f32>) {
    let out = lowering.graph.node(node);
    let count = out.shape.stored_values() as u64 / 4;
    let (workgroups, row) = wrapped(count, lowering.target.max_workgroups);
    let params = Params { count: count as u32, row, scale: add.unwrap_or_default() };
    let mut bindings = vec![(1, lowering.input(node, 0)), (3, lowering.output(node))];
    if add.is_some() {
        bindings.push((2, lowering.input(node, 1)));
    }
    // A GELU counts as 20 operations: about what its polynomials take.
    let flops = out.shape.values() as u64 * if add.is_some() { 2 } else { 20 };
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings,
        workgroups,
        cost: Cost { flops, bytes: lowering.traffic(node) },
    };
    lowering.step(node, variant(out.element, add.is_some()), parts);
}

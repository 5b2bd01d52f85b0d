//! The dynamic filter itself.

use super::constants::pack_channels;
use super::lowering::rows;
use super::{Cost, Lowering, StepParts, combinations};
use crate::gpu::Variant;
use crate::graph::{DynamicFilter, Graph, NodeId};
use crate::tensor::Element;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    height: u32,
    width: u32,
    blocks: u32,
}

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations("dynamic_filter", &["f32", "smooth_map"])
}

/// One dispatch.
pub fn lower(lowering: &mut Lowering, node: NodeId, filter: &DynamicFilter) {
    let (graph, out) = (lowering.graph, lowering.graph.node(node));
    let smooth = graph.node(out.inputs[2]);
    // A map of one pixel is both; a mean is f32 whatever the activations are.
    let smooth_map = smooth.shape.pixels() > 1 || smooth.element != Element::F32;
    let name = format!("gains {} {} {}", filter.inside.0, filter.lamb_l.0, filter.lamb_h.0);
    let gains = lowering.constants.get(&name, || gains(graph, filter));
    let params = Params {
        height: out.shape.height as u32,
        width: out.shape.width as u32,
        blocks: out.shape.blocks() as u32,
    };
    let variant =
        Variant::new("dynamic_filter", &[("f32", out.element == Element::F32), ("smooth_map", smooth_map)]);
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings: vec![
            (1, lowering.input(node, 0)),
            (2, lowering.input(node, 1)),
            (3, lowering.input(node, 2)),
            (4, gains),
            (5, lowering.output(node)),
        ],
        workgroups: rows(out.shape),
        cost: Cost { flops: 23 * out.shape.values() as u64, bytes: lowering.traffic(node) },
    };
    lowering.step(node, variant, parts);
}

/// The formula's gains of low band, subtracted mean and input: (W+1)·lamb_l, W·lamb_l, lamb_h + 1.
fn gains(graph: &Graph, filter: &DynamicFilter) -> Vec<u8> {
    let [inside, low, high] = [filter.inside, filter.lamb_l, filter.lamb_h].map(|id| graph.tensor(id).data());
    let pairs = || inside.iter().zip(low);
    let gain_low: Vec<f32> = pairs().map(|(w, l)| (w + 1.0) * l).collect();
    let gain_smooth: Vec<f32> = pairs().map(|(w, l)| w * l).collect();
    let gain_high: Vec<f32> = high.iter().map(|h| h + 1.0).collect();
    [gain_low, gain_smooth, gain_high].iter().flat_map(|values| pack_channels(values)).collect()
}

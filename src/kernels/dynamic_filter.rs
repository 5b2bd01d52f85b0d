//! The dynamic filter itself, which makes its taps on the way where the map is small.

use super::constants::pack_channels;
use super::filter_taps::{Recipe, features};
use super::lowering::rows;
use super::{Cost, Lowering, StepParts, combinations};
use crate::gpu::Variant;
use crate::graph::{Activation, DynamicFilter, Graph, NodeId, Op};
use crate::tensor::{Element, Shape};
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    height: u32,
    width: u32,
    blocks: u32,
}

/// Invocations of a workgroup that makes its own taps, as in the shader; it holds a mean of so many blocks, and so many rows
/// of taps.
const LANES: usize = 256;
const ROWS: usize = 256;

/// The most vec4s that all workgroups together read for taps: a megabyte, which small GPUs too have read from their caches in
/// the time of a dispatch, by reckoning. And the most workgroups on software drivers, which take them one by one.
const MOST_READS: usize = 1 << 16;
const MOST_IN_SOFTWARE: usize = 2;

/// Makes the taps, too.
const OWN_TAPS: (&str, bool) = ("own_taps", true);

/// All variants.
pub fn variants() -> Vec<Variant> {
    let given = combinations("dynamic_filter", &["f32", "smooth_map"]);
    let parts = [Element::F16, Element::F32];
    let activations = [Activation::Tanh, Activation::Softmax, Activation::SoftmaxTanh];
    let own = given.iter().flat_map(|variant| {
        activations.iter().flat_map(move |&activation| {
            // Plans of single precision have no half floats to add up.
            let parts = parts.into_iter().filter(|&element| element == Element::F32 || !variant.has("f32"));
            parts.map(move |element| {
                let taps = variant.clone().with_features(&features(activation, Some(element)));
                taps.with_features(&[OWN_TAPS])
            })
        })
    });
    let own: Vec<Variant> = own.collect();
    given.into_iter().chain(own).collect()
}

/// Blocks of channels of a workgroup's slice: those of a group, so that few taps are made for them.
fn slice(group_channels: usize) -> usize {
    group_channels.div_ceil(4).clamp(1, 16)
}

/// Workgroups of a map: for its pixels, and for its slices of channels.
fn workgroups(shape: Shape, slice: usize) -> [usize; 2] {
    [shape.pixels().div_ceil(LANES / slice), shape.blocks().div_ceil(slice)]
}

/// Whether a map is subtracted, not one mean a channel. A map of one pixel is both; a mean is f32 whatever the activations are.
fn smooths_by_map(graph: &Graph, filter: NodeId) -> bool {
    let smooth = graph.node(graph.node(filter).inputs[2]);
    smooth.shape.pixels() > 1 || smooth.element != Element::F32
}

/// Whether the filter that reads these taps makes them itself: it alone reads them and their mean, and its workgroups are so
/// few that to make them in each costs less than a dispatch.
pub(super) fn takes(lowering: &mut Lowering, taps: NodeId, recipe: &Recipe) -> bool {
    let graph = lowering.graph;
    let mean = graph.node(taps).inputs[0];
    let [filter] = graph.readers(taps).collect::<Vec<_>>()[..] else { return false };
    let is_output = |id: NodeId| graph.outputs.iter().any(|output| output.node == id);
    let own = matches!(graph.node(filter).op, Op::DynamicFilter(_))
        && graph.readers(mean).all(|reader| reader == taps || reader == filter)
        && graph.node(filter).inputs[0] != mean
        && (graph.node(filter).inputs[2] == mean || smooths_by_map(graph, filter))
        && !is_output(taps)
        && !is_output(mean);
    let shape = graph.node(filter).shape;
    let group_channels = recipe.params.group_channels as usize;
    let slice = slice(group_channels);
    let rows = 9 * (4 * slice / group_channels + 2);
    let workgroups = workgroups(shape, slice);
    let few = !lowering.target.software || workgroups[0] * workgroups[1] <= MOST_IN_SOFTWARE;
    let reads = workgroups[0] * workgroups[1] * (recipe.gathered + rows * shape.blocks());
    let fits = shape.blocks() <= LANES && rows <= ROWS && recipe.gathered > 0 && few && reads <= MOST_READS;
    // A window's sums are not the picture's.
    let takes = own && fits && !lowering.target.plain && lowering.window.is_none();
    if takes {
        lowering.recipes.insert(filter, recipe.clone());
    }
    takes
}

/// One dispatch.
pub fn lower(lowering: &mut Lowering, node: NodeId, filter: &DynamicFilter) {
    let (graph, out) = (lowering.graph, lowering.graph.node(node));
    let smooth_map = smooths_by_map(graph, node);
    let name = format!("gains {} {} {}", filter.inside.0, filter.lamb_l.0, filter.lamb_h.0);
    let gains = lowering.constants.get(&name, || gains(graph, filter));
    let variant = Variant::new("dynamic_filter", &[("f32", out.element == Element::F32), ("smooth_map", smooth_map)]);
    let cost = Cost { flops: 23 * out.shape.values() as u64, bytes: lowering.traffic(node) };
    let mut bindings = vec![(1, lowering.input(node, 0)), (4, gains), (5, lowering.output(node))];
    if let Some(recipe) = lowering.recipes.remove(&node) {
        if smooth_map {
            bindings.push((3, lowering.input(node, 2)));
        }
        bindings.extend(recipe.bindings);
        let slice = slice(recipe.params.group_channels as usize);
        let [across, down] = workgroups(out.shape, slice);
        let mut params = recipe.params;
        (params.height, params.width) = (out.shape.height as u32, out.shape.width as u32);
        params.slice = slice as u32;
        let parts = StepParts {
            params: bytemuck::bytes_of(&params).to_vec(),
            bindings,
            workgroups: [across as u32, down as u32, 1],
            cost: Cost { flops: cost.flops + recipe.cost.flops, bytes: cost.bytes + recipe.cost.bytes },
        };
        lowering.step(node, variant.with_features(&recipe.features).with_features(&[OWN_TAPS]), parts);
        return;
    }
    let params =
        Params { height: out.shape.height as u32, width: out.shape.width as u32, blocks: out.shape.blocks() as u32 };
    bindings.extend([(2, lowering.input(node, 1)), (3, lowering.input(node, 2))]);
    let params = bytemuck::bytes_of(&params).to_vec();
    let parts = StepParts { params, bindings, workgroups: rows(out.shape), cost };
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

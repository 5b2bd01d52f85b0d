//! Bilinear upsampling of one to three maps, summed, with a base and GELU.

use super::lowering::rows;
use super::{Cost, Lowering, Operand, StepParts, combinations};
use crate::gpu::Variant;
use crate::graph::NodeId;
use crate::tensor::Element;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    height: u32,
    width: u32,
    blocks: u32,
    padding: u32,
    heights: [u32; 3],
    window: u32,
    widths: [u32; 3],
    picture: u32,
}

/// Pixels below one another that an invocation of the form `tall` makes.
const TALL: u32 = 4;

/// All variants: one source, two, or three.
pub fn variants() -> Vec<Variant> {
    let all = combinations("upsample_sum", &["f32", "base", "second", "third", "gelu", "window", "tall"]);
    all.into_iter().filter(|v| !v.features.contains(&"third") || v.features.contains(&"second")).collect()
}

/// Whether the shader can say where pixels fall: it multiplies a place by the steps of the other map. Rows are a whole picture's.
pub fn can_place(lowering: &Lowering, node: NodeId, base: bool) -> bool {
    let (graph, out) = (lowering.graph, lowering.graph.node(node));
    let rows = |height: usize| lowering.window.map_or(height, |window| height * window.picture / window.rows.max(1));
    let fits = |to: usize, from: usize| to.max(1).saturating_mul(from.max(1)) <= u32::MAX as usize;
    // From which rows the shader finds out how many the picture's are.
    let counted = |height: usize| lowering.window.is_none_or(|window| fits(height, window.picture));
    counted(out.shape.height)
        && out.inputs[usize::from(base)..].iter().all(|&source| {
            let shape = graph.node(source).shape;
            let placed = fits(out.shape.width, shape.width) && fits(rows(out.shape.height), rows(shape.height));
            placed && counted(shape.height)
        })
}

/// One dispatch.
pub fn lower(lowering: &mut Lowering, node: NodeId, base: bool, gelu: bool) {
    let (graph, out) = (lowering.graph, lowering.graph.node(node));
    let first = usize::from(base);
    let sources = out.inputs.len() - first;
    let (mut heights, mut widths) = ([1; 3], [1; 3]);
    let mut bindings = vec![(5, lowering.output(node))];
    if base {
        bindings.push((1, lowering.input(node, 0)));
    }
    for source in 0..sources {
        let shape = graph.node(out.inputs[first + source]).shape;
        (heights[source], widths[source]) = (shape.height as u32, shape.width as u32);
        bindings.push((2 + source as u32, lowering.input(node, first + source)));
    }
    if let Some(window) = lowering.window {
        bindings.push((6, Operand::Buffer(window.origin)));
    }
    // Four rows below one another then fall on four rows of a source at most.
    let tall = heights[..sources].iter().all(|&height| 2 * (height - 1) <= out.shape.height.saturating_sub(1) as u32);
    let params = Params {
        height: out.shape.height as u32,
        width: out.shape.width as u32,
        blocks: out.shape.blocks() as u32,
        padding: 0,
        heights,
        window: lowering.window.map_or(0, |window| window.rows as u32),
        widths,
        picture: lowering.window.map_or(0, |window| window.picture as u32),
    };
    let variant = Variant::new(
        "upsample_sum",
        &[
            ("f32", out.element == Element::F32),
            ("base", base),
            ("second", sources > 1),
            ("third", sources > 2),
            ("gelu", gelu),
            ("window", lowering.window.is_some()),
            ("tall", tall),
        ],
    );
    let [across, down, deep] = rows(out.shape);
    // A blend is 3 multiply-add pairs; a GELU counts as 20 operations.
    let operations = 6 * sources + usize::from(base) + if gelu { 20 } else { 0 };
    let parts = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings,
        workgroups: [across, if tall { down.div_ceil(TALL) } else { down }, deep],
        cost: Cost { flops: (out.shape.values() * operations) as u64, bytes: lowering.traffic(node) },
    };
    lowering.step(node, variant, parts);
}

//! What the kernels for convolutions share, as they share `shaders/shared/convolution.wgsl`: parameters, bindings, cost,
//! packed weights, and the variants that come of them; of transposed convolutions as well, as four of 2×2.

use super::constants::{by_parity, pack_convolution};
use super::lowering::groups_of;
use super::{Cost, Lowering, StepParts, combinations, filter_taps, integer, storage};
use crate::gpu::Variant;
use crate::graph::{Conv2d, ConvTranspose2d, Epilogue, NodeId};
use crate::tensor::{Element, Tensor};
use bytemuck::{Pod, Zeroable};
use std::ops::Range;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    in_height: u32,
    in_width: u32,
    first_blocks: u32,
    in_blocks: u32,
    out_height: u32,
    out_width: u32,
    out_blocks: u32,
    kernel: u32,
    stride: u32,
    padding: u32,
    first_tile: u32,
    end_tile: u32,
}

/// Records a kernel whose workgroups take so many pixels in a row, and so many blocks of output channels: one dispatch.
pub(super) fn lower_by_pixels(
    lowering: &mut Lowering,
    node: NodeId,
    (variant, mut parts): (Variant, StepParts),
    pixels: usize,
    blocks: usize,
) {
    let shape = lowering.graph.node(node).shape;
    let [across, down] = groups_of(shape.pixels().div_ceil(pixels), lowering.target.max_workgroups);
    parts.workgroups = [across, down, shape.blocks().div_ceil(blocks) as u32];
    lowering.step(node, variant, parts);
}

/// The variants of a kernel with these bindings. Weights are stored as the activations of the plan are, or, with
/// `integers`, as 16-bit integers for half precision; a picture (f32 in every plan) can be what is read or what is written.
pub(super) fn variants_of(shader: &'static str, integers: bool) -> Vec<Variant> {
    let elements = [
        (Element::F16, Element::F16, Element::F16),
        (Element::F16, Element::F32, Element::F16),
        (Element::F16, Element::F16, Element::F32),
        (Element::F16, Element::F32, Element::F32),
        (Element::F32, Element::F32, Element::F32),
    ];
    let mut all = vec![];
    for (weight, input, output) in elements {
        for mask in 0..16u32 {
            let on = |bit: u32| mask >> bit & 1 == 1;
            all.push(Variant::new(
                shader,
                &[
                    ("weight_f32", weight == Element::F32),
                    ("weight_i16", weight == Element::F16 && integers),
                    ("input_f32", input == Element::F32),
                    ("output_f32", output == Element::F32),
                    ("two_inputs", on(0)),
                    ("bias", on(1)),
                    ("gelu", on(2)),
                    ("residual", on(3)),
                ],
            ));
        }
    }
    all
}

/// The variants of a kernel that gathers the sums of its result: of one input, without another epilogue.
pub(super) fn gathering_variants_of(shader: &'static str, integers: bool) -> Vec<Variant> {
    // Pictures have no means.
    let maps =
        |variant: &Variant| ["input_f32", "output_f32"].iter().all(|f| variant.has(f) == variant.has("weight_f32"));
    let all = variants_of(shader, integers).into_iter().filter(|variant| ends_plainly(variant) && maps(variant));
    all.map(|mut variant| {
        variant.add(SUMS);
        variant
    })
    .collect()
}

/// The feature of a kernel that gathers sums.
const SUMS: &str = "sums";

fn ends_plainly(variant: &Variant) -> bool {
    !["two_inputs", "bias", "gelu", "residual"].iter().any(|feature| variant.has(feature))
}

/// Has a kernel leave the sums of its result in `count` parts, where that saves the mean of it a dispatch.
pub(super) fn gather(lowering: &mut Lowering, node: NodeId, (variant, parts): &mut (Variant, StepParts), count: usize) {
    if !ends_plainly(variant) {
        return;
    }
    if let Some(sums) = filter_taps::wanted_sums(lowering, node, count) {
        variant.add(SUMS);
        parts.bindings.push((9, sums));
    }
}

/// Parameters, bindings and cost of a convolution; the geometry is the kernel's own.
pub(super) fn record(
    lowering: &mut Lowering,
    node: NodeId,
    conv: &Conv2d,
    shader: &'static str,
) -> (Variant, StepParts) {
    record_with(lowering, node, conv, shader, None)
}

/// What a kernel makes of the weights in place of the common layout.
pub(super) struct WeightTransform<'a> {
    /// What the packed weights are kept under.
    pub name: String,
    /// The values of `[out, in, rows, columns]` in the kernel's order, given the channels of each source.
    pub pack: &'a dyn Fn(&Tensor, &[usize]) -> Vec<f32>,
    /// How plans of half precision store them as integers, if they do.
    pub integers: Option<Integers>,
}

/// Weights `[place][group][input block][output block][4 inputs][4 outputs]` as integers, each place and group of output blocks
/// with scales of its own.
#[derive(Clone, Copy)]
pub(super) struct Integers {
    /// Values of each pair of an input and an output channel.
    pub places: usize,
    /// Input and output blocks as the kernel counts them.
    pub blocks: [usize; 2],
    /// Output blocks of a group. Groups are padded to be whole.
    pub group: usize,
}

impl Integers {
    /// The values of a place and group.
    fn part(self) -> usize {
        self.blocks[0] * self.group * 16
    }

    /// All values.
    fn count(self) -> usize {
        self.places * self.blocks[1].div_ceil(self.group) * self.part()
    }
}

/// A transposed convolution as four 2×2 convolutions, one for each parity of the output's rows and columns; the transform is
/// given weights as [`by_parity`] orders them.
pub(super) fn record_transposed(
    lowering: &mut Lowering,
    node: NodeId,
    conv: &ConvTranspose2d,
    shader: &'static str,
    transform: &WeightTransform<'_>,
) -> (Variant, StepParts) {
    let parity = Conv2d {
        weight: conv.weight,
        bias: conv.bias,
        kernel: 2,
        stride: 1,
        padding: 1,
        epilogue: Epilogue { gelu: conv.gelu, residual: false },
    };
    let pack = |weight: &Tensor, sources: &[usize]| (transform.pack)(&by_parity(weight), sources);
    let name = format!("{} of parities", transform.name);
    let transform = WeightTransform { name, pack: &pack, integers: transform.integers };
    let (mut variant, mut parts) = record_with(lowering, node, &parity, shader, Some(transform));
    variant.add(TRANSPOSED);
    // A value of the result takes 4 of the 16 taps.
    parts.cost.flops /= 4;
    (variant, parts)
}

/// The feature of a kernel's transposed form.
const TRANSPOSED: &str = "transposed";

/// The variants of a kernel's transposed form, `integers` as in [`variants_of`].
pub(super) fn transposed_variants_of(shader: &'static str, integers: bool) -> Vec<Variant> {
    let half = if integers { &["weight_i16"][..] } else { &[] };
    let elements = [half, &["weight_f32", "input_f32", "output_f32"]];
    let with = |single: &'static [&'static str]| {
        combinations(shader, &["bias", "gelu"]).into_iter().map(move |mut variant| {
            single.iter().chain([&TRANSPOSED]).for_each(|feature| variant.add(feature));
            variant
        })
    };
    elements.into_iter().flat_map(with).collect()
}

/// A convolution's dispatch for some of its tiles.
pub(super) fn through_tiles(parts: &StepParts, tiles: &Range<usize>, share: f64) -> StepParts {
    let mut params: Params = bytemuck::pod_read_unaligned(&parts.params);
    (params.first_tile, params.end_tile) = (tiles.start as u32, tiles.end as u32);
    let part = |all: u64| (all as f64 * share).round() as u64;
    StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings: parts.bindings.clone(),
        workgroups: parts.workgroups,
        cost: Cost { flops: part(parts.cost.flops), bytes: part(parts.cost.bytes) },
    }
}

/// Parameters, bindings and cost of a convolution by a kernel that may read transformed weights.
pub(super) fn record_with(
    lowering: &mut Lowering,
    node: NodeId,
    conv: &Conv2d,
    shader: &'static str,
    transform: Option<WeightTransform<'_>>,
) -> (Variant, StepParts) {
    let (graph, out) = (lowering.graph, lowering.graph.node(node));
    let source_count = conv.sources(out.inputs.len());
    let sources: Vec<usize> = out.inputs[..source_count].iter().map(|&id| graph.node(id).shape.channels).collect();
    let blocks = |channels: &usize| channels.div_ceil(4) as u32;
    let x = graph.node(out.inputs[0]);
    let params = Params {
        in_height: x.shape.height as u32,
        in_width: x.shape.width as u32,
        first_blocks: blocks(&sources[0]),
        in_blocks: sources.iter().map(blocks).sum(),
        out_height: out.shape.height as u32,
        out_width: out.shape.width as u32,
        out_blocks: out.shape.blocks() as u32,
        kernel: conv.kernel as u32,
        stride: conv.stride as u32,
        padding: conv.padding as u32,
        first_tile: 0,
        end_tile: 0,
    };
    let element = lowering.element;
    let name = transform.as_ref().map_or("conv", |transform| &transform.name);
    let integers = transform.as_ref().and_then(|transform| transform.integers).filter(|_| element == Element::F16);
    let weight = lowering.packed(conv.weight, &format!("{name} {sources:?} {element}"), |weight| {
        let Some(transform) = &transform else { return pack_convolution(weight, &sources, false, element) };
        let values = (transform.pack)(weight, &sources);
        match integers {
            Some(integers) => integer::pack(&values, integers.part(), integers.group),
            None => storage::encode_values(element, &values),
        }
    });
    let mut bindings = vec![(1, lowering.input(node, 0)), (6, lowering.output(node))];
    match integers {
        Some(integers) => {
            let [weight, scale] = integer::split(weight, integers.count());
            bindings.extend([(3, weight), (7, scale)]);
        }
        None => bindings.push((3, weight)),
    }
    if source_count == 2 {
        bindings.push((2, lowering.input(node, 1)));
    }
    if let Some(bias) = conv.bias {
        bindings.push((4, lowering.channels(bias)));
    }
    if conv.epilogue.residual {
        bindings.push((5, lowering.input(node, source_count)));
    }
    let variant = Variant::new(
        shader,
        &[
            ("weight_f32", element == Element::F32),
            ("weight_i16", integers.is_some()),
            ("input_f32", x.element == Element::F32),
            ("output_f32", out.element == Element::F32),
            ("two_inputs", source_count == 2),
            ("bias", conv.bias.is_some()),
            ("gelu", conv.epilogue.gelu),
            ("residual", conv.epilogue.residual),
        ],
    );
    let weights = graph.tensor(conv.weight).data().len() as u64;
    let cost = Cost {
        flops: 2 * weights * out.shape.pixels() as u64,
        bytes: lowering.traffic(node) + weights * element.bytes(),
    };
    let parts = StepParts { params: bytemuck::bytes_of(&params).to_vec(), bindings, workgroups: [0; 3], cost };
    (variant, parts)
}

//! Which kernel computes a convolution, or a residual block as a whole: the shipped table > what was measured on this
//! machine > a heuristic > the plain kernel; never one that disagrees with the plain one on this device.

use super::fastest;
use crate::graph::{Conv2d, Graph, NodeId, Op};
use crate::kernels::conv2d_matrix_halo::{self, Form, Kind};
use crate::kernels::{Target, conv2d_matrix_staged, residual_block, winograd};
use crate::tensor::Element;
use std::fmt;

/// The kernels that compute convolutions, transposed convolutions and residual blocks, by the name that
/// [`Target::prefer`] takes.
pub const CHOICES: &[&str] = &[
    "conv2d",
    "conv2d_matrix",
    "conv2d_matrix_halo",
    "conv2d_matrix_low",
    "conv2d_matrix_flat",
    "conv2d_matrix_staged",
    "conv2d_shared",
    "conv2d_tiled",
    "winograd_shared",
    "conv2d_broadcast",
    "conv2d_pairs",
    "winograd",
    "winograd_f2",
    "conv_transpose2d",
    "conv_transpose2d_shared",
    "conv_transpose2d_matrix",
    "conv_transpose2d_broadcast",
    "conv_transpose2d_winograd",
    BLOCK,
];

/// The kernel that computes a residual block.
const BLOCK: &str = "residual_block";

/// What is taken in a block's place: a kernel for each of its convolutions.
const APART: &str = "two convolutions";

/// Lanes of the subgroups that the broadcasting kernels are written for.
const BROADCAST_LANES: Option<u32> = Some(8);

/// Why a kernel was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The caller wants it.
    Asked,
    /// The program carries a figure of this adapter.
    Shipped,
    /// It was the fastest on this machine.
    Tuned,
    /// A rule of thumb.
    Heuristic,
    /// What would have been taken disagrees with the plain kernel on this device.
    Demoted,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Asked => "asked for",
            Reason::Shipped => "fastest in the shipped table",
            Reason::Tuned => "fastest on this machine",
            Reason::Heuristic => "heuristic",
            Reason::Demoted => "the heuristic's disagrees with the plain kernel on this device, or is refused",
        })
    }
}

/// A kernel, and why it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// One of [`CHOICES`].
    pub kernel: &'static str,
    /// Why.
    pub reason: Reason,
}

/// What decides the speed of a convolution: `3x3/1 32>32 2^16`; `t` stands before a transposed one. Channels are whole
/// blocks, pixels the power of two below.
pub fn key(graph: &Graph, precision: Element, id: NodeId) -> Option<String> {
    let node = graph.node(id);
    let (mark, kernel, stride, sources) = match &node.op {
        Op::Conv2d(conv) => ("", conv.kernel, conv.stride, conv.sources(node.inputs.len())),
        Op::ConvTranspose2d(_) => ("t", 4, 2, 1),
        _ => return None,
    };
    let inputs: usize = node.inputs[..sources].iter().map(|&id| graph.node(id).shape.stored_channels()).sum();
    let (outputs, pixels) = (node.shape.stored_channels(), node.shape.pixels().max(1).ilog2());
    Some(format!("{mark}{kernel}x{kernel}/{stride} {inputs}>{outputs} 2^{pixels} {precision}"))
}

/// The kernels that compute a convolution on a target; none for other ops.
pub fn candidates(graph: &Graph, precision: Element, target: &Target, id: NodeId) -> Vec<&'static str> {
    let node = graph.node(id);
    let fits = |kind: Option<Kind>, form| {
        kind.is_some_and(|kind| conv2d_matrix_halo::forms(node.shape, kind, target).contains(&form))
    };
    let broadcasts = target.subgroup == BROADCAST_LANES;
    let matrices = precision == Element::F16 && target.matrix.is_some();
    let maps = node.inputs.iter().chain([&id]).all(|&id| graph.node(id).element == precision);
    let staged = |conv: &Conv2d| {
        let sources = &node.inputs[..conv.sources(node.inputs.len())];
        let channels: Vec<_> = sources.iter().map(|&id| graph.node(id).shape.channels).collect();
        matrices && maps && conv2d_matrix_staged::computes(conv, &channels, node.shape, target)
    };
    let ends = |form: winograd::Form, sources: usize| {
        let in_blocks = node.inputs[..sources].iter().map(|&id| graph.node(id).shape.blocks()).sum();
        !target.software || winograd::ends_in_time(form, in_blocks, node.shape.blocks())
    };
    let computes = |kernel: &&str| match (&node.op, *kernel) {
        (Op::Conv2d(_), "conv2d" | "conv2d_shared" | "conv2d_tiled") => true,
        (Op::Conv2d(_), "conv2d_matrix") => matrices,
        (Op::Conv2d(conv), "conv2d_matrix_halo") => matrices && fits(conv2d_matrix_halo::kind(conv), Form::Tall),
        (Op::Conv2d(conv), "conv2d_matrix_low") => matrices && fits(conv2d_matrix_halo::kind(conv), Form::Low),
        (Op::Conv2d(conv), "conv2d_matrix_flat") => matrices && fits(conv2d_matrix_halo::kind(conv), Form::Flat),
        (Op::Conv2d(conv), "conv2d_matrix_staged") => staged(conv),
        (Op::Conv2d(_), "conv2d_broadcast" | "conv2d_pairs") => broadcasts,
        (Op::Conv2d(conv), "winograd" | "winograd_f2") => {
            let form = if *kernel == "winograd" { winograd::Form::Four } else { winograd::Form::Two };
            broadcasts && !target.lean && winograd::computes(conv) && ends(form, conv.sources(node.inputs.len()))
        }
        (Op::Conv2d(conv), "winograd_shared") => winograd::computes(conv),
        (Op::ConvTranspose2d(_), "conv_transpose2d" | "conv_transpose2d_shared") => true,
        (Op::ConvTranspose2d(_), "conv_transpose2d_matrix") => {
            matrices && maps && conv2d_matrix_halo::suits(node.shape, Kind::Transposed, target).is_some()
        }
        (Op::ConvTranspose2d(_), "conv_transpose2d_broadcast") => broadcasts,
        (Op::ConvTranspose2d(_), "conv_transpose2d_winograd") => {
            broadcasts && !target.lean && maps && ends(winograd::Form::Five, 1)
        }
        _ => false,
    };
    CHOICES.iter().copied().filter(computes).collect()
}

/// The kernel for a convolution, transposed or not.
pub fn choose(graph: &Graph, precision: Element, target: &Target, id: NodeId) -> Choice {
    let all = candidates(graph, precision, target, id);
    let key = key(graph, precision, id).unwrap_or_default();
    decide(precision, target, &key, &all, &heuristic(graph, target, id, &all))
}

/// The convolutions of the residual block that a node ends, and what decides its speed: `block 32>32>32 2^16`. None for
/// other nodes, and where no kernel computes the block as a whole.
pub fn block(graph: &Graph, precision: Element, second: NodeId) -> Option<([NodeId; 2], String)> {
    let first = residual_block::first_of(graph, precision, second)?;
    let [middle, outer] = [first, second].map(|id| graph.node(id).shape.stored_channels());
    let pixels = graph.node(second).shape.pixels().max(1).ilog2();
    Some(([first, second], format!("block {outer}>{middle}>{outer} 2^{pixels} {precision}")))
}

/// The ways to compute a residual block.
pub fn block_candidates() -> Vec<&'static str> {
    vec![APART, BLOCK]
}

/// The kernel for a residual block of a key. It is taken apart unless a measurement says otherwise: the border made twice
/// is worth it only where memory is slow beside arithmetic.
pub fn choose_block(precision: Element, target: &Target, key: &str) -> Choice {
    let all = block_candidates();
    decide(precision, target, key, &all, &all)
}

/// The residual block that a node belongs to, if one kernel is to compute it.
pub(super) fn fused_block(graph: &Graph, precision: Element, target: &Target, id: NodeId) -> Option<[NodeId; 2]> {
    let readers = (0..graph.nodes.len()).map(NodeId).filter(|&reader| graph.node(reader).inputs.contains(&id));
    let both = std::iter::once(id).chain(readers).filter_map(|second| block(graph, precision, second));
    let (nodes, key) = both.into_iter().find(|(nodes, _)| nodes.contains(&id))?;
    (choose_block(precision, target, &key).kernel == BLOCK).then_some(nodes)
}

/// One of all kernels that compute something, the plain one first; the likely fastest is the first of `ranked`.
fn decide(precision: Element, target: &Target, key: &str, all: &[&'static str], ranked: &[&'static str]) -> Choice {
    let plain = all.first().copied().unwrap_or("conv2d");
    let of = |name: &str| all.iter().copied().find(|kernel| *kernel == name);
    if let Some(kernel) = target.prefer.and_then(of) {
        return Choice { kernel, reason: Reason::Asked };
    }
    if target.plain {
        return Choice { kernel: plain, reason: Reason::Asked };
    }
    let known = target.preferences;
    let sound = |kernel: &&str| !known.is_some_and(|known| known.demoted(&check_key(kernel, precision)));
    let shipped = known.and_then(|known| of(fastest::shipped(&known.adapter, key)?));
    if let Some(kernel) = shipped.filter(sound) {
        return Choice { kernel, reason: Reason::Shipped };
    }
    let tuned = known.and_then(|known| of(known.fastest.get(key)?));
    if let Some(kernel) = tuned.filter(sound) {
        return Choice { kernel, reason: Reason::Tuned };
    }
    let mut ranked = ranked.iter().copied();
    let first = ranked.next().unwrap_or(plain);
    if sound(&first) {
        return Choice { kernel: first, reason: Reason::Heuristic };
    }
    Choice { kernel: ranked.find(sound).unwrap_or(plain), reason: Reason::Demoted }
}

/// What a kernel's check goes by in [`crate::gpu::Preferences::agrees`].
pub fn check_key(kernel: &str, precision: Element) -> String {
    format!("{kernel} {precision}")
}

/// Candidates, the likely fastest first; the plain one last.
fn heuristic(graph: &Graph, target: &Target, id: NodeId, all: &[&'static str]) -> Vec<&'static str> {
    let node = graph.node(id);
    let (pixels, out_blocks) = (node.shape.pixels(), node.shape.blocks());
    let mut ranked = all.to_vec();
    ranked.reverse();
    if !target.software {
        // Where there are units for matrices they are the greater part of the arithmetic.
        ranked.sort_by_key(|kernel| !kernel.contains("_matrix"));
    }
    if let Op::ConvTranspose2d(_) = node.op {
        let in_blocks = graph.node(node.inputs[0]).shape.blocks();
        ranked.retain(|&kernel| match kernel {
            // On a CPU workgroup memory is memory like any other.
            "conv_transpose2d_shared" | "conv_transpose2d_matrix" => !target.software,
            // As below; a tile makes 100 pixels, and one block of channels leaves half the lanes idle.
            "conv_transpose2d_winograd" => pixels >= 3200 && out_blocks >= 2 && winograd::has_room(graph, in_blocks),
            _ => true,
        });
    }
    if let Op::Conv2d(conv) = &node.op {
        let sources = &node.inputs[..conv.sources(node.inputs.len())];
        let in_blocks: usize = sources.iter().map(|&id| graph.node(id).shape.blocks()).sum();
        let suited =
            conv2d_matrix_halo::kind(conv).and_then(|kind| conv2d_matrix_halo::suits(node.shape, kind, target));
        // A 1×1 result has nothing to share.
        let suited = suited.filter(|_| pixels >= 4);
        ranked.retain(|&kernel| match kernel {
            // On software drivers one of the others is faster; tuning may find otherwise elsewhere.
            "winograd_f2" => false,
            // It makes 32 channels at a time; a few tiles leave lanes idle.
            "winograd" => pixels >= 1024 && out_blocks >= 8 && winograd::has_room(graph, in_blocks),
            // By arithmetic: transforms cost as much as 4 blocks of channels save, and it makes 16 or 32 at a time.
            "winograd_shared" => !target.software && pixels >= 1024 && in_blocks >= 4 && out_blocks >= 4,
            // A single block of channels leaves 7 lanes of 8 idle.
            "conv2d_broadcast" => pixels >= 4 && out_blocks > 1,
            // More channels are what it reads its pixels again for.
            "conv2d_pairs" => pixels >= 4 && (2..=4).contains(&out_blocks),
            "conv2d_matrix_halo" => suited == Some(Form::Tall),
            "conv2d_matrix_low" => suited == Some(Form::Low),
            "conv2d_matrix_flat" => suited == Some(Form::Flat),
            // It makes 32 channels at a time.
            "conv2d_matrix_staged" => {
                out_blocks > 4 && conv2d_matrix_staged::workgroups(node.shape) >= conv2d_matrix_halo::MANY_GROUPS
            }
            "conv2d_matrix" | "conv2d_shared" | "conv2d_tiled" => pixels >= 4,
            _ => true,
        });
    }
    ranked
}

//! Which kernel computes a convolution, or a residual block as a whole: the shipped table > what was measured on this
//! machine > a heuristic > the plain kernel; never one that disagrees with the CPU reference on this device.

use super::fastest;
use crate::graph::{Conv2d, ConvTranspose2d, Graph, NodeId, Op};
use crate::kernels::{CONVOLUTIONS, Candidate, Case, TRANSPOSED_CONVOLUTIONS, Target, residual_block};
use crate::tensor::Element;
use std::fmt;

/// The kernels that compute convolutions, transposed convolutions and residual blocks, by the name that
/// [`Target::prefer`] takes.
pub const CHOICES: &[&str] = &names();

/// The kernel that computes a residual block.
const BLOCK: &str = "residual_block";

/// What is taken in a block's place: a kernel for each of its convolutions.
const APART: &str = "two convolutions";

const fn names() -> [&'static str; CONVOLUTIONS.len() + TRANSPOSED_CONVOLUTIONS.len() + 1] {
    let mut names = [BLOCK; CONVOLUTIONS.len() + TRANSPOSED_CONVOLUTIONS.len() + 1];
    let mut index = 0;
    while index < CONVOLUTIONS.len() {
        names[index] = CONVOLUTIONS[index].name;
        index += 1;
    }
    while index < CONVOLUTIONS.len() + TRANSPOSED_CONVOLUTIONS.len() {
        names[index] = TRANSPOSED_CONVOLUTIONS[index - CONVOLUTIONS.len()].name;
        index += 1;
    }
    names
}

/// The file of a kernel, without `.wgsl`: several kernels may be forms of one. None for what is no kernel.
pub fn shader(kernel: &str) -> Option<&'static str> {
    let plain = CONVOLUTIONS.iter().map(|candidate| (candidate.name, candidate.shader));
    let transposed = TRANSPOSED_CONVOLUTIONS.iter().map(|candidate| (candidate.name, candidate.shader));
    plain.chain(transposed).chain([(BLOCK, BLOCK)]).find(|(name, _)| *name == kernel).map(|(_, shader)| shader)
}

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
    /// What would have been taken disagrees with the CPU reference on this device.
    Demoted,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Asked => "asked for",
            Reason::Shipped => "fastest in the shipped table",
            Reason::Tuned => "fastest on this machine",
            Reason::Heuristic => "heuristic",
            Reason::Demoted => "the heuristic's is wrong on this device, or is refused",
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

/// The kernels that compute something, the likely fastest first, the plain one last; and which of them are worth a try.
struct Ranked {
    all: Vec<&'static str>,
    suited: Vec<&'static str>,
}

impl Ranked {
    fn of<C>(candidates: &[Candidate<C>], case: &Case<'_, C>) -> Self {
        let able: Vec<_> = candidates.iter().filter(|candidate| (candidate.computes)(case)).collect();
        let suited = able.iter().filter(|candidate| (candidate.suits)(case)).map(|candidate| candidate.name).collect();
        Self { all: able.iter().map(|candidate| candidate.name).collect(), suited }
    }
}

fn ranked(graph: &Graph, precision: Element, target: &Target, id: NodeId) -> Ranked {
    match &graph.node(id).op {
        Op::Conv2d(conv) => Ranked::of(CONVOLUTIONS, &Case::<Conv2d>::of(conv, (graph, id), precision, target)),
        Op::ConvTranspose2d(conv) => {
            Ranked::of(TRANSPOSED_CONVOLUTIONS, &Case::<ConvTranspose2d>::of(conv, (graph, id), precision, target))
        }
        _ => Ranked { all: vec![], suited: vec![] },
    }
}

/// The kernels that compute a convolution on a target; none for other ops.
pub fn candidates(graph: &Graph, precision: Element, target: &Target, id: NodeId) -> Vec<&'static str> {
    ranked(graph, precision, target, id).all
}

/// The kernel for a convolution, transposed or not.
pub fn choose(graph: &Graph, precision: Element, target: &Target, id: NodeId) -> Choice {
    let key = key(graph, precision, id).unwrap_or_default();
    decide(precision, target, &key, &ranked(graph, precision, target, id))
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
    vec![BLOCK, APART]
}

/// The kernel for a residual block of a key. It is taken apart unless a measurement says otherwise: the border made twice
/// is worth it only where memory is slow beside arithmetic.
pub fn choose_block(precision: Element, target: &Target, key: &str) -> Choice {
    decide(precision, target, key, &Ranked { all: block_candidates(), suited: vec![APART] })
}

/// The residual block that a node belongs to, if one kernel is to compute it.
pub(super) fn fused_block(graph: &Graph, precision: Element, target: &Target, id: NodeId) -> Option<[NodeId; 2]> {
    let both = std::iter::once(id).chain(graph.readers(id)).filter_map(|second| block(graph, precision, second));
    let (nodes, key) = both.into_iter().find(|(nodes, _)| nodes.contains(&id))?;
    (choose_block(precision, target, &key).kernel == BLOCK).then_some(nodes)
}

fn decide(precision: Element, target: &Target, key: &str, Ranked { all, suited }: &Ranked) -> Choice {
    let plain = all.last().copied().unwrap_or("conv2d");
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
    let mut suited = suited.iter().copied();
    let first = suited.next().unwrap_or(plain);
    if sound(&first) {
        return Choice { kernel: first, reason: Reason::Heuristic };
    }
    Choice { kernel: suited.find(sound).unwrap_or(plain), reason: Reason::Demoted }
}

/// Whether a kernel is the one that takes the place of all others.
pub fn is_plain(kernel: &str) -> bool {
    let plain = [CONVOLUTIONS.last().map(|last| last.name), TRANSPOSED_CONVOLUTIONS.last().map(|last| last.name)];
    plain.contains(&Some(kernel))
}

/// What a kernel's check goes by in [`crate::gpu::Preferences::agrees`].
pub fn check_key(kernel: &str, precision: Element) -> String {
    format!("{kernel} {precision}")
}

//! What a kernel says of itself where several compute one op: what it computes, where it is likely the fastest, and how its
//! steps are recorded. The compiler chooses by that and by what was measured.

use super::{Lowering, Target};
use crate::graph::{Conv2d, ConvTranspose2d, Graph, Node, NodeId};
use crate::tensor::{Element, Shape};

/// A kernel, or a form of one, that computes convolutions `C`: plain or transposed ones.
pub struct Candidate<C> {
    /// What it is chosen, timed and checked by: the name of its file, or one that tells its form as well.
    pub name: &'static str,
    /// The file.
    pub shader: &'static str,
    /// Whether it computes a convolution on a target.
    pub computes: fn(&Case<'_, C>) -> bool,
    /// Whether it is worth a try where it does, as far as arithmetic and the devices that were measured tell.
    pub suits: fn(&Case<'_, C>) -> bool,
    /// Records its steps.
    pub lower: fn(&mut Lowering<'_>, NodeId, &C),
}

/// A convolution of a graph whose elements are assigned, on a target.
#[derive(Debug)]
pub struct Case<'a, C> {
    /// The convolution.
    pub conv: &'a C,
    /// Where it stands.
    pub graph: &'a Graph,
    /// Its node.
    pub node: &'a Node,
    /// The maps that are convolved, as if their channels followed each other.
    pub sources: Vec<Shape>,
    /// The element of the plan's weights.
    pub precision: Element,
    /// Whether all that it reads and writes is of this precision, too: a picture is f32 in every plan.
    pub is_uniform: bool,
    /// The device.
    pub target: &'a Target,
}

/// Lanes of the subgroups that the broadcasting kernels are written for.
const BROADCAST_LANES: u32 = 8;

impl<'a, C> Case<'a, C> {
    fn new(
        conv: &'a C,
        source_count: usize,
        (graph, id): (&'a Graph, NodeId),
        precision: Element,
        target: &'a Target,
    ) -> Self {
        let node = graph.node(id);
        let sources = node.inputs[..source_count].iter().map(|&source| graph.node(source).shape).collect();
        let is_uniform = node.inputs.iter().chain([&id]).all(|&id| graph.node(id).element == precision);
        Self { conv, graph, node, sources, precision, is_uniform, target }
    }

    /// Pixels of the result.
    pub fn pixels(&self) -> usize {
        self.node.shape.pixels()
    }

    /// Blocks of 4 channels that are read.
    pub fn in_blocks(&self) -> usize {
        self.sources.iter().map(|shape| shape.blocks()).sum()
    }

    /// Blocks of 4 channels that are made.
    pub fn out_blocks(&self) -> usize {
        self.node.shape.blocks()
    }

    /// Whether there are cooperative matrices of the plan's precision.
    pub fn has_matrices(&self) -> bool {
        self.precision == Element::F16 && self.target.matrix.is_some()
    }

    /// Whether subgroups are as the broadcasting kernels want them.
    pub fn can_broadcast(&self) -> bool {
        self.target.subgroup == Some(BROADCAST_LANES)
    }

    /// Whether they are likely fast: they are shaped for software drivers, a subgroup a workgroup. Of GPUs with subgroups so
    /// small none was measured.
    pub fn broadcasts_well(&self) -> bool {
        self.can_broadcast() && self.target.software
    }
}

impl<'a> Case<'a, Conv2d> {
    /// A convolution.
    pub fn of(conv: &'a Conv2d, at: (&'a Graph, NodeId), precision: Element, target: &'a Target) -> Self {
        let source_count = conv.sources(at.0.node(at.1).inputs.len());
        Self::new(conv, source_count, at, precision, target)
    }

    /// Whether it has this kernel, stride and padding.
    pub fn is(&self, kernel: usize, stride: usize, padding: usize) -> bool {
        (self.conv.kernel, self.conv.stride, self.conv.padding) == (kernel, stride, padding)
    }
}

impl<'a> Case<'a, ConvTranspose2d> {
    /// A transposed convolution.
    pub fn of(conv: &'a ConvTranspose2d, at: (&'a Graph, NodeId), precision: Element, target: &'a Target) -> Self {
        Self::new(conv, 1, at, precision, target)
    }
}

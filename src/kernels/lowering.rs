//! Where kernels record their steps: buffers by number, dispatches in order. Offsets come later, from liveness.

use super::Constants;
use super::filter_taps::Recipe;
use super::global_mean::Parts;
use crate::gpu::{Matrices, Preferences, Variant};
use crate::graph::{Graph, NodeId, WeightId};
use crate::tensor::{Element, Shape, Tensor};
use std::collections::HashMap;

/// A buffer of the arena, not yet placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub usize);

/// What a buffer is for and how large it is.
#[derive(Clone, Debug)]
pub struct BufferSpec {
    /// The node, or the node and what is kept of it.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// What a binding points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// A buffer of the arena.
    Buffer(BufferId),
    /// A range of the constants.
    Constant {
        /// First byte.
        offset: u64,
        /// Bytes.
        size: u64,
    },
}

/// Work of a step, for rooflines: what the operation needs, not what a variant happens to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Floating-point operations, a multiplication with an addition as two.
    pub flops: u64,
    /// Bytes read and written if each were touched once.
    pub bytes: u64,
}

/// One dispatch.
#[derive(Clone, Debug)]
pub struct Step {
    /// The node it belongs to.
    pub name: String,
    /// The shader and its switches.
    pub variant: Variant,
    /// The uniform at binding 0.
    pub params: Vec<u8>,
    /// Binding number and what it points at.
    pub bindings: Vec<(u32, Operand)>,
    /// Workgroups on each axis.
    pub workgroups: [u32; 3],
    /// Work.
    pub cost: Cost,
}

/// What of the device decides geometry and choice.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// A driver that runs shaders on the CPU: small workgroups win.
    pub software: bool,
    /// Use only the plain kernel of each op.
    pub plain: bool,
    /// Use no kernel that wants a workspace beside the maps.
    pub lean: bool,
    /// Use this kernel for every node that it computes.
    pub prefer: Option<&'static str>,
    /// What measuring the device has shown.
    pub preferences: Option<&'static Preferences>,
    /// Lanes of every subgroup, if shaders may use subgroups and all have as many.
    pub subgroup: Option<u32>,
    /// The cooperative matrices of half floats with f32 sums, if shaders may use them.
    pub matrix: Option<Matrices>,
    /// The most workgroups on one axis of a dispatch.
    pub max_workgroups: u32,
    /// Bytes of a workgroup's memory.
    pub workgroup_memory: u32,
    /// Bytes of the largest buffer.
    pub max_buffer: u64,
}

impl Default for Target {
    /// WebGPU's guaranteed limits.
    fn default() -> Self {
        Self {
            software: false,
            plain: false,
            lean: false,
            prefer: None,
            preferences: None,
            subgroup: None,
            matrix: None,
            max_workgroups: 65535,
            workgroup_memory: 16 << 10,
            max_buffer: 256 << 20,
        }
    }
}

/// Says that a graph's maps are the rows of a window of a picture, each map in proportion to the picture's height.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Rows of the window.
    pub rows: usize,
    /// Rows of the picture.
    pub picture: usize,
    /// Holds the window's first row; filled for each run, so that one plan serves all windows of a height.
    pub origin: BufferId,
}

/// A plan in the making.
#[derive(Debug)]
pub struct Lowering<'a> {
    /// The graph, passes done.
    pub graph: &'a Graph,
    /// What decides geometry.
    pub target: Target,
    /// The element of convolution weights.
    pub element: Element,
    /// Set where the graph is not of a whole picture: for kernels that must know which rows they have.
    pub window: Option<Window>,
    /// Buffers so far.
    pub buffers: Vec<BufferSpec>,
    /// Constants so far.
    pub constants: Constants,
    /// Dispatches so far.
    pub steps: Vec<Step>,
    /// Sums of maps' channels that their kernels leave on the way, for their means.
    pub(super) sums: HashMap<NodeId, Parts>,
    /// The taps that filters make themselves.
    pub(super) recipes: HashMap<NodeId, Recipe>,
    maps: Vec<Option<BufferId>>,
}

impl<'a> Lowering<'a> {
    /// Nothing recorded yet.
    pub fn new(graph: &'a Graph, element: Element, target: Target) -> Self {
        let maps = vec![None; graph.nodes.len()];
        let constants = Constants::default();
        let (sums, recipes) = (HashMap::new(), HashMap::new());
        Self { graph, target, element, window: None, buffers: vec![], constants, steps: vec![], sums, recipes, maps }
    }

    /// A buffer of `bytes`, at least one `vec4` long.
    pub fn buffer(&mut self, name: impl Into<String>, bytes: u64) -> BufferId {
        self.buffers.push(BufferSpec { name: name.into(), bytes: bytes.max(16) });
        BufferId(self.buffers.len() - 1)
    }

    /// The buffer that holds a node's result.
    pub fn map(&mut self, node: NodeId) -> BufferId {
        if let Some(buffer) = self.maps[node.0] {
            return buffer;
        }
        let bytes = self.map_bytes(node);
        let buffer = self.buffer(self.graph.node(node).name.clone(), bytes);
        self.maps[node.0] = Some(buffer);
        buffer
    }

    /// Bytes of a node's result.
    pub fn map_bytes(&self, node: NodeId) -> u64 {
        self.graph.node(node).bytes()
    }

    /// The buffer of a node's `index`th input.
    pub fn input(&mut self, node: NodeId, index: usize) -> Operand {
        Operand::Buffer(self.map(self.graph.node(node).inputs[index]))
    }

    /// The buffer of a node's result, as an operand.
    pub fn output(&mut self, node: NodeId) -> Operand {
        Operand::Buffer(self.map(node))
    }

    /// A weight as `make` packs it, which the next plan finds packed. The name says all that it depends on but the weight.
    pub fn packed(&mut self, id: WeightId, name: &str, make: impl FnOnce(&Tensor) -> Vec<u8>) -> Operand {
        let graph = self.graph;
        self.constants.get(&format!("{name} {}", id.0), || graph.tensor(id).form(name, make))
    }

    /// A weight as channels in f32.
    pub fn channels(&mut self, id: WeightId) -> Operand {
        let graph = self.graph;
        self.constants.get(&format!("channels {}", id.0), || super::constants::pack_channels(graph.tensor(id).data()))
    }

    /// Bytes that a node reads (its inputs) and writes.
    pub fn traffic(&self, node: NodeId) -> u64 {
        self.graph.node(node).inputs.iter().map(|&input| self.map_bytes(input)).sum::<u64>() + self.map_bytes(node)
    }

    /// Records a step of a node.
    pub fn step(&mut self, node: NodeId, variant: Variant, step: StepParts) {
        let name = self.graph.node(node).name.clone();
        self.named_step(name, variant, step);
    }

    /// Records a step.
    pub fn named_step(&mut self, name: String, variant: Variant, step: StepParts) {
        let StepParts { params, bindings, workgroups, cost } = step;
        self.steps.push(Step { name, variant, params, bindings, workgroups, cost });
    }
}

/// What a kernel says of one dispatch.
#[derive(Debug)]
pub struct StepParts {
    /// The uniform at binding 0.
    pub params: Vec<u8>,
    /// Binding number and what it points at.
    pub bindings: Vec<(u32, Operand)>,
    /// Workgroups on each axis.
    pub workgroups: [u32; 3],
    /// Work.
    pub cost: Cost,
}

/// Invocations of a workgroup of the kernels that run value by value.
pub(crate) const WORKGROUP: u32 = 64;

/// Rounds of all its loops together after which Mesa's software driver stopped an invocation until version 23, without a word.
pub(crate) const STOPPED_AFTER: usize = 65_535;

/// One invocation for each `vec4` of a row, one row of workgroups for each row of the map.
pub(crate) fn rows(shape: Shape) -> [u32; 3] {
    [((shape.width * shape.blocks()) as u32).div_ceil(WORKGROUP), shape.height as u32, 1]
}

/// One invocation for each of `count` values, wrapped to rows of workgroups; the second is invocations per row.
pub(crate) fn wrapped(count: u64, max_workgroups: u32) -> ([u32; 3], u32) {
    let [across, down] = groups_of(count.div_ceil(u64::from(WORKGROUP)) as usize, max_workgroups);
    ([across, down, 1], across * WORKGROUP)
}

/// `count` workgroups as rows of as many as the device runs on an axis.
pub(crate) fn groups_of(count: usize, max_workgroups: u32) -> [u32; 2] {
    // A limit so large that a row would overflow its own count is cut to WebGPU's.
    let down = count.div_ceil(max_workgroups.clamp(1, 65535) as usize).max(1);
    // Rows of like length: the last one's surplus is idle.
    [count.div_ceil(down).max(1) as u32, down as u32]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn rows_of_workgroups_hold_all_and_little_more() {
        for (count, most) in
            [(0, 65_535), (1, 1), (65_535, 65_535), (65_536, 65_535), (65_600, 65_535), (1_000_000, 4000)]
        {
            let [across, down] = groups_of(count, most).map(|side| side as usize);
            assert!(across <= most as usize && across * down >= count.max(1), "{count}: {across} x {down}");
            assert!(across * down < count.max(1) + down, "{count}: {across} x {down}");
        }
        assert_eq!(groups_of(10, u32::MAX), [10, 1]);
    }

    #[test]
    fn a_weight_is_packed_once_for_all_plans() {
        let tensor = Arc::new(Tensor::new([2], vec![1.0, 2.0]).unwrap());
        let mut made = 0;
        for _ in 0..2 {
            let mut graph = Graph::new();
            let id = graph.weight("w", Arc::clone(&tensor));
            let mut lowering = Lowering::new(&graph, Element::F32, Target::default());
            let mut pack = |name: &str| {
                lowering.packed(id, name, |weight| {
                    made += 1;
                    bytemuck::cast_slice(weight.data()).to_vec()
                })
            };
            assert_eq!(
                [pack("a"), pack("a"), pack("b")],
                [0, 0, 256].map(|offset| Operand::Constant { offset, size: 8 })
            );
            assert_eq!(lowering.constants.bytes[..8], lowering.constants.bytes[256..264]);
        }
        assert_eq!(made, 2, "one for each name");
    }
}

//! The plan: a static list of dispatches over one arena, for one graph, one size, one device's limits.

use super::lower::{LowerError, lower};
use super::memory::{Lifetime, Placement, place};
use super::passes::assign_elements;
use crate::gpu::UPLOAD_BYTES;
use crate::graph::{Graph, GraphError, NodeId};
use crate::kernels::{
    ALIGNMENT, BufferId, BufferSpec, Lowering, Operand, Raster, Step, Target, Window, pixels_in, pixels_out,
};
use crate::tensor::memory::Bytes;
use crate::tensor::{Element, Shape};
use thiserror::Error;

/// Why no plan can be made.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PlanError {
    /// A pass broke the graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// An op without a kernel.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// The device binds less than one tensor needs.
    #[error(
        "{name} takes {}, but this device binds at most {} at once: the picture is too large for it; use a smaller one, or \
         `--device cpu`", Bytes(*bytes), Bytes(*limit)
    )]
    Binding {
        /// The buffer.
        name: String,
        /// What it takes.
        bytes: u64,
        /// The adapter's limit.
        limit: u64,
    },
    /// The device makes no buffer as large as one of the plan's.
    #[error(
        "this picture needs {} of device memory in one buffer, but this device allows {}; use a smaller one, or \
         `--device cpu`", Bytes(*bytes), Bytes(*limit)
    )]
    Buffer {
        /// What the plan takes.
        bytes: u64,
        /// The adapter's limit.
        limit: u64,
    },
    /// No band of rows is small enough.
    #[error(
        "this picture can't be restored within {} of device memory, not even in bands of a few rows; it needs about {} MiB: \
         give more with --memory, use a smaller picture, or `--device cpu`", Bytes(*budget), least.div_ceil(1 << 20)
    )]
    Budget {
        /// What is allowed.
        budget: u64,
        /// What a plan was found for.
        least: u64,
    },
    /// No band of rows is within the device's limits.
    #[error(
        "this picture is too wide for this device: what it binds and computes at once has no room for a few of its rows; use \
         a smaller picture, or `--device cpu`"
    )]
    Rows,
    /// An op that can't be taken in bands.
    #[error("{node} ({op}) can't be computed in bands of rows: use a smaller picture, or `--device cpu`")]
    Bands {
        /// The node's name.
        node: String,
        /// The op's kind.
        op: &'static str,
    },
    /// A map whose rows aren't a whole part of the picture's.
    #[error("the rows of {node} don't divide the picture's, so that it can't be computed in bands: use `--device cpu`")]
    Uneven {
        /// The node's name.
        node: String,
    },
    /// A dispatch larger than the device runs.
    #[error("{name} needs {workgroups:?} workgroups, but this device runs at most {limit} on an axis")]
    Workgroups {
        /// The step.
        name: String,
        /// What it needs.
        workgroups: [u32; 3],
        /// The adapter's limit.
        limit: u32,
    },
}

/// A buffer that the caller fills or reads.
#[derive(Clone, Debug)]
pub struct Port {
    /// The graph's name for it.
    pub name: String,
    /// Where it is.
    pub buffer: BufferId,
    /// What it holds, if it is a map.
    pub shape: Shape,
    /// How it is stored.
    pub element: Element,
}

/// A static list of dispatches over one arena.
#[derive(Debug)]
pub struct Plan {
    /// Dispatches, in order.
    pub steps: Vec<Step>,
    /// The arena's buffers.
    pub buffers: Vec<BufferSpec>,
    /// Where they lie.
    pub placement: Placement,
    /// What the kernels read and never write.
    pub constants: Vec<u8>,
    /// What the caller fills, in the graph's order (for pictures: the pixels).
    pub inputs: Vec<Port>,
    /// What the caller reads, in the graph's order (for pictures: the pixels, then the count of non-finite ones).
    pub outputs: Vec<Port>,
    /// What the caller sets to zero before each run.
    pub zeroed: Vec<BufferId>,
}

impl Plan {
    /// The arena's block that a buffer lies in, and its byte range there.
    pub fn place(&self, id: BufferId) -> (usize, std::ops::Range<u64>) {
        let (block, start) = self.placement.place(id.0);
        (block, start..start + self.buffers[id.0].bytes)
    }

    /// Floating-point operations of all steps.
    pub fn flops(&self) -> u64 {
        self.steps.iter().map(|step| step.cost.flops).sum()
    }

    /// Floating-point operations of the heaviest dispatch.
    pub fn most_flops(&self) -> u64 {
        self.steps.iter().map(|step| step.cost.flops).max().unwrap_or(0)
    }

    /// Bytes that all steps move if each touches every value once.
    pub fn bytes_moved(&self) -> u64 {
        self.steps.iter().map(|step| step.cost.bytes).sum()
    }

    /// Bytes of device memory that it takes: the arena, the constants, what results pass through on their way to the
    /// host, and the driver's copy of what is on its way to the device.
    pub fn device_bytes(&self) -> u64 {
        let aligned = |bytes: u64| bytes.next_multiple_of(ALIGNMENT).max(ALIGNMENT);
        let ports = |ports: &[Port]| ports.iter().map(|port| aligned(self.buffers[port.buffer.0].bytes)).sum::<u64>();
        let params = self.steps.iter().map(|step| aligned(step.params.len() as u64)).max().unwrap_or(0);
        let bound = self.constants.len() as u64 + params * self.steps.len() as u64;
        let upload = bound.max(ports(&self.inputs)).min(UPLOAD_BYTES);
        // Of every submission a word comes back, and a step has one at most.
        let marks = aligned(8 * (self.steps.len() as u64 + 2));
        self.placement.bytes() + bound + ports(&self.outputs) + marks + upload
    }

    /// Whether a device's limits allow it.
    ///
    /// # Errors
    /// The first limit that does not.
    pub fn fits(&self, limits: &wgpu::Limits) -> Result<(), PlanError> {
        let limit = limits.max_storage_buffer_binding_size;
        if let Some(buffer) = self.buffers.iter().find(|buffer| buffer.bytes > limit) {
            return Err(PlanError::Binding { name: buffer.name.clone(), bytes: buffer.bytes, limit });
        }
        let limit = limits.max_buffer_size;
        let blocks = self.placement.blocks.iter().copied();
        if let Some(bytes) = blocks.chain([self.constants.len() as u64]).find(|&bytes| bytes > limit) {
            return Err(PlanError::Buffer { bytes, limit });
        }
        let limit = limits.max_compute_workgroups_per_dimension;
        match self.steps.iter().find(|step| step.workgroups.iter().any(|&groups| groups > limit)) {
            Some(step) => Err(PlanError::Workgroups { name: step.name.clone(), workgroups: step.workgroups, limit }),
            None => Ok(()),
        }
    }
}

/// A plan from tensors to tensors: inputs are filled with maps as the device stores them, outputs are such maps.
/// The graph's passes are done; elements are assigned here.
///
/// # Errors
/// When an op has no kernel.
pub fn compile(graph: &Graph, precision: Element, target: Target) -> Result<Plan, PlanError> {
    let mut graph = graph.clone();
    assign_elements(&mut graph, precision);
    compile_maps(Lowering::new(&graph, precision, target), None)
}

/// A plan as [`compile`] makes, for a graph whose maps are a window of `rows` of a picture of `picture` rows, each in
/// proportion; its elements are assigned. A last input takes the window's first row, as a `u32`.
///
/// # Errors
/// When an op has no kernel.
pub(super) fn compile_window(
    graph: &Graph,
    precision: Element,
    target: Target,
    rows: usize,
    picture: usize,
) -> Result<Plan, PlanError> {
    let mut lowering = Lowering::new(graph, precision, target);
    let origin = lowering.buffer("first row", 4);
    lowering.window = Some(Window { rows, picture, origin });
    let shape = Shape::new(1, 1, 1);
    compile_maps(lowering, Some(Port { name: "first row".into(), buffer: origin, shape, element: Element::F32 }))
}

fn compile_maps(mut lowering: Lowering, origin: Option<Port>) -> Result<Plan, PlanError> {
    let graph = lowering.graph;
    (0..graph.nodes.len()).try_for_each(|index| lower(&mut lowering, NodeId(index)))?;
    let port = |lowering: &mut Lowering, name: &str, id: NodeId| {
        let node = graph.node(id);
        Port { name: name.into(), buffer: lowering.map(id), shape: node.shape, element: node.element }
    };
    let inputs = graph.inputs().map(|id| port(&mut lowering, &graph.node(id).name, id)).chain(origin).collect();
    let outputs = graph.outputs.iter().map(|output| port(&mut lowering, &output.name, output.node)).collect();
    Ok(finish(lowering, inputs, outputs, vec![]))
}

/// A plan from pixels to pixels: the first input takes the picture, padded by reflection to the graph's size, the
/// first output becomes the restored picture.
///
/// # Errors
/// When an op has no kernel.
pub fn compile_picture(graph: &Graph, precision: Element, target: Target, raster: Raster) -> Result<Plan, PlanError> {
    let mut graph = graph.clone();
    assign_elements(&mut graph, precision);
    let mut lowering = Lowering::new(&graph, precision, target);
    let original = lowering.buffer("pixels", raster.bytes());
    let restored = lowering.buffer("restored pixels", raster.bytes());
    let not_finite = lowering.buffer("count of non-finite pixels", 4);
    for input in graph.inputs() {
        pixels_in::lower(&mut lowering, input, Operand::Buffer(original), raster);
    }
    (0..graph.nodes.len()).try_for_each(|index| lower(&mut lowering, NodeId(index)))?;
    if let Some(output) = graph.outputs.first() {
        let buffers = pixels_out::PixelBuffers {
            original: Operand::Buffer(original),
            restored: Operand::Buffer(restored),
            not_finite: Operand::Buffer(not_finite),
        };
        pixels_out::lower(&mut lowering, output.node, raster, &buffers);
    }
    let shape = Shape::new(raster.height, raster.width, 4);
    let port = |name: &str, buffer| Port { name: name.into(), buffer, shape, element: Element::F32 };
    let outputs = vec![port("restored", restored), port("not finite", not_finite)];
    Ok(finish(lowering, vec![port("pixels", original)], outputs, vec![not_finite]))
}

/// Places the buffers: inputs live from before the first step, outputs to after the last.
fn finish(lowering: Lowering, inputs: Vec<Port>, outputs: Vec<Port>, zeroed: Vec<BufferId>) -> Plan {
    let Lowering { buffers, steps, constants, target, .. } = lowering;
    let end = steps.len();
    let mut lifetimes: Vec<Lifetime> = buffers
        .iter()
        .map(|buffer| Lifetime { bytes: buffer.bytes.next_multiple_of(ALIGNMENT), first: usize::MAX, last: 0 })
        .collect();
    let mut touch = |id: BufferId, step: usize| {
        let lifetime = &mut lifetimes[id.0];
        lifetime.first = lifetime.first.min(step);
        lifetime.last = lifetime.last.max(step);
    };
    for (index, step) in steps.iter().enumerate() {
        for (_, operand) in &step.bindings {
            if let Operand::Buffer(id) = operand {
                touch(*id, index);
            }
        }
    }
    inputs.iter().for_each(|port| touch(port.buffer, 0));
    zeroed.iter().for_each(|&buffer| touch(buffer, 0));
    outputs.iter().for_each(|port| touch(port.buffer, end));
    let placement = place(&lifetimes, target.max_buffer / ALIGNMENT * ALIGNMENT);
    Plan { steps, buffers, placement, constants: constants.bytes, inputs, outputs, zeroed }
}

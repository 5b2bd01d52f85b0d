//! A graph run from maps to maps: what `irnext run`, `verify` and the tests are made of.

use super::{Bands, RunError, Session};
use crate::compile::{Cut, Room, compile, cut};
use crate::gpu::Gpu;
use crate::graph::{Graph, Node};
use crate::kernels::{Target, storage};
use crate::tensor::{Element, FeatureMap, Shape};
use std::sync::Arc;

/// A recorded plan that takes and gives maps.
pub struct TensorSession {
    session: Session,
}

/// What a device has to do with which kernels are chosen, and how they are dispatched. `plain`: the plain kernels alone.
pub fn target(gpu: &Gpu, plain: bool) -> Target {
    Target {
        software: gpu.software,
        plain,
        lean: false,
        prefer: None,
        preferences: gpu.preferences(),
        subgroup: gpu.subgroup,
        matrix: gpu.matrix,
        max_workgroups: gpu.limits.max_compute_workgroups_per_dimension,
        workgroup_memory: gpu.limits.max_compute_workgroup_storage_size,
        max_buffer: gpu.limits.max_buffer_size,
    }
}

impl TensorSession {
    /// Compiles and records `graph`, its passes done, with activations in `precision`.
    ///
    /// # Errors
    /// When an op has no kernel, or the device refuses the plan.
    pub fn new(gpu: &Arc<Gpu>, graph: &Graph, precision: Element, plain: bool) -> Result<Self, RunError> {
        Self::with_target(gpu, graph, precision, target(gpu, plain))
    }

    /// As [`TensorSession::new`], for a target of the caller's making.
    ///
    /// # Errors
    /// As [`TensorSession::new`].
    pub fn with_target(gpu: &Arc<Gpu>, graph: &Graph, precision: Element, target: Target) -> Result<Self, RunError> {
        let plan = compile(graph, precision, target)?;
        Ok(Self { session: Session::new(Arc::clone(gpu), Arc::new(plan))? })
    }

    /// As [`TensorSession::new`], by one kernel where it computes the graph.
    ///
    /// # Errors
    /// As [`TensorSession::new`].
    pub fn by_kernel(
        gpu: &Arc<Gpu>,
        graph: &Graph,
        precision: Element,
        kernel: &'static str,
    ) -> Result<Self, RunError> {
        Self::with_target(gpu, graph, precision, Target { prefer: Some(kernel), ..target(gpu, false) })
    }

    /// The recorded plan.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// One picture's maps through the graph.
    ///
    /// # Errors
    /// When the device fails.
    pub fn run(&self, inputs: &[FeatureMap<f32>]) -> Result<Vec<FeatureMap<f32>>, RunError> {
        let plan = self.session.plan();
        let bytes: Vec<Vec<u8>> =
            plan.inputs.iter().zip(inputs).map(|(port, map)| storage::encode_map(port.element, map)).collect();
        let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        let results = self.session.run(&slices)?;
        let decoded = plan.outputs.iter().zip(&results);
        Ok(decoded.map(|(port, bytes)| storage::decode_map(port.element, port.shape, bytes)).collect())
    }
}

impl Bands {
    /// One picture's map through a graph, whose outputs are pictures.
    ///
    /// # Errors
    /// As [`Bands::run`].
    pub fn run_map(&self, input: &FeatureMap<f32>) -> Result<Vec<FeatureMap<f32>>, RunError> {
        let graph = &self.plan().graph;
        let outputs: Vec<&Node> = graph.outputs.iter().map(|output| graph.node(output.node)).collect();
        let mut made: Vec<Vec<u8>> = vec![vec![]; outputs.len()];
        let source = |rows: std::ops::Range<usize>| {
            let Shape { width, channels, .. } = input.shape;
            let values = &input.data[rows.start * width * channels..rows.end * width * channels];
            let shape = Shape::new(rows.len(), width, channels);
            storage::encode_map(Element::F32, &FeatureMap { shape, data: values.to_vec() })
        };
        // Bands come from the top down.
        let mut sink = |index: usize, _: std::ops::Range<usize>, bytes: &[u8]| made[index].extend_from_slice(bytes);
        self.run(&source, &mut sink, &mut |_| ())?;
        let decoded = outputs.iter().zip(&made);
        Ok(decoded.map(|(node, bytes)| storage::decode_map(node.element, node.shape, bytes)).collect())
    }
}

/// Maps through a graph, in one piece or in bands as the device's room demands.
pub enum MapRunner {
    /// In one piece.
    Whole(Box<TensorSession>),
    /// In bands.
    Bands(Bands),
}

impl MapRunner {
    /// Compiles `graph`, its passes done, for a device of which it may take `budget` bytes.
    ///
    /// # Errors
    /// When an op has no kernel, or the room is too little even for bands.
    pub fn new(gpu: &Arc<Gpu>, graph: &Graph, precision: Element, budget: u64) -> Result<Self, RunError> {
        let plan = compile(graph, precision, target(gpu, false))?;
        let room = Room { budget, limits: gpu.limits.clone(), flops_at_once: gpu.flops_at_once() };
        Ok(match cut(plan, graph, precision, target(gpu, false), &room)? {
            Cut::Whole(plan) => {
                let session = Session::new(Arc::clone(gpu), Arc::new(plan))?;
                Self::Whole(Box::new(TensorSession { session }))
            }
            Cut::Bands(plan) => Self::Bands(Bands::new(Arc::clone(gpu), Arc::new(plan))),
        })
    }

    /// One picture's map through a graph of one input, whose outputs are pictures.
    ///
    /// # Errors
    /// When there is no room, or the device fails.
    pub fn run(&self, input: &FeatureMap<f32>) -> Result<Vec<FeatureMap<f32>>, RunError> {
        match self {
            Self::Whole(session) => session.run(std::slice::from_ref(input)),
            Self::Bands(bands) => bands.run_map(input),
        }
    }
}

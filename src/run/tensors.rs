//! A graph run from maps to maps: what `irnext run`, `verify` and the tests are made of.

use super::{RunError, Session};
use crate::compile::compile;
use crate::gpu::Gpu;
use crate::graph::Graph;
use crate::kernels::{Target, storage};
use crate::tensor::{Element, FeatureMap};
use std::sync::Arc;

/// A recorded plan that takes and gives maps.
pub struct TensorSession {
    session: Session,
}

/// What of a device decides geometry; `plain` keeps to the plain kernels.
pub fn target(gpu: &Gpu, plain: bool) -> Target {
    Target { software: gpu.software, plain, max_workgroups: gpu.limits.max_compute_workgroups_per_dimension }
}

impl TensorSession {
    /// Compiles and records `graph`, its passes done, with activations in `precision`.
    ///
    /// # Errors
    /// When an op has no kernel, or the device refuses the plan.
    pub fn new(gpu: &Arc<Gpu>, graph: &Graph, precision: Element, plain: bool) -> Result<Self, RunError> {
        let plan = compile(graph, precision, target(gpu, plain))?;
        Ok(Self { session: Session::new(Arc::clone(gpu), Arc::new(plan))? })
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

//! Whether a device's native half precision rounds as the CPU does. Vulkan leaves it to the driver, in which way a value is
//! rounded when it is stored, and what becomes of one that is too large; sixty layers of rounding towards zero add up, and
//! without infinities nothing tells that half precision was too narrow for a model.

use super::{RunError, TensorSession};
use crate::gpu::{Gpu, GpuError, Preferences};
use crate::graph::{Conv2d, Epilogue, Graph, GraphError, Op};
use crate::tensor::{Element, FeatureMap, Shape, Tensor};
use half::f16;
use std::sync::Arc;

/// What its answer is kept as, among what is known of a device.
const KEY: &str = "half precision rounds to the nearest";

/// Whether values are rounded to the nearest half float, ties to even, and those beyond its range to infinity. Asked once a
/// device and version of the program.
///
/// # Errors
/// When the device fails.
pub fn rounds_to_nearest(gpu: &Arc<Gpu>) -> Result<bool, GpuError> {
    let file = gpu.preferences_file();
    let known = file.as_deref().and_then(|file| Preferences::load(file).ok()?.agrees.get(KEY).copied());
    if let Some(known) = known {
        return Ok(known);
    }
    let found = measure(gpu).map_err(|error| match error {
        RunError::Gpu(error) => error,
        error => GpuError::Open { adapter: gpu.name.clone(), reason: error.to_string() },
    })?;
    if let Some(file) = file {
        Preferences::keep_answer(&file, &gpu.name, KEY, found);
    }
    Ok(found)
}

/// [`rounds_to_nearest`], by a trial: a 1×1 convolution that hands single precision on as it is.
///
/// # Errors
/// As there.
pub fn measure(gpu: &Arc<Gpu>) -> Result<bool, RunError> {
    let values = values();
    let graph = identity(Shape::new(1, values.len() / 3, 3)).map_err(crate::compile::PlanError::from)?;
    let shape = graph.nodes[0].shape;
    let session = TensorSession::new(gpu, &graph, Element::F16, true)?;
    let results = session.run(&[FeatureMap { shape, data: values.clone() }])?;
    let expected = values.iter().map(|&value| f16::from_f32(value).to_f32());
    Ok(results[0].data.iter().zip(expected).all(|(found, expected)| *found == expected))
}

/// Values between half floats, on ties, and at the end of the range. Below 2^-14 a device may flush to 0, which is harmless.
fn values() -> Vec<f32> {
    let quarters = (0..64).flat_map(|step| [1.0, 3.0, 1000.0, 6.2e-5].map(|at| at * (1.0 + step as f32 / 4096.0)));
    let large = [65_503.0, 65_504.0, 65_519.0, 65_520.0, 65_535.0, 65_536.0, 1e6];
    let mut values: Vec<f32> = quarters.chain(large).flat_map(|value| [value, -value]).collect();
    values.resize(values.len().next_multiple_of(3), 0.0);
    values
}

/// A graph that stores its input, three channels of single precision, as activations are stored.
fn identity(shape: Shape) -> Result<Graph, GraphError> {
    let mut graph = Graph::new();
    let input = graph.input("input", shape, true);
    let ones = (0..9).map(|at| if at % 4 == 0 { 1.0 } else { 0.0 }).collect();
    let weight =
        graph.weight("identity", Tensor::new([3, 3, 1, 1], ones).unwrap_or_else(|error| unreachable!("{error}")));
    let (kernel, stride, padding, epilogue) = (1, 1, 0, Epilogue::default());
    let op = Op::Conv2d(Conv2d { weight, bias: None, kernel, stride, padding, epilogue });
    let stored = graph.push("stored", op, &[input])?;
    graph.output("stored", stored, false);
    Ok(graph)
}

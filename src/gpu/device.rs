//! An open device: its queue, its limits, its pipelines, and what went wrong on it.

use super::{ShaderError, Shaders, Variant, describe};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;
use wgpu::{Adapter, ComputePipeline, Device, DeviceDescriptor, Features, Limits, PollType, Queue};

/// What a device can refuse.
#[derive(Debug, Error)]
pub enum GpuError {
    /// `--device` names none.
    #[error("there is no device {index}: this machine has {found}; `irnext devices` lists them")]
    NoSuchAdapter {
        /// The number asked for.
        index: usize,
        /// How many there are.
        found: usize,
    },
    /// The driver refuses to open the device.
    #[error("{adapter} can't be opened: {reason}; try another `--device`, or `--device cpu`")]
    Open {
        /// The adapter's description.
        adapter: String,
        /// The driver's word.
        reason: String,
    },
    /// A shader that doesn't compose or compile.
    #[error(transparent)]
    Shader(#[from] ShaderError),
    /// The driver reported an error, or the device was lost.
    #[error("{adapter} failed: {reason}; try again, another `--device`, or `--device cpu`")]
    Failed {
        /// The adapter's description.
        adapter: String,
        /// The driver's word.
        reason: String,
    },
}

/// An open device.
pub struct Gpu {
    /// wgpu's device.
    pub device: Device,
    /// Its queue.
    pub queue: Queue,
    /// The adapter's description.
    pub name: String,
    /// The adapter's own limits, all asked for.
    pub limits: Limits,
    /// Whether shaders may use native half precision.
    pub native_f16: bool,
    /// Whether passes can be timed.
    pub timestamps: bool,
    /// Whether the adapter is a software driver on the CPU.
    pub software: bool,
    shaders: Shaders,
    pipelines: Mutex<HashMap<Variant, Arc<ComputePipeline>>>,
    failure: Arc<Mutex<Option<String>>>,
}

impl Gpu {
    /// Opens an adapter with its own limits and what it offers of `SHADER_F16` and `TIMESTAMP_QUERY`.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn open(adapter: &Adapter, shaders: Shaders) -> Result<Self, GpuError> {
        Self::open_with(adapter, shaders, true)
    }

    /// As [`Gpu::open`]; `native_f16: false` keeps half precision packed in words even where the adapter has it.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn open_with(adapter: &Adapter, shaders: Shaders, native_f16: bool) -> Result<Self, GpuError> {
        let name = describe(adapter);
        let mut wanted = Features::TIMESTAMP_QUERY;
        if native_f16 {
            wanted |= Features::SHADER_F16;
        }
        let features = adapter.features() & wanted;
        let limits = adapter.limits();
        let descriptor = DeviceDescriptor {
            label: Some("irnext"),
            required_features: features,
            required_limits: limits.clone(),
            ..Default::default()
        };
        let opened = pollster::block_on(adapter.request_device(&descriptor));
        let (device, queue) =
            opened.map_err(|error| GpuError::Open { adapter: name.clone(), reason: error.to_string() })?;
        let failure = Arc::new(Mutex::new(None));
        let note = |failure: &Arc<Mutex<Option<String>>>| {
            let failure = Arc::clone(failure);
            move |reason: String| {
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
            }
        };
        let uncaptured = note(&failure);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| uncaptured(error.to_string())));
        let lost = note(&failure);
        device.set_device_lost_callback(move |reason, message| {
            // Dropping the device is no loss.
            if reason != wgpu::DeviceLostReason::Destroyed {
                lost(format!("the device was lost: {message}"));
            }
        });
        Ok(Self {
            device,
            queue,
            name,
            limits,
            native_f16: features.contains(Features::SHADER_F16),
            timestamps: features.contains(Features::TIMESTAMP_QUERY),
            software: adapter.get_info().device_type == wgpu::DeviceType::Cpu,
            shaders,
            pipelines: Mutex::default(),
            failure,
        })
    }

    /// The pipeline of a shader's variant, made once a device.
    ///
    /// # Errors
    /// When the shader doesn't compose, or the driver refuses it.
    pub fn pipeline(&self, variant: &Variant) -> Result<Arc<ComputePipeline>, GpuError> {
        let mut pipelines = self.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = pipelines.get(variant) {
            return Ok(Arc::clone(pipeline));
        }
        let source = self.shaders.compose(variant, self.native_f16)?;
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(variant.shader),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        };
        let module = if self.shaders.embedded() {
            // SAFETY: the embedded shaders guard every index by the sizes in their parameters, which lowering takes
            // from the same shapes as the bindings' sizes, and every loop ends at such a size. Tests run each of them
            // over random shapes.
            unsafe { self.device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
        } else {
            self.device.create_shader_module(descriptor)
        };
        let constants: Vec<(&str, f64)> =
            variant.constants.iter().map(|&(name, value)| (name, f64::from(value))).collect();
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(variant.shader),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                // The only workgroup memory is written before it is read.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        if let Some(error) = pollster::block_on(scope.pop()) {
            return Err(ShaderError::Refused { variant: variant.to_string(), reason: error.to_string() }.into());
        }
        let pipeline = Arc::new(pipeline);
        pipelines.insert(variant.clone(), Arc::clone(&pipeline));
        Ok(pipeline)
    }

    /// Waits for all work submitted so far.
    ///
    /// # Errors
    /// When the driver reported an error since the last call, or the device was lost.
    pub fn wait(&self) -> Result<(), GpuError> {
        let polled = self.device.poll(PollType::wait_indefinitely());
        self.check()?;
        polled.map(drop).map_err(|error| self.failed(error.to_string()))
    }

    /// The first error that the driver reported since the last call.
    ///
    /// # Errors
    /// That error.
    pub fn check(&self) -> Result<(), GpuError> {
        let noted = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        noted.map_or(Ok(()), |reason| Err(self.failed(reason)))
    }

    pub(crate) fn failed(&self, reason: impl Into<String>) -> GpuError {
        GpuError::Failed { adapter: self.name.clone(), reason: reason.into() }
    }
}

//! An open device: its queue, its limits, its pipelines, and what went wrong on it.

use super::abilities::{Matrices, lacks, matrices, may_be_slow};
use super::dialect::prefers_words64;
use super::memory::Taken;
use super::pipeline_cache::KeptPipelines;
use super::{Buffer, Dialect, GpuError, Ledger, Preferences, ShaderError, Shaders, Variant, describe, preferences};
use crate::tensor::memory::Bytes;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use wgpu::{
    Adapter, Backend, BufferDescriptor, BufferUsages, ComputePipeline, Device, DeviceDescriptor, ErrorFilter, Features,
    Limits, MemoryHints, PollType, Queue, SubmissionIndex,
};

/// Bytes that one write brings to a device at most. Where memory is counted, the driver's copies of what is on its way
/// come to no more either.
pub const UPLOAD_BYTES: u64 = 8 << 20;

/// Bytes on their way to a GPU without a budget, whose driver's copies are the host's memory: a large picture. To wait for
/// less would be to wait for the picture before it.
const UNDERWAY_BYTES: u64 = 64 << 20;

/// Operations of a dispatch while a device's pace is unknown: a second's at 100 GFLOP/s.
const FLOPS_AT_ONCE: u64 = 100_000_000_000;

/// An open device.
pub struct Gpu {
    /// wgpu's device.
    pub device: Device,
    /// Its queue.
    pub queue: Queue,
    /// The adapter's description.
    pub name: String,
    /// What it is reached through.
    pub backend: Backend,
    /// What was asked for of the adapter's limits: all, unless told otherwise.
    pub limits: Limits,
    /// What its buffers take.
    pub memory: Arc<Ledger>,
    /// How its shaders read and write.
    pub dialect: Dialect,
    /// Whether passes can be timed.
    pub timestamps: bool,
    /// Lanes of every subgroup, where shaders may use subgroups and all have as many.
    pub subgroup: Option<u32>,
    /// The cooperative matrices that multiply half floats into f32, where shaders may use them.
    pub matrix: Option<Matrices>,
    /// What was said of the adapters that were tried before it, and of this one.
    pub passed_over: Vec<String>,
    /// Whether the adapter is a software driver on the CPU.
    pub software: bool,
    /// Operations of a dispatch at most before its pace is known, where it may be so slow that its driver's watchdog ends a
    /// long one.
    pub flops_unmeasured: u64,
    shaders: Shaders,
    preferences: Mutex<Option<&'static Preferences>>,
    pipelines: Mutex<HashMap<Variant, Arc<ComputePipeline>>>,
    kept: Option<KeptPipelines>,
    failure: Arc<Mutex<Option<String>>>,
}

impl Gpu {
    /// Opens an adapter with its own limits and what it offers of `SHADER_F16`, `SUBGROUP`, cooperative
    /// matrices, `TIMESTAMP_QUERY` and `PIPELINE_CACHE`.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn open(adapter: &Adapter, shaders: Shaders) -> Result<Self, GpuError> {
        Self::open_with(adapter, shaders, Self::takes_native_f16(adapter), adapter.limits())
    }

    /// Whether [`Gpu::open`] has shaders use an adapter's native half precision. Software drivers load a word as fast as
    /// half a word, so theirs stays packed.
    pub fn takes_native_f16(adapter: &Adapter) -> bool {
        adapter.get_info().device_type != wgpu::DeviceType::Cpu && adapter.features().contains(Features::SHADER_F16)
    }

    /// As [`Gpu::open`]; `native_f16: false` keeps half precision packed in words even where the adapter has it;
    /// `limits` lower than the adapter's make it a weaker one, without what WebGPU lacks.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn open_with(adapter: &Adapter, shaders: Shaders, native_f16: bool, limits: Limits) -> Result<Self, GpuError> {
        let name = describe(adapter);
        let info = adapter.get_info();
        if let Some(reason) = lacks(&limits) {
            return Err(GpuError::Open { adapter: name, reason });
        }
        let mut wanted = Features::TIMESTAMP_QUERY | Features::SUBGROUP | Features::PIPELINE_CACHE;
        if native_f16 {
            wanted |= Features::SHADER_F16;
            // A software driver set to subgroups of 4 lanes offers them and then fails to open.
            let opens = info.device_type != wgpu::DeviceType::Cpu || info.subgroup_min_size >= 8;
            if opens && matrices(adapter).is_some() {
                wanted |= Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
            }
        }
        if limits == adapter.limits() && prefers_words64(adapter) {
            wanted |= Features::SHADER_INT64;
        }
        let features = adapter.features() & wanted;
        let descriptor = DeviceDescriptor {
            label: Some("irnext"),
            required_features: features,
            required_limits: limits.clone(),
            // Buffers are few and large; blocks of them kept in stock would only count against a budget.
            memory_hints: MemoryHints::MemoryUsage,
            // SAFETY: the only experimental feature asked for is cooperative matrices. Their loads and stores aren't
            // checked for bounds; the kernels that use them keep to workgroup memory of a fixed size, and to weights that
            // are padded to whole workgroups.
            experimental_features: unsafe { wgpu::ExperimentalFeatures::enabled() },
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
        let kept = preferences::folder().and_then(|folder| KeptPipelines::open(adapter, &device, &folder));
        Ok(Self {
            device,
            queue,
            name,
            backend: info.backend,
            limits,
            memory: Arc::default(),
            dialect: Dialect {
                native_f16: features.contains(Features::SHADER_F16),
                words64: features.contains(Features::SHADER_INT64),
            },
            timestamps: features.contains(Features::TIMESTAMP_QUERY),
            subgroup: (features.contains(Features::SUBGROUP) && info.subgroup_min_size == info.subgroup_max_size)
                .then_some(info.subgroup_min_size),
            matrix: matrices(adapter)
                .filter(|_| features.contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX | Features::SUBGROUP)),
            passed_over: vec![],
            software: info.device_type == wgpu::DeviceType::Cpu,
            flops_unmeasured: if may_be_slow(&info) { FLOPS_AT_ONCE } else { u64::MAX },
            shaders,
            preferences: Mutex::default(),
            pipelines: Mutex::default(),
            kept,
            failure,
        })
    }

    /// Operations of a dispatch at most: half a second's at its best pace, a quarter of what Windows allows. A software
    /// driver has no watchdog.
    pub fn flops_at_once(&self) -> u64 {
        let measured = self.preferences().and_then(|known| known.flops_per_second);
        measured.filter(|_| !self.software).map_or(self.flops_unmeasured, |pace| (pace / 2.0) as u64)
    }

    /// Whether all its shaders are the binary's: then one that is refused is the driver's doing, not their writer's.
    pub fn has_embedded_shaders(&self) -> bool {
        self.shaders.embedded()
    }

    /// Where this device's preferences are kept, if anywhere.
    pub fn preferences_file(&self) -> Option<PathBuf> {
        preferences::place(&self.name, self.backend, self.dialect, self.shaders.fingerprint())
    }

    /// What is known of this device's kernels, if anything was measured or read.
    pub fn preferences(&self) -> Option<&'static Preferences> {
        *self.preferences.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what is known, where it is news. It lives as long as the program, so that targets can be copied: a few
    /// kilobytes for each thing that is learnt of a device.
    pub fn prefer(&self, preferences: Preferences) {
        let mut known = self.preferences.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none_or(|known| *known != preferences) {
            *known = Some(Box::leak(Box::new(preferences)));
        }
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
        let source = self.shaders.compose(variant, self.dialect)?;
        let memory = self.device.push_error_scope(ErrorFilter::OutOfMemory);
        let internal = self.device.push_error_scope(ErrorFilter::Internal);
        let validation = self.device.push_error_scope(ErrorFilter::Validation);
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
                // Every kernel writes what it reads of its workgroup's memory.
                zero_initialize_workgroup_memory: false,
            },
            cache: self.kept.as_ref().map(|kept| &kept.cache),
        });
        let refused = [pollster::block_on(validation.pop()), pollster::block_on(internal.pop())];
        if let Some(error) = refused.into_iter().flatten().next() {
            return Err(ShaderError::Refused { variant: variant.to_string(), reason: error.to_string() }.into());
        }
        if let Some(error) = pollster::block_on(memory.pop()) {
            let (adapter, what) = (self.name.clone(), format!("the pipeline {variant}"));
            return Err(GpuError::Memory { adapter, what, reason: error.to_string() });
        }
        // A driver that breaks down over a pipeline may have lost the device with it.
        self.check()?;
        let pipeline = Arc::new(pipeline);
        pipelines.insert(variant.clone(), Arc::clone(&pipeline));
        Ok(pipeline)
    }

    /// Writes the pipelines made so far to the user's cache folder, for the next start, where the backend can.
    ///
    /// # Errors
    /// Why the file can't be written; nothing else fails for it.
    pub fn save_pipelines(&self) -> Result<(), String> {
        self.kept.as_ref().map_or(Ok(()), |kept| kept.save(self.pipelines()))
    }

    /// How many pipelines it holds.
    pub fn pipelines(&self) -> usize {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// A buffer of `bytes`, counted in [`Gpu::memory`].
    ///
    /// # Errors
    /// When the budget or the device has no room for it.
    pub fn allocate(&self, label: &str, bytes: u64, usage: BufferUsages) -> Result<Buffer, GpuError> {
        let refused = |reason| GpuError::Memory {
            adapter: self.name.clone(),
            what: format!("{} ({label})", Bytes(bytes)),
            reason,
        };
        let taken = Taken::new(&self.memory, bytes)
            .map_err(|left| refused(format!("{} are left of the memory it may use", Bytes(left))))?;
        let memory = self.device.push_error_scope(ErrorFilter::OutOfMemory);
        let descriptor = BufferDescriptor { label: Some(label), size: bytes, usage, mapped_at_creation: false };
        let raw = self.device.create_buffer(&descriptor);
        match pollster::block_on(memory.pop()) {
            Some(error) => Err(refused(error.to_string())),
            None => Ok(Buffer::new(raw, taken)),
        }
    }

    /// Writes bytes into buffers from offsets on, a portion of [`UPLOAD_BYTES`] at a time.
    ///
    /// # Errors
    /// When the device fails.
    pub fn upload(&self, writes: &[(&Buffer, u64, &[u8])]) -> Result<(), GpuError> {
        let most = if self.software || self.memory.is_limited() { UPLOAD_BYTES } else { UNDERWAY_BYTES };
        let mut pending = 0;
        for &(buffer, offset, bytes) in writes {
            for (index, portion) in bytes.chunks(UPLOAD_BYTES as usize).enumerate() {
                pending += portion.len() as u64;
                if pending > most {
                    self.queue.submit([]);
                    self.wait()?;
                    pending = portion.len() as u64;
                }
                self.queue.write_buffer(buffer, offset + index as u64 * UPLOAD_BYTES, portion);
            }
        }
        Ok(())
    }

    /// Does `work`, and hears of every error that the device reports of it: those of other threads are theirs.
    ///
    /// # Errors
    /// That of `work`, else the device's.
    pub fn guarded<T, E: From<GpuError>>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let filters = [ErrorFilter::Internal, ErrorFilter::Validation, ErrorFilter::OutOfMemory];
        let mut scopes = filters.map(|filter| Some(self.device.push_error_scope(filter)));
        let done = work();
        let mut first = None;
        for scope in scopes.iter_mut().rev().filter_map(Option::take) {
            let error = pollster::block_on(scope.pop());
            first = first.or(error);
        }
        let done = done?;
        match first {
            None => Ok(done),
            Some(wgpu::Error::OutOfMemory { source }) => Err(E::from(GpuError::Memory {
                adapter: self.name.clone(),
                what: "its own work".into(),
                reason: source.to_string(),
            })),
            Some(error) => Err(E::from(self.failed(error.to_string()))),
        }
    }

    /// Waits for all work submitted so far.
    ///
    /// # Errors
    /// When the driver reported an error that no [`Gpu::guarded`] caught, or the device was lost.
    pub fn wait(&self) -> Result<(), GpuError> {
        let polled = self.device.poll(PollType::wait_indefinitely());
        self.check()?;
        polled.map(drop).map_err(|error| self.failed(error.to_string()))
    }

    /// Waits for one submission and all before it.
    ///
    /// # Errors
    /// As [`Gpu::wait`].
    pub fn wait_for(&self, submission: &SubmissionIndex) -> Result<(), GpuError> {
        let polled = self.device.poll(PollType::Wait { submission_index: Some(submission.clone()), timeout: None });
        self.check()?;
        polled.map(drop).map_err(|error| self.failed(error.to_string()))
    }

    /// The first error that the driver reported outside of [`Gpu::guarded`]: nothing that it makes from then on can be
    /// trusted.
    ///
    /// # Errors
    /// That error.
    pub fn check(&self) -> Result<(), GpuError> {
        let noted = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        noted.map_or(Ok(()), |reason| Err(self.failed(reason)))
    }

    pub(crate) fn failed(&self, reason: impl Into<String>) -> GpuError {
        GpuError::Failed { adapter: self.name.clone(), reason: reason.into() }
    }
}

//! What a device does at best, measured on it: a copy in its memory, and multiply-adds in its registers. Tensor cores are
//! not measured: a kernel that uses them may come out above the ceiling.

use crate::gpu::{Buffer, Gpu};
use crate::kernels::{probe_copy, probe_fma};
use crate::run::{RunError, timed};
use serde::Serialize;
use std::sync::Arc;
use wgpu::util::{BufferInitDescriptor, DeviceExt};
use wgpu::{BindGroup, BindGroupDescriptor, BindGroupEntry, BufferUsages, ComputePipeline};

/// A device's ceiling and slope.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Roofline {
    /// Bytes read and written a nanosecond by a copy.
    pub gigabytes_per_second: f64,
    /// Operations per nanosecond in f32, a multiplication with an addition as two.
    pub gflops_f32: f64,
    /// The same in native f16, where the adapter has it.
    pub gflops_f16: Option<f64>,
}

/// Bytes of a copy: far above any cache of a GPU, and quick on a driver that has none.
const COPY_BYTES: u64 = 256 << 20;
const COPY_BYTES_SOFTWARE: u64 = 64 << 20;
/// Workgroups of the multiply-adds: many for each core, so that none idles at the end.
const WORKGROUPS: u32 = 16384;
const WORKGROUPS_SOFTWARE: u32 = 256;
/// What the multiply-adds are made to take at least, in nanoseconds: long beside the clock's step.
const LONG_ENOUGH: f64 = 5e6;
/// Of as many runs the fastest counts: nothing but the device's best is asked for.
const RUNS: usize = 5;

impl Roofline {
    /// Measures both; well under a second on a GPU, about a second on a software driver.
    ///
    /// # Errors
    /// When the device fails, or refuses a probe.
    pub fn measure(gpu: &Arc<Gpu>) -> Result<Self, RunError> {
        let gflops_f16 = if gpu.dialect.native_f16 { Some(multiply_adds(gpu, true)?) } else { None };
        Ok(Self { gigabytes_per_second: copy(gpu)?, gflops_f32: multiply_adds(gpu, false)?, gflops_f16 })
    }

    /// The higher ceiling.
    pub fn gflops(&self) -> f64 {
        self.gflops_f16.unwrap_or(0.0).max(self.gflops_f32)
    }

    /// Microseconds that work takes at least.
    pub fn least_us(&self, flops: u64, bytes: u64) -> f64 {
        (flops as f64 / self.gflops()).max(bytes as f64 / self.gigabytes_per_second) / 1e3
    }
}

fn copy(gpu: &Gpu) -> Result<f64, RunError> {
    let wanted = if gpu.software { COPY_BYTES_SOFTWARE } else { COPY_BYTES };
    let bytes = wanted.min(gpu.limits.max_storage_buffer_binding_size).min(gpu.limits.max_buffer_size) / 16 * 16;
    let (params, workgroups) = probe_copy::geometry(bytes / 16, gpu.limits.max_compute_workgroups_per_dimension);
    let [from, to] = [storage(gpu, "from", bytes)?, storage(gpu, "to", bytes)?];
    let probe = Probe::new(gpu, &probe_copy::variant(), &params, &[&from, &to])?;
    Ok(2.0 * bytes as f64 / probe.fastest(gpu, workgroups)?)
}

fn multiply_adds(gpu: &Gpu, half: bool) -> Result<f64, RunError> {
    let most = gpu.limits.max_compute_workgroups_per_dimension;
    let workgroups = if gpu.software { WORKGROUPS_SOFTWARE } else { WORKGROUPS }.min(most);
    let result = storage(gpu, "sums", probe_fma::bytes(workgroups))?;
    let mut rounds = 16;
    loop {
        let probe = Probe::new(gpu, &probe_fma::variant(half), &probe_fma::params(workgroups, rounds), &[&result])?;
        let fastest = probe.fastest(gpu, [workgroups, 1, 1])?;
        if fastest >= LONG_ENOUGH || rounds >= 1 << 16 {
            return Ok(probe_fma::flops(workgroups, rounds) as f64 / fastest);
        }
        rounds *= 4;
    }
}

/// A kernel with its bindings.
struct Probe {
    pipeline: Arc<ComputePipeline>,
    bindings: BindGroup,
}

impl Probe {
    fn new(
        gpu: &Gpu,
        variant: &crate::gpu::Variant,
        params: &[u8],
        buffers: &[&wgpu::Buffer],
    ) -> Result<Self, RunError> {
        let pipeline = gpu.pipeline(variant)?;
        let contents = BufferInitDescriptor { label: Some("params"), contents: params, usage: BufferUsages::UNIFORM };
        let params = gpu.device.create_buffer_init(&contents);
        let bound = std::iter::once(&params).chain(buffers.iter().copied());
        let entries: Vec<BindGroupEntry> = bound
            .zip(0..)
            .map(|(buffer, binding)| BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        let layout = pipeline.get_bind_group_layout(0);
        let descriptor = BindGroupDescriptor { label: Some("probe"), layout: &layout, entries: &entries };
        let bindings = gpu.device.create_bind_group(&descriptor);
        gpu.check()?;
        Ok(Self { pipeline, bindings })
    }

    /// Nanoseconds of the fastest of several runs, after one that warms up.
    fn fastest(&self, gpu: &Gpu, [x, y, z]: [u32; 3]) -> Result<f64, RunError> {
        let intervals = timed(gpu, std::slice::from_ref(&(0..1 + RUNS)), &|_, pass| {
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &self.bindings, &[]);
            pass.dispatch_workgroups(x, y, z);
        })?;
        Ok(intervals[1..].iter().map(|interval| interval.length()).fold(f64::INFINITY, f64::min).max(1.0))
    }
}

fn storage(gpu: &Gpu, label: &str, bytes: u64) -> Result<Buffer, RunError> {
    Ok(gpu.allocate(label, bytes, BufferUsages::STORAGE)?)
}

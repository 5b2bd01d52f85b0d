//! Compute passes between timestamps of the device's own clock.

use super::RunError;
use crate::gpu::Gpu;
use std::ops::Range;
use std::time::Instant;
use wgpu::{
    BufferUsages, CommandEncoderDescriptor, ComputePass, ComputePassDescriptor, ComputePassTimestampWrites, QUERY_SIZE,
    QuerySetDescriptor, QueryType,
};

/// When a pass ran, in nanoseconds from the first one's beginning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its beginning.
    pub begin: f64,
    /// Its end.
    pub end: f64,
}

impl Interval {
    /// Nanoseconds that it took.
    pub fn length(self) -> f64 {
        self.end - self.begin
    }
}

/// The most passes of one submission: a query set of two timestamps each.
pub const MOST_PASSES: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

/// Runs passes, from 0 to the last portion's end, and tells when each ran. A portion, of at most `MOST_PASSES`, is one
/// submission. Where the device has no timestamps, each pass is submitted by itself and timed by the host's clock.
///
/// # Errors
/// When the device fails.
pub fn timed(
    gpu: &Gpu,
    portions: &[Range<usize>],
    record: &dyn Fn(usize, &mut ComputePass),
) -> Result<Vec<Interval>, RunError> {
    if !gpu.timestamps {
        return by_host_clock(gpu, portions, record);
    }
    let mut ticks: Vec<[u64; 2]> = vec![];
    for portion in portions {
        ticks.extend(portion_ticks(gpu, portion.clone(), record)?);
    }
    let nanoseconds = f64::from(gpu.queue.get_timestamp_period());
    let first = ticks.first().map_or(0, |ticks| ticks[0]);
    let since = |tick: u64| tick.saturating_sub(first) as f64 * nanoseconds;
    Ok(ticks.into_iter().map(|[begin, end]| Interval { begin: since(begin), end: since(end.max(begin)) }).collect())
}

fn portion_ticks(
    gpu: &Gpu,
    portion: Range<usize>,
    record: &dyn Fn(usize, &mut ComputePass),
) -> Result<Vec<[u64; 2]>, RunError> {
    let count = 2 * portion.len() as u32;
    let queries =
        gpu.device.create_query_set(&QuerySetDescriptor { label: Some("timestamps"), ty: QueryType::Timestamp, count });
    let bytes = u64::from(count) * u64::from(QUERY_SIZE);
    let resolved = gpu.allocate("timestamps", bytes, BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC)?;
    let staging = gpu.allocate("timestamps for the host", bytes, BufferUsages::MAP_READ | BufferUsages::COPY_DST)?;
    let mut encoder = gpu.device.create_command_encoder(&CommandEncoderDescriptor { label: Some("timed") });
    for (at, index) in portion.enumerate() {
        let writes = ComputePassTimestampWrites {
            query_set: &queries,
            beginning_of_pass_write_index: Some(2 * at as u32),
            end_of_pass_write_index: Some(2 * at as u32 + 1),
        };
        let descriptor = ComputePassDescriptor { label: None, timestamp_writes: Some(writes) };
        record(index, &mut encoder.begin_compute_pass(&descriptor));
    }
    encoder.resolve_query_set(&queries, 0..count, &resolved, 0);
    encoder.copy_buffer_to_buffer(&resolved, 0, &staging, 0, bytes);
    gpu.queue.submit([encoder.finish()]);
    let (sender, receiver) = std::sync::mpsc::channel();
    staging.map_async(wgpu::MapMode::Read, .., move |result| {
        // The receiver is gone only if waiting failed, which is an error of its own.
        let _ = sender.send(result);
    });
    gpu.wait()?;
    let mapped = receiver.recv().map_err(|error| gpu.failed(error.to_string()))?;
    mapped.map_err(|error| gpu.failed(error.to_string()))?;
    let view = staging.get_mapped_range(..).map_err(|error| gpu.failed(error.to_string()))?;
    let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&view);
    Ok(ticks.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect())
}

fn by_host_clock(
    gpu: &Gpu,
    portions: &[Range<usize>],
    record: &dyn Fn(usize, &mut ComputePass),
) -> Result<Vec<Interval>, RunError> {
    let started = Instant::now();
    let now = || started.elapsed().as_secs_f64() * 1e9;
    let mut intervals = vec![];
    for index in portions.iter().cloned().flatten() {
        let begin = now();
        let mut encoder = gpu.device.create_command_encoder(&CommandEncoderDescriptor { label: Some("timed") });
        record(index, &mut encoder.begin_compute_pass(&ComputePassDescriptor::default()));
        gpu.queue.submit([encoder.finish()]);
        gpu.wait()?;
        intervals.push(Interval { begin, end: now() });
    }
    Ok(intervals)
}

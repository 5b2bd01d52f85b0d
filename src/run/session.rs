//! A plan on a device: its arena, its constants, its pipelines and bind groups, made once and replayed.

use super::flight::{Marks, Stagings};
use super::timing::{Interval, MOST_PASSES, timed};
use crate::compile::{Plan, PlanError};
use crate::gpu::{Buffer, Gpu, GpuError};
use crate::kernels::{ALIGNMENT, BufferId, Operand};
use crate::tensor::memory::Bytes;
use std::ops::Range;
use std::sync::Arc;
use thiserror::Error;
use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindingResource, BufferBinding, BufferSize, BufferUsages,
    CommandEncoder, CommandEncoderDescriptor, ComputePassDescriptor, ComputePipeline, SubmissionIndex,
};

/// Why a plan can't be recorded or run.
#[derive(Debug, Error)]
pub enum RunError {
    /// The device's limits don't allow it.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The device failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The host has too little memory left for the maps of a picture in bands.
    #[error(
        "this machine has no {} of memory left for the feature maps of a picture in bands; use a smaller picture",
        Bytes(*bytes)
    )]
    Host {
        /// What was asked for.
        bytes: u64,
    },
    /// An input of another size than the plan's.
    #[error("input `{name}` takes {expected} bytes, but {found} are given")]
    Input {
        /// The input's name.
        name: String,
        /// The plan's size.
        expected: u64,
        /// The size given.
        found: u64,
    },
}

impl RunError {
    /// Whether it is only that the device has too little memory, or binds too little at once.
    pub fn is_for_want_of_room(&self) -> bool {
        let plan = matches!(
            self,
            RunError::Plan(
                PlanError::Binding { .. } | PlanError::Buffer { .. } | PlanError::Budget { .. } | PlanError::Rows
            )
        );
        plan || matches!(self, RunError::Gpu(GpuError::Memory { .. }))
    }

    /// Whether it is one kernel's error: another that computes the same may do.
    pub fn is_of_one_kernel(&self) -> bool {
        self.is_for_want_of_room() || matches!(self, RunError::Gpu(GpuError::Shader(_)))
    }
}

struct Dispatch {
    pipeline: Arc<ComputePipeline>,
    bindings: BindGroup,
    workgroups: [u32; 3],
    flops: u64,
}

/// A recorded plan.
pub struct Session {
    pub(super) gpu: Arc<Gpu>,
    pub(super) plan: Arc<Plan>,
    /// The arena's blocks.
    arena: Vec<Buffer>,
    pub(super) stagings: Stagings,
    /// Constants and parameters: bound once, counted as long as they are bound.
    _bound: [Buffer; 2],
    dispatches: Vec<Dispatch>,
    /// The dispatches of each submission.
    pub(super) portions: Vec<Range<usize>>,
    pub(super) marks: Marks,
}

/// Bytes of four words.
const VEC4: u64 = 16;

/// Work of a submission at most: a fraction of a second even on a slow GPU, so that no watchdog fires.
const FLOPS_A_SUBMISSION: u64 = 50_000_000_000;

impl Session {
    /// Allocates the arena, uploads the constants, makes pipelines and bind groups.
    ///
    /// # Errors
    /// When the device's limits or memory don't allow it, or it refuses a shader.
    pub fn new(gpu: Arc<Gpu>, plan: Arc<Plan>) -> Result<Self, RunError> {
        plan.fits(&gpu.limits)?;
        Arc::clone(&gpu).guarded(|| Self::record(gpu, plan))
    }

    fn record(gpu: Arc<Gpu>, plan: Arc<Plan>) -> Result<Self, RunError> {
        let storage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        let block = |&bytes: &u64| gpu.allocate("arena", aligned(bytes), storage);
        let arena = plan.placement.blocks.iter().map(block).collect::<Result<Vec<Buffer>, GpuError>>()?;
        let outputs: u64 = plan.outputs.iter().map(|port| aligned(plan.buffers[port.buffer.0].bytes)).sum();
        let stride = aligned(plan.steps.iter().map(|step| step.params.len() as u64).max().unwrap_or(0));
        let mut params = vec![0; (stride * plan.steps.len() as u64) as usize];
        for (slot, step) in params.chunks_mut(stride.max(1) as usize).zip(&plan.steps) {
            slot[..step.params.len()].copy_from_slice(&step.params);
        }
        let bound = |label: &str, bytes: &[u8], usage| {
            gpu.allocate(label, aligned(bytes.len() as u64), usage | BufferUsages::COPY_DST)
        };
        let (constants_bytes, params_bytes) = (&plan.constants, params);
        let constants = bound("constants", constants_bytes, BufferUsages::STORAGE)?;
        let params = bound("params", &params_bytes, BufferUsages::UNIFORM)?;
        gpu.upload(&[(&constants, 0, constants_bytes), (&params, 0, &params_bytes)])?;
        gpu.queue.submit([]);
        gpu.wait()?;
        let mut dispatches = Vec::with_capacity(plan.steps.len());
        for (index, step) in plan.steps.iter().enumerate() {
            let pipeline = gpu.pipeline(&step.variant)?;
            let uniform = (0, range(&params, index as u64 * stride, step.params.len() as u64));
            let bound = step.bindings.iter().map(|&(binding, operand)| match operand {
                Operand::Buffer(id) => {
                    let (block, bytes) = plan.place(id);
                    (binding, range(&arena[block], bytes.start, bytes.end - bytes.start))
                }
                Operand::Constant { offset, size } => (binding, range(&constants, offset, size)),
            });
            let entries: Vec<BindGroupEntry> = std::iter::once(uniform)
                .chain(bound)
                .map(|(binding, resource)| BindGroupEntry { binding, resource })
                .collect();
            let bindings = gpu.device.create_bind_group(&BindGroupDescriptor {
                label: Some(&step.name),
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            dispatches.push(Dispatch { pipeline, bindings, workgroups: step.workgroups, flops: step.cost.flops });
        }
        let limit =
            if gpu.software { FLOPS_A_SUBMISSION / 25 } else { FLOPS_A_SUBMISSION.min(gpu.flops_at_once() / 2) };
        let flops: Vec<u64> = dispatches.iter().map(|step| step.flops).collect();
        let portions = portions(&flops, limit, usize::MAX);
        let marks = Marks::new(&gpu, portions.len() + 1)?;
        let stagings = Stagings::new(&gpu, aligned(outputs + marks.bytes()))?;
        Ok(Self { gpu, plan, arena, stagings, _bound: [constants, params], dispatches, portions, marks })
    }

    /// The device.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The plan it replays.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The block of the arena that a buffer of the plan lies in, and its byte range there.
    pub(super) fn place(&self, id: BufferId) -> (&Buffer, Range<u64>) {
        let (block, range) = self.plan.place(id);
        (&self.arena[block], range)
    }

    /// Fills the plan's inputs.
    ///
    /// # Errors
    /// When an input is missing or has another size than the plan's.
    pub(super) fn upload(&self, inputs: &[&[u8]]) -> Result<(), RunError> {
        let places = self.plan.zeroed.iter().map(|&buffer| self.place(buffer));
        let zeros: Vec<(&Buffer, u64, Vec<u8>)> =
            places.map(|(block, range)| (block, range.start, vec![0; (range.end - range.start) as usize])).collect();
        let mut writes: Vec<(&Buffer, u64, &[u8])> =
            zeros.iter().map(|(block, start, bytes)| (*block, *start, &bytes[..])).collect();
        for (index, port) in self.plan.inputs.iter().enumerate() {
            let bytes = inputs.get(index).copied().unwrap_or_default();
            let (block, range) = self.place(port.buffer);
            let expected = range.end - range.start;
            // Buffers are at least a vec4 long; a smaller map leaves their end alone.
            let whole = if bytes.is_empty() { 0 } else { (bytes.len() as u64).max(VEC4) };
            if whole != expected {
                return Err(RunError::Input { name: port.name.clone(), expected, found: bytes.len() as u64 });
            }
            writes.push((block, range.start, bytes));
        }
        Ok(self.gpu.upload(&writes)?)
    }

    /// Runs every step and waits for the last.
    ///
    /// # Errors
    /// When the device fails.
    pub fn dispatch(&self) -> Result<(), RunError> {
        self.gpu.guarded(|| {
            portions(&self.flops(), FLOPS_A_SUBMISSION, usize::MAX).into_iter().for_each(|portion| {
                self.submit(&self.dispatches[portion], 1, |_| ());
            });
            Ok(self.gpu.wait()?)
        })
    }

    fn flops(&self) -> Vec<u64> {
        self.dispatches.iter().map(|step| step.flops).collect()
    }

    /// Submits a portion of the dispatches, then what `end` records. Tells how many operations the portion takes.
    pub(super) fn submit_portion(
        &self,
        portion: &Range<usize>,
        end: impl FnOnce(&mut CommandEncoder),
    ) -> (SubmissionIndex, u64) {
        let steps = &self.dispatches[portion.clone()];
        (self.submit(steps, 1, end), steps.iter().map(|step| step.flops).sum())
    }

    /// Runs every step in a pass of its own and tells when each ran.
    ///
    /// # Errors
    /// When the device fails.
    pub fn dispatch_timed(&self) -> Result<Vec<Interval>, RunError> {
        let portions = portions(&self.flops(), FLOPS_A_SUBMISSION, MOST_PASSES);
        timed(&self.gpu, &portions, &|index, pass| self.dispatches[index].record(pass))
    }

    /// Runs one step alone `times` times and waits, for benchmarks: what the plan's outputs hold afterwards is void.
    ///
    /// # Errors
    /// When the device fails.
    pub fn repeat_step(&self, index: usize, times: usize) -> Result<(), RunError> {
        self.guarded(&self.dispatches[index..=index], times)
    }

    /// Runs every step so many times over, in one submission, and waits for the last.
    ///
    /// # Errors
    /// When the device fails.
    pub(super) fn repeat(&self, times: usize) -> Result<(), RunError> {
        if times == 1 {
            return self.dispatch();
        }
        self.guarded(&self.dispatches, times)
    }

    fn guarded(&self, steps: &[Dispatch], times: usize) -> Result<(), RunError> {
        self.gpu.guarded(|| {
            self.submit(steps, times, |_| ());
            Ok(self.gpu.wait()?)
        })
    }

    /// Submits steps, `times` times over, then what `end` records. All steps in one pass: a pass for each takes twice the
    /// time to record.
    fn submit(&self, steps: &[Dispatch], times: usize, end: impl FnOnce(&mut CommandEncoder)) -> SubmissionIndex {
        let mut encoder = self.encoder();
        let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor::default());
        (0..times).flat_map(|_| steps).for_each(|step| step.record(&mut pass));
        drop(pass);
        end(&mut encoder);
        self.gpu.queue.submit([encoder.finish()])
    }

    pub(super) fn encoder(&self) -> CommandEncoder {
        self.gpu.device.create_command_encoder(&CommandEncoderDescriptor { label: Some("plan") })
    }
}

impl Dispatch {
    fn record(&self, pass: &mut wgpu::ComputePass) {
        let [x, y, z] = self.workgroups;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bindings, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// The dispatches of each submission, given the operations of each dispatch: as many in a row as come to `limit`, one at least,
/// and `most` at most.
fn portions(flops: &[u64], limit: u64, most: usize) -> Vec<Range<usize>> {
    let (mut portions, mut start, mut sum) = (vec![], 0, 0_u64);
    for (index, &own) in flops.iter().enumerate() {
        sum = sum.saturating_add(own);
        if index > start && (sum > limit || index - start == most) {
            portions.push(start..index);
            (start, sum) = (index, own);
        }
    }
    if start < flops.len() {
        portions.push(start..flops.len());
    }
    portions
}

pub(super) fn aligned(bytes: u64) -> u64 {
    bytes.next_multiple_of(ALIGNMENT).max(ALIGNMENT)
}

fn range(buffer: &Buffer, offset: u64, size: u64) -> BindingResource<'_> {
    BindingResource::Buffer(BufferBinding { buffer, offset, size: BufferSize::new(size) })
}

#[cfg(test)]
mod tests {
    use super::portions;

    #[test]
    fn a_submission_ends_before_it_is_too_long() {
        assert_eq!(portions(&[3, 3, 3, 9, 1, 1], 6, 10), [0..2, 2..3, 3..4, 4..6]);
        assert_eq!(portions(&[1; 5], 100, 2), [0..2, 2..4, 4..5]);
        assert_eq!(portions(&[u64::MAX, u64::MAX], u64::MAX - 1, 10), [0..1, 1..2]);
        assert!(portions(&[], 6, 10).is_empty());
    }
}

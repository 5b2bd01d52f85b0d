//! A picture on a device: in one piece where it fits, in bands where it doesn't.

use super::pixels::{Restored, rgb};
use super::{RestoreError, Restorer};
use crate::compile::{BandPlan, Frame, Room, compile_bands, compile_picture};
use crate::gpu::{Gpu, GpuError};
use crate::graph::Graph;
use crate::photo::Pixels;
use crate::run::{Bands, RunError, Session, target};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// The side of the picture whose time tells how long a large one takes.
const TRIAL: usize = 256;

/// What is kept from picture to picture.
pub(super) struct Kept {
    /// Bytes of device memory that plans may take.
    pub budget: u64,
    /// The plan of the last picture's size.
    ready: Option<(Frame, Ready)>,
}

enum Ready {
    Whole(Box<Session>),
    Bands(Bands),
}

impl Kept {
    pub fn new(budget: Option<u64>) -> Self {
        Self { budget: budget.unwrap_or(u64::MAX), ready: None }
    }
}

impl Restorer {
    /// The pixels, restored, and how many are not finite. One picture at a time: the arena is one. Where the device has
    /// less memory than the plan takes, the budget is halved, for good, and the picture begun again.
    pub(super) fn on_device(
        &self,
        gpu: &Arc<Gpu>,
        frame: Frame,
        pixels: &Pixels,
        progress: &mut dyn FnMut(f64),
    ) -> Result<(Pixels, u64), RestoreError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut wanted = 0;
            let done = self.once(gpu, frame, pixels, &mut kept, &mut wanted, progress);
            match done {
                Err(RestoreError::Run(RunError::Gpu(GpuError::Memory { reason, .. }))) if wanted > 1 => {
                    kept.ready = None;
                    kept.budget = kept.budget.min(wanted) / 2;
                    self.notice(&format!(
                        "the device has no room for {}: {reason}; going on with {} of its memory",
                        size(wanted),
                        size(kept.budget)
                    ));
                }
                Err(error) => {
                    // A session that failed is not to be trusted with the next picture.
                    kept.ready = None;
                    return Err(error);
                }
                done => return done,
            }
        }
    }

    fn once(
        &self,
        gpu: &Arc<Gpu>,
        frame: Frame,
        pixels: &Pixels,
        kept: &mut Kept,
        wanted: &mut u64,
        progress: &mut dyn FnMut(f64),
    ) -> Result<(Pixels, u64), RestoreError> {
        if kept.ready.as_ref().is_none_or(|(of, _)| *of != frame) {
            // The old arena goes before the new one is made.
            kept.ready = None;
            kept.ready = Some((frame, self.make_ready(gpu, frame, kept.budget, wanted)?));
        }
        match &kept.ready {
            Some((_, Ready::Whole(session))) => {
                *wanted = session.plan().device_bytes();
                whole(session, pixels, progress)
            }
            Some((_, Ready::Bands(bands))) => {
                *wanted = bands.plan().estimate().device_bytes;
                in_bands(bands, frame, pixels, progress)
            }
            None => unreachable!("just made"),
        }
    }

    fn make_ready(&self, gpu: &Arc<Gpu>, frame: Frame, budget: u64, wanted: &mut u64) -> Result<Ready, RestoreError> {
        let graph = self.graph(frame)?;
        self.prepare(gpu, &graph)?;
        let target = target(gpu, false);
        let plan = compile_picture(&graph, self.precision, target, frame)?;
        if plan.fits(&gpu.limits).is_ok() && plan.device_bytes() <= budget {
            *wanted = plan.device_bytes();
            let session = Session::new(Arc::clone(gpu), Arc::new(plan))?;
            gpu.save_pipelines().unwrap_or_else(|error| self.notice(&error));
            return Ok(Ready::Whole(Box::new(session)));
        }
        drop(plan);
        let room = Room { budget, limits: gpu.limits.clone() };
        let plan = compile_bands(&graph, self.precision, target, &room)?;
        let time = self.pace(gpu, budget).map(|pace| Duration::from_secs_f64(plan.estimate().flops as f64 / pace));
        self.notice(&describe(frame, &plan, time));
        Ok(Ready::Bands(Bands::new(Arc::clone(gpu), Arc::new(plan))))
    }

    /// Floating-point operations a second, by a trial on a small picture: the second run of two, since the first one
    /// makes pipelines. None if that picture has no room either, or fails: then the estimate tells no time.
    fn pace(&self, gpu: &Arc<Gpu>, budget: u64) -> Option<f64> {
        let frame = Frame { height: TRIAL, width: TRIAL, sixteen: false };
        let plan = compile_picture(&self.graph(frame).ok()?, self.precision, target(gpu, false), frame).ok()?;
        if plan.fits(&gpu.limits).is_err() || plan.device_bytes() > budget {
            return None;
        }
        let flops = plan.flops() as f64;
        let session = Session::new(Arc::clone(gpu), Arc::new(plan)).ok()?;
        let pixels = Pixels::Eight(vec![[128; 4]; TRIAL * TRIAL]);
        whole(&session, &pixels, &mut |_| ()).ok()?;
        let begun = Instant::now();
        whole(&session, &pixels, &mut |_| ()).ok()?;
        Some(flops / begun.elapsed().as_secs_f64())
    }

    /// The network for a frame, padded as the paper's evaluation does, without the two smaller outputs.
    pub(super) fn graph(&self, frame: Frame) -> Result<Graph, RestoreError> {
        let [height, width] = super::padded_size(frame.height, frame.width);
        let mut graph = self.model.graph(height, width)?;
        graph.outputs.retain(|output| output.name == "full");
        Ok(crate::compile::optimise(&graph)?)
    }
}

fn whole(session: &Session, pixels: &Pixels, progress: &mut dyn FnMut(f64)) -> Result<(Pixels, u64), RestoreError> {
    let bytes: &[u8] = match pixels {
        Pixels::Eight(pixels) => bytemuck::cast_slice(pixels),
        Pixels::Sixteen(pixels) => bytemuck::cast_slice(pixels),
    };
    session.upload(&[bytes])?;
    session.dispatch_with(progress)?;
    let results = session.download()?;
    let count = results[1].first_chunk().map_or(0, |word| u64::from(u32::from_le_bytes(*word)));
    let restored = &results[0][..bytes.len()];
    let pixels = match pixels {
        Pixels::Eight(_) => Pixels::Eight(bytemuck::pod_collect_to_vec(restored)),
        Pixels::Sixteen(_) => Pixels::Sixteen(bytemuck::pod_collect_to_vec(restored)),
    };
    Ok((pixels, count))
}

fn in_bands(
    bands: &Bands,
    frame: Frame,
    pixels: &Pixels,
    progress: &mut dyn FnMut(f64),
) -> Result<(Pixels, u64), RestoreError> {
    let [_, width] = super::padded_size(frame.height, frame.width);
    let input = |rows: std::ops::Range<usize>| -> Vec<u8> {
        let mut values = Vec::with_capacity(rows.len() * width * 4);
        for y in rows {
            for x in 0..width {
                let [r, g, b] = rgb(frame, pixels, y, x);
                values.extend([r, g, b, 0.0]);
            }
        }
        bytemuck::allocation::try_cast_vec(values).unwrap_or_else(|(_, values)| bytemuck::cast_slice(&values).to_vec())
    };
    let mut restored = Restored::new(frame, pixels);
    let mut output = |_: usize, rows: std::ops::Range<usize>, bytes: &[u8]| {
        for (y, row) in rows.zip(bytes.chunks_exact(width * 16)) {
            restored.put_row(y, &bytemuck::pod_collect_to_vec::<u8, f32>(row), 4);
        }
    };
    bands.run(&input, &mut output, progress)?;
    Ok((restored.pixels, restored.not_finite))
}

/// The plan in one line.
fn describe(frame: Frame, plan: &BandPlan, time: Option<Duration>) -> String {
    let estimate = plan.estimate();
    let time = time.map_or_else(String::new, |time| {
        // To two digits: a trial knows no more.
        let (seconds, unit) = match time.as_secs_f64() {
            seconds if seconds < 100.0 => (seconds, "s"),
            seconds => (seconds / 60.0, "minutes"),
        };
        format!("; about {seconds:.0} {unit} by a trial of {TRIAL}x{TRIAL} pixels")
    });
    format!(
        "{}x{} pixels don't fit the device in one piece: {} bands in {} groups of layers; {} of device memory (arena {}, \
         at least {}), {} of this machine's; {:.2} TFLOP ({} % of it twice), {} moved{time}",
        frame.width,
        frame.height,
        estimate.bands,
        estimate.segments,
        size(estimate.device_bytes),
        size(estimate.arena.0),
        size(estimate.arena.1),
        size(estimate.host_bytes),
        estimate.flops as f64 / 1e12,
        estimate.overlap_percent,
        size(estimate.moved)
    )
}

/// Bytes, to be read by people.
pub(super) fn size(bytes: u64) -> String {
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    if mebibytes >= 1024.0 { format!("{:.2} GiB", mebibytes / 1024.0) } else { format!("{mebibytes:.1} MiB") }
}

//! A picture on a device: in one piece where it fits and no dispatch takes too long, else in bands.

use super::pixels::{Restored, bytes, rgb, whole};
use super::plans::Plans;
use super::{RestoreError, Restorer};
use crate::compile::{BandPlan, Cut, Room, compile_picture, cut};
use crate::gpu::{Gpu, GpuError};
use crate::graph::Graph;
use crate::kernels::Raster;
use crate::photo::Pixels;
use crate::run::{Bands, RunError, Session, target};
use crate::tensor::Element;
use crate::tensor::memory::{self, Bytes};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The side of the picture whose time tells how long a large one takes.
const TRIAL: usize = 256;

/// Bytes of device memory that make a plan too large to be kept beside another one.
const LARGE: u64 = 256 << 20;

/// What is kept from picture to picture.
pub(super) struct Kept {
    state: Mutex<State>,
    /// A picture on its way has come back.
    landed: Condvar,
}

struct State {
    /// Bytes of device memory that plans may take.
    budget: u64,
    plans: Plans<Ready>,
    /// Whether there was room for two plans so far.
    roomy: bool,
    /// Pictures that are on their way through a plan.
    flying: usize,
}

enum Ready {
    Whole(Arc<Session>),
    Bands(Bands),
}

/// What a picture's way took, also where it failed.
#[derive(Default)]
struct Tried {
    /// Bytes of device memory that its plan takes.
    wanted: u64,
    /// Whether another plan was kept beside it.
    beside: bool,
}

impl Ready {
    fn device_bytes(&self) -> u64 {
        match self {
            Self::Whole(session) => session.plan().device_bytes(),
            Self::Bands(bands) => bands.plan().estimate().device_bytes,
        }
    }

    /// Whether it may stay beside a plan of about the same size: a large picture takes so long that to plan anew is
    /// nothing beside it, and its arena may be all the memory that there is.
    fn may_stay(&self, budget: u64) -> bool {
        matches!(self, Self::Whole(_)) && self.device_bytes() <= (budget / 9 * 4).min(LARGE)
    }
}

impl Kept {
    pub fn new(budget: Option<u64>) -> Self {
        let state = State { budget: budget.unwrap_or(u64::MAX), plans: Plans::default(), roomy: true, flying: 0 };
        Self { state: Mutex::new(state), landed: Condvar::new() }
    }

    /// The state, once no picture is on its way or `goes_along` says that another one may join them.
    fn lock(&self, goes_along: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.flying > 0 && !goes_along(&state) {
            state = self.landed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    /// Counts a picture as on its way until it is dropped.
    fn fly<'a>(&'a self, state: &mut State) -> Flying<'a> {
        state.flying += 1;
        Flying(self)
    }
}

/// A picture on its way; dropped also where its thread breaks down, so that no other waits for it forever.
struct Flying<'a>(&'a Kept);

impl Drop for Flying<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).flying -= 1;
        self.0.landed.notify_all();
    }
}

impl Restorer {
    /// As [`Restorer::on_device`]. Where the result is not finite in half precision, which ends at 65,504, this and what
    /// follows is done in single precision.
    pub(super) fn on_device_wide_enough(
        &self,
        gpu: &Arc<Gpu>,
        raster: Raster,
        pixels: &Pixels,
        progress: &mut dyn FnMut(f64),
    ) -> Result<(Pixels, u64), RestoreError> {
        let precision = self.precision();
        let first = self.on_device(gpu, raster, pixels, progress)?;
        if first.1 == 0 || precision == Element::F32 {
            return Ok(first);
        }
        let mut state = self.kept.lock(|_| false);
        // Unless another thread has met the same.
        if !self.wide.swap(true, Ordering::SeqCst) {
            state.plans.clear();
            self.notice(&format!(
                "half precision is too narrow for the model `{}`: going on in single precision",
                self.model.name
            ));
        }
        drop(state);
        match self.on_device(gpu, raster, pixels, progress) {
            // Of twice the bytes; what is wrong is still the first result.
            Err(RestoreError::Run(error)) if error.is_for_want_of_room() => Ok(first),
            done => done,
        }
    }

    /// The pixels, restored, and how many are not finite. Threads may do it side by side: pictures of one size follow each
    /// other through one arena, the next one uploaded while the last comes back. Where the device has less memory than
    /// it takes, no second plan is kept from then on; then the budget is halved, for good; and the picture begun again.
    pub(super) fn on_device(
        &self,
        gpu: &Arc<Gpu>,
        raster: Raster,
        pixels: &Pixels,
        progress: &mut dyn FnMut(f64),
    ) -> Result<(Pixels, u64), RestoreError> {
        loop {
            let mut tried = Tried::default();
            match self.once(gpu, raster, pixels, &mut tried, progress) {
                Err(RestoreError::Run(RunError::Gpu(GpuError::Memory { reason, .. })))
                    if tried.wanted > 1 || tried.beside =>
                {
                    let mut state = self.kept.lock(|_| false);
                    // Unless another thread has met the same and done it.
                    if tried.beside && state.roomy {
                        state.plans.clear();
                        state.roomy = false;
                    } else if !tried.beside && state.budget >= tried.wanted {
                        state.plans.clear();
                        state.budget = tried.wanted / 2;
                        self.notice(&format!(
                            "the device has no room for {}: {reason}; going on with {} of its memory",
                            Bytes(tried.wanted),
                            Bytes(state.budget)
                        ));
                    }
                }
                Err(error) => {
                    // A session that failed is not to be trusted with the next picture.
                    self.kept.lock(|_| false).plans.clear();
                    return Err(error);
                }
                done => return done,
            }
        }
    }

    fn once(
        &self,
        gpu: &Arc<Gpu>,
        raster: Raster,
        pixels: &Pixels,
        tried: &mut Tried,
        progress: &mut dyn FnMut(f64),
    ) -> Result<(Pixels, u64), RestoreError> {
        let mut state = self.kept.lock(|state| matches!(state.plans.get(raster), Some(Ready::Whole(_))));
        let State { budget, plans, roomy, .. } = &mut *state;
        if plans.get(raster).is_none() {
            // An old arena goes before the new one is made.
            plans.make_room(raster, |turned| *roomy && turned.may_stay(*budget));
            let taken: u64 = plans.iter().map(Ready::device_bytes).sum();
            let mut plan = self.plan(gpu, raster, *budget - taken);
            if taken > 0 && !matches!(plan, Ok(Cut::Whole(_))) {
                plans.clear();
                plan = self.plan(gpu, raster, *budget);
            }
            tried.beside = plans.iter().next().is_some();
            let ready = self.make_ready(gpu, raster, *budget, plan?, &mut tried.wanted)?;
            plans.keep(raster, ready);
        }
        tried.beside = plans.iter().count() > 1;
        let session = match plans.get(raster) {
            Some(Ready::Whole(session)) => Arc::clone(session),
            Some(ready @ Ready::Bands(bands)) => {
                tried.wanted = ready.device_bytes();
                return in_bands(bands, raster, pixels, progress);
            }
            None => unreachable!("just made"),
        };
        tried.wanted = session.plan().device_bytes();
        let _flying = self.kept.fly(&mut state);
        // Still under the lock, so that nothing else is made ready in between.
        let flight = {
            let _state = state;
            session.launch(&[bytes(pixels)])
        };
        let landed = flight.and_then(|flight| flight.land(progress));
        // Before it counts as landed, so that who waits for that finds the arena's memory free.
        drop(session);
        Ok(whole(pixels, &landed?))
    }

    fn plan(&self, gpu: &Arc<Gpu>, raster: Raster, budget: u64) -> Result<Cut, RestoreError> {
        let graph = self.graph(raster)?;
        self.prepare(gpu, &graph)?;
        self.vouch(gpu)?;
        let target = target(gpu, false);
        let plan = compile_picture(&graph, self.precision(), target, raster)?;
        let room = Room { budget, limits: gpu.limits.clone(), flops_at_once: gpu.flops_at_once() };
        Ok(cut(plan, &graph, self.precision(), target, &room)?)
    }

    fn make_ready(
        &self,
        gpu: &Arc<Gpu>,
        raster: Raster,
        budget: u64,
        plan: Cut,
        wanted: &mut u64,
    ) -> Result<Ready, RestoreError> {
        match plan {
            Cut::Whole(plan) => {
                *wanted = plan.device_bytes();
                let session = Session::new(Arc::clone(gpu), Arc::new(plan))?;
                gpu.save_pipelines().unwrap_or_else(|error| self.notice(&error));
                Ok(Ready::Whole(Arc::new(session)))
            }
            Cut::Bands(plan) => {
                let host = plan.estimate().host_bytes;
                if !memory::is_free(host) {
                    return Err(RunError::Host { bytes: host }.into());
                }
                let line = describe(raster, &plan);
                // Once: a folder may come back to it again and again.
                if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
                    let flops = plan.estimate().flops as f64;
                    self.notice(&(line + &self.pace(gpu, budget).map_or_else(String::new, |pace| time(flops / pace))));
                }
                Ok(Ready::Bands(Bands::new(Arc::clone(gpu), Arc::new(plan))))
            }
        }
    }

    /// Floating-point operations a second, by a trial on a small picture: the second run of two, since the first one
    /// makes pipelines. None if that picture has no room either, or fails: then the estimate tells no time.
    fn pace(&self, gpu: &Arc<Gpu>, budget: u64) -> Option<f64> {
        let raster = Raster { height: TRIAL, width: TRIAL, sixteen: false };
        let plan = compile_picture(&self.graph(raster).ok()?, self.precision(), target(gpu, false), raster).ok()?;
        if plan.fits(&gpu.limits).is_err() || plan.device_bytes() > budget {
            return None;
        }
        let flops = plan.flops() as f64;
        let session = Session::new(Arc::clone(gpu), Arc::new(plan)).ok()?;
        let pixels = Pixels::Eight(vec![[128; 4]; TRIAL * TRIAL]);
        session.run(&[bytes(&pixels)]).ok()?;
        let begun = Instant::now();
        session.run(&[bytes(&pixels)]).ok()?;
        Some(flops / begun.elapsed().as_secs_f64())
    }

    /// The network for a raster, padded as the paper's evaluation does, without the two smaller outputs.
    pub(super) fn graph(&self, raster: Raster) -> Result<Graph, RestoreError> {
        let [height, width] = super::padded_size(raster.height, raster.width);
        Ok(crate::compile::optimise(&self.model.picture_graph(height, width)?)?)
    }
}

fn in_bands(
    bands: &Bands,
    raster: Raster,
    pixels: &Pixels,
    progress: &mut dyn FnMut(f64),
) -> Result<(Pixels, u64), RestoreError> {
    let [_, width] = super::padded_size(raster.height, raster.width);
    let input = |rows: std::ops::Range<usize>| -> Vec<u8> {
        let mut values = Vec::with_capacity(rows.len() * width * 4);
        for y in rows {
            for x in 0..width {
                let [r, g, b] = rgb(raster, pixels, y, x);
                values.extend([r, g, b, 0.0]);
            }
        }
        bytemuck::allocation::try_cast_vec(values).unwrap_or_else(|(_, values)| bytemuck::cast_slice(&values).to_vec())
    };
    let mut restored = Restored::new(raster, pixels);
    let mut output = |_: usize, rows: std::ops::Range<usize>, bytes: &[u8]| {
        for (y, row) in rows.zip(bytes.chunks_exact(width * 16)) {
            restored.put_row(y, &bytemuck::pod_collect_to_vec::<u8, f32>(row), 4);
        }
    };
    bands.run(&input, &mut output, progress)?;
    Ok((restored.pixels, restored.not_finite))
}

/// What a trial says of the time, to two digits: it knows no more.
fn time(seconds: f64) -> String {
    let (count, unit) = if seconds < 100.0 { (seconds, "s") } else { (seconds / 60.0, "minutes") };
    format!("; about {count:.0} {unit} by a trial of {TRIAL}x{TRIAL} pixels")
}

/// The plan in one line.
fn describe(raster: Raster, plan: &BandPlan) -> String {
    let estimate = plan.estimate();
    format!(
        "{}x{} pixels are too much for the device in one piece: {} bands in {} groups of layers; {} of device memory (arena {}, \
         at least {}), {} of this machine's; {:.2} TFLOP ({} % of it twice), {} moved",
        raster.width,
        raster.height,
        estimate.bands,
        estimate.segments,
        Bytes(estimate.device_bytes),
        Bytes(estimate.arena.0),
        Bytes(estimate.arena.1),
        Bytes(estimate.host_bytes),
        estimate.flops as f64 / 1e12,
        estimate.overlap_percent,
        Bytes(estimate.moved)
    )
}

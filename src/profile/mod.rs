//! Floor 9: where a plan's time goes: each dispatch on the device's clock, beside what the device can do at best.

mod html;
mod roofline;
mod trace;

pub use html::html;
pub use roofline::Roofline;
pub use trace::trace;

use crate::compile::Plan;
use crate::run::{Interval, RunError, Session};
use serde::Serialize;
use std::collections::HashMap;
use std::time::Instant;

/// A plan's times.
#[derive(Clone, Debug, Serialize)]
pub struct Profile {
    /// The adapter's description.
    pub adapter: String,
    /// What the network is.
    pub network: String,
    /// How activations are stored.
    pub precision: String,
    /// The picture's padded height and width.
    pub size: [usize; 2],
    /// Whether dispatches were timed by the device; else by the host, one submission each.
    pub device_clock: bool,
    /// What the device does at best.
    pub roofline: Roofline,
    /// A whole run on the host's clock, milliseconds: the median.
    pub wall_ms: f64,
    /// The dispatches' own times, summed: the median run's.
    pub dispatches_ms: f64,
    /// Every dispatch of that run, in order.
    pub steps: Vec<StepTime>,
}

/// One dispatch.
#[derive(Clone, Debug, Serialize)]
pub struct StepTime {
    /// The node.
    pub node: String,
    /// The shader and its features.
    pub variant: String,
    /// Workgroups on each axis.
    pub workgroups: [u32; 3],
    /// Microseconds from the first dispatch's beginning.
    pub begin_us: f64,
    /// Microseconds that it took.
    pub us: f64,
    /// Floating-point operations that it stands for.
    pub flops: u64,
    /// Bytes that it moves if it touches every value once.
    pub bytes: u64,
    /// Dispatches of one group do the same work.
    #[serde(skip)]
    group: usize,
}

/// Dispatches that do the same work: one shader, one variant, one set of parameters.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// The shader and its features.
    pub variant: String,
    /// The first dispatch's node.
    pub node: String,
    /// Workgroups on each axis.
    pub workgroups: [u32; 3],
    /// How many.
    pub count: usize,
    /// Milliseconds of all.
    pub ms: f64,
    /// Their share of all dispatches' time.
    pub share: f64,
    /// What was achieved.
    pub gflops: f64,
    /// What was achieved.
    pub gigabytes_per_second: f64,
    /// Operations per byte.
    pub intensity: f64,
    /// The time that the roofline allows over the time taken. Above 1 where a kernel needs fewer operations or bytes
    /// than the op's count has, or finds them in a cache.
    pub of_roofline: f64,
}

impl Profile {
    /// Runs the session's plan `runs` times, at least once, after one run that compiles and warms up. Its inputs are
    /// filled already.
    ///
    /// # Errors
    /// When the device fails.
    pub fn measure(session: &Session, roofline: Roofline, runs: usize) -> Result<Self, RunError> {
        let plan = session.plan();
        session.dispatch()?;
        let mut walls: Vec<f64> = vec![];
        let mut timings: Vec<Vec<Interval>> = vec![];
        for _ in 0..runs.max(1) {
            let started = Instant::now();
            session.dispatch()?;
            walls.push(started.elapsed().as_secs_f64() * 1e3);
            timings.push(session.dispatch_timed()?);
        }
        walls.sort_by(f64::total_cmp);
        let total = |intervals: &Vec<Interval>| intervals.iter().map(|interval| interval.length()).sum::<f64>();
        timings.sort_by(|a, b| total(a).total_cmp(&total(b)));
        let intervals = timings.swap_remove(timings.len() / 2);
        Ok(Self {
            adapter: session.gpu().name.clone(),
            network: String::new(),
            precision: String::new(),
            size: [0, 0],
            device_clock: session.gpu().timestamps,
            roofline,
            wall_ms: walls[walls.len() / 2],
            dispatches_ms: total(&intervals) / 1e6,
            steps: steps(plan, &intervals),
        })
    }

    /// The dispatches by the work they do, the slowest first.
    pub fn groups(&self) -> Vec<Group> {
        let count = self.steps.iter().map(|step| step.group + 1).max().unwrap_or(0);
        let mut groups: Vec<Group> = (0..count).filter_map(|index| self.group(index)).collect();
        groups.sort_by(|a, b| b.ms.total_cmp(&a.ms));
        groups
    }

    fn group(&self, index: usize) -> Option<Group> {
        let of: Vec<&StepTime> = self.steps.iter().filter(|step| step.group == index).collect();
        let first = *of.first()?;
        let us: f64 = of.iter().map(|step| step.us).sum();
        let per_second = |work: u64| work as f64 * of.len() as f64 / us.max(1e-3) / 1e3;
        let least_us = self.roofline.least_us(first.flops, first.bytes) * of.len() as f64;
        Some(Group {
            variant: first.variant.clone(),
            node: first.node.clone(),
            workgroups: first.workgroups,
            count: of.len(),
            ms: us / 1e3,
            share: us / 1e3 / self.dispatches_ms.max(1e-9),
            gflops: per_second(first.flops),
            gigabytes_per_second: per_second(first.bytes),
            intensity: first.flops as f64 / first.bytes.max(1) as f64,
            of_roofline: least_us / us.max(1e-3),
        })
    }
}

fn steps(plan: &Plan, intervals: &[Interval]) -> Vec<StepTime> {
    let mut groups = HashMap::new();
    let step = |(step, interval): (&crate::kernels::Step, &Interval)| {
        let next = groups.len();
        let group = *groups.entry((step.variant.clone(), step.params.clone())).or_insert(next);
        StepTime {
            node: step.name.clone(),
            variant: step.variant.to_string(),
            workgroups: step.workgroups,
            begin_us: interval.begin / 1e3,
            us: interval.length() / 1e3,
            flops: step.cost.flops,
            bytes: step.cost.bytes,
            group,
        }
    };
    plan.steps.iter().zip(intervals).map(step).collect()
}

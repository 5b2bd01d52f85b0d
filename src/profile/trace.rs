//! A profile as a trace that Perfetto (ui.perfetto.dev) and Chrome (chrome://tracing) show.
//!
//! Source of the format: the Trace Event Format's complete events, times in microseconds.

use super::Profile;
use serde_json::{Value, json};

/// One event a dispatch, on one track.
pub fn trace(profile: &Profile) -> Value {
    let track = json!({"name": "thread_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": profile.adapter}});
    let process = json!({"name": "process_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "irnext"}});
    let events = profile.steps.iter().map(|step| {
        json!({
            "name": step.variant, "cat": "dispatch", "ph": "X", "pid": 1, "tid": 1,
            "ts": step.begin_us, "dur": step.us,
            "args": {
                "node": step.node,
                "workgroups": step.workgroups,
                "GFLOP/s": step.flops as f64 / step.us.max(1e-3) / 1e3,
                "GB/s": step.bytes as f64 / step.us.max(1e-3) / 1e3,
            },
        })
    });
    let events: Vec<Value> = [process, track].into_iter().chain(events).collect();
    json!({"displayTimeUnit": "ms", "traceEvents": events})
}

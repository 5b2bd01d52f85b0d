//! Floor 5: a plan recorded on a device once, and replayed for every picture, or in bands for one that doesn't fit.

mod bands;
mod check_graphs;
mod first_run;
mod flight;
mod kinds;
mod learning;
mod prepare;
mod rounding;
mod self_check;
mod session;
mod spill;
mod tensors;
mod timing;
mod tune;

pub use bands::{Bands, Sink, Source};
pub use check_graphs::check_inputs;
pub use first_run::excuse_interruption;
pub use flight::Flight;
pub use kinds::{Kind, explain, kinds, sample};
pub use learning::Learning;
pub use prepare::prepare;
pub use rounding::{measure as measure_rounding, rounds_to_nearest};
pub use self_check::{Verdict, verdict};
pub use session::{RunError, Session};
pub use tensors::{MapRunner, TensorSession, target};
pub use timing::{Interval, timed};
pub use tune::{WARMING, least_time, tune};

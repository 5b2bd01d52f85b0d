//! Floor 4: a graph becomes a plan: passes in order (fold, fuse, choose elements), kernels chosen, memory planned.

mod alone;
mod bands;
mod choose;
mod cuts;
mod fastest;
mod lower;
mod memory;
mod passes;
mod plan;
mod reach;
mod rewrite;
mod segment;

pub use alone::alone;
pub use bands::{BandPlan, Cut, Estimate, Segment, Stage, compile_bands, cut};
pub use choose::{
    CHOICES, Choice, Reason, block, block_candidates, candidates, check_key, choose, choose_block, is_plain, key,
    shader,
};
pub use cuts::Room;
pub use lower::LowerError;
pub use memory::{Lifetime, Placement, place};
pub use passes::{PASSES, Pass, assign_elements, optimise, required, stages};
pub use plan::{Plan, PlanError, Port, compile, compile_picture};
pub use reach::is_statistic;
pub use segment::Band;

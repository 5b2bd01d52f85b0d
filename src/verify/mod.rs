//! Floor 9: what proves a device right: golden vectors, random cases, and the distance from the truth.

mod check;
mod error;
pub mod golden;
mod parameters;
pub mod random;

pub use check::{Plan, Report, golden_case, plans, random_cases, refused_case};
pub use error::Error;

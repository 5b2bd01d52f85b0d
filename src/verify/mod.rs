//! Floor 9: what proves a device right: golden vectors, random cases, and the distance from the truth.

mod check;
mod error;
pub mod golden;
mod parameters;
mod pixels;
pub mod random;

pub use check::{Report, Way, golden_case, random_cases, refused_case, ways};
pub use error::Error;
pub use pixels::pixel_cases;

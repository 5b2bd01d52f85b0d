//! Floor 5: a plan recorded on a device once, and replayed for every picture.

mod session;
mod tensors;
mod timing;

pub use session::{RunError, Session};
pub use tensors::{TensorSession, target};
pub use timing::{Span, timed};

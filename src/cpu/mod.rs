//! Floor 3: what a machine without a GPU gets: the reference's walk in f32, with convolutions shaped for caches and
//! vector units, weights packed once, and memory used again.
//!
//! The 3×3 convolutions go through Winograd's algorithm, the others through one blocked matrix product; every other op is the reference's own. `pulp` picks the widest vectors that the machine has.

mod direct;
mod epilogue;
mod pool;
mod product;
mod program;
mod scratch;
mod transposed;
mod vector;
mod winograd;

pub use program::Program;

use epilogue::Epilogue;

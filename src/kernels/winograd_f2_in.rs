//! The input transform of Winograd's F(2×2, 3×3); recorded by [`super::winograd_in`].

use super::combinations;
use crate::gpu::Variant;

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations("winograd_f2_in", &["f32", "two_inputs"])
}

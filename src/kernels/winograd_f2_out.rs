//! The output transform of Winograd's F(2×2, 3×3); recorded by [`super::winograd_out`].

use super::combinations;
use crate::gpu::Variant;

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations("winograd_f2_out", &["f32", "bias", "gelu", "residual"])
}

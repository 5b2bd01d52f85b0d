//! GELU in its exact form, `x·Φ(x)`.

use crate::tensor::{FeatureMap, Real, in_vectors};
use rayon::prelude::*;
use std::f64::consts::FRAC_1_SQRT_2;

/// Values that a task works on: large enough that tasks cost nothing, small enough that every core has some.
const CHUNK: usize = 1 << 14;

/// `gelu(x)` of every value.
pub(super) fn gelu<T: Real>(x: &FeatureMap<T>) -> FeatureMap<T> {
    let mut y = x.clone();
    y.data.par_chunks_mut(CHUNK).for_each(|values| {
        in_vectors(
            #[inline(always)]
            || gelu_in_place(values),
        );
    });
    y
}

/// `x ← ½·x·(1 + erf(x/√2))`, one loop without branches so that it runs in vectors.
#[inline(always)]
pub(super) fn gelu_in_place<T: Real>(values: &mut [T]) {
    let (half, scale) = (T::of(0.5), T::of(FRAC_1_SQRT_2));
    for x in values {
        *x = half * *x * (T::one() + (*x * scale).erf());
    }
}

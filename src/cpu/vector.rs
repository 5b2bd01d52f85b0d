//! Whole vectors and the part of one at a row's end.

use pulp::Simd;

/// Calls `step(first, lanes)` for every vector of a row of `length` values; only the last may have fewer lanes.
#[inline(always)]
pub(super) fn vectors<S: Simd>(length: usize, mut step: impl FnMut(usize, usize)) {
    let whole = length / S::F32_LANES * S::F32_LANES;
    for vector in 0..length / S::F32_LANES {
        step(vector * S::F32_LANES, S::F32_LANES);
    }
    if whole < length {
        step(whole, length - whole);
    }
}

/// At most a vector of values, zeros after them.
#[inline(always)]
pub(super) fn load<S: Simd>(simd: S, values: &[f32]) -> S::f32s {
    match S::as_simd_f32s(values).0 {
        [whole, ..] => *whole,
        [] => simd.partial_load_f32s(values),
    }
}

/// Stores as many lanes as there are `values`.
#[inline(always)]
pub(super) fn store<S: Simd>(simd: S, values: &mut [f32], vector: S::f32s) {
    if values.len() == S::F32_LANES {
        S::as_mut_simd_f32s(values).0[0] = vector;
    } else {
        simd.partial_store_f32s(values, vector);
    }
}

//! The matrix product of the fast path: rows read where they lie, weights packed in panels, sums kept in registers.

use super::vector::store;
use pulp::{Arch, Simd, WithSimd};

/// Weights `[depth, columns]` as the product reads them: panels of some whole vectors of columns, in each panel one
/// row of `depth` after the other, the last panel filled up with zeros.
pub(super) struct Panels {
    columns: usize,
    vectors: usize,
    width: usize,
    data: Vec<f32>,
}

impl Panels {
    /// Packs `weight(d, column)`, d in `0..depth`.
    pub(super) fn pack(depth: usize, columns: usize, weight: impl Fn(usize, usize) -> f32) -> Self {
        let Registers { lanes, count } = Arch::new().dispatch(ReadRegisters);
        let widest = if count >= 32 { 4 } else { 2 };
        let whole = columns.div_ceil(lanes);
        let vectors = [4, 2].into_iter().find(|&v| v <= widest && whole.is_multiple_of(v)).unwrap_or(1);
        let width = vectors * lanes;
        let mut data = Vec::with_capacity(depth * columns.next_multiple_of(width));
        for first in (0..columns).step_by(width) {
            for d in 0..depth {
                data.extend((first..first + width).map(|o| if o < columns { weight(d, o) } else { 0.0 }));
            }
        }
        Self { columns, vectors, width, data }
    }
}

/// What the vector unit has, that the shape of a panel depends on.
struct Registers {
    lanes: usize,
    count: usize,
}

struct ReadRegisters;

impl WithSimd for ReadRegisters {
    type Output = Registers;
    fn with_simd<S: Simd>(self, _: S) -> Registers {
        Registers { lanes: S::F32_LANES, count: S::REGISTER_COUNT }
    }
}

/// The left factor: row r is the concatenation of `depth` values at `start(r) + segment` for each segment. Rows and
/// segments may overlap, so that a padded picture is a matrix of its neighbourhoods without a copy.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub(super) data: &'a [f32],
    pub(super) segments: &'a [usize],
    pub(super) depth: usize,
}

/// `result[place(r) + c] = Σ_d left[r][d]·right[d][c]` for `rows` rows.
#[inline(always)]
pub(super) fn product<S: Simd>(
    simd: S,
    rows: usize,
    left: Left,
    start: impl Fn(usize) -> usize,
    right: &Panels,
    result: &mut [f32],
    place: impl Fn(usize) -> usize,
) {
    // As many sums as leave registers for a row of the panel and a value of the left factor.
    match (right.vectors, S::REGISTER_COUNT >= 32) {
        (4, _) => blocks::<S, 4, 6>(simd, rows, left, start, right, result, place),
        (2, true) => blocks::<S, 2, 8>(simd, rows, left, start, right, result, place),
        (2, false) => blocks::<S, 2, 6>(simd, rows, left, start, right, result, place),
        _ => blocks::<S, 1, 8>(simd, rows, left, start, right, result, place),
    }
}

/// [`product`] in blocks of `M` rows × `V` vectors.
#[inline(always)]
fn blocks<S: Simd, const V: usize, const M: usize>(
    simd: S,
    rows: usize,
    left: Left,
    start: impl Fn(usize) -> usize,
    right: &Panels,
    result: &mut [f32],
    place: impl Fn(usize) -> usize,
) {
    let panel_length = left.segments.len() * left.depth * right.width;
    for (panel, weights) in right.data.chunks_exact(panel_length.max(1)).enumerate() {
        let first_column = panel * right.width;
        let columns = right.width.min(right.columns - first_column);
        let weights = S::as_simd_f32s(weights).0;
        for first in (0..rows).step_by(M) {
            // Past the end the last row is taken again, and its sums are left.
            let mut starts = [0; M];
            for (m, at) in starts.iter_mut().enumerate() {
                *at = start((first + m).min(rows - 1));
            }
            let sums = block::<S, V, M>(simd, left.data, starts, left.segments, left.depth, weights);
            for (m, sums) in sums.iter().enumerate().take(rows - first) {
                let at = place(first + m) + first_column;
                let values = &mut result[at..at + columns];
                if columns == right.width {
                    S::as_mut_simd_f32s(values).0.copy_from_slice(sums);
                } else {
                    for (values, &sum) in values.chunks_mut(S::F32_LANES).zip(sums) {
                        store(simd, values, sum);
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn block<S: Simd, const V: usize, const M: usize>(
    simd: S,
    left: &[f32],
    starts: [usize; M],
    segments: &[usize],
    depth: usize,
    weights: &[S::f32s],
) -> [[S::f32s; V]; M] {
    let mut sums = [[simd.splat_f32s(0.0); V]; M];
    for (&segment, weights) in segments.iter().zip(weights.chunks_exact((depth * V).max(1))) {
        let mut rows = [&left[..0]; M];
        for (row, start) in rows.iter_mut().zip(starts) {
            *row = &left[start + segment..][..depth];
        }
        for d in 0..depth {
            let weights = &weights[d * V..][..V];
            for (sums, row) in sums.iter_mut().zip(rows) {
                let value = simd.splat_f32s(row[d]);
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum = simd.mul_add_e_f32s(value, weight, *sum);
                }
            }
        }
    }
    sums
}

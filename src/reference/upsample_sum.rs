//! Bilinear upsampling with align_corners = true of one or several maps, summed.

use super::gelu::gelu_in_place;
use crate::tensor::{FeatureMap, Real, Shape, in_vectors};
use rayon::prelude::*;

/// `gelu?(base? + Σ upsample(source))` of shape `shape`.
pub(super) fn upsample_sum<T: Real>(
    base: Option<&FeatureMap<T>>,
    sources: &[&FeatureMap<T>],
    gelu: bool,
    shape: Shape,
) -> FeatureMap<T> {
    let mut sum = FeatureMap::zeros(shape);
    upsample_sum_into(base, sources, gelu, &mut sum);
    sum
}

/// [`upsample_sum`] over whatever `sum` held.
pub(crate) fn upsample_sum_into<T: Real>(
    base: Option<&FeatureMap<T>>,
    sources: &[&FeatureMap<T>],
    gelu: bool,
    sum: &mut FeatureMap<T>,
) {
    let shape = sum.shape;
    if shape.values() == 0 {
        return;
    }
    let columns: Vec<Vec<Place<T>>> = sources.iter().map(|source| places(source.shape.width, shape.width)).collect();
    let rows: Vec<Vec<Place<T>>> = sources.iter().map(|source| places(source.shape.height, shape.height)).collect();
    let row_length = shape.width * shape.channels;
    sum.data.par_chunks_mut(row_length).enumerate().for_each(|(y, row)| {
        match base {
            Some(base) => row.copy_from_slice(&base.data[y * row_length..][..row_length]),
            None => row.fill(T::zero()),
        }
        in_vectors(
            #[inline(always)]
            || {
                for ((source, columns), rows) in sources.iter().zip(&columns).zip(&rows) {
                    add_row(source, &rows[y], columns, row);
                }
                if gelu {
                    gelu_in_place(row);
                }
            },
        );
    });
}

/// Between which two samples of an axis an output sample lies, and the weight of the second.
struct Place<T> {
    first: usize,
    second: usize,
    weight: T,
}

/// Output sample i lies at `i·(from − 1)/(to − 1)`, reckoned in T as PyTorch does.
fn places<T: Real>(from: usize, to: usize) -> Vec<Place<T>> {
    let step = if to > 1 { T::of((from - 1) as f64) / T::of((to - 1) as f64) } else { T::zero() };
    let place = |i: usize| {
        let at = step * T::of(i as f64);
        let first = at.floor().to_usize().map_or(0, |first| first.min(from - 1));
        let weight = (at - T::of(first as f64)).max(T::zero()).min(T::one());
        Place { first, second: (first + 1).min(from - 1), weight }
    };
    (0..to).map(place).collect()
}

#[inline(always)]
fn add_row<T: Real>(source: &FeatureMap<T>, row: &Place<T>, columns: &[Place<T>], sum: &mut [T]) {
    let below = row.weight;
    let above = T::one() - below;
    for (column, pixel) in columns.iter().zip(sum.chunks_exact_mut(source.shape.channels)) {
        let right = column.weight;
        let left = T::one() - right;
        let corner = |y, x| source.pixel(y, x).iter();
        let top = corner(row.first, column.first).zip(corner(row.first, column.second));
        let bottom = corner(row.second, column.first).zip(corner(row.second, column.second));
        for (value, ((&tl, &tr), (&bl, &br))) in pixel.iter_mut().zip(top.zip(bottom)) {
            *value += above * (left * tl + right * tr) + below * (left * bl + right * br);
        }
    }
}

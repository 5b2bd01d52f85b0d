//! Bilinear upsampling with align_corners = true of one or several maps, summed.

use super::gelu::gelu_in_place;
use crate::tensor::{FeatureMap, Real, Shape};
use rayon::prelude::*;

/// `gelu?(base? + Σ upsample(source))` of shape `shape`.
pub(super) fn upsample_sum<T: Real>(
    base: Option<&FeatureMap<T>>,
    sources: &[&FeatureMap<T>],
    gelu: bool,
    shape: Shape,
) -> FeatureMap<T> {
    let mut sum = base.cloned().unwrap_or_else(|| FeatureMap::zeros(shape));
    if shape.values() == 0 {
        return sum;
    }
    let columns: Vec<Vec<Place<T>>> = sources.iter().map(|source| places(source.shape.width, shape.width)).collect();
    let rows: Vec<Vec<Place<T>>> = sources.iter().map(|source| places(source.shape.height, shape.height)).collect();
    sum.data.par_chunks_mut(shape.width * shape.channels).enumerate().for_each(|(y, row)| {
        for ((source, columns), rows) in sources.iter().zip(&columns).zip(&rows) {
            add_row(source, &rows[y], columns, row);
        }
        if gelu {
            gelu_in_place(row);
        }
    });
    sum
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

//! The dynamic filter: a 3×3 correlation with taps made from the picture, split in a low and a high band.

use super::reflect_pad::reflect;
use crate::graph::{DynamicFilter, Graph};
use crate::tensor::{FeatureMap, Real, Shape, in_vectors};
use rayon::prelude::*;

/// With `low = Σ_t taps[t]·x[t]` over the 3×3 neighbourhood (row by row, reflected at the borders):
/// `low' = low·(inside + 1) − inside·smooth`, `y = low'·lamb_l + x·(lamb_h + 1)`.
///
/// x `[h, w, c]`, taps `[1, 9, c]`, smooth `[h, w, c]` or `[1, 1, c]`.
pub(super) fn dynamic_filter<T: Real>(
    graph: &Graph,
    filter: &DynamicFilter,
    x: &FeatureMap<T>,
    taps: &FeatureMap<T>,
    smooth: &FeatureMap<T>,
) -> FeatureMap<T> {
    let Shape { height, width, channels } = x.shape;
    let one = T::one();
    let [inside, lamb_l, lamb_h] =
        [filter.inside, filter.lamb_l, filter.lamb_h].map(|id| super::values::<T>(graph.tensor(id)));
    let everywhere = smooth.shape.pixels() == 1;
    let mut result = FeatureMap::zeros(x.shape);
    if x.shape.values() == 0 {
        return result;
    }
    let pixel = |y: usize, column: usize, low: &mut [T]| {
        for tap in 0..9 {
            let row = reflect((y + tap / 3) as isize - 1, height);
            let beside = reflect((column + tap % 3) as isize - 1, width);
            let products = x.pixel(row, beside).iter().zip(taps.pixel(0, tap));
            low.iter_mut().zip(products).for_each(|(low, (&x, &tap))| *low += x * tap);
        }
        let x = x.pixel(y, column);
        let smooth = if everywhere { smooth.pixel(0, 0) } else { smooth.pixel(y, column) };
        for (c, low) in low.iter_mut().enumerate() {
            let sharper = *low * (inside[c] + one) - inside[c] * smooth[c];
            *low = sharper * lamb_l[c] + x[c] * (lamb_h[c] + one);
        }
    };
    result.data.par_chunks_mut(width * channels).enumerate().for_each(|(y, row)| {
        in_vectors(
            #[inline(always)]
            || row.chunks_exact_mut(channels).enumerate().for_each(|(column, low)| pixel(y, column, low)),
        );
    });
    result
}

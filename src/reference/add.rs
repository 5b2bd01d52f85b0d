//! The sum of two maps of one shape.

use crate::tensor::{FeatureMap, Real};
use rayon::prelude::*;

/// `a + scale·b`.
pub(super) fn add<T: Real>(a: &FeatureMap<T>, b: &FeatureMap<T>, scale: T) -> FeatureMap<T> {
    let mut sum = a.clone();
    sum.data.par_iter_mut().zip(&b.data).with_min_len(1 << 14).for_each(|(a, &b)| *a += scale * b);
    sum
}

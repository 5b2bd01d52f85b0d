//! Averages over areas: a picture made smaller as PyTorch's `adaptive_avg_pool2d` does.

use crate::tensor::{FeatureMap, Shape};
use std::ops::Range;

/// The map at `height` × `width`, each value the mean of the area that it covers. Areas overlap where the sides don't
/// divide, and where the result is larger than the map.
pub fn average_to(map: &FeatureMap<f64>, height: usize, width: usize) -> FeatureMap<f64> {
    let shape = Shape { height, width, ..map.shape };
    FeatureMap::from_fn(shape, |y, x, means| {
        let (rows, columns) = (area(y, map.shape.height, height), area(x, map.shape.width, width));
        let count = (rows.len() * columns.len()) as f64;
        for row in rows {
            for column in columns.clone() {
                means.iter_mut().zip(map.pixel(row, column)).for_each(|(mean, value)| *mean += value / count);
            }
        }
    })
}

fn area(index: usize, from: usize, to: usize) -> Range<usize> {
    index * from / to..((index + 1) * from).div_ceil(to)
}

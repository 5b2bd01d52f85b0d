//! A band of rows with its zero padding, from which convolutions read their neighbourhoods without a question asked.

use crate::tensor::{FeatureMap, Real};

/// Values that a band should hold: it and its result stay in a core's second-level cache.
const BAND_VALUES: usize = 1 << 16;

/// How many rows of `row_values` values to take at once.
pub(crate) fn rows_per_band(row_values: usize, rows: usize) -> usize {
    // At least four bands a thread, so that threads end together.
    let even = rows.div_ceil(4 * rayon::current_num_threads());
    (BAND_VALUES / row_values.max(1)).clamp(1, even.max(1))
}

/// Fills `band` with rows `first .. first + rows` of the maps' channels one after the other, `padding` zeros left and
/// right of each row, zero rows where there are none: `[rows][width + 2·padding][Σ channels]`.
pub(crate) fn fill<T: Real>(band: &mut Vec<T>, sources: &[&FeatureMap<T>], first: isize, rows: usize, padding: usize) {
    let shape = sources[0].shape;
    let channels: usize = sources.iter().map(|source| source.shape.channels).sum();
    let pitch = (shape.width + 2 * padding) * channels;
    band.clear();
    band.resize(rows * pitch, T::zero());
    for (row, y) in band.chunks_exact_mut(pitch.max(1)).zip(first..) {
        if !(0..shape.height as isize).contains(&y) {
            continue;
        }
        let y = y as usize;
        let inside = &mut row[padding * channels..(padding + shape.width) * channels];
        if let [source] = sources {
            let start = y * shape.width * channels;
            inside.copy_from_slice(&source.data[start..start + shape.width * channels]);
            continue;
        }
        for (x, pixel) in inside.chunks_exact_mut(channels.max(1)).enumerate() {
            let mut rest = pixel;
            for source in sources {
                let (head, tail) = rest.split_at_mut(source.shape.channels);
                head.copy_from_slice(source.pixel(y, x));
                rest = tail;
            }
        }
    }
}

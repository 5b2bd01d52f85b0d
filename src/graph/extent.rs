//! How far the dynamic filter's means reach: the rules that the reference and the kernels share.

/// Pixels of a window's side over a map's `side`: `⌊base·side/train⌋`, at least 1 and at most the side.
pub fn window(side: usize, base: usize, train: usize) -> usize {
    (side.saturating_mul(base) / train.max(1)).min(side).max(1)
}

/// The highest k whose frequency is kept, of a side of `length`: `|fftfreq(length)[k]| ≤ cutoff`, both reckoned in f32
/// as PyTorch does.
pub fn highest_kept(length: usize, cutoff: f64) -> usize {
    let step = (1.0 / length as f64) as f32;
    (0..=length / 2).rev().find(|&k| k as f32 * step <= cutoff as f32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_a_share_of_the_side() {
        // The release's: 120 of 256 pixels, and of the maps of half and quarter size.
        assert_eq!([256, 128, 64, 720, 1, 2].map(|side| window(side, 120, 256)), [120, 60, 30, 337, 1, 1]);
        assert_eq!([window(10, 300, 256), window(10, usize::MAX, 1), window(10, 1, 0)], [10; 3]);
    }

    #[test]
    fn frequencies_up_to_the_cutoff_are_kept() {
        // Of 8 samples: 0, 1/8, 2/8, 3/8, 4/8 cycles a sample.
        assert_eq!([0.0, 0.124, 0.125, 0.3, 0.5, 9.0].map(|cutoff| highest_kept(8, cutoff)), [0, 0, 1, 2, 4, 4]);
        assert_eq!([1, 2, 7].map(|length| highest_kept(length, 0.5)), [0, 1, 3]);
    }
}

//! Peak signal-to-noise ratio.

/// 10·log10(`peak`² / mean squared difference) over pairs of values, in decibels; infinite where nothing differs, NaN where
/// there are none.
pub fn psnr(pairs: impl Iterator<Item = (f64, f64)>, peak: f64) -> f64 {
    let (count, sum) = pairs.fold((0_u64, 0.0), |(count, sum), (a, b)| (count + 1, sum + (a - b) * (a - b)));
    10.0 * (peak * peak / (sum / count as f64)).log10()
}

#[cfg(test)]
mod tests {
    use super::psnr;

    #[test]
    fn decibels_of_a_difference() {
        let of = |b: [f64; 2]| psnr([0.0, 1.0].into_iter().zip(b), 1.0);
        assert!((of([0.1, 1.1]) - 20.0).abs() < 1e-9);
        assert_eq!(of([0.0, 1.0]), f64::INFINITY);
        assert!(of([f64::NAN, 1.0]).is_nan());
    }
}

//! How far a result is from what it should be.

use crate::tensor::Real;
use std::fmt;

/// Two measures of the difference between a result and its expectation, taken in f64.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Error {
    /// The largest absolute difference.
    pub max_abs: f64,
    /// `‖found − expected‖₂ / ‖expected‖₂`; the root mean square of the difference where all that is expected is 0.
    pub rel_l2: f64,
}

impl Error {
    /// No difference.
    pub const NONE: Self = Self { max_abs: 0.0, rel_l2: 0.0 };

    /// A difference beyond measure: values that are not finite, or not as many as expected.
    pub const INFINITE: Self = Self { max_abs: f64::INFINITY, rel_l2: f64::INFINITY };

    /// The difference between `found` and `expected`. A value that is not finite, in either, makes it infinite: NaN
    /// never passes.
    pub fn between<T: Real, U: Real>(found: &[T], expected: &[U]) -> Self {
        if found.len() != expected.len() {
            return Self::INFINITE;
        }
        let (mut max_abs, mut square, mut norm) = (0.0_f64, 0.0, 0.0);
        for (found, expected) in found.iter().zip(expected) {
            let difference = found.wide() - expected.wide();
            if !difference.is_finite() {
                return Self::INFINITE;
            }
            max_abs = max_abs.max(difference.abs());
            square += difference * difference;
            norm += expected.wide() * expected.wide();
        }
        let scale = if norm > 0.0 { norm } else { found.len().max(1) as f64 };
        Self { max_abs, rel_l2: (square / scale).sqrt() }
    }

    /// Whether the relative error is within `bound`.
    pub fn within(self, bound: f64) -> bool {
        self.rel_l2 <= bound
    }

    /// The larger of both measures of two errors.
    pub fn worst(self, other: Self) -> Self {
        Self { max_abs: self.max_abs.max(other.max_abs), rel_l2: self.rel_l2.max(other.rel_l2) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "max abs {:.2e}, relative L2 {:.2e}", self.max_abs, self.rel_l2)
    }
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn measures_differences() {
        let error = Error::between(&[3.0_f32, 4.0], &[3.0_f64, 4.5]);
        assert_eq!(error.max_abs, 0.5);
        assert!((error.rel_l2 - 0.5 / (9.0_f64 + 20.25).sqrt()).abs() < 1e-12);
        assert_eq!(Error::between(&[1.0_f32; 3], &[1.0_f32; 3]), Error::NONE);
    }

    #[test]
    fn nothing_that_is_not_finite_passes() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert!(!Error::between(&[1.0, bad], &[1.0_f32, 1.0]).within(1e9));
            assert!(!Error::between(&[1.0, 1.0], &[1.0_f32, bad]).within(1e9));
            assert!(!Error::between(&[bad], &[bad]).within(1e9));
        }
        assert!(!Error::between(&[1.0_f32], &[1.0_f32, 1.0]).within(1e9));
    }

    #[test]
    fn an_expectation_of_zeros_is_judged_absolutely() {
        assert!(Error::between(&[0.0_f32; 4], &[0.0_f32; 4]).within(0.0));
        assert_eq!(Error::between(&[0.5_f32; 4], &[0.0_f32; 4]).rel_l2, 0.5);
    }
}

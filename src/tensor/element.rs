//! Element types: how an activation is stored on the device, and what arithmetic the CPU reference runs in.

use std::fmt;

/// How one value of an activation is stored on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Element {
    /// IEEE half precision. Storage only: sums and norms are always taken in f32.
    F16,
    /// Single precision: pictures, statistics, and everything under `--precision f32`.
    F32,
}

impl Element {
    /// Bytes of one value.
    pub fn bytes(self) -> u64 {
        match self {
            Element::F16 => 2,
            Element::F32 => 4,
        }
    }

    /// The largest relative L2 error of an operator that passes; to round a result to half precision comes to 3e-4 by itself.
    pub fn error_bound(self) -> f64 {
        match self {
            Element::F16 => 2e-3,
            Element::F32 => 1e-5,
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Element::F16 => "f16",
            Element::F32 => "f32",
        })
    }
}

/// The arithmetic of the CPU reference: `f32` in the product, `f64` where it is the judge of errors.
pub trait Real:
    num_traits::Float + num_traits::NumAssign + std::iter::Sum + Send + Sync + fmt::Debug + 'static
{
    /// The nearest value of this type.
    fn of(value: f64) -> Self;
    /// This value as f64, exactly.
    fn wide(self) -> f64;
    /// The error function.
    fn erf(self) -> Self;
}

impl Real for f32 {
    #[inline]
    fn of(value: f64) -> Self {
        value as f32
    }
    #[inline]
    fn wide(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        super::erf::erf(self)
    }
}

impl Real for f64 {
    #[inline]
    fn of(value: f64) -> Self {
        value
    }
    #[inline]
    fn wide(self) -> f64 {
        self
    }
    #[inline]
    fn erf(self) -> Self {
        libm::erf(self)
    }
}

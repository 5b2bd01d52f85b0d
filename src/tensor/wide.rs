//! Plain loops, compiled for the widest vectors that the machine has.

use pulp::{Arch, Simd, WithSimd};

/// Runs `task` compiled for this machine's vector unit; what is to profit must be inlined in it, the closure itself by
/// `#[inline(always)]`. (`FnMut`, for a call of an `FnOnce` goes through a shim that is not inlined.)
#[inline]
pub(crate) fn in_vectors(task: impl FnMut()) {
    Arch::new().dispatch(Task(task));
}

struct Task<F>(F);

impl<F: FnMut()> WithSimd for Task<F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        (self.0)();
    }
}

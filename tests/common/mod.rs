//! What the tests of a device share.
#![allow(dead_code, reason = "each test uses some of it")]

pub mod graphs;

use irnext::gpu::{Dialect, Gpu, adapters, describe};
use irnext::kernels::shaders;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::thread;

/// One adapter, opened with native half precision where it has it, with packed half precision, and with no more than
/// WebGPU promises of every adapter.
pub struct Devices {
    pub native: Option<Arc<Gpu>>,
    pub packed: Arc<Gpu>,
    pub weak: Arc<Gpu>,
}

impl Devices {
    /// Those that differ in how shaders read and write, with a name for messages.
    pub fn all(&self) -> Vec<(&'static str, Arc<Gpu>)> {
        let native = self.native.iter().map(|gpu| ("native f16", Arc::clone(gpu)));
        let packed = [("packed f16", Arc::clone(&self.packed))];
        assert_eq!(self.weak.dialect, Dialect::default(), "WebGPU has no words of 64 bits");
        let words =
            (self.packed.dialect != self.weak.dialect).then(|| ("packed f16 as WebGPU has it", Arc::clone(&self.weak)));
        native.chain(packed).chain(words).collect()
    }
}

/// What `--device` takes for the adapter under test: the first, or the one that IRNEXT_TEST_ADAPTER numbers.
pub fn device_argument() -> String {
    std::env::var("IRNEXT_TEST_ADAPTER").unwrap_or("0".into())
}

/// The adapter under test. A machine without one fails, and says what to do; it never passes in silence.
pub fn adapter() -> wgpu::Adapter {
    adapters().into_iter().nth(device_argument().parse().expect("a number")).expect(
        "no adapter to test on: `tests/run.sh` installs a software Vulkan driver and runs all tests; \
         what needs no adapter is `cargo test --lib --test shaders --test reference --test checkpoints --test photo --test damaged`",
    )
}

/// The adapter under test, opened in its several ways.
///
/// A software driver compiles on one thread a device, so threads take turns at as many devices as there are cores.
pub fn devices() -> &'static Devices {
    static ALL: LazyLock<Vec<OnceLock<Devices>>> = LazyLock::new(|| {
        (0..thread::available_parallelism().map_or(1, usize::from)).map(|_| OnceLock::new()).collect()
    });
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static OWN: usize = THREADS.fetch_add(1, Ordering::Relaxed));
    let own = rayon::current_thread_index().unwrap_or_else(|| OWN.with(|own| *own));
    ALL[own % ALL.len()].get_or_init(|| {
        let adapter = adapter();
        let packed = Arc::new(Gpu::open_with(&adapter, shaders(), false, adapter.limits()).expect("opens"));
        let limits = wgpu::Limits::default();
        assert_eq!(
            (limits.max_storage_buffer_binding_size, limits.max_compute_workgroup_storage_size),
            (128 << 20, 16384)
        );
        assert_eq!(
            (limits.max_compute_workgroups_per_dimension, limits.max_compute_invocations_per_workgroup),
            (65535, 256)
        );
        let weak = Arc::new(Gpu::open_with(&adapter, shaders(), false, limits).expect("opens with WebGPU's limits"));
        let native = Gpu::open_with(&adapter, shaders(), true, adapter.limits()).expect("opens");
        if !native.dialect.native_f16 {
            not_tested(&describe(&adapter), "native half precision (no SHADER_F16)");
        }
        Devices { native: native.dialect.native_f16.then(|| Arc::new(native)), packed, weak }
    })
}

/// Says what this device can't be tested for, past the test harness, which shows no output of tests that pass.
pub fn not_tested(device: &str, what: &str) {
    use std::io::Write;
    // A closed standard error is no failure of the test.
    let _ = writeln!(std::io::stderr(), "NOT TESTED on {device}: {what}");
}

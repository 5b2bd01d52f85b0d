//! In which of several equal ways a device's shaders read and write.

use wgpu::{Adapter, DeviceType};

/// The `@if` features that hold for all shaders of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// Half precision is the adapter's own, not packed in words.
    pub native_f16: bool,
    /// Two words are read and written as one of 64 bits.
    pub words64: bool,
}

impl Dialect {
    /// Every one that devices are given.
    pub const ALL: [Self; 4] = [
        Self { native_f16: false, words64: false },
        Self { native_f16: true, words64: false },
        Self { native_f16: false, words64: true },
        Self { native_f16: true, words64: true },
    ];

    /// As WESL knows them.
    pub(super) fn features(self) -> [(&'static str, bool); 2] {
        [("native_f16", self.native_f16), ("words64", self.words64)]
    }
}

/// Whether a driver takes as long over a word of 64 bits as over one of 32. Software drivers do, since they load for each
/// lane by itself: with such words the network takes 0.82 (Mesa 22.3) and 0.9 (26.1) of the time. But where a driver's
/// loads become AVX-512's gathers, eight such words fill a register of 512 bits, and Intel's cores then do without one of
/// their three vector ports: 1.12 of the time.
pub(super) fn prefers_words64(adapter: &Adapter) -> bool {
    let info = adapter.get_info();
    info.device_type == DeviceType::Cpu && !(llvm(&info.name) >= Some(GATHERS) && wide_registers_cost_a_port())
}

/// The first version of LLVM with which llvmpipe was seen to gather. Those between 15, which doesn't, and this are unknown.
const GATHERS: u32 = 19;

/// The version of LLVM in an adapter's name, as in `llvmpipe (LLVM 19.1.7, 256 bits)`.
fn llvm(name: &str) -> Option<u32> {
    let (_, version) = name.split_once("LLVM ")?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(target_arch = "x86_64")]
fn wide_registers_cost_a_port() -> bool {
    let intel = raw_cpuid::CpuId::new().get_vendor_info().is_some_and(|vendor| vendor.as_str() == "GenuineIntel");
    intel && std::arch::is_x86_feature_detected!("avx512vl")
}

#[cfg(not(target_arch = "x86_64"))]
fn wide_registers_cost_a_port() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::{GATHERS, llvm};

    #[test]
    fn a_drivers_compiler_is_read_off_its_name() {
        assert_eq!(llvm("llvmpipe (LLVM 19.1.7, 256 bits)"), Some(GATHERS));
        assert!(llvm("llvmpipe (LLVM 15.0.6, 256 bits)") < Some(GATHERS));
        assert!(llvm("SwiftShader Device (Subzero)") < Some(GATHERS));
        assert!(llvm("llvmpipe (LLVM unknown)") < Some(GATHERS));
    }
}

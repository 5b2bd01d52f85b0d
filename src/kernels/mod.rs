//! Floor 3: one file for each WGSL file of the same name: bindings, variants, workgroup geometry, cost.
//!
//! Adding a kernel: `shaders/X.wgsl`, `src/kernels/X.rs` with a `lower` that records its steps and a `variants` that
//! lists all its forms, and its name among the modules and in the list below: then it is validated and translated for every backend.
//!
//! A further kernel for convolutions also describes itself as a [`Candidate`], in the list of them below: then it is
//! chosen, tuned, checked on each device and tested on random shapes. A kernel for a new op needs the op (`graph::Op`, its
//! shape in `graph::infer`), its twin in `src/reference/`, its arm in `compile::lower`, and a random case in
//! `verify::random`.

pub mod avg_pool;
pub mod box_mean;
mod candidate;
mod constants;
pub mod conv2d;
pub mod conv2d_broadcast;
pub mod conv2d_matrix;
pub mod conv2d_matrix_halo;
pub mod conv2d_matrix_staged;
pub mod conv2d_pairs;
pub mod conv2d_shared;
pub mod conv2d_tiled;
pub mod conv_transpose2d;
pub mod conv_transpose2d_broadcast;
mod convolution;
pub mod dynamic_filter;
pub mod elementwise;
pub mod fft;
pub mod fft_unpack;
pub mod filter_taps;
pub mod global_mean;
pub mod instance_norm;
mod integer;
mod lowering;
pub mod moments;
pub mod nearest_half;
pub mod pixels_in;
pub mod pixels_out;
pub mod pool_pyramid;
pub mod probe_copy;
pub mod probe_fma;
mod raster;
pub mod reflect_pad;
pub mod residual_block;
pub mod storage;
pub mod upsample_sum;
pub mod winograd;
pub mod winograd_shared;

pub use candidate::{Candidate, Case};
pub(crate) use constants::ALIGNMENT;
pub use constants::Constants;
pub use lowering::{BufferId, BufferSpec, Cost, Lowering, Operand, Step, StepParts, Target, Window};
pub use raster::Raster;

use crate::gpu::{Shaders, Variant};
use crate::graph::{Conv2d, ConvTranspose2d};

macro_rules! kernels {
    ($(#[$doc:meta])* $list:ident: $($name:ident)*) => {
        $(#[$doc])*
        pub static $list: &[Kernel] = &[$(Kernel {
            name: stringify!($name),
            source: include_str!(concat!("../../shaders/", stringify!($name), ".wgsl")),
            variants: $name::variants,
        }),*];
    };
}

/// A WGSL file and its variants.
pub struct Kernel {
    /// The file's name.
    pub name: &'static str,
    /// Its text.
    pub source: &'static str,
    /// All variants that lowering can ask for.
    pub variants: fn() -> Vec<Variant>,
}

kernels! {
    /// Every kernel: its name, its source, and all its variants.
    KERNELS:
    avg_pool
    box_mean
    conv2d
    conv2d_broadcast
    conv2d_matrix
    conv2d_matrix_halo
    conv2d_matrix_staged
    conv2d_pairs
    conv2d_shared
    conv2d_tiled
    conv_transpose2d
    conv_transpose2d_broadcast
    dynamic_filter
    elementwise
    fft
    fft_unpack
    filter_taps
    global_mean
    instance_norm
    moments
    nearest_half
    pixels_in
    pixels_out
    pool_pyramid
    reflect_pad
    residual_block
    upsample_sum
    winograd
    winograd_shared
}

kernels! {
    /// What measures a device and computes no op.
    PROBES:
    probe_copy
    probe_fma
}

/// The kernels for convolutions, the likely fastest first; the plain one, with which they are compared, last.
pub const CONVOLUTIONS: &[Candidate<Conv2d>] = &[
    conv2d_matrix_staged::CANDIDATE,
    conv2d_matrix_halo::FLAT,
    conv2d_matrix_halo::LOW,
    conv2d_matrix_halo::TALL,
    conv2d_matrix::CANDIDATE,
    winograd::TWO,
    winograd::FOUR,
    conv2d_pairs::CANDIDATE,
    conv2d_broadcast::CANDIDATE,
    winograd_shared::CANDIDATE,
    conv2d_tiled::CANDIDATE,
    conv2d_shared::CANDIDATE,
    conv2d::CANDIDATE,
];

/// Those for transposed convolutions, in the same order.
pub const TRANSPOSED_CONVOLUTIONS: &[Candidate<ConvTranspose2d>] = &[
    conv2d_matrix_halo::TRANSPOSED,
    winograd::TRANSPOSED,
    conv_transpose2d_broadcast::CANDIDATE,
    conv2d_shared::TRANSPOSED,
    conv_transpose2d::CANDIDATE,
];

/// What several kernels import.
const SHARED: &[(&str, &str)] = &[
    ("shared::border", include_str!("../../shaders/shared/border.wgsl")),
    ("shared::convolution", include_str!("../../shaders/shared/convolution.wgsl")),
    ("shared::gelu", include_str!("../../shaders/shared/gelu.wgsl")),
    ("shared::half", include_str!("../../shaders/shared/half.wgsl")),
    ("shared::integer", include_str!("../../shaders/shared/integer.wgsl")),
    ("shared::taps", include_str!("../../shaders/shared/taps.wgsl")),
    ("shared::single", include_str!("../../shaders/shared/single.wgsl")),
    ("shared::winograd_f2", include_str!("../../shaders/shared/winograd_f2.wgsl")),
    ("shared::winograd", include_str!("../../shaders/shared/winograd.wgsl")),
];

/// The sources that the binary carries.
pub fn shaders() -> Shaders {
    let kernels = KERNELS.iter().chain(PROBES).map(|kernel| (kernel.name, kernel.source));
    Shaders::embedded_in(kernels.chain(SHARED.iter().copied()))
}

/// All on/off combinations of a list of features.
fn combinations(shader: &'static str, features: &[&'static str]) -> Vec<Variant> {
    (0..1usize << features.len())
        .map(|mask| {
            let set: Vec<_> = features.iter().enumerate().map(|(bit, &name)| (name, mask >> bit & 1 == 1)).collect();
            Variant::new(shader, &set)
        })
        .collect()
}

//! Multiply-adds in registers that measure arithmetic: no op of a graph, but the roofline of `irnext profile`.

use super::lowering::WORKGROUP;
use crate::gpu::Variant;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    count: u32,
    rounds: u32,
}

/// All variants.
pub fn variants() -> Vec<Variant> {
    vec![variant(false), variant(true)]
}

/// In f32, or in f16 where the adapter has it natively. Bindings: 0 parameters, 1 the result.
pub fn variant(half: bool) -> Variant {
    Variant::new("probe_fma", &[("half", half)])
}

/// The uniform for `workgroups` workgroups that take `rounds` turns.
pub fn params(workgroups: u32, rounds: u32) -> Vec<u8> {
    bytemuck::bytes_of(&Params { count: workgroups * WORKGROUP, rounds }).to_vec()
}

/// Bytes of the result.
pub fn bytes(workgroups: u32) -> u64 {
    u64::from(workgroups * WORKGROUP) * 16
}

/// Operations of a dispatch: 8 accumulators of 4 numbers, 4 times a round, a multiplication and an addition each.
pub fn flops(workgroups: u32, rounds: u32) -> u64 {
    u64::from(workgroups * WORKGROUP) * u64::from(rounds) * (8 * 4 * 4 * 2)
}

//! A copy that measures memory: no op of a graph, but the roofline of `irnext profile`.

use super::lowering::wrapped;
use crate::gpu::Variant;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    count: u32,
    row: u32,
}

/// All variants.
pub fn variants() -> Vec<Variant> {
    vec![variant()]
}

/// The kernel's only variant. Bindings: 0 parameters, 1 from, 2 to.
pub fn variant() -> Variant {
    Variant::new("probe_copy", &[])
}

/// The uniform and the workgroups that copy `count` vec4s.
pub fn geometry(count: u64, max_workgroups: u32) -> (Vec<u8>, [u32; 3]) {
    let (workgroups, row) = wrapped(count, max_workgroups);
    (bytemuck::bytes_of(&Params { count: count as u32, row }).to_vec(), workgroups)
}

//! What an adapter must have, and what of it kernels may use.

use wgpu::{Adapter, AdapterInfo, Backend, CooperativeScalarType, DeviceType, Limits};

/// Whether a watchdog may end long dispatches: not on discrete GPUs and Apple's, which are fast, nor on software drivers, which
/// have none.
pub(super) fn may_be_slow(info: &AdapterInfo) -> bool {
    let slow = !matches!(info.device_type, DeviceType::Cpu | DeviceType::DiscreteGpu);
    slow && info.backend != Backend::Metal
}

/// The most lanes that a subgroup has. For Metal wgpu names what any GPU might have; those with matrices have 32.
fn most_lanes(info: &AdapterInfo) -> u32 {
    if info.backend == Backend::Metal { 32 } else { info.subgroup_max_size }
}

/// What every kernel may take for granted, and WebGPU promises, where a device has less.
pub(super) fn lacks(limits: &Limits) -> Option<String> {
    let promised = Limits::default();
    let each = [
        (
            "invocations a workgroup",
            limits.max_compute_invocations_per_workgroup,
            promised.max_compute_invocations_per_workgroup,
        ),
        (
            "bytes of workgroup memory",
            limits.max_compute_workgroup_storage_size,
            promised.max_compute_workgroup_storage_size,
        ),
        (
            "invocations on a workgroup's first axis",
            limits.max_compute_workgroup_size_x,
            promised.max_compute_workgroup_size_x,
        ),
        (
            "workgroups on an axis",
            limits.max_compute_workgroups_per_dimension,
            promised.max_compute_workgroups_per_dimension,
        ),
        (
            "storage buffers a shader",
            limits.max_storage_buffers_per_shader_stage,
            promised.max_storage_buffers_per_shader_stage,
        ),
    ];
    let (what, has, takes) = each.into_iter().find(|(_, has, takes)| has < takes)?;
    Some(format!("it has {has} {what}, and the kernels take {takes}"))
}

/// Square cooperative matrices, and the subgroups that compute them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrices {
    /// Rows and columns.
    pub side: u32,
    /// The most lanes of a subgroup.
    pub lanes: u32,
}

impl Default for Matrices {
    /// As Apple's GPUs have them.
    fn default() -> Self {
        Self { side: 8, lanes: 32 }
    }
}

/// The cooperative matrices that multiply half floats into f32, if the adapter has any: the largest square ones that the
/// kernels are written for.
pub(super) fn matrices(adapter: &Adapter) -> Option<Matrices> {
    let offered = adapter.cooperative_matrix_properties();
    let side = [16, 8].into_iter().find(|&side| {
        offered.iter().any(|matrix| {
            [matrix.m_size, matrix.n_size, matrix.k_size] == [side; 3]
                && matrix.ab_type == CooperativeScalarType::F16
                && matrix.cr_type == CooperativeScalarType::F32
        })
    })?;
    Some(Matrices { side, lanes: most_lanes(&adapter.get_info()) })
}

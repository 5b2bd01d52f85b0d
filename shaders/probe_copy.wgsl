// Copies vec4s from one buffer to another as fast as memory goes: the slope of a roofline.
struct Params {
    // vec4s in all, and vec4s that one row of workgroups covers.
    count: u32,
    row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> input: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.y * params.row + id.x;
    if (at < params.count) {
        output[at] = input[at];
    }
}

// Value by value: GELU of one map, or a + scale·b of two. Fused into other kernels wherever a graph allows it.
@if(f32) import package::shared::single::{Stored, decode, encode};
@if(!f32) import package::shared::half::{Stored, decode, encode};
@if(gelu) import package::shared::gelu::gelu;
@if(native_f16) enable f16;

struct Params {
    // vec4s in all, and vec4s that one row of workgroups covers.
    count: u32,
    row: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> a: array<Stored>;
@if(add) @group(0) @binding(2) var<storage, read_write> b: array<Stored>;
@group(0) @binding(3) var<storage, read_write> output: array<Stored>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.y * params.row + id.x;
    if (at >= params.count) {
        return;
    }
    var value = decode(a[at]);
    @if(add) { value += params.scale * decode(b[at]); }
    @if(gelu) { value = gelu(value); }
    output[at] = encode(value);
}

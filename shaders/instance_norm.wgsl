// (x − mean) / √(var + eps) · gain + bias, with the moments that moments.wgsl took over the whole picture.
// Source: IRNeXt (ICML 2023), the end of each shallow branch.
@if(f32) import package::shared::single::{Stored, decode, encode};
@if(!f32) import package::shared::half::{Stored, decode, encode};
@if(native_f16) enable f16;

struct Params {
    count: u32,
    row: u32,
    blocks: u32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Stored>;
// Means of all blocks, then variances.
@group(0) @binding(2) var<storage, read_write> moments: array<vec4<f32>>;
// Gains of all blocks, then biases.
@group(0) @binding(3) var<storage, read> affine: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> output: array<Stored>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.y * params.row + id.x;
    if (at >= params.count) {
        return;
    }
    let block = at % params.blocks;
    let scale = inverseSqrt(moments[params.blocks + block] + params.eps) * affine[block];
    output[at] = encode((decode(input[at]) - moments[block]) * scale + affine[params.blocks + block]);
}

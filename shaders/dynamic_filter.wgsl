// The dynamic filter: low = the 3×3 correlation of the reflect-padded map with taps made for this picture, then
// y = low·gain_low − smooth·gain_smooth + x·gain_high, where the gains are (W+1)·lamb_l, W·lamb_l and lamb_h + 1.
// One invocation makes 4 channels of one pixel.
// Source: IRNeXt (ICML 2023), equations 6 to 8.
@if(f32) import package::shared::single::{Stored, decode, encode};
@if(!f32) import package::shared::half::{Stored, decode, encode};
import package::shared::border::reflect;
@if(native_f16) enable f16;

struct Params {
    height: u32,
    width: u32,
    blocks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Stored>;
// [9][blocks]
@group(0) @binding(2) var<storage, read_write> taps: array<vec4<f32>>;
// The mean that is subtracted: one a channel, or a map.
@if(!smooth_map) @group(0) @binding(3) var<storage, read_write> smooth_part: array<vec4<f32>>;
@if(smooth_map) @group(0) @binding(3) var<storage, read_write> smooth_part: array<Stored>;
// [3][blocks]: gain_low, gain_smooth, gain_high.
@group(0) @binding(4) var<storage, read> gains: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> output: array<Stored>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let x = id.x / params.blocks;
    let block = id.x % params.blocks;
    if (x >= params.width) {
        return;
    }
    var low = vec4<f32>(0.0);
    for (var ky = 0u; ky < 3u; ky++) {
        let row = u32(reflect(i32(id.y + ky) - 1, i32(params.height))) * params.width;
        for (var kx = 0u; kx < 3u; kx++) {
            let column = u32(reflect(i32(x + kx) - 1, i32(params.width)));
            let tap = taps[(ky * 3u + kx) * params.blocks + block];
            low += tap * decode(input[(row + column) * params.blocks + block]);
        }
    }
    let at = (id.y * params.width + x) * params.blocks + block;
    @if(smooth_map) let smooth_value = decode(smooth_part[at]);
    @if(!smooth_map) let smooth_value = smooth_part[block];
    let value = low * gains[block]
        - smooth_value * gains[params.blocks + block]
        + decode(input[at]) * gains[2u * params.blocks + block];
    output[at] = encode(value);
}

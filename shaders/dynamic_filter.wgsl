// The dynamic filter: low = the 3×3 correlation of the reflect-padded map with taps made for this picture, then
// y = low·gain_low − smooth·gain_smooth + x·gain_high, where the gains are (W+1)·lamb_l, W·lamb_l and lamb_h + 1.
// An invocation makes 4 channels of a pixel. With `own_taps`, for small maps, each workgroup makes the taps of a slice of the
// channels itself, which saves filter_taps.wgsl's dispatch.
// Source: IRNeXt (ICML 2023), equations 6 to 8.
@if(f32) import package::shared::single::{Stored, decode, encode};
@if(!f32) import package::shared::half::{Stored, decode, encode};
import package::shared::border::reflect;
@if(own_taps) import package::shared::taps::{LANES, params, mean, make_taps, tap_of};
@if(native_f16) enable f16;

@if(!own_taps)
struct Params {
    height: u32,
    width: u32,
    blocks: u32,
}

@if(!own_taps) @group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Stored>;
// [9][blocks]
@if(!own_taps) @group(0) @binding(2) var<storage, read_write> taps: array<vec4<f32>>;
// The mean that is subtracted: one a channel, or a map.
@if(!smooth_map && !own_taps) @group(0) @binding(3) var<storage, read_write> smooth_part: array<vec4<f32>>;
@if(smooth_map) @group(0) @binding(3) var<storage, read_write> smooth_part: array<Stored>;
// [3][blocks]: gain_low, gain_smooth, gain_high.
@group(0) @binding(4) var<storage, read> gains: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> output: array<Stored>;

@if(!own_taps) override WORKGROUP: u32 = 64;

// The taps of a lane's 4 channels.
@if(own_taps) var<private> own: array<vec4<f32>, 9>;

fn tap(at: u32, block: u32) -> vec4<f32> {
    @if(own_taps) return own[at];
    @if(!own_taps) return taps[at * params.blocks + block];
}

fn smooth_at(at: u32, block: u32) -> vec4<f32> {
    @if(smooth_map) return decode(smooth_part[at]);
    @if(!smooth_map && own_taps) return mean[block];
    @if(!smooth_map && !own_taps) return smooth_part[block];
}

fn filter_pixel(y: u32, x: u32, block: u32) {
    var low = vec4<f32>(0.0);
    for (var ky = 0u; ky < 3u; ky++) {
        let row = u32(reflect(i32(y + ky) - 1, i32(params.height))) * params.width;
        for (var kx = 0u; kx < 3u; kx++) {
            let column = u32(reflect(i32(x + kx) - 1, i32(params.width)));
            low += tap(ky * 3u + kx, block) * decode(input[(row + column) * params.blocks + block]);
        }
    }
    let at = (y * params.width + x) * params.blocks + block;
    let value = low * gains[block]
        - smooth_at(at, block) * gains[params.blocks + block]
        + decode(input[at]) * gains[2u * params.blocks + block];
    output[at] = encode(value);
}

@if(!own_taps)
@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let x = id.x / params.blocks;
    if (x < params.width) {
        filter_pixel(id.y, x, id.x % params.blocks);
    }
}

@if(own_taps)
@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) workgroup: vec3<u32>) {
    let first_block = workgroup.y * params.slice;
    let first = first_block * 4u / params.group_channels;
    let end = min((first_block + params.slice) * 4u, params.channels);
    make_taps(lane, first, (end - 1u) / params.group_channels - first + 1u);
    let block = first_block + lane % params.slice;
    let across = LANES / params.slice;
    let pixel = workgroup.x * across + lane / params.slice;
    if (block >= params.blocks || lane >= across * params.slice || pixel >= params.height * params.width) {
        return;
    }
    for (var tap = 0u; tap < 9u; tap++) {
        let channel = block * 4u;
        own[tap] = vec4<f32>(
            tap_of(channel, tap, first), tap_of(channel + 1u, tap, first),
            tap_of(channel + 2u, tap, first), tap_of(channel + 3u, tap, first),
        );
    }
    filter_pixel(pixel / params.width, pixel % params.width, block);
}

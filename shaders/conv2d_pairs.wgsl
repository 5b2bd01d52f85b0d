// 2-D convolution by subgroup broadcasts to few output channels, for devices whose subgroups have 8 lanes: a subgroup
// makes 64 pixels × 16 output channels. As conv2d_broadcast.wgsl, but lanes stand for pairs of output channels, so that
// 16 channels leave none idle. Same bindings and layout; same epilogue.
import package::shared::convolution::{params, tapped, read_padded};
@if(output_f32) import package::shared::single::{Pair as Output, decode_pair as decode_output, encode_pair as encode_output};
@if(!output_f32) import package::shared::half::{Pair as Output, decode_pair as decode_output, encode_pair as encode_output};
@if(weight_f32) import package::shared::single::{Pair as Weight, decode_pair as decode_weight};
@if(!weight_f32) import package::shared::half::{Pair as Weight, decode_pair as decode_weight};
@if(gelu) import package::shared::gelu::gelu;
@if(native_f16) enable f16;

@group(0) @binding(3) var<storage, read> weight: array<Weight>;
@if(bias) @group(0) @binding(4) var<storage, read> bias: array<vec2<f32>>;
@if(residual) @group(0) @binding(5) var<storage, read_write> residual: array<Output>;
@group(0) @binding(6) var<storage, read_write> output: array<Output>;
// As in shared/convolution.wgsl, by pairs.
@if(sums) @group(0) @binding(9) var<storage, read_write> sums: array<vec2<f32>>;
@if(sums) var<private> gathered: vec2<f32>;

// A pixel of the output, row and column.
fn place(pixel: u32) -> vec2<u32> {
    return vec2<u32>(pixel / params.out_width, pixel % params.out_width);
}

// One input block's share of 2 output channels.
fn product(sum: vec2<f32>, x: vec4<f32>, w: mat4x2<f32>) -> vec2<f32> {
    return fma(vec2<f32>(x.w), w[3], fma(vec2<f32>(x.z), w[2], fma(vec2<f32>(x.y), w[1], fma(vec2<f32>(x.x), w[0], sum))));
}

fn store(pixel: u32, pixels: u32, pair: u32, sum: vec2<f32>) {
    if (pixel >= pixels) {
        return;
    }
    var value = sum;
    @if(gelu) { value = gelu(value.xyxy).xy; }
    let at = pixel * params.out_blocks * 2u + pair;
    @if(residual) { value += decode_output(residual[at]); }
    @if(sums) { gathered += value; }
    output[at] = encode_output(value);
}

@compute @workgroup_size(8)
fn main(
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let pixels = params.out_height * params.out_width;
    let start = (group.y * groups.x + group.x) * 64u;
    if (start >= pixels) {
        return;
    }
    // Lanes beyond the last pair repeat it and store nothing.
    let pairs = params.out_blocks * 2u;
    let pair = group.z * 8u + lane;
    let column = min(pair, pairs - 1u);
    // The pair's place among the 4 × 4 weights of its block.
    let start_weight = (column / 2u) * 8u + column % 2u;
    let p0 = place(min(start + lane, pixels - 1u));
    let p1 = place(min(start + 8u + lane, pixels - 1u));
    let p2 = place(min(start + 16u + lane, pixels - 1u));
    let p3 = place(min(start + 24u + lane, pixels - 1u));
    let p4 = place(min(start + 32u + lane, pixels - 1u));
    let p5 = place(min(start + 40u + lane, pixels - 1u));
    let p6 = place(min(start + 48u + lane, pixels - 1u));
    let p7 = place(min(start + 56u + lane, pixels - 1u));
    var s0 = vec2<f32>(); var s1 = vec2<f32>(); var s2 = vec2<f32>(); var s3 = vec2<f32>();
    var s4 = vec2<f32>(); var s5 = vec2<f32>(); var s6 = vec2<f32>(); var s7 = vec2<f32>();
    var s8 = vec2<f32>(); var s9 = vec2<f32>(); var s10 = vec2<f32>(); var s11 = vec2<f32>();
    var s12 = vec2<f32>(); var s13 = vec2<f32>(); var s14 = vec2<f32>(); var s15 = vec2<f32>();
    var s16 = vec2<f32>(); var s17 = vec2<f32>(); var s18 = vec2<f32>(); var s19 = vec2<f32>();
    var s20 = vec2<f32>(); var s21 = vec2<f32>(); var s22 = vec2<f32>(); var s23 = vec2<f32>();
    var s24 = vec2<f32>(); var s25 = vec2<f32>(); var s26 = vec2<f32>(); var s27 = vec2<f32>();
    var s28 = vec2<f32>(); var s29 = vec2<f32>(); var s30 = vec2<f32>(); var s31 = vec2<f32>();
    var s32 = vec2<f32>(); var s33 = vec2<f32>(); var s34 = vec2<f32>(); var s35 = vec2<f32>();
    var s36 = vec2<f32>(); var s37 = vec2<f32>(); var s38 = vec2<f32>(); var s39 = vec2<f32>();
    var s40 = vec2<f32>(); var s41 = vec2<f32>(); var s42 = vec2<f32>(); var s43 = vec2<f32>();
    var s44 = vec2<f32>(); var s45 = vec2<f32>(); var s46 = vec2<f32>(); var s47 = vec2<f32>();
    var s48 = vec2<f32>(); var s49 = vec2<f32>(); var s50 = vec2<f32>(); var s51 = vec2<f32>();
    var s52 = vec2<f32>(); var s53 = vec2<f32>(); var s54 = vec2<f32>(); var s55 = vec2<f32>();
    var s56 = vec2<f32>(); var s57 = vec2<f32>(); var s58 = vec2<f32>(); var s59 = vec2<f32>();
    var s60 = vec2<f32>(); var s61 = vec2<f32>(); var s62 = vec2<f32>(); var s63 = vec2<f32>();
    for (var ky = 0u; ky < params.kernel; ky++) {
        for (var kx = 0u; kx < params.kernel; kx++) {
            let t0 = tapped(p0, ky, kx);
            let t1 = tapped(p1, ky, kx);
            let t2 = tapped(p2, ky, kx);
            let t3 = tapped(p3, ky, kx);
            let t4 = tapped(p4, ky, kx);
            let t5 = tapped(p5, ky, kx);
            let t6 = tapped(p6, ky, kx);
            let t7 = tapped(p7, ky, kx);
            let tap = (ky * params.kernel + kx) * params.in_blocks;
            for (var i = 0u; i < params.in_blocks; i++) {
                let at = (tap + i) * params.out_blocks * 8u + start_weight;
                let w = mat4x2<f32>(
                    decode_weight(weight[at]),
                    decode_weight(weight[at + 2u]),
                    decode_weight(weight[at + 4u]),
                    decode_weight(weight[at + 6u]),
                );
                let v0 = read_padded(t0, i);
                let v1 = read_padded(t1, i);
                let v2 = read_padded(t2, i);
                let v3 = read_padded(t3, i);
                let v4 = read_padded(t4, i);
                let v5 = read_padded(t5, i);
                let v6 = read_padded(t6, i);
                let v7 = read_padded(t7, i);
                s0 = product(s0, subgroupBroadcast(v0, 0u), w);
                s1 = product(s1, subgroupBroadcast(v0, 1u), w);
                s2 = product(s2, subgroupBroadcast(v0, 2u), w);
                s3 = product(s3, subgroupBroadcast(v0, 3u), w);
                s4 = product(s4, subgroupBroadcast(v0, 4u), w);
                s5 = product(s5, subgroupBroadcast(v0, 5u), w);
                s6 = product(s6, subgroupBroadcast(v0, 6u), w);
                s7 = product(s7, subgroupBroadcast(v0, 7u), w);
                s8 = product(s8, subgroupBroadcast(v1, 0u), w);
                s9 = product(s9, subgroupBroadcast(v1, 1u), w);
                s10 = product(s10, subgroupBroadcast(v1, 2u), w);
                s11 = product(s11, subgroupBroadcast(v1, 3u), w);
                s12 = product(s12, subgroupBroadcast(v1, 4u), w);
                s13 = product(s13, subgroupBroadcast(v1, 5u), w);
                s14 = product(s14, subgroupBroadcast(v1, 6u), w);
                s15 = product(s15, subgroupBroadcast(v1, 7u), w);
                s16 = product(s16, subgroupBroadcast(v2, 0u), w);
                s17 = product(s17, subgroupBroadcast(v2, 1u), w);
                s18 = product(s18, subgroupBroadcast(v2, 2u), w);
                s19 = product(s19, subgroupBroadcast(v2, 3u), w);
                s20 = product(s20, subgroupBroadcast(v2, 4u), w);
                s21 = product(s21, subgroupBroadcast(v2, 5u), w);
                s22 = product(s22, subgroupBroadcast(v2, 6u), w);
                s23 = product(s23, subgroupBroadcast(v2, 7u), w);
                s24 = product(s24, subgroupBroadcast(v3, 0u), w);
                s25 = product(s25, subgroupBroadcast(v3, 1u), w);
                s26 = product(s26, subgroupBroadcast(v3, 2u), w);
                s27 = product(s27, subgroupBroadcast(v3, 3u), w);
                s28 = product(s28, subgroupBroadcast(v3, 4u), w);
                s29 = product(s29, subgroupBroadcast(v3, 5u), w);
                s30 = product(s30, subgroupBroadcast(v3, 6u), w);
                s31 = product(s31, subgroupBroadcast(v3, 7u), w);
                s32 = product(s32, subgroupBroadcast(v4, 0u), w);
                s33 = product(s33, subgroupBroadcast(v4, 1u), w);
                s34 = product(s34, subgroupBroadcast(v4, 2u), w);
                s35 = product(s35, subgroupBroadcast(v4, 3u), w);
                s36 = product(s36, subgroupBroadcast(v4, 4u), w);
                s37 = product(s37, subgroupBroadcast(v4, 5u), w);
                s38 = product(s38, subgroupBroadcast(v4, 6u), w);
                s39 = product(s39, subgroupBroadcast(v4, 7u), w);
                s40 = product(s40, subgroupBroadcast(v5, 0u), w);
                s41 = product(s41, subgroupBroadcast(v5, 1u), w);
                s42 = product(s42, subgroupBroadcast(v5, 2u), w);
                s43 = product(s43, subgroupBroadcast(v5, 3u), w);
                s44 = product(s44, subgroupBroadcast(v5, 4u), w);
                s45 = product(s45, subgroupBroadcast(v5, 5u), w);
                s46 = product(s46, subgroupBroadcast(v5, 6u), w);
                s47 = product(s47, subgroupBroadcast(v5, 7u), w);
                s48 = product(s48, subgroupBroadcast(v6, 0u), w);
                s49 = product(s49, subgroupBroadcast(v6, 1u), w);
                s50 = product(s50, subgroupBroadcast(v6, 2u), w);
                s51 = product(s51, subgroupBroadcast(v6, 3u), w);
                s52 = product(s52, subgroupBroadcast(v6, 4u), w);
                s53 = product(s53, subgroupBroadcast(v6, 5u), w);
                s54 = product(s54, subgroupBroadcast(v6, 6u), w);
                s55 = product(s55, subgroupBroadcast(v6, 7u), w);
                s56 = product(s56, subgroupBroadcast(v7, 0u), w);
                s57 = product(s57, subgroupBroadcast(v7, 1u), w);
                s58 = product(s58, subgroupBroadcast(v7, 2u), w);
                s59 = product(s59, subgroupBroadcast(v7, 3u), w);
                s60 = product(s60, subgroupBroadcast(v7, 4u), w);
                s61 = product(s61, subgroupBroadcast(v7, 5u), w);
                s62 = product(s62, subgroupBroadcast(v7, 6u), w);
                s63 = product(s63, subgroupBroadcast(v7, 7u), w);
            }
        }
    }
    if (pair >= pairs) {
        return;
    }
    @if(bias) let shift = bias[pair];
    @if(!bias) let shift = vec2<f32>();
    store(start + 0u, pixels, pair, s0 + shift);
    store(start + 1u, pixels, pair, s1 + shift);
    store(start + 2u, pixels, pair, s2 + shift);
    store(start + 3u, pixels, pair, s3 + shift);
    store(start + 4u, pixels, pair, s4 + shift);
    store(start + 5u, pixels, pair, s5 + shift);
    store(start + 6u, pixels, pair, s6 + shift);
    store(start + 7u, pixels, pair, s7 + shift);
    store(start + 8u, pixels, pair, s8 + shift);
    store(start + 9u, pixels, pair, s9 + shift);
    store(start + 10u, pixels, pair, s10 + shift);
    store(start + 11u, pixels, pair, s11 + shift);
    store(start + 12u, pixels, pair, s12 + shift);
    store(start + 13u, pixels, pair, s13 + shift);
    store(start + 14u, pixels, pair, s14 + shift);
    store(start + 15u, pixels, pair, s15 + shift);
    store(start + 16u, pixels, pair, s16 + shift);
    store(start + 17u, pixels, pair, s17 + shift);
    store(start + 18u, pixels, pair, s18 + shift);
    store(start + 19u, pixels, pair, s19 + shift);
    store(start + 20u, pixels, pair, s20 + shift);
    store(start + 21u, pixels, pair, s21 + shift);
    store(start + 22u, pixels, pair, s22 + shift);
    store(start + 23u, pixels, pair, s23 + shift);
    store(start + 24u, pixels, pair, s24 + shift);
    store(start + 25u, pixels, pair, s25 + shift);
    store(start + 26u, pixels, pair, s26 + shift);
    store(start + 27u, pixels, pair, s27 + shift);
    store(start + 28u, pixels, pair, s28 + shift);
    store(start + 29u, pixels, pair, s29 + shift);
    store(start + 30u, pixels, pair, s30 + shift);
    store(start + 31u, pixels, pair, s31 + shift);
    store(start + 32u, pixels, pair, s32 + shift);
    store(start + 33u, pixels, pair, s33 + shift);
    store(start + 34u, pixels, pair, s34 + shift);
    store(start + 35u, pixels, pair, s35 + shift);
    store(start + 36u, pixels, pair, s36 + shift);
    store(start + 37u, pixels, pair, s37 + shift);
    store(start + 38u, pixels, pair, s38 + shift);
    store(start + 39u, pixels, pair, s39 + shift);
    store(start + 40u, pixels, pair, s40 + shift);
    store(start + 41u, pixels, pair, s41 + shift);
    store(start + 42u, pixels, pair, s42 + shift);
    store(start + 43u, pixels, pair, s43 + shift);
    store(start + 44u, pixels, pair, s44 + shift);
    store(start + 45u, pixels, pair, s45 + shift);
    store(start + 46u, pixels, pair, s46 + shift);
    store(start + 47u, pixels, pair, s47 + shift);
    store(start + 48u, pixels, pair, s48 + shift);
    store(start + 49u, pixels, pair, s49 + shift);
    store(start + 50u, pixels, pair, s50 + shift);
    store(start + 51u, pixels, pair, s51 + shift);
    store(start + 52u, pixels, pair, s52 + shift);
    store(start + 53u, pixels, pair, s53 + shift);
    store(start + 54u, pixels, pair, s54 + shift);
    store(start + 55u, pixels, pair, s55 + shift);
    store(start + 56u, pixels, pair, s56 + shift);
    store(start + 57u, pixels, pair, s57 + shift);
    store(start + 58u, pixels, pair, s58 + shift);
    store(start + 59u, pixels, pair, s59 + shift);
    store(start + 60u, pixels, pair, s60 + shift);
    store(start + 61u, pixels, pair, s61 + shift);
    store(start + 62u, pixels, pair, s62 + shift);
    store(start + 63u, pixels, pair, s63 + shift);
    @if(sums) { sums[start / 64u * pairs + pair] = gathered; }
}

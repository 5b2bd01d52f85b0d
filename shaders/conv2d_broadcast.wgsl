// 2-D convolution for devices whose subgroups have 8 lanes (software Vulkan): a subgroup makes 32 pixels × 32 output
// channels. Lanes stand for output channels, 4 each, so that weights are read once for 32 pixels; each lane loads 4 of the
// 32 pixels and broadcasts them, so that no operand is read twice and nothing goes through workgroup memory. The tap
// loops stay rolled, which keeps pipelines quick to compile. Same bindings, layout and epilogue as conv2d.wgsl.
//
// Layout: maps NHWC in blocks of 4 channels; weights [tap][input block][output block][4 inputs] of 4 outputs each.
// Pixels are counted through the map, row by row, so that no width leaves lanes idle.
import package::shared::convolution::{params, tapped, read_padded, weights, product, bias_of, store};
@if(sums) import package::shared::convolution::{gathered, sums};
@if(native_f16) enable f16;

// A pixel of the output, row and column.
fn place(pixel: u32) -> vec2<u32> {
    return vec2<u32>(pixel / params.out_width, pixel % params.out_width);
}

fn finish(pixel: u32, pixels: u32, block: u32, sum: vec4<f32>) {
    if (pixel < pixels) {
        store(pixel, block, sum);
    }
}

@compute @workgroup_size(8)
fn main(
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let pixels = params.out_height * params.out_width;
    let start = (group.y * groups.x + group.x) * 32u;
    if (start >= pixels) {
        return;
    }
    // Lanes beyond the last block repeat it and store nothing.
    let block = group.z * 8u + lane;
    let column = min(block, params.out_blocks - 1u);
    let p0 = place(min(start + lane, pixels - 1u));
    let p1 = place(min(start + 8u + lane, pixels - 1u));
    let p2 = place(min(start + 16u + lane, pixels - 1u));
    let p3 = place(min(start + 24u + lane, pixels - 1u));
    var s0 = vec4<f32>(); var s1 = vec4<f32>(); var s2 = vec4<f32>(); var s3 = vec4<f32>();
    var s4 = vec4<f32>(); var s5 = vec4<f32>(); var s6 = vec4<f32>(); var s7 = vec4<f32>();
    var s8 = vec4<f32>(); var s9 = vec4<f32>(); var s10 = vec4<f32>(); var s11 = vec4<f32>();
    var s12 = vec4<f32>(); var s13 = vec4<f32>(); var s14 = vec4<f32>(); var s15 = vec4<f32>();
    var s16 = vec4<f32>(); var s17 = vec4<f32>(); var s18 = vec4<f32>(); var s19 = vec4<f32>();
    var s20 = vec4<f32>(); var s21 = vec4<f32>(); var s22 = vec4<f32>(); var s23 = vec4<f32>();
    var s24 = vec4<f32>(); var s25 = vec4<f32>(); var s26 = vec4<f32>(); var s27 = vec4<f32>();
    var s28 = vec4<f32>(); var s29 = vec4<f32>(); var s30 = vec4<f32>(); var s31 = vec4<f32>();
    for (var ky = 0u; ky < params.kernel; ky++) {
        for (var kx = 0u; kx < params.kernel; kx++) {
            let t0 = tapped(p0, ky, kx);
            let t1 = tapped(p1, ky, kx);
            let t2 = tapped(p2, ky, kx);
            let t3 = tapped(p3, ky, kx);
            let tap = (ky * params.kernel + kx) * params.in_blocks;
            for (var i = 0u; i < params.in_blocks; i++) {
                let at = ((tap + i) * params.out_blocks + column) * 4u;
                let w = weights(at);
                let v0 = read_padded(t0, i);
                let v1 = read_padded(t1, i);
                let v2 = read_padded(t2, i);
                let v3 = read_padded(t3, i);
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
            }
        }
    }
    if (block >= params.out_blocks) {
        return;
    }
    let shift = bias_of(block);
    finish(start + 0u, pixels, block, s0 + shift);
    finish(start + 1u, pixels, block, s1 + shift);
    finish(start + 2u, pixels, block, s2 + shift);
    finish(start + 3u, pixels, block, s3 + shift);
    finish(start + 4u, pixels, block, s4 + shift);
    finish(start + 5u, pixels, block, s5 + shift);
    finish(start + 6u, pixels, block, s6 + shift);
    finish(start + 7u, pixels, block, s7 + shift);
    finish(start + 8u, pixels, block, s8 + shift);
    finish(start + 9u, pixels, block, s9 + shift);
    finish(start + 10u, pixels, block, s10 + shift);
    finish(start + 11u, pixels, block, s11 + shift);
    finish(start + 12u, pixels, block, s12 + shift);
    finish(start + 13u, pixels, block, s13 + shift);
    finish(start + 14u, pixels, block, s14 + shift);
    finish(start + 15u, pixels, block, s15 + shift);
    finish(start + 16u, pixels, block, s16 + shift);
    finish(start + 17u, pixels, block, s17 + shift);
    finish(start + 18u, pixels, block, s18 + shift);
    finish(start + 19u, pixels, block, s19 + shift);
    finish(start + 20u, pixels, block, s20 + shift);
    finish(start + 21u, pixels, block, s21 + shift);
    finish(start + 22u, pixels, block, s22 + shift);
    finish(start + 23u, pixels, block, s23 + shift);
    finish(start + 24u, pixels, block, s24 + shift);
    finish(start + 25u, pixels, block, s25 + shift);
    finish(start + 26u, pixels, block, s26 + shift);
    finish(start + 27u, pixels, block, s27 + shift);
    finish(start + 28u, pixels, block, s28 + shift);
    finish(start + 29u, pixels, block, s29 + shift);
    finish(start + 30u, pixels, block, s30 + shift);
    finish(start + 31u, pixels, block, s31 + shift);
    @if(sums) { sums[start / 32u * params.out_blocks + block] = gathered; }
}

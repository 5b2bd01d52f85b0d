// 2-D convolution as an implicit matrix product through workgroup memory, for GPUs: a workgroup of 64 makes 64 pixels ×
// 32 output channels (64 if `wide`), 16 input channels of one tap at a time; an invocation makes 8 pixels × 4 (8) channels.
// Pixels are counted through the map, row by row. 6 KiB of workgroup memory (8 if `wide`), in f32. Same bindings, layout
// and epilogue as conv2d.wgsl; with `transposed`, the transposed convolution, a parity a workgroup.
import package::shared::convolution::{
    OUTSIDE, params, weights_of_one, tapped, grid, made, read, product, bias_of, store,
};
@if(sums) import package::shared::convolution::{gathered, sums};
@if(native_f16) enable f16;

const PIXELS = 64u;
const DEPTH = 4u;
@if(wide) const BLOCKS = 16u;
@if(!wide) const BLOCKS = 8u;

// [input block][pixel]: 4 input channels of a pixel.
var<workgroup> inputs: array<vec4<f32>, 256>;
// [input channel][output block]: 4 outputs each.
@if(wide) var<workgroup> weights: array<vec4<f32>, 256>;
@if(!wide) var<workgroup> weights: array<vec4<f32>, 128>;

// A block of an input pixel; zero outside and beyond the last block.
fn load(pixel: u32, block: u32) -> vec4<f32> {
    if (pixel == OUTSIDE || block >= params.in_blocks) {
        return vec4<f32>();
    }
    return read(pixel, block);
}

fn columns(depth: u32, block: u32) -> mat4x4<f32> {
    let at = depth * 4u * BLOCKS + block;
    return mat4x4<f32>(weights[at], weights[at + BLOCKS], weights[at + 2u * BLOCKS], weights[at + 3u * BLOCKS]);
}

fn finish(pixel: u32, parity: vec2<u32>, block: u32, sum: vec4<f32>) {
    let size = grid();
    if (pixel < size.x * size.y && block < params.out_blocks) {
        @if(transposed) let to = made(vec2<u32>(pixel / size.y, pixel % size.y), parity);
        @if(!transposed) let to = pixel;
        store(to, block, sum + bias_of(block));
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let start = (group.y * groups.x + group.x) * PIXELS;
    @if(transposed) let first_block = group.z / 4u * BLOCKS;
    @if(!transposed) let first_block = group.z * BLOCKS;
    @if(transposed) let parity = vec2<u32>(group.z % 4u / 2u, group.z % 2u);
    @if(!transposed) let parity = vec2<u32>();
    let first_tap = (parity.x * 2u + parity.y) * params.kernel * params.kernel;
    // The pixel that this invocation loads for, row and column.
    let at = vec2<u32>((start + lane) / grid().y, (start + lane) % grid().y);
    // This invocation's output block among 8, and the first of its 8 pixels.
    let column = lane % 8u;
    let row = lane / 8u;
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    var s3 = vec4<f32>();
    var s4 = vec4<f32>();
    var s5 = vec4<f32>();
    var s6 = vec4<f32>();
    var s7 = vec4<f32>();
    @if(wide) var t0 = vec4<f32>();
    @if(wide) var t1 = vec4<f32>();
    @if(wide) var t2 = vec4<f32>();
    @if(wide) var t3 = vec4<f32>();
    @if(wide) var t4 = vec4<f32>();
    @if(wide) var t5 = vec4<f32>();
    @if(wide) var t6 = vec4<f32>();
    @if(wide) var t7 = vec4<f32>();
    for (var ky = 0u; ky < params.kernel; ky++) {
        for (var kx = 0u; kx < params.kernel; kx++) {
            let pixel = tapped(at, ky + parity.x, kx + parity.y);
            let tap = (first_tap + ky * params.kernel + kx) * params.in_blocks;
            for (var i = 0u; i < params.in_blocks; i += DEPTH) {
                // Every invocation brings one pixel's 16 channels, and its share of the weights.
                for (var d = 0u; d < DEPTH; d++) {
                    inputs[d * PIXELS + lane] = load(pixel, i + d);
                }
                for (var w = lane; w < DEPTH * 4u * BLOCKS; w += 64u) {
                    let input = i + w / (4u * BLOCKS);
                    let channel = w / BLOCKS % 4u;
                    let block = min(first_block + w % BLOCKS, params.out_blocks - 1u);
                    let at = ((tap + min(input, params.in_blocks - 1u)) * params.out_blocks + block) * 4u + channel;
                    weights[w] = weights_of_one(at);
                }
                workgroupBarrier();
                for (var d = 0u; d < DEPTH; d++) {
                    let at = d * PIXELS + row * 8u;
                    let w = columns(d, column);
                    @if(wide) let v = columns(d, column + 8u);
                    let x0 = inputs[at + 0u];
                    s0 = product(s0, x0, w);
                    @if(wide) { t0 = product(t0, x0, v); }
                    let x1 = inputs[at + 1u];
                    s1 = product(s1, x1, w);
                    @if(wide) { t1 = product(t1, x1, v); }
                    let x2 = inputs[at + 2u];
                    s2 = product(s2, x2, w);
                    @if(wide) { t2 = product(t2, x2, v); }
                    let x3 = inputs[at + 3u];
                    s3 = product(s3, x3, w);
                    @if(wide) { t3 = product(t3, x3, v); }
                    let x4 = inputs[at + 4u];
                    s4 = product(s4, x4, w);
                    @if(wide) { t4 = product(t4, x4, v); }
                    let x5 = inputs[at + 5u];
                    s5 = product(s5, x5, w);
                    @if(wide) { t5 = product(t5, x5, v); }
                    let x6 = inputs[at + 6u];
                    s6 = product(s6, x6, w);
                    @if(wide) { t6 = product(t6, x6, v); }
                    let x7 = inputs[at + 7u];
                    s7 = product(s7, x7, w);
                    @if(wide) { t7 = product(t7, x7, v); }
                }
                workgroupBarrier();
            }
        }
    }
    let pixel = start + row * 8u;
    let block = first_block + column;
    finish(pixel + 0u, parity, block, s0);
    finish(pixel + 1u, parity, block, s1);
    finish(pixel + 2u, parity, block, s2);
    finish(pixel + 3u, parity, block, s3);
    finish(pixel + 4u, parity, block, s4);
    finish(pixel + 5u, parity, block, s5);
    finish(pixel + 6u, parity, block, s6);
    finish(pixel + 7u, parity, block, s7);
    @if(sums) { inputs[lane] = gathered; }
    @if(sums) { gathered = vec4<f32>(); }
    @if(wide) {
        finish(pixel + 0u, parity, block + 8u, t0);
        finish(pixel + 1u, parity, block + 8u, t1);
        finish(pixel + 2u, parity, block + 8u, t2);
        finish(pixel + 3u, parity, block + 8u, t3);
        finish(pixel + 4u, parity, block + 8u, t4);
        finish(pixel + 5u, parity, block + 8u, t5);
        finish(pixel + 6u, parity, block + 8u, t6);
        finish(pixel + 7u, parity, block + 8u, t7);
    }
    @if(sums) {
        @if(wide) { inputs[64u + lane] = gathered; }
        workgroupBarrier();
        // Lanes 8 apart have the same blocks.
        for (var half = 32u; half >= 8u; half /= 2u) {
            if (lane < half) {
                inputs[lane] += inputs[lane + half];
                @if(wide) { inputs[64u + lane] += inputs[64u + lane + half]; }
            }
            workgroupBarrier();
        }
        // Columns of the second 8 blocks stand from 64 on. A grid of workgroups in rows may have some too many.
        if (lane < BLOCKS && first_block + lane < params.out_blocks && start < grid().x * grid().y) {
            sums[start / PIXELS * params.out_blocks + first_block + lane] = inputs[lane / 8u * 64u + lane % 8u];
        }
    }
}

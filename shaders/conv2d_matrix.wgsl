// 2-D convolution by cooperative matrices (tensor cores): a workgroup of 4 subgroups makes 64 pixels × 32 output channels,
// 16 input channels of one tap at a time, out of workgroup memory; each subgroup 16 of the pixels, as 8×8 matrices, or
// 16×16 with `size16`. Half precision in, f32 sums. Elements of a matrix can't be reached, so sums go through workgroup
// memory to the epilogue (11 KiB in all); edges aren't checked, so all tiles are whole, padded with zeros. Same bindings,
// layout and epilogue as conv2d.wgsl.
import package::shared::convolution::{OUTSIDE, params, weights_of_one, tapped, read, bias_of, store};
enable f16;
enable wgpu_cooperative_matrix;

const PIXELS = 64u;
const BLOCKS = 8u;
const DEPTH = 4u;

// The most lanes of a subgroup. There are 4; where they turn out smaller, more, which make the same again.
override LANES: u32 = 32;

// [pixel][input channel], [input channel][output channel], [pixel][output channel].
var<workgroup> inputs: array<f16, 1024>;
var<workgroup> weights: array<f16, 512>;
var<workgroup> sums: array<f32, 2048>;

// A block of the input pixel that a tap of an output pixel reads; zero outside and beyond the last block.
fn load(pixel: u32, ky: u32, kx: u32, block: u32) -> vec4<f32> {
    let tap = tapped(vec2<u32>(pixel / params.out_width, pixel % params.out_width), ky, kx);
    if (tap == OUTSIDE || block >= params.in_blocks) {
        return vec4<f32>();
    }
    return read(tap, block);
}

@compute @workgroup_size(LANES * 4)
fn main(
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_size) size: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let start = (group.y * groups.x + group.x) * PIXELS;
    let first_block = group.z * BLOCKS;
    for (var s = lane; s < PIXELS * 4u * BLOCKS; s += LANES * 4u) {
        sums[s] = 0.0;
    }
    workgroupBarrier();
    // Subgroups take invocations in order.
    let own = lane / size % 4u * 16u;
    @if(!size16) var s00 = coopLoadT<coop_mat8x8<f32, C>>(&sums[(own + 0u) * 32u + 0u], 32u);
    @if(!size16) var s01 = coopLoadT<coop_mat8x8<f32, C>>(&sums[(own + 0u) * 32u + 8u], 32u);
    @if(!size16) var s02 = coopLoadT<coop_mat8x8<f32, C>>(&sums[(own + 0u) * 32u + 16u], 32u);
    @if(!size16) var s03 = coopLoadT<coop_mat8x8<f32, C>>(&sums[(own + 0u) * 32u + 24u], 32u);
    @if(!size16) var s10 = coopLoadT<coop_mat8x8<f32, C>>(&sums[(own + 8u) * 32u + 0u], 32u);
    @if(!size16) var s11 = coopLoadT<coop_mat8x8<f32, C>>(&sums[(own + 8u) * 32u + 8u], 32u);
    @if(!size16) var s12 = coopLoadT<coop_mat8x8<f32, C>>(&sums[(own + 8u) * 32u + 16u], 32u);
    @if(!size16) var s13 = coopLoadT<coop_mat8x8<f32, C>>(&sums[(own + 8u) * 32u + 24u], 32u);
    @if(size16) var s0 = coopLoadT<coop_mat16x16<f32, C>>(&sums[own * 32u + 0u], 32u);
    @if(size16) var s1 = coopLoadT<coop_mat16x16<f32, C>>(&sums[own * 32u + 16u], 32u);
    for (var ky = 0u; ky < params.kernel; ky++) {
        for (var kx = 0u; kx < params.kernel; kx++) {
            let tap = (ky * params.kernel + kx) * params.in_blocks;
            for (var i = 0u; i < params.in_blocks; i += DEPTH) {
                for (var p = lane; p < PIXELS * DEPTH; p += LANES * 4u) {
                    let value = load(start + p / DEPTH, ky, kx, i + p % DEPTH);
                    inputs[p * 4u] = f16(value.x);
                    inputs[p * 4u + 1u] = f16(value.y);
                    inputs[p * 4u + 2u] = f16(value.z);
                    inputs[p * 4u + 3u] = f16(value.w);
                }
                for (var w = lane; w < DEPTH * 4u * BLOCKS; w += LANES * 4u) {
                    let input = min(i + w / (4u * BLOCKS), params.in_blocks - 1u);
                    let channel = w / BLOCKS % 4u;
                    let block = min(first_block + w % BLOCKS, params.out_blocks - 1u);
                    let value = weights_of_one(((tap + input) * params.out_blocks + block) * 4u + channel);
                    weights[w * 4u] = f16(value.x);
                    weights[w * 4u + 1u] = f16(value.y);
                    weights[w * 4u + 2u] = f16(value.z);
                    weights[w * 4u + 3u] = f16(value.w);
                }
                workgroupBarrier();
                @if(!size16) {
                    for (var k = 0u; k < 16u; k += 8u) {
                        let x0 = coopLoadT<coop_mat8x8<f16, A>>(&inputs[(own + 0u) * 16u + k], 16u);
                        let x1 = coopLoadT<coop_mat8x8<f16, A>>(&inputs[(own + 8u) * 16u + k], 16u);
                        let w0 = coopLoadT<coop_mat8x8<f16, B>>(&weights[k * 32u + 0u], 32u);
                        let w1 = coopLoadT<coop_mat8x8<f16, B>>(&weights[k * 32u + 8u], 32u);
                        let w2 = coopLoadT<coop_mat8x8<f16, B>>(&weights[k * 32u + 16u], 32u);
                        let w3 = coopLoadT<coop_mat8x8<f16, B>>(&weights[k * 32u + 24u], 32u);
                        s00 = coopMultiplyAdd(x0, w0, s00);
                        s01 = coopMultiplyAdd(x0, w1, s01);
                        s02 = coopMultiplyAdd(x0, w2, s02);
                        s03 = coopMultiplyAdd(x0, w3, s03);
                        s10 = coopMultiplyAdd(x1, w0, s10);
                        s11 = coopMultiplyAdd(x1, w1, s11);
                        s12 = coopMultiplyAdd(x1, w2, s12);
                        s13 = coopMultiplyAdd(x1, w3, s13);
                    }
                }
                @if(size16) {
                    let x = coopLoadT<coop_mat16x16<f16, A>>(&inputs[own * 16u], 16u);
                    let w0 = coopLoadT<coop_mat16x16<f16, B>>(&weights[0u], 32u);
                    s0 = coopMultiplyAdd(x, w0, s0);
                    let w1 = coopLoadT<coop_mat16x16<f16, B>>(&weights[16u], 32u);
                    s1 = coopMultiplyAdd(x, w1, s1);
                }
                workgroupBarrier();
            }
        }
    }
    @if(!size16) let r00 = s00;
    @if(!size16) coopStoreT(r00, &sums[(own + 0u) * 32u + 0u], 32u);
    @if(!size16) let r01 = s01;
    @if(!size16) coopStoreT(r01, &sums[(own + 0u) * 32u + 8u], 32u);
    @if(!size16) let r02 = s02;
    @if(!size16) coopStoreT(r02, &sums[(own + 0u) * 32u + 16u], 32u);
    @if(!size16) let r03 = s03;
    @if(!size16) coopStoreT(r03, &sums[(own + 0u) * 32u + 24u], 32u);
    @if(!size16) let r10 = s10;
    @if(!size16) coopStoreT(r10, &sums[(own + 8u) * 32u + 0u], 32u);
    @if(!size16) let r11 = s11;
    @if(!size16) coopStoreT(r11, &sums[(own + 8u) * 32u + 8u], 32u);
    @if(!size16) let r12 = s12;
    @if(!size16) coopStoreT(r12, &sums[(own + 8u) * 32u + 16u], 32u);
    @if(!size16) let r13 = s13;
    @if(!size16) coopStoreT(r13, &sums[(own + 8u) * 32u + 24u], 32u);
    @if(size16) let r0 = s0;
    @if(size16) coopStoreT(r0, &sums[own * 32u + 0u], 32u);
    @if(size16) let r1 = s1;
    @if(size16) coopStoreT(r1, &sums[own * 32u + 16u], 32u);
    workgroupBarrier();
    for (var s = lane; s < PIXELS * BLOCKS; s += LANES * 4u) {
        let pixel = start + s / BLOCKS;
        let block = first_block + s % BLOCKS;
        if (pixel < params.out_height * params.out_width && block < params.out_blocks) {
            let sum = vec4<f32>(sums[s * 4u], sums[s * 4u + 1u], sums[s * 4u + 2u], sums[s * 4u + 3u]);
            store(pixel, block, sum + bias_of(block));
        }
    }
}

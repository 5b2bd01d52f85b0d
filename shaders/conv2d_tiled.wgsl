// 2-D convolution, register-tiled: one invocation makes 4 neighbouring pixels × 4, 8 or 16 output channels, so each
// weight it loads serves 4 pixels and each input pixel serves all its channels. Same bindings, layout and epilogue as
// conv2d.wgsl. Weight addresses depend on the workgroup and loop counters only, so that software Vulkan loads them
// once and broadcasts; the tap loops stay rolled, which keeps pipelines quick to compile.
import package::shared::convolution::{params, read, weights, bias_of, store};
@if(sums) import package::shared::convolution::{gathered, sums};
@if(native_f16) enable f16;

// Invocations of a workgroup along a row and down.
override COLUMNS: u32 = 8;
override ROWS: u32 = 8;

// [output block][invocation], of at most 4 and 64.
@if(sums) var<workgroup> lanes: array<vec4<f32>, 256>;

fn load(row: u32, x: u32, block: u32) -> vec4<f32> {
    let inside = x < params.in_width;
    return select(vec4<f32>(), read(row + select(0u, x, inside), block), inside);
}

fn finish(y: u32, x: u32, block: u32, sum: vec4<f32>) {
    if (x < params.out_width && y < params.out_height) {
        store(y * params.out_width + x, block, sum + bias_of(block));
    }
}

// Keeps for `put_sums` what was stored of a block.
@if(sums)
fn keep(lane: u32, index: u32) {
    lanes[index * 64u + lane] = gathered;
    gathered = vec4<f32>();
}

// The sums of what all invocations have stored of `count` blocks, as a part.
@if(sums)
fn put_sums(lane: u32, part: u32, block: u32, count: u32) {
    workgroupBarrier();
    for (var half = COLUMNS * ROWS / 2u; half > 0u; half /= 2u) {
        if (lane < half) {
            for (var i = 0u; i < count; i++) {
                lanes[i * 64u + lane] += lanes[i * 64u + lane + half];
            }
        }
        workgroupBarrier();
    }
    if (lane < count) {
        sums[part * params.out_blocks + block + lane] = lanes[lane * 64u];
    }
}

@compute @workgroup_size(COLUMNS, ROWS)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let y = id.y;
    let x = id.x * 4u;
    @if(!sums) {
        if (y >= params.out_height || x >= params.out_width) {
            return;
        }
    }
    @if(blocks1) let block = group.z;
    @if(blocks2) let block = group.z * 2u;
    @if(blocks4) let block = group.z * 4u;
    var a0 = vec4<f32>(0.0); var a1 = vec4<f32>(0.0); var a2 = vec4<f32>(0.0); var a3 = vec4<f32>(0.0);
    var b0 = vec4<f32>(0.0); var b1 = vec4<f32>(0.0); var b2 = vec4<f32>(0.0); var b3 = vec4<f32>(0.0);
    var c0 = vec4<f32>(0.0); var c1 = vec4<f32>(0.0); var c2 = vec4<f32>(0.0); var c3 = vec4<f32>(0.0);
    var d0 = vec4<f32>(0.0); var d1 = vec4<f32>(0.0); var d2 = vec4<f32>(0.0); var d3 = vec4<f32>(0.0);
    for (var ky = 0u; ky < params.kernel; ky++) {
        // Unsigned: a coordinate left of or above the map wraps to a large one and fails the test for its end.
        let in_y = y * params.stride + ky - params.padding;
        if (in_y >= params.in_height) {
            continue;
        }
        let row = in_y * params.in_width;
        for (var kx = 0u; kx < params.kernel; kx++) {
            let in_x = x * params.stride + kx - params.padding;
            let tap = (ky * params.kernel + kx) * params.in_blocks;
            for (var i = 0u; i < params.in_blocks; i++) {
                let at = ((tap + i) * params.out_blocks + block) * 4u;
                let v0 = load(row, in_x, i);
                let v1 = load(row, in_x + params.stride, i);
                let v2 = load(row, in_x + 2u * params.stride, i);
                let v3 = load(row, in_x + 3u * params.stride, i);
                let wa = weights(at);
                a0 += wa * v0; a1 += wa * v1; a2 += wa * v2; a3 += wa * v3;
                @if(blocks2 || blocks4) {
                    let wb = weights(at + 4u);
                    b0 += wb * v0; b1 += wb * v1; b2 += wb * v2; b3 += wb * v3;
                }
                @if(blocks4) {
                    let wc = weights(at + 8u);
                    c0 += wc * v0; c1 += wc * v1; c2 += wc * v2; c3 += wc * v3;
                    let wd = weights(at + 12u);
                    d0 += wd * v0; d1 += wd * v1; d2 += wd * v2; d3 += wd * v3;
                }
            }
        }
    }
    finish(y, x, block, a0); finish(y, x + 1u, block, a1); finish(y, x + 2u, block, a2); finish(y, x + 3u, block, a3);
    @if(sums) { keep(lane, 0u); }
    @if(blocks2 || blocks4) {
        let next = block + 1u;
        finish(y, x, next, b0); finish(y, x + 1u, next, b1); finish(y, x + 2u, next, b2); finish(y, x + 3u, next, b3);
        @if(sums) { keep(lane, 1u); }
    }
    @if(blocks4) {
        let third = block + 2u;
        finish(y, x, third, c0); finish(y, x + 1u, third, c1); finish(y, x + 2u, third, c2); finish(y, x + 3u, third, c3);
        @if(sums) { keep(lane, 2u); }
        let last = block + 3u;
        finish(y, x, last, d0); finish(y, x + 1u, last, d1); finish(y, x + 2u, last, d2); finish(y, x + 3u, last, d3);
        @if(sums) { keep(lane, 3u); }
    }
    @if(sums) {
        @if(blocks1) let count = 1u;
        @if(blocks2) let count = 2u;
        @if(blocks4) let count = 4u;
        put_sums(lane, group.y * groups.x + group.x, block, count);
    }
}

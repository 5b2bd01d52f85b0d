// Transposed convolution 4×4, stride 2, padding 1, for devices whose subgroups have 8 lanes: four 2×2 convolutions, one
// for each parity of the output's rows and columns. A subgroup makes the outputs of one parity over 32 input pixels × 32
// output channels as in conv2d_broadcast.wgsl. Output (2y+dy, 2x+dx) takes the inputs (y+dy−1+j, x+dx−1+i) through the
// taps (3−dy−2j, 3−dx−2i). Same bindings, layout and epilogue as conv_transpose2d.wgsl.
@if(f32) import package::shared::single::{Stored, decode, encode};
@if(!f32) import package::shared::half::{Stored, decode, encode};
@if(gelu) import package::shared::gelu::gelu;
@if(native_f16) enable f16;

struct Params {
    in_height: u32,
    in_width: u32,
    in_blocks: u32,
    out_blocks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Stored>;
@group(0) @binding(2) var<storage, read> weight: array<Stored>;
@if(bias) @group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> output: array<Stored>;

// A pixel of the input, row and column.
fn place(pixel: u32) -> vec2<u32> {
    return vec2<u32>(pixel / params.in_width, pixel % params.in_width);
}

// The input pixel `down` and `right` of another, less one each way; outside it is u32's end.
fn tapped(at: vec2<u32>, down: u32, right: u32) -> u32 {
    let y = at.x + down - 1u;
    let x = at.y + right - 1u;
    return select(0xffffffffu, y * params.in_width + x, y < params.in_height && x < params.in_width);
}

fn load(pixel: u32, block: u32) -> vec4<f32> {
    let inside = pixel != 0xffffffffu;
    return select(vec4<f32>(), decode(input[select(0u, pixel, inside) * params.in_blocks + block]), inside);
}

// One input block's share of 4 output channels.
fn product(sum: vec4<f32>, x: vec4<f32>, w: mat4x4<f32>) -> vec4<f32> {
    return fma(vec4<f32>(x.w), w[3], fma(vec4<f32>(x.z), w[2], fma(vec4<f32>(x.y), w[1], fma(vec4<f32>(x.x), w[0], sum))));
}

fn store(at: vec2<u32>, parity: vec2<u32>, block: u32, sum: vec4<f32>) {
    if (at.x >= params.in_height) {
        return;
    }
    var value = sum;
    @if(gelu) { value = gelu(value); }
    let y = 2u * at.x + parity.x;
    let x = 2u * at.y + parity.y;
    output[(y * 2u * params.in_width + x) * params.out_blocks + block] = encode(value);
}

@compute @workgroup_size(8)
fn main(
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let start = (group.y * groups.x + group.x) * 32u;
    if (start >= params.in_height * params.in_width) {
        return;
    }
    let parity = vec2<u32>(group.z / 2u % 2u, group.z % 2u);
    // Lanes beyond the last block repeat it and store nothing.
    let block = group.z / 4u * 8u + lane;
    let column = min(block, params.out_blocks - 1u);
    let p0 = place(start + lane);
    let p1 = place(start + 8u + lane);
    let p2 = place(start + 16u + lane);
    let p3 = place(start + 24u + lane);
    var s0 = vec4<f32>(); var s1 = vec4<f32>(); var s2 = vec4<f32>(); var s3 = vec4<f32>();
    var s4 = vec4<f32>(); var s5 = vec4<f32>(); var s6 = vec4<f32>(); var s7 = vec4<f32>();
    var s8 = vec4<f32>(); var s9 = vec4<f32>(); var s10 = vec4<f32>(); var s11 = vec4<f32>();
    var s12 = vec4<f32>(); var s13 = vec4<f32>(); var s14 = vec4<f32>(); var s15 = vec4<f32>();
    var s16 = vec4<f32>(); var s17 = vec4<f32>(); var s18 = vec4<f32>(); var s19 = vec4<f32>();
    var s20 = vec4<f32>(); var s21 = vec4<f32>(); var s22 = vec4<f32>(); var s23 = vec4<f32>();
    var s24 = vec4<f32>(); var s25 = vec4<f32>(); var s26 = vec4<f32>(); var s27 = vec4<f32>();
    var s28 = vec4<f32>(); var s29 = vec4<f32>(); var s30 = vec4<f32>(); var s31 = vec4<f32>();
    for (var j = 0u; j < 2u; j++) {
        for (var i = 0u; i < 2u; i++) {
            let t0 = tapped(p0, parity.x + j, parity.y + i);
            let t1 = tapped(p1, parity.x + j, parity.y + i);
            let t2 = tapped(p2, parity.x + j, parity.y + i);
            let t3 = tapped(p3, parity.x + j, parity.y + i);
            let tap = ((3u - parity.x - 2u * j) * 4u + 3u - parity.y - 2u * i) * params.in_blocks;
            for (var k = 0u; k < params.in_blocks; k++) {
                let at = ((tap + k) * params.out_blocks + column) * 4u;
                let w = mat4x4<f32>(
                    decode(weight[at]),
                    decode(weight[at + 1u]),
                    decode(weight[at + 2u]),
                    decode(weight[at + 3u]),
                );
                let v0 = load(t0, k);
                let v1 = load(t1, k);
                let v2 = load(t2, k);
                let v3 = load(t3, k);
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
    @if(bias) let shift = bias[column];
    @if(!bias) let shift = vec4<f32>();
    // Broadcasts need every lane, so those without a block leave after them.
    let at0 = subgroupBroadcast(p0, 0u);
    let at1 = subgroupBroadcast(p0, 1u);
    let at2 = subgroupBroadcast(p0, 2u);
    let at3 = subgroupBroadcast(p0, 3u);
    let at4 = subgroupBroadcast(p0, 4u);
    let at5 = subgroupBroadcast(p0, 5u);
    let at6 = subgroupBroadcast(p0, 6u);
    let at7 = subgroupBroadcast(p0, 7u);
    let at8 = subgroupBroadcast(p1, 0u);
    let at9 = subgroupBroadcast(p1, 1u);
    let at10 = subgroupBroadcast(p1, 2u);
    let at11 = subgroupBroadcast(p1, 3u);
    let at12 = subgroupBroadcast(p1, 4u);
    let at13 = subgroupBroadcast(p1, 5u);
    let at14 = subgroupBroadcast(p1, 6u);
    let at15 = subgroupBroadcast(p1, 7u);
    let at16 = subgroupBroadcast(p2, 0u);
    let at17 = subgroupBroadcast(p2, 1u);
    let at18 = subgroupBroadcast(p2, 2u);
    let at19 = subgroupBroadcast(p2, 3u);
    let at20 = subgroupBroadcast(p2, 4u);
    let at21 = subgroupBroadcast(p2, 5u);
    let at22 = subgroupBroadcast(p2, 6u);
    let at23 = subgroupBroadcast(p2, 7u);
    let at24 = subgroupBroadcast(p3, 0u);
    let at25 = subgroupBroadcast(p3, 1u);
    let at26 = subgroupBroadcast(p3, 2u);
    let at27 = subgroupBroadcast(p3, 3u);
    let at28 = subgroupBroadcast(p3, 4u);
    let at29 = subgroupBroadcast(p3, 5u);
    let at30 = subgroupBroadcast(p3, 6u);
    let at31 = subgroupBroadcast(p3, 7u);
    if (block >= params.out_blocks) {
        return;
    }
    store(at0, parity, block, s0 + shift);
    store(at1, parity, block, s1 + shift);
    store(at2, parity, block, s2 + shift);
    store(at3, parity, block, s3 + shift);
    store(at4, parity, block, s4 + shift);
    store(at5, parity, block, s5 + shift);
    store(at6, parity, block, s6 + shift);
    store(at7, parity, block, s7 + shift);
    store(at8, parity, block, s8 + shift);
    store(at9, parity, block, s9 + shift);
    store(at10, parity, block, s10 + shift);
    store(at11, parity, block, s11 + shift);
    store(at12, parity, block, s12 + shift);
    store(at13, parity, block, s13 + shift);
    store(at14, parity, block, s14 + shift);
    store(at15, parity, block, s15 + shift);
    store(at16, parity, block, s16 + shift);
    store(at17, parity, block, s17 + shift);
    store(at18, parity, block, s18 + shift);
    store(at19, parity, block, s19 + shift);
    store(at20, parity, block, s20 + shift);
    store(at21, parity, block, s21 + shift);
    store(at22, parity, block, s22 + shift);
    store(at23, parity, block, s23 + shift);
    store(at24, parity, block, s24 + shift);
    store(at25, parity, block, s25 + shift);
    store(at26, parity, block, s26 + shift);
    store(at27, parity, block, s27 + shift);
    store(at28, parity, block, s28 + shift);
    store(at29, parity, block, s29 + shift);
    store(at30, parity, block, s30 + shift);
    store(at31, parity, block, s31 + shift);
}

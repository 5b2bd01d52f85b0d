// The products of a Winograd convolution, for devices whose subgroups have 8 lanes: one matrix product for each of the
// places of a transformed tile, 36 or 16. A subgroup makes 32 tiles × 32 output channels as in conv2d_broadcast.wgsl.
//
// Layout: inputs [place][group of 32 tiles][input block][tile], weights [place][group of 8 output blocks][input block]
// [output block][4 inputs] of 4 outputs each: both in the order in which a subgroup reads them, so that a processor fetches
// ahead; products [place][tile][output block]; all f32. What pads a group of tiles is never stored.
// Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
import package::shared::single::{Stored, decode, encode};

struct Params {
    tiles: u32,
    in_blocks: u32,
    out_blocks: u32,
    // Workgroups that the output blocks of one place take.
    out_groups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Stored>;
@group(0) @binding(2) var<storage, read> weight: array<Stored>;
@group(0) @binding(3) var<storage, read_write> output: array<Stored>;

// One input block's share of 4 output channels.
fn product(sum: vec4<f32>, x: vec4<f32>, w: mat4x4<f32>) -> vec4<f32> {
    return fma(vec4<f32>(x.w), w[3], fma(vec4<f32>(x.z), w[2], fma(vec4<f32>(x.y), w[1], fma(vec4<f32>(x.x), w[0], sum))));
}

fn store(place: u32, tile: u32, block: u32, sum: vec4<f32>) {
    if (tile < params.tiles) {
        output[(place * params.tiles + tile) * params.out_blocks + block] = encode(sum);
    }
}

@compute @workgroup_size(8)
fn main(
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let place = group.z / params.out_groups;
    let start = group.x * 32u;
    let out_group = group.z % params.out_groups;
    let block = out_group * 8u + lane;
    var weight_at = group.z * params.in_blocks * 32u + lane * 4u;
    var tile_at = (place * groups.x + group.x) * params.in_blocks * 32u + lane;
    var s0 = vec4<f32>(); var s1 = vec4<f32>(); var s2 = vec4<f32>(); var s3 = vec4<f32>();
    var s4 = vec4<f32>(); var s5 = vec4<f32>(); var s6 = vec4<f32>(); var s7 = vec4<f32>();
    var s8 = vec4<f32>(); var s9 = vec4<f32>(); var s10 = vec4<f32>(); var s11 = vec4<f32>();
    var s12 = vec4<f32>(); var s13 = vec4<f32>(); var s14 = vec4<f32>(); var s15 = vec4<f32>();
    var s16 = vec4<f32>(); var s17 = vec4<f32>(); var s18 = vec4<f32>(); var s19 = vec4<f32>();
    var s20 = vec4<f32>(); var s21 = vec4<f32>(); var s22 = vec4<f32>(); var s23 = vec4<f32>();
    var s24 = vec4<f32>(); var s25 = vec4<f32>(); var s26 = vec4<f32>(); var s27 = vec4<f32>();
    var s28 = vec4<f32>(); var s29 = vec4<f32>(); var s30 = vec4<f32>(); var s31 = vec4<f32>();
    for (var i = 0u; i < params.in_blocks; i++) {
        let w = mat4x4<f32>(
            decode(weight[weight_at]), decode(weight[weight_at + 1u]),
            decode(weight[weight_at + 2u]), decode(weight[weight_at + 3u]),
        );
        let v0 = decode(input[tile_at]);
        let v1 = decode(input[tile_at + 8u]);
        let v2 = decode(input[tile_at + 16u]);
        let v3 = decode(input[tile_at + 24u]);
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
        weight_at += 32u;
        tile_at += 32u;
    }
    if (block >= params.out_blocks) {
        return;
    }
    store(place, start + 0u, block, s0);
    store(place, start + 1u, block, s1);
    store(place, start + 2u, block, s2);
    store(place, start + 3u, block, s3);
    store(place, start + 4u, block, s4);
    store(place, start + 5u, block, s5);
    store(place, start + 6u, block, s6);
    store(place, start + 7u, block, s7);
    store(place, start + 8u, block, s8);
    store(place, start + 9u, block, s9);
    store(place, start + 10u, block, s10);
    store(place, start + 11u, block, s11);
    store(place, start + 12u, block, s12);
    store(place, start + 13u, block, s13);
    store(place, start + 14u, block, s14);
    store(place, start + 15u, block, s15);
    store(place, start + 16u, block, s16);
    store(place, start + 17u, block, s17);
    store(place, start + 18u, block, s18);
    store(place, start + 19u, block, s19);
    store(place, start + 20u, block, s20);
    store(place, start + 21u, block, s21);
    store(place, start + 22u, block, s22);
    store(place, start + 23u, block, s23);
    store(place, start + 24u, block, s24);
    store(place, start + 25u, block, s25);
    store(place, start + 26u, block, s26);
    store(place, start + 27u, block, s27);
    store(place, start + 28u, block, s28);
    store(place, start + 29u, block, s29);
    store(place, start + 30u, block, s30);
    store(place, start + 31u, block, s31);
}

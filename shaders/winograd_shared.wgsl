// The 3×3 convolution of stride 1 by Winograd's F(2×2, 3×3), 16 products instead of 36 for 2×2 pixels, through workgroup
// memory, for GPUs with subgroups of any size: a workgroup of 256 makes 8 × 4 tiles × 32 output channels (8 × 8 tiles × 16
// channels if `narrow`), 8 (4) input channels at a time. An invocation transforms a row of a tile, and multiplies 8 tiles ×
// 8 output channels at one of the 16 places; the products go through workgroup memory once more, a quarter at a time, to be
// transformed back. 16 KiB of workgroup memory, in f32. Weights come straight from storage: those of a place are read by
// 4 (8) invocations. Same bindings, maps and epilogue as conv2d.wgsl.
//
// Layout: weights [place][group of output blocks][input block][output block][4 inputs] of 4 outputs each, groups padded
// with zeros.
// Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
import package::shared::convolution::{OUTSIDE, params, read_padded, weights, product, bias_of, store};
@if(sums) import package::shared::convolution::{gathered, sums};
import package::shared::winograd_f2::{Four, transform_input};
@if(native_f16) enable f16;

// Tiles of a workgroup, output blocks, and input blocks of a round.
const ACROSS = 8u;
@if(narrow) const DOWN = 8u;
@if(!narrow) const DOWN = 4u;
@if(narrow) const BLOCKS = 4u;
@if(!narrow) const BLOCKS = 8u;
@if(narrow) const DEPTH = 1u;
@if(!narrow) const DEPTH = 2u;
const TILES = ACROSS * DOWN;
// From one tile of an invocation to its next.
const APART = TILES / 8u;

// Transformed inputs [place][input block][tile], or products [place][tile of a quarter][output block].
const EACH = 64u;
var<workgroup> tiles: array<vec4<f32>, 1024>;

// Where an input stands: tiles of neighbouring places in different banks.
fn slot(place: u32, depth: u32, tile: u32) -> u32 {
    return place * EACH + ((depth * TILES + tile) ^ (place % 2u * 4u));
}

// The sum of a block of the pixel at (y, x) and of that in another row times a sign; zero outside and beyond the last block.
fn pair(y: u32, other: u32, sign: f32, x: u32, block: u32) -> vec4<f32> {
    // Unsigned: a coordinate left of or above the map wraps to a large one.
    let inside = x < params.in_width && block < params.in_blocks;
    let a = select(OUTSIDE, y * params.in_width + x, inside && y < params.in_height);
    let b = select(OUTSIDE, other * params.in_width + x, inside && other < params.in_height);
    let from_block = min(block, params.in_blocks - 1u);
    return read_padded(a, from_block) + sign * read_padded(b, from_block);
}

// One row of a block of a tile, transformed, to its four places; (y, x) is the tile's first pixel.
fn fill(y: u32, x: u32, row: u32, round: u32, depth: u32, tile: u32) {
    // Rows of Bᵀ: 0 − 2, 1 + 2, 2 − 1, 1 − 3.
    let from_row = y + min(row, 4u - row);
    let other = y + select(select(2u, 1u, row == 2u), 3u, row == 3u);
    let sign = select(-1.0, 1.0, row == 1u);
    let block = round + depth;
    let four = transform_input(Four(
        pair(from_row, other, sign, x, block), pair(from_row, other, sign, x + 1u, block),
        pair(from_row, other, sign, x + 2u, block), pair(from_row, other, sign, x + 3u, block),
    ));
    tiles[slot(row * 4u, depth, tile)] = four.a;
    tiles[slot(row * 4u + 1u, depth, tile)] = four.b;
    tiles[slot(row * 4u + 2u, depth, tile)] = four.c;
    tiles[slot(row * 4u + 3u, depth, tile)] = four.d;
}

// Two tiles' products of two blocks.
fn put(place: u32, tile: u32, block: u32, a: vec4<f32>, b: vec4<f32>, next_a: vec4<f32>, next_b: vec4<f32>) {
    let at = place * EACH + tile * BLOCKS + block;
    tiles[at] = a;
    tiles[at + 1u] = b;
    tiles[at + APART * BLOCKS] = next_a;
    tiles[at + APART * BLOCKS + 1u] = next_b;
}

fn row_out(place: u32, item: u32, sign: f32) -> vec4<f32> {
    let at = place * EACH + item;
    return tiles[at] + sign * (tiles[at + EACH] + tiles[at + 2u * EACH]);
}

// A pixel of a quarter's tiles, one of each tile's four. `origin` is the workgroup's first pixel, row and column.
fn finish(lane: u32, quarter: u32, origin: vec2<u32>, first_block: u32) {
    let item = lane % EACH;
    let at = vec2<u32>(lane / EACH / 2u, lane / EACH % 2u);
    // Rows of Aᵀ: 0 + 1 + 2 and 1 − 2 − 3.
    let sign = select(vec2<f32>(1.0), vec2<f32>(-1.0), at == vec2<u32>(1u));
    let place = at.x * 4u + at.y;
    let sum = row_out(place, item, sign.y)
        + sign.x * (row_out(place + 4u, item, sign.y) + row_out(place + 8u, item, sign.y));
    let tile = quarter * 2u * APART + item / BLOCKS;
    let y = origin.x + tile / ACROSS * 2u + at.x;
    let x = origin.y + tile % ACROSS * 2u + at.y;
    let block = first_block + item % BLOCKS;
    if (y < params.out_height && x < params.out_width && block < params.out_blocks) {
        store(y * params.out_width + x, block, sum + bias_of(block));
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let origin = vec2<u32>(group.y * DOWN * 2u, group.x * ACROSS * 2u);
    let first_block = group.z * BLOCKS;
    // What this invocation brings: the first pixel of its tile, in the padded map; a row and a block of it.
    let own = lane % TILES;
    let y = origin.x + own / ACROSS * 2u - 1u;
    let x = origin.y + own % ACROSS * 2u - 1u;
    let depth = lane / TILES % DEPTH;
    let row = lane / TILES / DEPTH;
    // What it multiplies: a place, the first of its tiles, the first of two output blocks.
    let place = lane / 16u;
    let tile = lane % 16u % APART;
    let block = lane % 16u / APART * 2u;
    let first_weight = (((place * groups.z + group.z) * params.in_blocks) * BLOCKS + block) * 4u;
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    var s3 = vec4<f32>();
    var s4 = vec4<f32>();
    var s5 = vec4<f32>();
    var s6 = vec4<f32>();
    var s7 = vec4<f32>();
    var t0 = vec4<f32>();
    var t1 = vec4<f32>();
    var t2 = vec4<f32>();
    var t3 = vec4<f32>();
    var t4 = vec4<f32>();
    var t5 = vec4<f32>();
    var t6 = vec4<f32>();
    var t7 = vec4<f32>();
    for (var round = 0u; round < params.in_blocks; round += DEPTH) {
        fill(y, x, row, round, depth, own);
        workgroupBarrier();
        for (var d = 0u; d < DEPTH; d++) {
            // Beyond the last block the inputs are zero.
            let at = first_weight + min(round + d, params.in_blocks - 1u) * BLOCKS * 4u;
            let w = weights(at);
            let v = weights(at + 4u);
            let x0 = tiles[slot(place, d, tile)];
            s0 = product(s0, x0, w);
            t0 = product(t0, x0, v);
            let x1 = tiles[slot(place, d, tile + APART)];
            s1 = product(s1, x1, w);
            t1 = product(t1, x1, v);
            let x2 = tiles[slot(place, d, tile + 2u * APART)];
            s2 = product(s2, x2, w);
            t2 = product(t2, x2, v);
            let x3 = tiles[slot(place, d, tile + 3u * APART)];
            s3 = product(s3, x3, w);
            t3 = product(t3, x3, v);
            let x4 = tiles[slot(place, d, tile + 4u * APART)];
            s4 = product(s4, x4, w);
            t4 = product(t4, x4, v);
            let x5 = tiles[slot(place, d, tile + 5u * APART)];
            s5 = product(s5, x5, w);
            t5 = product(t5, x5, v);
            let x6 = tiles[slot(place, d, tile + 6u * APART)];
            s6 = product(s6, x6, w);
            t6 = product(t6, x6, v);
            let x7 = tiles[slot(place, d, tile + 7u * APART)];
            s7 = product(s7, x7, w);
            t7 = product(t7, x7, v);
        }
        workgroupBarrier();
    }
    put(place, tile, block, s0, t0, s1, t1);
    workgroupBarrier();
    finish(lane, 0u, origin, first_block);
    workgroupBarrier();
    put(place, tile, block, s2, t2, s3, t3);
    workgroupBarrier();
    finish(lane, 1u, origin, first_block);
    workgroupBarrier();
    put(place, tile, block, s4, t4, s5, t5);
    workgroupBarrier();
    finish(lane, 2u, origin, first_block);
    workgroupBarrier();
    put(place, tile, block, s6, t6, s7, t7);
    workgroupBarrier();
    finish(lane, 3u, origin, first_block);
    @if(sums) {
        workgroupBarrier();
        tiles[lane] = gathered;
        workgroupBarrier();
        // Lanes so many blocks apart have the same.
        for (var half = 128u; half >= BLOCKS; half /= 2u) {
            if (lane < half) {
                tiles[lane] += tiles[lane + half];
            }
            workgroupBarrier();
        }
        if (lane < BLOCKS && first_block + lane < params.out_blocks) {
            sums[(group.y * groups.x + group.x) * params.out_blocks + first_block + lane] = tiles[lane];
        }
    }
}

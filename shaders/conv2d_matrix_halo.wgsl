// 3×3 convolution of stride 1 by cooperative matrices (tensor cores) out of a patch of the map: a workgroup of 4 subgroups
// makes 16 rows × SIDE columns of pixels × 4·SIDE output channels; half as many rows if `low`, half as many channels if
// `narrow`. A round brings 16 channels of the pixels and the halo about them into workgroup memory once for all 9 taps; a
// subgroup makes 4 (2) of the rows, as 4 × 4 matrices of SIDE×SIDE. SIDE is 8, or 16 with `size16`. Weights come straight
// from storage, in the order in which they are read. Half precision in, f32 sums, which go through workgroup memory to
// the epilogue, since elements of a matrix can't be reached. Same bindings, maps and epilogue as conv2d.wgsl; with
// `transposed`, the transposed convolution of 4 taps a parity, a parity a workgroup.
//
// Layout: weights [round][parity][tap][slice of SIDE inputs][column of SIDE outputs][SIDE inputs][SIDE outputs], padded
// with zeros to whole rounds and whole workgroups; one parity unless `transposed`.
import package::shared::convolution::{params, grid, made, read, bias_of, store};
@if(sums) import package::shared::convolution::{gathered, sums as parts};
enable f16;
enable wgpu_cooperative_matrix;

@group(0) @binding(3) var<storage, read> weight: array<f16>;

@if(size16) const SIDE = 16u;
@if(!size16) const SIDE = 8u;
@if(size16) alias Inputs = coop_mat16x16<f16, A>;
@if(!size16) alias Inputs = coop_mat8x8<f16, A>;
@if(size16) alias Weights = coop_mat16x16<f16, B>;
@if(!size16) alias Weights = coop_mat8x8<f16, B>;
@if(size16) alias Sums = coop_mat16x16<f32, C>;
@if(!size16) alias Sums = coop_mat8x8<f32, C>;

// Rows and columns of matrices of a subgroup; channels of a round.
@if(low) const ROWS = 2u;
@if(!low) const ROWS = 4u;
@if(narrow) const COLUMNS = 2u;
@if(!narrow) const COLUMNS = 4u;
const DEPTH = 16u;

// Taps across, and parities of the output.
@if(transposed) const TAPS = 2u;
@if(!transposed) const TAPS = 3u;
@if(transposed) const PARITIES = 4u;
@if(!transposed) const PARITIES = 1u;

// Output channels of a workgroup and their blocks, pixels of the patch with its halo, values from one pixel to the next: a gap after the
// 16 channels keeps the rows of a matrix out of each other's banks.
const CHANNELS = COLUMNS * SIDE;
const BLOCKS = CHANNELS / 4u;
const PATCH_WIDTH = SIDE + 2u;
const PATCH_PIXELS = PATCH_WIDTH * (4u * ROWS + 2u);
const PITCH = DEPTH + 8u;

// The most lanes of a subgroup. There are 4; where they turn out smaller, more, which make the same again.
override LANES: u32 = 32;

// [pixel of the patch][channel], and each subgroup's row of results, [subgroup][pixel][output channel].
var<workgroup> inputs: array<f16, PATCH_PIXELS * PITCH>;
var<workgroup> sums: array<f32, 4u * SIDE * CHANNELS>;

// Brings 16 channels of the patch whose second pixel of the second row is `origin`; zero outside and beyond the last block.
fn fill(lane: u32, origin: vec2<u32>, round: u32) {
    for (var at = lane; at < PATCH_PIXELS * 4u; at += LANES * 4u) {
        let pixel = at / 4u;
        let block = round * 4u + at % 4u;
        // Unsigned: a coordinate left of or above the map wraps to a large one.
        let y = origin.x + pixel / PATCH_WIDTH - 1u;
        let x = origin.y + pixel % PATCH_WIDTH - 1u;
        var value = vec4<f32>();
        if (y < params.in_height && x < params.in_width && block < params.in_blocks) {
            value = read(y * params.in_width + x, block);
        }
        let to = pixel * PITCH + at % 4u * 4u;
        inputs[to] = f16(value.x);
        inputs[to + 1u] = f16(value.y);
        inputs[to + 2u] = f16(value.z);
        inputs[to + 3u] = f16(value.w);
    }
}

// Each subgroup's row to the map, all at once; `origin` is the pixel of the first. A lane keeps to one block.
fn write_rows(lane: u32, origin: vec2<u32>, parity: vec2<u32>, first_block: u32) {
    let block = first_block + lane % BLOCKS;
    for (var at = lane; at < 4u * SIDE * BLOCKS; at += LANES * 4u) {
        let y = origin.x + at / (SIDE * BLOCKS) * ROWS;
        let x = origin.y + at / BLOCKS % SIDE;
        if (y < grid().x && x < grid().y && block < params.out_blocks) {
            let sum = vec4<f32>(sums[at * 4u], sums[at * 4u + 1u], sums[at * 4u + 2u], sums[at * 4u + 3u]);
            store(made(vec2<u32>(y, x), parity), block, sum + bias_of(block));
        }
    }
}

// The sums of what all lanes have stored, as a part.
@if(sums)
fn put_sums(lane: u32, part: u32, first_block: u32) {
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) {
        sums[lane * 4u + i] = gathered[i];
    }
    workgroupBarrier();
    // Lanes so many blocks apart have the same.
    for (var half = LANES * 2u; half >= BLOCKS; half /= 2u) {
        if (lane < half) {
            for (var i = 0u; i < 4u; i++) {
                sums[lane * 4u + i] += sums[(lane + half) * 4u + i];
            }
        }
        workgroupBarrier();
    }
    if (lane < BLOCKS && first_block + lane < params.out_blocks) {
        let at = lane * 4u;
        parts[part * params.out_blocks + first_block + lane] =
            vec4<f32>(sums[at], sums[at + 1u], sums[at + 2u], sums[at + 3u]);
    }
}

@compute @workgroup_size(LANES * 4)
fn main(
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_size) size: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let origin = vec2<u32>(group.y * 4u * ROWS, group.x * SIDE);
    // Subgroups take invocations in order.
    let subgroup = lane / size % 4u;
    let first_row = subgroup * ROWS;
    let own = subgroup * SIDE * CHANNELS;
    for (var at = lane; at < 4u * SIDE * CHANNELS; at += LANES * 4u) {
        sums[at] = 0.0;
    }
    workgroupBarrier();
    var s00 = coopLoadT<Sums>(&sums[own], CHANNELS);
    var s01 = coopLoadT<Sums>(&sums[own], CHANNELS);
    @if(!narrow) var s02 = coopLoadT<Sums>(&sums[own], CHANNELS);
    @if(!narrow) var s03 = coopLoadT<Sums>(&sums[own], CHANNELS);
    var s10 = coopLoadT<Sums>(&sums[own], CHANNELS);
    var s11 = coopLoadT<Sums>(&sums[own], CHANNELS);
    @if(!narrow) var s12 = coopLoadT<Sums>(&sums[own], CHANNELS);
    @if(!narrow) var s13 = coopLoadT<Sums>(&sums[own], CHANNELS);
    @if(!low) var s20 = coopLoadT<Sums>(&sums[own], CHANNELS);
    @if(!low) var s21 = coopLoadT<Sums>(&sums[own], CHANNELS);
    @if(!narrow && !low) var s22 = coopLoadT<Sums>(&sums[own], CHANNELS);
    @if(!narrow && !low) var s23 = coopLoadT<Sums>(&sums[own], CHANNELS);
    @if(!low) var s30 = coopLoadT<Sums>(&sums[own], CHANNELS);
    @if(!low) var s31 = coopLoadT<Sums>(&sums[own], CHANNELS);
    @if(!narrow && !low) var s32 = coopLoadT<Sums>(&sums[own], CHANNELS);
    @if(!narrow && !low) var s33 = coopLoadT<Sums>(&sums[own], CHANNELS);
    @if(transposed) let parity = vec2<u32>(group.z % 4u / 2u, group.z % 2u);
    @if(!transposed) let parity = vec2<u32>();
    let column = group.z / PARITIES * COLUMNS;
    let across = (params.out_blocks * 4u + CHANNELS - 1u) / CHANNELS * COLUMNS;
    for (var round = 0u; round * 4u < params.in_blocks; round++) {
        // The last round's patch has been read by all.
        workgroupBarrier();
        fill(lane, origin, round);
        workgroupBarrier();
        let first_tap = (round * PARITIES + group.z % PARITIES) * TAPS * TAPS;
        var weight_at = (first_tap * (DEPTH / SIDE) * across + column) * SIDE * SIDE;
        for (var tap = 0u; tap < TAPS * TAPS; tap++) {
            let corner = (first_row + parity.x + tap / TAPS) * PATCH_WIDTH + parity.y + tap % TAPS;
            for (var k = 0u; k < DEPTH; k += SIDE) {
                let w0 = coopLoadT<Weights>(&weight[weight_at + 0u * SIDE * SIDE], SIDE);
                let w1 = coopLoadT<Weights>(&weight[weight_at + 1u * SIDE * SIDE], SIDE);
                @if(!narrow) let w2 = coopLoadT<Weights>(&weight[weight_at + 2u * SIDE * SIDE], SIDE);
                @if(!narrow) let w3 = coopLoadT<Weights>(&weight[weight_at + 3u * SIDE * SIDE], SIDE);
                let x0 = coopLoadT<Inputs>(&inputs[(corner + 0u * PATCH_WIDTH) * PITCH + k], PITCH);
                s00 = coopMultiplyAdd(x0, w0, s00);
                s01 = coopMultiplyAdd(x0, w1, s01);
                @if(!narrow) s02 = coopMultiplyAdd(x0, w2, s02);
                @if(!narrow) s03 = coopMultiplyAdd(x0, w3, s03);
                let x1 = coopLoadT<Inputs>(&inputs[(corner + 1u * PATCH_WIDTH) * PITCH + k], PITCH);
                s10 = coopMultiplyAdd(x1, w0, s10);
                s11 = coopMultiplyAdd(x1, w1, s11);
                @if(!narrow) s12 = coopMultiplyAdd(x1, w2, s12);
                @if(!narrow) s13 = coopMultiplyAdd(x1, w3, s13);
                @if(!low) let x2 = coopLoadT<Inputs>(&inputs[(corner + 2u * PATCH_WIDTH) * PITCH + k], PITCH);
                @if(!low) s20 = coopMultiplyAdd(x2, w0, s20);
                @if(!low) s21 = coopMultiplyAdd(x2, w1, s21);
                @if(!narrow && !low) s22 = coopMultiplyAdd(x2, w2, s22);
                @if(!narrow && !low) s23 = coopMultiplyAdd(x2, w3, s23);
                @if(!low) let x3 = coopLoadT<Inputs>(&inputs[(corner + 3u * PATCH_WIDTH) * PITCH + k], PITCH);
                @if(!low) s30 = coopMultiplyAdd(x3, w0, s30);
                @if(!low) s31 = coopMultiplyAdd(x3, w1, s31);
                @if(!narrow && !low) s32 = coopMultiplyAdd(x3, w2, s32);
                @if(!narrow && !low) s33 = coopMultiplyAdd(x3, w3, s33);
                weight_at += across * SIDE * SIDE;
            }
        }
    }
    let first_block = column * SIDE / 4u;
    let r00 = s00;
    coopStoreT(r00, &sums[own + 0u * SIDE], CHANNELS);
    let r01 = s01;
    coopStoreT(r01, &sums[own + 1u * SIDE], CHANNELS);
    @if(!narrow) let r02 = s02;
    @if(!narrow) coopStoreT(r02, &sums[own + 2u * SIDE], CHANNELS);
    @if(!narrow) let r03 = s03;
    @if(!narrow) coopStoreT(r03, &sums[own + 3u * SIDE], CHANNELS);
    workgroupBarrier();
    write_rows(lane, origin + vec2<u32>(0u, 0u), parity, first_block);
    workgroupBarrier();
    let r10 = s10;
    coopStoreT(r10, &sums[own + 0u * SIDE], CHANNELS);
    let r11 = s11;
    coopStoreT(r11, &sums[own + 1u * SIDE], CHANNELS);
    @if(!narrow) let r12 = s12;
    @if(!narrow) coopStoreT(r12, &sums[own + 2u * SIDE], CHANNELS);
    @if(!narrow) let r13 = s13;
    @if(!narrow) coopStoreT(r13, &sums[own + 3u * SIDE], CHANNELS);
    workgroupBarrier();
    write_rows(lane, origin + vec2<u32>(1u, 0u), parity, first_block);
    @if(!low) workgroupBarrier();
    @if(!low) let r20 = s20;
    @if(!low) coopStoreT(r20, &sums[own + 0u * SIDE], CHANNELS);
    @if(!low) let r21 = s21;
    @if(!low) coopStoreT(r21, &sums[own + 1u * SIDE], CHANNELS);
    @if(!narrow && !low) let r22 = s22;
    @if(!narrow && !low) coopStoreT(r22, &sums[own + 2u * SIDE], CHANNELS);
    @if(!narrow && !low) let r23 = s23;
    @if(!narrow && !low) coopStoreT(r23, &sums[own + 3u * SIDE], CHANNELS);
    @if(!low) workgroupBarrier();
    @if(!low) { write_rows(lane, origin + vec2<u32>(2u, 0u), parity, first_block); }
    @if(!low) workgroupBarrier();
    @if(!low) let r30 = s30;
    @if(!low) coopStoreT(r30, &sums[own + 0u * SIDE], CHANNELS);
    @if(!low) let r31 = s31;
    @if(!low) coopStoreT(r31, &sums[own + 1u * SIDE], CHANNELS);
    @if(!narrow && !low) let r32 = s32;
    @if(!narrow && !low) coopStoreT(r32, &sums[own + 2u * SIDE], CHANNELS);
    @if(!narrow && !low) let r33 = s33;
    @if(!narrow && !low) coopStoreT(r33, &sums[own + 3u * SIDE], CHANNELS);
    @if(!low) workgroupBarrier();
    @if(!low) { write_rows(lane, origin + vec2<u32>(3u, 0u), parity, first_block); }
    @if(sums) { put_sums(lane, group.y * groups.x + group.x, first_block); }
}

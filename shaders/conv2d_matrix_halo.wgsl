// 3×3 convolution by cooperative matrices (tensor cores) out of a patch of the map: a workgroup of 4 subgroups makes a tile
// SIDE pixels wide, of 4·SIDE output channels (2·SIDE if `narrow`, SIDE if `slim`). A round brings 16 channels of the tile
// and the halo about it into workgroup memory once for all 9 taps. A subgroup makes 2 rows (4 with `rows4`, 8 with `rows4`
// and `rows8`) of two matrices of SIDE×SIDE (of one if `slim`) side by side; SIDE is 8, or 16 with `size16`. Weights come
// straight from storage, in the order in which they are read. Half precision in, f32 sums, which go through workgroup memory
// to the epilogue, since elements of a matrix can't be reached. Same bindings, maps and epilogue as conv2d.wgsl. With
// `strided` of stride 2; with `pointwise` a 1×1 convolution, without a halo; with `transposed` the transposed convolution of
// 4 taps a parity, a parity a workgroup.
//
// A GPU has few subgroups under way that hold so many sums, so none may wait for memory: a lane reads all its values of the
// next patch before the taps of this one, the next weights before the products of these, and the residuals of a row at once.
//
// Layout: weights [round][parity][column of taps][slice of SIDE inputs][row of taps][column of SIDE outputs][SIDE outputs]
// [SIDE inputs], padded with zeros to whole rounds and whole workgroups; one parity unless `transposed`.
import package::shared::convolution::{OUTSIDE, params, grid, made, start_of, stored, padded, bias_of, put};
@if(input_f32) import package::shared::single::Stored as Input;
@if(!input_f32) import package::shared::half::Stored as Input;
@if(residual && output_f32) import package::shared::single::{Stored as Output, decode as decode_output};
@if(residual && !output_f32) import package::shared::half::{Stored as Output, decode as decode_output};
@if(residual) import package::shared::convolution::residual;
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

// Columns of matrices of a subgroup, subgroups side by side; rows of a subgroup and of a workgroup; channels of a round.
@if(slim) const COLUMNS = 1u;
@if(!slim) const COLUMNS = 2u;
@if(slim || narrow) const BESIDE = 1u;
@if(!slim && !narrow) const BESIDE = 2u;
@if(!rows4) const ROWS = 2u;
@if(rows4 && !rows8) const ROWS = 4u;
@if(rows8) const ROWS = 8u;
const TILE = ROWS * 4u / BESIDE;
const DEPTH = 16u;

// Taps across, pixels from one to the next, pixels of the border, parities of the output.
@if(pointwise) const TAPS = 1u;
@if(transposed) const TAPS = 2u;
@if(!pointwise && !transposed) const TAPS = 3u;
@if(strided) const STRIDE = 2u;
@if(!strided) const STRIDE = 1u;
@if(pointwise) const BORDER = 0u;
@if(!pointwise) const BORDER = 1u;
@if(transposed) const PARITIES = 4u;
@if(!transposed) const PARITIES = 1u;

// Output channels of a workgroup and their blocks, pixels of the patch with its halo, values from one pixel to the next: a
// gap after the 16 channels keeps the rows of a matrix out of each other's banks.
const CHANNELS = BESIDE * COLUMNS * SIDE;
const BLOCKS = CHANNELS / 4u;
const PATCH_WIDTH = (SIDE - 1u) * STRIDE + 2u * BORDER + 1u;
const PATCH_PIXELS = PATCH_WIDTH * ((TILE - 1u) * STRIDE + 2u * BORDER + 1u);
const PITCH = DEPTH + 8u;

// The most lanes of a subgroup. There are 4; where they turn out smaller, more, which make the same again.
override LANES: u32 = 32;

// Blocks of a row of every subgroup, which are written at once.
const WRITTEN = 4u / BESIDE * SIDE * BLOCKS;

// Blocks of a patch, and of the rows, that a lane holds at once: its share, where subgroups have 32 lanes.
const HELD = (PATCH_PIXELS * 4u + 127u) / 128u;
const AIMED = (WRITTEN + 127u) / 128u;

// [pixel of the patch][channel], and of the rows that are written [row of subgroups][pixel][output channel].
var<workgroup> inputs: array<f16, PATCH_PIXELS * PITCH>;
var<workgroup> sums: array<f32, WRITTEN * 4u>;

// Where the pixels of a lane's blocks start, and the blocks of the next round.
var<private> starts: array<u32, HELD>;
var<private> held: array<Input, HELD>;
// Where a lane's results go, and what is added to them.
var<private> aims: array<u32, AIMED>;
@if(residual) var<private> before: array<Output, AIMED>;

// Where the pixel starts that a block of the patch is of, if `origin` is the first pixel of the tile; OUTSIDE the map and
// beyond the patch.
fn start_at(at: u32, origin: vec2<u32>) -> u32 {
    let pixel = at / 4u;
    // Unsigned: a coordinate left of or above the map wraps to a large one.
    let y = origin.x * STRIDE + pixel / PATCH_WIDTH - BORDER;
    let x = origin.y * STRIDE + pixel % PATCH_WIDTH - BORDER;
    let inside = y < params.in_height && x < params.in_width && pixel < PATCH_PIXELS;
    return start_of(select(OUTSIDE, y * params.in_width + x, inside));
}

// Reads a lane's blocks of a round: all of them one block of their pixels, or the last where there are no more.
fn hold(block: u32) {
    let readable = min(block, params.in_blocks - 1u);
    for (var i = 0u; i < HELD; i++) {
        held[i] = stored(starts[i], readable);
    }
}

// Puts them into the patch; zero outside and beyond the last block.
fn fill(lane: u32, origin: vec2<u32>, block: u32) {
    for (var i = 0u; i < HELD; i++) {
        fill_one(lane + i * LANES * 4u, starts[i], block, held[i]);
    }
    for (var at = lane + HELD * LANES * 4u; at < PATCH_PIXELS * 4u; at += LANES * 4u) {
        let start = start_at(at, origin);
        fill_one(at, start, block, stored(start, min(block, params.in_blocks - 1u)));
    }
}

fn fill_one(at: u32, start: u32, block: u32, found: Input) {
    let value = select(vec4<f32>(), padded(start, found), block < params.in_blocks);
    let to = at / 4u * PITCH + at % 4u * 4u;
    if (at < PATCH_PIXELS * 4u) {
        inputs[to] = f16(value.x);
        inputs[to + 1u] = f16(value.y);
        inputs[to + 2u] = f16(value.z);
        inputs[to + 3u] = f16(value.w);
    }
}

// Where a written block goes, if `origin` is the first pixel of the rows; OUTSIDE the map.
fn aim_at(at: u32, origin: vec2<u32>, parity: vec2<u32>, block: u32) -> u32 {
    let y = origin.x + at / (SIDE * BLOCKS) * ROWS;
    let x = origin.y + at / BLOCKS % SIDE;
    let inside = y < grid().x && x < grid().y && block < params.out_blocks && at < WRITTEN;
    return select(OUTSIDE, made(vec2<u32>(y, x), parity) * params.out_blocks + block, inside);
}

// Reads what is added to a lane's results. It keeps to one block of channels.
fn aim(lane: u32, origin: vec2<u32>, parity: vec2<u32>, block: u32) {
    for (var i = 0u; i < AIMED; i++) {
        aims[i] = aim_at(lane + i * LANES * 4u, origin, parity, block);
        @if(residual) { before[i] = residual[select(0u, aims[i], aims[i] != OUTSIDE)]; }
    }
}

// The subgroups' rows to the map.
fn write_rows(lane: u32, origin: vec2<u32>, parity: vec2<u32>, block: u32) {
    for (var i = 0u; i < AIMED; i++) {
        @if(residual) write(lane + i * LANES * 4u, aims[i], block, decode_output(before[i]));
        @if(!residual) write(lane + i * LANES * 4u, aims[i], block, vec4<f32>());
    }
    for (var at = lane + AIMED * LANES * 4u; at < WRITTEN; at += LANES * 4u) {
        let to = aim_at(at, origin, parity, block);
        @if(residual) write(at, to, block, decode_output(residual[select(0u, to, to != OUTSIDE)]));
        @if(!residual) write(at, to, block, vec4<f32>());
    }
}

fn write(at: u32, to: u32, block: u32, before: vec4<f32>) {
    if (to != OUTSIDE) {
        let sum = vec4<f32>(sums[at * 4u], sums[at * 4u + 1u], sums[at * 4u + 2u], sums[at * 4u + 3u]);
        put(to, sum + bias_of(block), before);
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
    let origin = vec2<u32>(group.y * TILE, group.x * SIDE);
    // Subgroups take invocations in order.
    let subgroup = lane / size % 4u;
    let first_row = subgroup / BESIDE * ROWS;
    let own_column = subgroup % BESIDE * COLUMNS;
    let own = subgroup / BESIDE * SIDE * CHANNELS + own_column * SIDE;
    // Cooperative matrices are made by loading them alone.
    for (var at = lane; at < SIDE * SIDE; at += LANES * 4u) {
        sums[at] = 0.0;
    }
    for (var i = 0u; i < HELD; i++) {
        starts[i] = start_at(lane + i * LANES * 4u, origin);
    }
    let own_block = lane % 4u;
    hold(own_block);
    workgroupBarrier();
    var s00 = coopLoadT<Sums>(&sums[0], SIDE);
    @if(!slim) var s01 = coopLoadT<Sums>(&sums[0], SIDE);
    var s10 = coopLoadT<Sums>(&sums[0], SIDE);
    @if(!slim) var s11 = coopLoadT<Sums>(&sums[0], SIDE);
    @if(rows4) var s20 = coopLoadT<Sums>(&sums[0], SIDE);
    @if(rows4 && !slim) var s21 = coopLoadT<Sums>(&sums[0], SIDE);
    @if(rows4) var s30 = coopLoadT<Sums>(&sums[0], SIDE);
    @if(rows4 && !slim) var s31 = coopLoadT<Sums>(&sums[0], SIDE);
    @if(rows8) var s40 = coopLoadT<Sums>(&sums[0], SIDE);
    @if(rows8 && !slim) var s41 = coopLoadT<Sums>(&sums[0], SIDE);
    @if(rows8) var s50 = coopLoadT<Sums>(&sums[0], SIDE);
    @if(rows8 && !slim) var s51 = coopLoadT<Sums>(&sums[0], SIDE);
    @if(rows8) var s60 = coopLoadT<Sums>(&sums[0], SIDE);
    @if(rows8 && !slim) var s61 = coopLoadT<Sums>(&sums[0], SIDE);
    @if(rows8) var s70 = coopLoadT<Sums>(&sums[0], SIDE);
    @if(rows8 && !slim) var s71 = coopLoadT<Sums>(&sums[0], SIDE);
    @if(transposed) let parity = vec2<u32>(group.z % 4u / 2u, group.z % 2u);
    @if(!transposed) let parity = vec2<u32>();
    let column = group.z / PARITIES * BESIDE * COLUMNS;
    let across = (params.out_blocks * 4u + CHANNELS - 1u) / CHANNELS * BESIDE * COLUMNS;
    let rounds = (params.in_blocks + 3u) / 4u;
    // From one row of taps' weights to the next, from one column's to the next; where a subgroup's start, and the last.
    let step = across * SIDE * SIDE;
    let taps = TAPS * TAPS * (DEPTH / SIDE);
    var next = group.z % PARITIES * taps * step + (column + own_column) * SIDE * SIDE;
    let end = next + ((rounds - 1u) * PARITIES * taps + taps - 1u) * step;
    var w0 = coopLoad<Weights>(&weight[next], SIDE);
    @if(!slim) var w1 = coopLoad<Weights>(&weight[next + SIDE * SIDE], SIDE);
    for (var round = 0u; round < rounds; round++) {
        // The last round's patch has been read by all.
        workgroupBarrier();
        fill(lane, origin, round * 4u + own_block);
        workgroupBarrier();
        if (round + 1u < rounds) {
            hold(round * 4u + 4u + own_block);
        }
        for (var kx = 0u; kx < TAPS; kx++) {
            for (var k = 0u; k < DEPTH; k += SIDE) {
                let corner = ((first_row * STRIDE + parity.x) * PATCH_WIDTH + parity.y + kx) * PITCH + k;
                // A row of pixels goes into the results of up to 3 rows: it is loaded once.
                @if(!strided) var x0 = coopLoadT<Inputs>(&inputs[corner + 0u * PATCH_WIDTH * PITCH], PITCH);
                @if(!strided && rows4) var x1 = coopLoadT<Inputs>(&inputs[corner + 1u * PATCH_WIDTH * PITCH], PITCH);
                @if(!strided && rows4) var x2 = coopLoadT<Inputs>(&inputs[corner + 2u * PATCH_WIDTH * PITCH], PITCH);
                @if(!strided && rows8) var x3 = coopLoadT<Inputs>(&inputs[corner + 3u * PATCH_WIDTH * PITCH], PITCH);
                @if(!strided && rows8) var x4 = coopLoadT<Inputs>(&inputs[corner + 4u * PATCH_WIDTH * PITCH], PITCH);
                @if(!strided && rows8) var x5 = coopLoadT<Inputs>(&inputs[corner + 5u * PATCH_WIDTH * PITCH], PITCH);
                @if(!strided && rows8) var x6 = coopLoadT<Inputs>(&inputs[corner + 6u * PATCH_WIDTH * PITCH], PITCH);
                for (var ky = 0u; ky < TAPS; ky++) {
                    next += step;
                    if (PARITIES > 1u && kx + 1u == TAPS && k + SIDE == DEPTH && ky + 1u == TAPS) {
                        next += (PARITIES - 1u) * taps * step;
                    }
                    next = min(next, end);
                    let n0 = coopLoad<Weights>(&weight[next], SIDE);
                    @if(!slim) let n1 = coopLoad<Weights>(&weight[next + SIDE * SIDE], SIDE);
                    let row = corner + ky * PATCH_WIDTH * PITCH;
                    @if(!strided && !rows4) let x1 = coopLoadT<Inputs>(&inputs[row + 1u * PATCH_WIDTH * PITCH], PITCH);
                    @if(!strided && rows4 && !rows8) let x3 = coopLoadT<Inputs>(&inputs[row + 3u * PATCH_WIDTH * PITCH], PITCH);
                    @if(!strided && rows8) let x7 = coopLoadT<Inputs>(&inputs[row + 7u * PATCH_WIDTH * PITCH], PITCH);
                    @if(strided) let x0 = coopLoadT<Inputs>(&inputs[row + 0u * PATCH_WIDTH * PITCH], 2u * PITCH);
                    @if(strided) let x1 = coopLoadT<Inputs>(&inputs[row + 2u * PATCH_WIDTH * PITCH], 2u * PITCH);
                    @if(strided && rows4) let x2 = coopLoadT<Inputs>(&inputs[row + 4u * PATCH_WIDTH * PITCH], 2u * PITCH);
                    @if(strided && rows4) let x3 = coopLoadT<Inputs>(&inputs[row + 6u * PATCH_WIDTH * PITCH], 2u * PITCH);
                    s00 = coopMultiplyAdd(x0, w0, s00);
                    @if(!slim) s01 = coopMultiplyAdd(x0, w1, s01);
                    s10 = coopMultiplyAdd(x1, w0, s10);
                    @if(!slim) s11 = coopMultiplyAdd(x1, w1, s11);
                    @if(rows4) s20 = coopMultiplyAdd(x2, w0, s20);
                    @if(rows4 && !slim) s21 = coopMultiplyAdd(x2, w1, s21);
                    @if(rows4) s30 = coopMultiplyAdd(x3, w0, s30);
                    @if(rows4 && !slim) s31 = coopMultiplyAdd(x3, w1, s31);
                    @if(rows8) s40 = coopMultiplyAdd(x4, w0, s40);
                    @if(rows8 && !slim) s41 = coopMultiplyAdd(x4, w1, s41);
                    @if(rows8) s50 = coopMultiplyAdd(x5, w0, s50);
                    @if(rows8 && !slim) s51 = coopMultiplyAdd(x5, w1, s51);
                    @if(rows8) s60 = coopMultiplyAdd(x6, w0, s60);
                    @if(rows8 && !slim) s61 = coopMultiplyAdd(x6, w1, s61);
                    @if(rows8) s70 = coopMultiplyAdd(x7, w0, s70);
                    @if(rows8 && !slim) s71 = coopMultiplyAdd(x7, w1, s71);
                    @if(!strided) x0 = x1;
                    @if(!strided && rows4) x1 = x2;
                    @if(!strided && rows4) x2 = x3;
                    @if(!strided && rows8) x3 = x4;
                    @if(!strided && rows8) x4 = x5;
                    @if(!strided && rows8) x5 = x6;
                    @if(!strided && rows8) x6 = x7;
                    w0 = n0;
                    @if(!slim) w1 = n1;
                }
            }
        }
    }
    let first_block = column * SIDE / 4u;
    let block = first_block + lane % BLOCKS;
    aim(lane, origin + vec2<u32>(0u, 0u), parity, block);
    let r00 = s00;
    coopStoreT(r00, &sums[own + 0u * SIDE], CHANNELS);
    @if(!slim) let r01 = s01;
    @if(!slim) coopStoreT(r01, &sums[own + 1u * SIDE], CHANNELS);
    workgroupBarrier();
    write_rows(lane, origin + vec2<u32>(0u, 0u), parity, block);
    aim(lane, origin + vec2<u32>(1u, 0u), parity, block);
    workgroupBarrier();
    let r10 = s10;
    coopStoreT(r10, &sums[own + 0u * SIDE], CHANNELS);
    @if(!slim) let r11 = s11;
    @if(!slim) coopStoreT(r11, &sums[own + 1u * SIDE], CHANNELS);
    workgroupBarrier();
    write_rows(lane, origin + vec2<u32>(1u, 0u), parity, block);
    @if(rows4) aim(lane, origin + vec2<u32>(2u, 0u), parity, block);
    @if(rows4) workgroupBarrier();
    @if(rows4) let r20 = s20;
    @if(rows4) coopStoreT(r20, &sums[own + 0u * SIDE], CHANNELS);
    @if(rows4 && !slim) let r21 = s21;
    @if(rows4 && !slim) coopStoreT(r21, &sums[own + 1u * SIDE], CHANNELS);
    @if(rows4) workgroupBarrier();
    @if(rows4) write_rows(lane, origin + vec2<u32>(2u, 0u), parity, block);
    @if(rows4) aim(lane, origin + vec2<u32>(3u, 0u), parity, block);
    @if(rows4) workgroupBarrier();
    @if(rows4) let r30 = s30;
    @if(rows4) coopStoreT(r30, &sums[own + 0u * SIDE], CHANNELS);
    @if(rows4 && !slim) let r31 = s31;
    @if(rows4 && !slim) coopStoreT(r31, &sums[own + 1u * SIDE], CHANNELS);
    @if(rows4) workgroupBarrier();
    @if(rows4) write_rows(lane, origin + vec2<u32>(3u, 0u), parity, block);
    @if(rows8) aim(lane, origin + vec2<u32>(4u, 0u), parity, block);
    @if(rows8) workgroupBarrier();
    @if(rows8) let r40 = s40;
    @if(rows8) coopStoreT(r40, &sums[own + 0u * SIDE], CHANNELS);
    @if(rows8 && !slim) let r41 = s41;
    @if(rows8 && !slim) coopStoreT(r41, &sums[own + 1u * SIDE], CHANNELS);
    @if(rows8) workgroupBarrier();
    @if(rows8) write_rows(lane, origin + vec2<u32>(4u, 0u), parity, block);
    @if(rows8) aim(lane, origin + vec2<u32>(5u, 0u), parity, block);
    @if(rows8) workgroupBarrier();
    @if(rows8) let r50 = s50;
    @if(rows8) coopStoreT(r50, &sums[own + 0u * SIDE], CHANNELS);
    @if(rows8 && !slim) let r51 = s51;
    @if(rows8 && !slim) coopStoreT(r51, &sums[own + 1u * SIDE], CHANNELS);
    @if(rows8) workgroupBarrier();
    @if(rows8) write_rows(lane, origin + vec2<u32>(5u, 0u), parity, block);
    @if(rows8) aim(lane, origin + vec2<u32>(6u, 0u), parity, block);
    @if(rows8) workgroupBarrier();
    @if(rows8) let r60 = s60;
    @if(rows8) coopStoreT(r60, &sums[own + 0u * SIDE], CHANNELS);
    @if(rows8 && !slim) let r61 = s61;
    @if(rows8 && !slim) coopStoreT(r61, &sums[own + 1u * SIDE], CHANNELS);
    @if(rows8) workgroupBarrier();
    @if(rows8) write_rows(lane, origin + vec2<u32>(6u, 0u), parity, block);
    @if(rows8) aim(lane, origin + vec2<u32>(7u, 0u), parity, block);
    @if(rows8) workgroupBarrier();
    @if(rows8) let r70 = s70;
    @if(rows8) coopStoreT(r70, &sums[own + 0u * SIDE], CHANNELS);
    @if(rows8 && !slim) let r71 = s71;
    @if(rows8 && !slim) coopStoreT(r71, &sums[own + 1u * SIDE], CHANNELS);
    @if(rows8) workgroupBarrier();
    @if(rows8) write_rows(lane, origin + vec2<u32>(7u, 0u), parity, block);
    @if(sums) { put_sums(lane, group.y * groups.x + group.x, first_block); }
}

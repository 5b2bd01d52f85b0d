// 3×3 convolution by cooperative matrices (tensor cores) of 16×16, pixels and weights both out of workgroup memory: out of
// storage a driver may load a matrix half by half (NVIDIA's does), out of workgroup memory at once. A workgroup of 4 subgroups
// makes 64 output channels (32 if `narrow`) of a tile of 16×16 pixels, a subgroup 8 rows of two matrices side by side (4 if
// `narrow`). A round brings 16 channels of the tile and the halo about it for all 9 taps, and with `whole` all its weights;
// where there is no room for them they are staged a column of taps at a time. Half precision in, f32 sums, which go through
// workgroup memory to the epilogue, since elements of a matrix can't be reached. Same bindings, maps and epilogue as
// conv2d.wgsl; whole rounds of channels only.
//
// What comes next is read before the products of what is there, and stored after them. For that the weights' binding is
// declared as one that could be written: what can't change a driver may read where it is used, and then wait for it.
//
// Layout: weights [round][column of taps][row of taps][16 outputs][output][16 inputs], padded with zeros to whole workgroups.
import package::shared::convolution::{OUTSIDE, params, start_of, stored, put};
import package::shared::half::{Stored, decode};
@if(residual) import package::shared::convolution::residual;
@if(sums) import package::shared::convolution::{gathered, sums as parts};
enable f16;
enable wgpu_cooperative_matrix;

@group(0) @binding(3) var<storage, read_write> weight: array<vec4<f16>>;
// In the weights' buffer, so bound as they are.
@if(bias) @group(0) @binding(4) var<storage, read_write> bias: array<vec4<f32>>;

alias Inputs = coop_mat16x16<f16, A>;
alias Weights = coop_mat16x16<f16, B>;
alias Sums = coop_mat16x16<f32, C>;

// Subgroups side by side; rows of a subgroup; output channels of a workgroup; rows and columns of its tile.
@if(narrow) const BESIDE = 1u;
@if(!narrow) const BESIDE = 2u;
@if(narrow) const ROWS = 4u;
@if(!narrow) const ROWS = 8u;
const CHANNELS = BESIDE * 32u;
const TILE = 16u;

// Pixels of the patch. Its blocks of 4 channels, and those of the weights, are read two at a time.
const PATCH_WIDTH = TILE + 2u;
const PATCH_PIXELS = PATCH_WIDTH * PATCH_WIDTH;
// Blocks from one pixel to the next: a gap after its 4 keeps the rows of a matrix out of each other's banks. Without it two
// of the narrow workgroups fit a multiprocessor of NVIDIA's at a time, which is worth more.
@if(narrow) const PITCH = 4u;
@if(!narrow) const PITCH = 6u;

// Blocks of the weights of a tap, and of what is staged at once.
const TAP = CHANNELS * 4u;
@if(whole) const STAGED = TAP * 9u;
@if(!whole) const STAGED = TAP * 3u;

// Lanes of a workgroup: 4 subgroups of the most lanes, at least 128. Where subgroups turn out smaller there are more of
// them, which make the same again.
override LANES: u32 = 128;

// [pixel of the patch][block], [tap][output][block], [subgroup][pixel][output channel].
var<workgroup> pixels: array<vec4<f16>, PATCH_PIXELS * PITCH>;
var<workgroup> taps: array<vec4<f16>, STAGED>;
var<workgroup> results: array<f32, 1024>;

// Where a lane's results go, and what is added to them.
var<private> aims: array<u32, 2>;
@if(residual) var<private> before: array<Stored, 2>;

// Where the pixel starts that a pair of blocks of the patch is of; OUTSIDE the map and beyond the patch.
fn start_at(at: u32, origin: vec2<u32>) -> u32 {
    let pixel = at / 2u;
    // Unsigned: a coordinate left of or above the map wraps to a large one.
    let y = origin.x + pixel / PATCH_WIDTH - 1u;
    let x = origin.y + pixel % PATCH_WIDTH - 1u;
    let inside = y < params.in_height && x < params.in_width && pixel < PATCH_PIXELS;
    return start_of(select(OUTSIDE, y * params.in_width + x, inside));
}

// A block as it is multiplied.
fn halves_of(block: Stored) -> vec4<f16> {
    @if(native_f16) return block;
    @if(!native_f16) return vec4<f16>(decode(block));
}

// Where a pair of blocks of the patch stands in workgroup memory.
fn place_of(at: u32) -> u32 {
    return at / 2u * PITCH + at % 2u * 2u;
}

// Stores a pair of blocks of the patch. Outside of the map the first round's zeros stay.
fn put_pixels(at: u32, start: u32, first: Stored, second: Stored) {
    if (start != OUTSIDE) {
        pixels[place_of(at)] = halves_of(first);
        pixels[place_of(at) + 1u] = halves_of(second);
    }
}

// Where a pair of blocks of weights comes from, or the last where there are no more: those of a stage start at `base`, from one
// tap to the next it is `step`.
fn source_of(at: u32, base: u32, step: u32) -> u32 {
    let block = min(at * 2u, STAGED - 2u);
    return base + block / TAP * step + block % TAP;
}

fn stage(at: u32, first: vec4<f16>, second: vec4<f16>) {
    if (at * 2u < STAGED) {
        taps[at * 2u] = first;
        taps[at * 2u + 1u] = second;
    }
}

// The block of output channels that a lane writes, of those of a workgroup's first matrices.
fn block_of(lane: u32) -> u32 {
    return lane / 4u % BESIDE * 8u + lane % 4u;
}

// Finds where a lane's results go, if `origin` is the first pixel of a row, and reads what is added to them.
fn aim(lane: u32, origin: vec2<u32>, block: u32) {
    for (var i = 0u; i < 2u; i++) {
        let at = lane + i * LANES;
        let y = origin.x + at / (64u * BESIDE) * ROWS;
        let x = origin.y + at / (4u * BESIDE) % 16u;
        let inside = y < params.out_height && x < params.out_width && block < params.out_blocks && at < 256u;
        aims[i] = select(OUTSIDE, (y * params.out_width + x) * params.out_blocks + block, inside);
        @if(residual) { before[i] = residual[select(0u, aims[i], inside)]; }
    }
}

// Writes a row of every subgroup's results.
fn write(lane: u32, bias: vec4<f32>) {
    for (var i = 0u; i < 2u; i++) {
        if (aims[i] != OUTSIDE) {
            let at = lane + i * LANES;
            let subgroup = at / (64u * BESIDE) * BESIDE + at / 4u % BESIDE;
            let source = subgroup * 256u + at / (4u * BESIDE) % 16u * 16u + at % 4u * 4u;
            let sum = vec4<f32>(results[source], results[source + 1u], results[source + 2u], results[source + 3u]);
            @if(residual) put(aims[i], sum + bias, decode(before[i]));
            @if(!residual) put(aims[i], sum + bias, vec4<f32>());
        }
    }
}

fn bias_of(block: u32) -> vec4<f32> {
    @if(bias) return bias[min(block, params.out_blocks - 1u)];
    @if(!bias) return vec4<f32>();
}

// The sums of what all lanes have stored, as a part.
@if(sums)
fn put_sums(lane: u32, part: u32, block: u32) {
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) {
        results[lane * 4u + i] = gathered[i];
    }
    gathered = vec4<f32>();
    workgroupBarrier();
    // Lanes so many blocks apart have the same.
    for (var half = LANES / 2u; half >= 4u * BESIDE; half /= 2u) {
        if (lane < half) {
            for (var i = 0u; i < 4u; i++) {
                results[lane * 4u + i] += results[(lane + half) * 4u + i];
            }
        }
        workgroupBarrier();
    }
    if (lane < 4u * BESIDE && block < params.out_blocks) {
        let at = lane * 4u;
        parts[part * params.out_blocks + block] =
            vec4<f32>(results[at], results[at + 1u], results[at + 2u], results[at + 3u]);
    }
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_size) size: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let origin = vec2<u32>(group.y * TILE, group.x * TILE);
    // Subgroups take invocations in order.
    let subgroup = lane / size % 4u;
    let first_row = subgroup / BESIDE * ROWS;
    let own_column = subgroup % BESIDE * 2u;
    let rounds = params.in_blocks / 4u;
    // From one tap's weights to the next, and where this workgroup's start.
    let step = (params.out_blocks * 4u + CHANNELS - 1u) / CHANNELS * TAP;
    let base = group.z * TAP;
    // Where a lane's pairs of blocks of the patch are read.
    let p0 = start_at(lane + 0u * LANES, origin);
    let p1 = start_at(lane + 1u * LANES, origin);
    let p2 = start_at(lane + 2u * LANES, origin);
    let p3 = start_at(lane + 3u * LANES, origin);
    let p4 = start_at(lane + 4u * LANES, origin);
    let p5 = start_at(lane + 5u * LANES, origin);
    let own_block = lane % 2u * 2u;
    // The first round, with zeros outside.
    for (var at = lane; at < PATCH_PIXELS * 2u; at += LANES) {
        let start = start_at(at, origin);
        let to = place_of(at);
        pixels[to] = select(vec4<f16>(), halves_of(stored(start, own_block)), start != OUTSIDE);
        pixels[to + 1u] = select(vec4<f16>(), halves_of(stored(start, own_block + 1u)), start != OUTSIDE);
    }
    for (var at = lane; at < STAGED / 2u; at += LANES) {
        let source = source_of(at, base, step);
        taps[at * 2u] = weight[source];
        taps[at * 2u + 1u] = weight[source + 1u];
    }
    // Cooperative matrices are made by loading them alone.
    for (var at = lane; at < 256u; at += LANES) {
        results[at] = 0.0;
    }
    workgroupBarrier();
    var s00 = coopLoadT<Sums>(&results[0], 16u);
    var s01 = coopLoadT<Sums>(&results[0], 16u);
    var s10 = coopLoadT<Sums>(&results[0], 16u);
    var s11 = coopLoadT<Sums>(&results[0], 16u);
    var s20 = coopLoadT<Sums>(&results[0], 16u);
    var s21 = coopLoadT<Sums>(&results[0], 16u);
    var s30 = coopLoadT<Sums>(&results[0], 16u);
    var s31 = coopLoadT<Sums>(&results[0], 16u);
    @if(!narrow) var s40 = coopLoadT<Sums>(&results[0], 16u);
    @if(!narrow) var s41 = coopLoadT<Sums>(&results[0], 16u);
    @if(!narrow) var s50 = coopLoadT<Sums>(&results[0], 16u);
    @if(!narrow) var s51 = coopLoadT<Sums>(&results[0], 16u);
    @if(!narrow) var s60 = coopLoadT<Sums>(&results[0], 16u);
    @if(!narrow) var s61 = coopLoadT<Sums>(&results[0], 16u);
    @if(!narrow) var s70 = coopLoadT<Sums>(&results[0], 16u);
    @if(!narrow) var s71 = coopLoadT<Sums>(&results[0], 16u);
    for (var round = 0u; round < rounds; round++) {
        // The next round's, or the last's again. One name each: a driver may take an array of halves apart, half by half.
        let ahead = min(round + 1u, rounds - 1u);
        let next_block = ahead * 4u + own_block;
        let a0 = stored(p0, next_block);
        let b0 = stored(p0, next_block + 1u);
        let a1 = stored(p1, next_block);
        let b1 = stored(p1, next_block + 1u);
        let a2 = stored(p2, next_block);
        let b2 = stored(p2, next_block + 1u);
        let a3 = stored(p3, next_block);
        let b3 = stored(p3, next_block + 1u);
        let a4 = stored(p4, next_block);
        let b4 = stored(p4, next_block + 1u);
        let a5 = stored(p5, next_block);
        let b5 = stored(p5, next_block + 1u);
        @if(whole) let next = base + ahead * 9u * step;
        @if(whole) let source0 = source_of(lane + 0u * LANES, next, step);
        @if(whole) let source1 = source_of(lane + 1u * LANES, next, step);
        @if(whole) let source2 = source_of(lane + 2u * LANES, next, step);
        @if(whole) let source3 = source_of(lane + 3u * LANES, next, step);
        @if(whole) let source4 = source_of(lane + 4u * LANES, next, step);
        @if(whole && !narrow) let source5 = source_of(lane + 5u * LANES, next, step);
        @if(whole && !narrow) let source6 = source_of(lane + 6u * LANES, next, step);
        @if(whole && !narrow) let source7 = source_of(lane + 7u * LANES, next, step);
        @if(whole && !narrow) let source8 = source_of(lane + 8u * LANES, next, step);
        @if(whole) let v0 = weight[source0];
        @if(whole) let w0 = weight[source0 + 1u];
        @if(whole) let v1 = weight[source1];
        @if(whole) let w1 = weight[source1 + 1u];
        @if(whole) let v2 = weight[source2];
        @if(whole) let w2 = weight[source2 + 1u];
        @if(whole) let v3 = weight[source3];
        @if(whole) let w3 = weight[source3 + 1u];
        @if(whole) let v4 = weight[source4];
        @if(whole) let w4 = weight[source4 + 1u];
        @if(whole && !narrow) let v5 = weight[source5];
        @if(whole && !narrow) let w5 = weight[source5 + 1u];
        @if(whole && !narrow) let v6 = weight[source6];
        @if(whole && !narrow) let w6 = weight[source6 + 1u];
        @if(whole && !narrow) let v7 = weight[source7];
        @if(whole && !narrow) let w7 = weight[source7 + 1u];
        @if(whole && !narrow) let v8 = weight[source8];
        @if(whole && !narrow) let w8 = weight[source8 + 1u];
        for (var kx = 0u; kx < 3u; kx++) {
            @if(!whole) let next = base + min(round * 3u + kx + 1u, rounds * 3u - 1u) * 3u * step;
            @if(!whole) let source0 = source_of(lane + 0u * LANES, next, step);
            @if(!whole) let source1 = source_of(lane + 1u * LANES, next, step);
            @if(!whole) let source2 = source_of(lane + 2u * LANES, next, step);
            @if(!whole) let v0 = weight[source0];
            @if(!whole) let w0 = weight[source0 + 1u];
            @if(!whole) let v1 = weight[source1];
            @if(!whole) let w1 = weight[source1 + 1u];
            @if(!whole) let v2 = weight[source2];
            @if(!whole) let w2 = weight[source2 + 1u];
            let corner = (first_row * PATCH_WIDTH + kx) * PITCH;
            @if(whole) let own_taps = kx * 3u * TAP + own_column * 64u;
            @if(!whole) let own_taps = own_column * 64u;
            // A row of pixels goes into the results of up to 3 rows: it is loaded once.
            let x0 = coopLoadT<Inputs>(&pixels[corner + 0u * PATCH_WIDTH * PITCH], PITCH);
            let x1 = coopLoadT<Inputs>(&pixels[corner + 1u * PATCH_WIDTH * PITCH], PITCH);
            let x2 = coopLoadT<Inputs>(&pixels[corner + 2u * PATCH_WIDTH * PITCH], PITCH);
            let x3 = coopLoadT<Inputs>(&pixels[corner + 3u * PATCH_WIDTH * PITCH], PITCH);
            let x4 = coopLoadT<Inputs>(&pixels[corner + 4u * PATCH_WIDTH * PITCH], PITCH);
            let x5 = coopLoadT<Inputs>(&pixels[corner + 5u * PATCH_WIDTH * PITCH], PITCH);
            @if(!narrow) let x6 = coopLoadT<Inputs>(&pixels[corner + 6u * PATCH_WIDTH * PITCH], PITCH);
            @if(!narrow) let x7 = coopLoadT<Inputs>(&pixels[corner + 7u * PATCH_WIDTH * PITCH], PITCH);
            @if(!narrow) let x8 = coopLoadT<Inputs>(&pixels[corner + 8u * PATCH_WIDTH * PITCH], PITCH);
            @if(!narrow) let x9 = coopLoadT<Inputs>(&pixels[corner + 9u * PATCH_WIDTH * PITCH], PITCH);
            let w00 = coopLoad<Weights>(&taps[own_taps + 0u * TAP], 4u);
            let w01 = coopLoad<Weights>(&taps[own_taps + 0u * TAP + 64u], 4u);
            s00 = coopMultiplyAdd(x0, w00, s00);
            s01 = coopMultiplyAdd(x0, w01, s01);
            s10 = coopMultiplyAdd(x1, w00, s10);
            s11 = coopMultiplyAdd(x1, w01, s11);
            s20 = coopMultiplyAdd(x2, w00, s20);
            s21 = coopMultiplyAdd(x2, w01, s21);
            s30 = coopMultiplyAdd(x3, w00, s30);
            s31 = coopMultiplyAdd(x3, w01, s31);
            @if(!narrow) s40 = coopMultiplyAdd(x4, w00, s40);
            @if(!narrow) s41 = coopMultiplyAdd(x4, w01, s41);
            @if(!narrow) s50 = coopMultiplyAdd(x5, w00, s50);
            @if(!narrow) s51 = coopMultiplyAdd(x5, w01, s51);
            @if(!narrow) s60 = coopMultiplyAdd(x6, w00, s60);
            @if(!narrow) s61 = coopMultiplyAdd(x6, w01, s61);
            @if(!narrow) s70 = coopMultiplyAdd(x7, w00, s70);
            @if(!narrow) s71 = coopMultiplyAdd(x7, w01, s71);
            let w10 = coopLoad<Weights>(&taps[own_taps + 1u * TAP], 4u);
            let w11 = coopLoad<Weights>(&taps[own_taps + 1u * TAP + 64u], 4u);
            s00 = coopMultiplyAdd(x1, w10, s00);
            s01 = coopMultiplyAdd(x1, w11, s01);
            s10 = coopMultiplyAdd(x2, w10, s10);
            s11 = coopMultiplyAdd(x2, w11, s11);
            s20 = coopMultiplyAdd(x3, w10, s20);
            s21 = coopMultiplyAdd(x3, w11, s21);
            s30 = coopMultiplyAdd(x4, w10, s30);
            s31 = coopMultiplyAdd(x4, w11, s31);
            @if(!narrow) s40 = coopMultiplyAdd(x5, w10, s40);
            @if(!narrow) s41 = coopMultiplyAdd(x5, w11, s41);
            @if(!narrow) s50 = coopMultiplyAdd(x6, w10, s50);
            @if(!narrow) s51 = coopMultiplyAdd(x6, w11, s51);
            @if(!narrow) s60 = coopMultiplyAdd(x7, w10, s60);
            @if(!narrow) s61 = coopMultiplyAdd(x7, w11, s61);
            @if(!narrow) s70 = coopMultiplyAdd(x8, w10, s70);
            @if(!narrow) s71 = coopMultiplyAdd(x8, w11, s71);
            let w20 = coopLoad<Weights>(&taps[own_taps + 2u * TAP], 4u);
            let w21 = coopLoad<Weights>(&taps[own_taps + 2u * TAP + 64u], 4u);
            s00 = coopMultiplyAdd(x2, w20, s00);
            s01 = coopMultiplyAdd(x2, w21, s01);
            s10 = coopMultiplyAdd(x3, w20, s10);
            s11 = coopMultiplyAdd(x3, w21, s11);
            s20 = coopMultiplyAdd(x4, w20, s20);
            s21 = coopMultiplyAdd(x4, w21, s21);
            s30 = coopMultiplyAdd(x5, w20, s30);
            s31 = coopMultiplyAdd(x5, w21, s31);
            @if(!narrow) s40 = coopMultiplyAdd(x6, w20, s40);
            @if(!narrow) s41 = coopMultiplyAdd(x6, w21, s41);
            @if(!narrow) s50 = coopMultiplyAdd(x7, w20, s50);
            @if(!narrow) s51 = coopMultiplyAdd(x7, w21, s51);
            @if(!narrow) s60 = coopMultiplyAdd(x8, w20, s60);
            @if(!narrow) s61 = coopMultiplyAdd(x8, w21, s61);
            @if(!narrow) s70 = coopMultiplyAdd(x9, w20, s70);
            @if(!narrow) s71 = coopMultiplyAdd(x9, w21, s71);
            // All have read what is staged.
            @if(!whole) workgroupBarrier();
            @if(!whole) stage(lane + 0u * LANES, v0, w0);
            @if(!whole) stage(lane + 1u * LANES, v1, w1);
            @if(!whole) stage(lane + 2u * LANES, v2, w2);
            @if(!whole) workgroupBarrier();
        }
        @if(whole) workgroupBarrier();
        put_pixels(lane + 0u * LANES, p0, a0, b0);
        put_pixels(lane + 1u * LANES, p1, a1, b1);
        put_pixels(lane + 2u * LANES, p2, a2, b2);
        put_pixels(lane + 3u * LANES, p3, a3, b3);
        put_pixels(lane + 4u * LANES, p4, a4, b4);
        put_pixels(lane + 5u * LANES, p5, a5, b5);
        @if(whole) stage(lane + 0u * LANES, v0, w0);
        @if(whole) stage(lane + 1u * LANES, v1, w1);
        @if(whole) stage(lane + 2u * LANES, v2, w2);
        @if(whole) stage(lane + 3u * LANES, v3, w3);
        @if(whole) stage(lane + 4u * LANES, v4, w4);
        @if(whole && !narrow) stage(lane + 5u * LANES, v5, w5);
        @if(whole && !narrow) stage(lane + 6u * LANES, v6, w6);
        @if(whole && !narrow) stage(lane + 7u * LANES, v7, w7);
        @if(whole && !narrow) stage(lane + 8u * LANES, v8, w8);
        workgroupBarrier();
    }
    // The matrices of a column, a row of every subgroup at a time.
    let block0 = group.z * (CHANNELS / 4u) + block_of(lane) + 0u;
    let bias0 = bias_of(block0);
    aim(lane, origin + vec2<u32>(0u, 0u), block0);
    let r00 = s00;
    coopStoreT(r00, &results[subgroup * 256u], 16u);
    workgroupBarrier();
    write(lane, bias0);
    aim(lane, origin + vec2<u32>(1u, 0u), block0);
    workgroupBarrier();
    let r10 = s10;
    coopStoreT(r10, &results[subgroup * 256u], 16u);
    workgroupBarrier();
    write(lane, bias0);
    aim(lane, origin + vec2<u32>(2u, 0u), block0);
    workgroupBarrier();
    let r20 = s20;
    coopStoreT(r20, &results[subgroup * 256u], 16u);
    workgroupBarrier();
    write(lane, bias0);
    aim(lane, origin + vec2<u32>(3u, 0u), block0);
    workgroupBarrier();
    let r30 = s30;
    coopStoreT(r30, &results[subgroup * 256u], 16u);
    workgroupBarrier();
    write(lane, bias0);
    @if(!narrow) aim(lane, origin + vec2<u32>(4u, 0u), block0);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) let r40 = s40;
    @if(!narrow) coopStoreT(r40, &results[subgroup * 256u], 16u);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) write(lane, bias0);
    @if(!narrow) aim(lane, origin + vec2<u32>(5u, 0u), block0);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) let r50 = s50;
    @if(!narrow) coopStoreT(r50, &results[subgroup * 256u], 16u);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) write(lane, bias0);
    @if(!narrow) aim(lane, origin + vec2<u32>(6u, 0u), block0);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) let r60 = s60;
    @if(!narrow) coopStoreT(r60, &results[subgroup * 256u], 16u);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) write(lane, bias0);
    @if(!narrow) aim(lane, origin + vec2<u32>(7u, 0u), block0);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) let r70 = s70;
    @if(!narrow) coopStoreT(r70, &results[subgroup * 256u], 16u);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) write(lane, bias0);
    @if(sums) { put_sums(lane, group.y * groups.x + group.x, block0); }
    let block1 = group.z * (CHANNELS / 4u) + block_of(lane) + 4u;
    let bias1 = bias_of(block1);
    aim(lane, origin + vec2<u32>(0u, 0u), block1);
    workgroupBarrier();
    let r01 = s01;
    coopStoreT(r01, &results[subgroup * 256u], 16u);
    workgroupBarrier();
    write(lane, bias1);
    aim(lane, origin + vec2<u32>(1u, 0u), block1);
    workgroupBarrier();
    let r11 = s11;
    coopStoreT(r11, &results[subgroup * 256u], 16u);
    workgroupBarrier();
    write(lane, bias1);
    aim(lane, origin + vec2<u32>(2u, 0u), block1);
    workgroupBarrier();
    let r21 = s21;
    coopStoreT(r21, &results[subgroup * 256u], 16u);
    workgroupBarrier();
    write(lane, bias1);
    aim(lane, origin + vec2<u32>(3u, 0u), block1);
    workgroupBarrier();
    let r31 = s31;
    coopStoreT(r31, &results[subgroup * 256u], 16u);
    workgroupBarrier();
    write(lane, bias1);
    @if(!narrow) aim(lane, origin + vec2<u32>(4u, 0u), block1);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) let r41 = s41;
    @if(!narrow) coopStoreT(r41, &results[subgroup * 256u], 16u);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) write(lane, bias1);
    @if(!narrow) aim(lane, origin + vec2<u32>(5u, 0u), block1);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) let r51 = s51;
    @if(!narrow) coopStoreT(r51, &results[subgroup * 256u], 16u);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) write(lane, bias1);
    @if(!narrow) aim(lane, origin + vec2<u32>(6u, 0u), block1);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) let r61 = s61;
    @if(!narrow) coopStoreT(r61, &results[subgroup * 256u], 16u);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) write(lane, bias1);
    @if(!narrow) aim(lane, origin + vec2<u32>(7u, 0u), block1);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) let r71 = s71;
    @if(!narrow) coopStoreT(r71, &results[subgroup * 256u], 16u);
    @if(!narrow) workgroupBarrier();
    @if(!narrow) write(lane, bias1);
    @if(sums) { put_sums(lane, group.y * groups.x + group.x, block1); }
}

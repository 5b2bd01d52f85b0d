// The 3×3 convolution of stride 1 by Winograd's F(4×4, 3×3), 36 products instead of 144 for 4×4 pixels, or F(2×2, 3×3)
// (`f2`), 16 instead of 36 for 2×2, with all sums in f32. For devices whose subgroups have 8 lanes (software Vulkan). A
// workgroup takes 32 tiles at a time through a slice of the workspace of its own, which stays in a core's cache: its
// lanes transform 4 tiles each, multiply them with the weights as conv2d_broadcast.wgsl does, 32 output channels at a
// time, and transform the products back. A lane reads of the slice only what it wrote itself, so nothing waits. Same
// bindings and epilogue as conv2d.wgsl.
//
// `transposed`: the four 2×2 convolutions of the transposed one by F(5×5, 2×2), 36 products instead of 100. A tile's 6×6
// pixels are transformed once for all four, whose odd rows and columns begin one before the even ones. The parities follow
// one another as output blocks.
//
// Layout: maps NHWC in blocks of 4 channels; transformed weights [place][group of 8 output blocks][input block][output
// block][4 inputs] of 4 outputs each, in the order in which they are read. A slice: transformed inputs [place][input
// block][tile], products [place][tile][output block of a group], in f32. Tiles are counted through the map, row by row.
// Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
import package::shared::convolution::{
    OUTSIDE, params, start_of, stored, padded, weights, product, bias_of, scale_of, store,
};
@if(sums) import package::shared::convolution::{gathered, sums};
import package::shared::single::{Stored, decode, encode};
@if(!f2) import package::shared::winograd::{Six, transform_input};
@if(!f2 && !transposed) import package::shared::winograd::{Four, transform_output};
@if(transposed) import package::shared::winograd::{Five, transform_output_of_five as transform_output};
@if(f2) import package::shared::winograd_f2::{Two, Four, transform_input, transform_output};
@if(native_f16) enable f16;

@group(0) @binding(8) var<storage, read_write> workspace: array<Stored>;

// Pixels of the side that a tile makes, how far apart they stand in the output, and places of a transformed tile.
@if(!f2 && !transposed) const MADE = 4u;
@if(transposed) const MADE = 5u;
@if(f2) const MADE = 2u;
@if(transposed) const STEP = 2u;
@if(!transposed) const STEP = 1u;
@if(!f2) const PLACES = 36u;
@if(f2) const PLACES = 16u;

// Where a pixel's blocks start, or OUTSIDE.
fn pixel(y: u32, x: u32) -> u32 {
    // Unsigned: a coordinate left of or above the map wraps to a large one.
    let inside = y < params.in_height && x < params.in_width;
    return start_of(select(OUTSIDE, y * params.in_width + x, inside));
}

fn put_pixel(y: u32, x: u32, block: u32, value: vec4<f32>) {
    if (y < params.out_height && x < params.out_width) {
        store(y * params.out_width + x, block, value);
    }
}

@if(!f2)
struct Row {
    a: u32, b: u32, c: u32, d: u32, e: u32, f: u32,
}

// Where a row's pixels start.
@if(!f2)
fn row_of(y: u32, x: u32) -> Row {
    return Row(pixel(y, x), pixel(y, x + 1u), pixel(y, x + 2u), pixel(y, x + 3u), pixel(y, x + 4u), pixel(y, x + 5u));
}

@if(!f2)
fn row_in(row: Row, block: u32) -> Six {
    // All read before one is decoded: on a CPU, reads that follow one another wait together.
    let a = stored(row.a, block);
    let b = stored(row.b, block);
    let c = stored(row.c, block);
    let d = stored(row.d, block);
    let e = stored(row.e, block);
    let f = stored(row.f, block);
    return transform_input(Six(
        padded(row.a, a), padded(row.b, b), padded(row.c, c),
        padded(row.d, d), padded(row.e, e), padded(row.f, f),
    ));
}

@if(!f2)
fn put(column: u32, at: u32, stride: u32, v: Six) {
    let t = transform_input(v);
    workspace[at + column * stride] = encode(t.a);
    workspace[at + (6u + column) * stride] = encode(t.b);
    workspace[at + (12u + column) * stride] = encode(t.c);
    workspace[at + (18u + column) * stride] = encode(t.d);
    workspace[at + (24u + column) * stride] = encode(t.e);
    workspace[at + (30u + column) * stride] = encode(t.f);
}

// The places of a tile whose first pixel is (y, x), a block every 32 and a place every `stride`.
@if(!f2)
fn transform_tile(y: u32, x: u32, first_at: u32, stride: u32) {
    let p0 = row_of(y, x);
    let p1 = row_of(y + 1u, x);
    let p2 = row_of(y + 2u, x);
    let p3 = row_of(y + 3u, x);
    let p4 = row_of(y + 4u, x);
    let p5 = row_of(y + 5u, x);
    for (var i = 0u; i < params.in_blocks; i++) {
        let r0 = row_in(p0, i);
        let r1 = row_in(p1, i);
        let r2 = row_in(p2, i);
        let r3 = row_in(p3, i);
        let r4 = row_in(p4, i);
        let r5 = row_in(p5, i);
        let at = first_at + i * 32u;
        put(0u, at, stride, Six(r0.a, r1.a, r2.a, r3.a, r4.a, r5.a));
        put(1u, at, stride, Six(r0.b, r1.b, r2.b, r3.b, r4.b, r5.b));
        put(2u, at, stride, Six(r0.c, r1.c, r2.c, r3.c, r4.c, r5.c));
        put(3u, at, stride, Six(r0.d, r1.d, r2.d, r3.d, r4.d, r5.d));
        put(4u, at, stride, Six(r0.e, r1.e, r2.e, r3.e, r4.e, r5.e));
        put(5u, at, stride, Six(r0.f, r1.f, r2.f, r3.f, r4.f, r5.f));
    }
}

@if(!f2 && !transposed)
fn row_out(at: u32, stride: u32) -> Four {
    return transform_output(six(at, stride));
}

@if(transposed)
fn row_out(at: u32, stride: u32) -> Five {
    return transform_output(six(at, stride));
}

// The products of a tile's row.
@if(!f2)
fn six(at: u32, stride: u32) -> Six {
    return Six(
        decode(workspace[at]), decode(workspace[at + stride]), decode(workspace[at + 2u * stride]),
        decode(workspace[at + 3u * stride]), decode(workspace[at + 4u * stride]), decode(workspace[at + 5u * stride]),
    );
}

@if(!f2 && !transposed)
fn put_column(y: u32, x: u32, block: u32, shift: vec4<f32>, c: Four) {
    put_pixel(y, x, block, c.a + shift);
    put_pixel(y + 1u, x, block, c.b + shift);
    put_pixel(y + 2u, x, block, c.c + shift);
    put_pixel(y + 3u, x, block, c.d + shift);
}

@if(transposed)
fn put_column(y: u32, x: u32, block: u32, shift: vec4<f32>, c: Five) {
    put_pixel(y, x, block, c.a + shift);
    put_pixel(y + STEP, x, block, c.b + shift);
    put_pixel(y + 2u * STEP, x, block, c.c + shift);
    put_pixel(y + 3u * STEP, x, block, c.d + shift);
    put_pixel(y + 4u * STEP, x, block, c.e + shift);
}

// The pixels of a tile from its products.
@if(!f2)
fn finish_tile(y: u32, x: u32, block: u32, shift: vec4<f32>, at: u32, stride: u32) {
    let r0 = row_out(at, stride);
    let r1 = row_out(at + 6u * stride, stride);
    let r2 = row_out(at + 12u * stride, stride);
    let r3 = row_out(at + 18u * stride, stride);
    let r4 = row_out(at + 24u * stride, stride);
    let r5 = row_out(at + 30u * stride, stride);
    put_column(y, x, block, shift, transform_output(Six(r0.a, r1.a, r2.a, r3.a, r4.a, r5.a)));
    put_column(y, x + STEP, block, shift, transform_output(Six(r0.b, r1.b, r2.b, r3.b, r4.b, r5.b)));
    put_column(y, x + 2u * STEP, block, shift, transform_output(Six(r0.c, r1.c, r2.c, r3.c, r4.c, r5.c)));
    put_column(y, x + 3u * STEP, block, shift, transform_output(Six(r0.d, r1.d, r2.d, r3.d, r4.d, r5.d)));
    @if(transposed) {
        put_column(y, x + 4u * STEP, block, shift, transform_output(Six(r0.e, r1.e, r2.e, r3.e, r4.e, r5.e)));
    }
}

@if(f2)
struct Row {
    a: u32, b: u32, c: u32, d: u32,
}

// Where a row's pixels start.
@if(f2)
fn row_of(y: u32, x: u32) -> Row {
    return Row(pixel(y, x), pixel(y, x + 1u), pixel(y, x + 2u), pixel(y, x + 3u));
}

@if(f2)
fn row_in(row: Row, block: u32) -> Four {
    // All read before one is decoded: on a CPU, reads that follow one another wait together.
    let a = stored(row.a, block);
    let b = stored(row.b, block);
    let c = stored(row.c, block);
    let d = stored(row.d, block);
    return transform_input(Four(
        padded(row.a, a), padded(row.b, b),
        padded(row.c, c), padded(row.d, d),
    ));
}

@if(f2)
fn put(column: u32, at: u32, stride: u32, v: Four) {
    let t = transform_input(v);
    workspace[at + column * stride] = encode(t.a);
    workspace[at + (4u + column) * stride] = encode(t.b);
    workspace[at + (8u + column) * stride] = encode(t.c);
    workspace[at + (12u + column) * stride] = encode(t.d);
}

// The places of a tile whose first pixel is (y, x), a block every 32 and a place every `stride`.
@if(f2)
fn transform_tile(y: u32, x: u32, first_at: u32, stride: u32) {
    let p0 = row_of(y, x);
    let p1 = row_of(y + 1u, x);
    let p2 = row_of(y + 2u, x);
    let p3 = row_of(y + 3u, x);
    for (var i = 0u; i < params.in_blocks; i++) {
        let r0 = row_in(p0, i);
        let r1 = row_in(p1, i);
        let r2 = row_in(p2, i);
        let r3 = row_in(p3, i);
        let at = first_at + i * 32u;
        put(0u, at, stride, Four(r0.a, r1.a, r2.a, r3.a));
        put(1u, at, stride, Four(r0.b, r1.b, r2.b, r3.b));
        put(2u, at, stride, Four(r0.c, r1.c, r2.c, r3.c));
        put(3u, at, stride, Four(r0.d, r1.d, r2.d, r3.d));
    }
}

@if(f2)
fn row_out(at: u32, stride: u32) -> Two {
    return transform_output(Four(
        decode(workspace[at]), decode(workspace[at + stride]),
        decode(workspace[at + 2u * stride]), decode(workspace[at + 3u * stride]),
    ));
}

// The pixels of a tile from its products.
@if(f2)
fn finish_tile(y: u32, x: u32, block: u32, shift: vec4<f32>, at: u32, stride: u32) {
    let r0 = row_out(at, stride);
    let r1 = row_out(at + 4u * stride, stride);
    let r2 = row_out(at + 8u * stride, stride);
    let r3 = row_out(at + 12u * stride, stride);
    let c0 = transform_output(Four(r0.a, r1.a, r2.a, r3.a));
    let c1 = transform_output(Four(r0.b, r1.b, r2.b, r3.b));
    put_pixel(y, x, block, c0.a + shift);
    put_pixel(y + 1u, x, block, c0.b + shift);
    put_pixel(y, x + 1u, block, c1.a + shift);
    put_pixel(y + 1u, x + 1u, block, c1.b + shift);
}

@compute @workgroup_size(8)
fn main(
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    @if(!transposed) let across = (params.out_width + MADE - 1u) / MADE;
    // One more than the input is wide, since the odd columns begin before it.
    @if(transposed) let across = (params.in_width + MADE) / MADE;
    @if(!transposed) let made_blocks = params.out_blocks;
    @if(transposed) let made_blocks = 4u * params.out_blocks;
    let out_groups = (made_blocks + 7u) / 8u;
    // Places are this far from one another.
    let in_stride = params.in_blocks * 32u;
    let inputs_at = group.x * PLACES * (in_stride + 256u);
    let products_at = inputs_at + PLACES * in_stride;
    for (var start = params.first_tile + group.x * 32u; start < params.end_tile; start += groups.x * 32u) {
        let end = min(start + 32u, params.end_tile);
        // Up to an end that no compiler knows: four copies of what is long already would leave the instructions' cache.
        // What pads the last tiles is multiplied, whatever it is, and never stored.
        for (var tile = start + lane; tile - lane < end; tile += 8u) {
            let y = tile / across * MADE - 1u;
            let x = tile % across * MADE - 1u;
            transform_tile(y, x, inputs_at + tile - start, in_stride);
        }
        for (var out_group = 0u; out_group < out_groups; out_group++) {
            for (var place = 0u; place < PLACES; place++) {
                let part = place * out_groups + out_group;
                var weight_at = part * in_stride + lane * 4u;
                var tile_at = inputs_at + place * in_stride + lane;
                var s0 = vec4<f32>(); var s1 = vec4<f32>(); var s2 = vec4<f32>(); var s3 = vec4<f32>();
                var s4 = vec4<f32>(); var s5 = vec4<f32>(); var s6 = vec4<f32>(); var s7 = vec4<f32>();
                var s8 = vec4<f32>(); var s9 = vec4<f32>(); var s10 = vec4<f32>(); var s11 = vec4<f32>();
                var s12 = vec4<f32>(); var s13 = vec4<f32>(); var s14 = vec4<f32>(); var s15 = vec4<f32>();
                var s16 = vec4<f32>(); var s17 = vec4<f32>(); var s18 = vec4<f32>(); var s19 = vec4<f32>();
                var s20 = vec4<f32>(); var s21 = vec4<f32>(); var s22 = vec4<f32>(); var s23 = vec4<f32>();
                var s24 = vec4<f32>(); var s25 = vec4<f32>(); var s26 = vec4<f32>(); var s27 = vec4<f32>();
                var s28 = vec4<f32>(); var s29 = vec4<f32>(); var s30 = vec4<f32>(); var s31 = vec4<f32>();
                for (var i = 0u; i < params.in_blocks; i++) {
                    let w = weights(weight_at);
                    let a = decode(workspace[tile_at]);
                    let b = decode(workspace[tile_at + 8u]);
                    let c = decode(workspace[tile_at + 16u]);
                    let d = decode(workspace[tile_at + 24u]);
                    s0 = product(s0, subgroupBroadcast(a, 0u), w);
                    s1 = product(s1, subgroupBroadcast(a, 1u), w);
                    s2 = product(s2, subgroupBroadcast(a, 2u), w);
                    s3 = product(s3, subgroupBroadcast(a, 3u), w);
                    s4 = product(s4, subgroupBroadcast(a, 4u), w);
                    s5 = product(s5, subgroupBroadcast(a, 5u), w);
                    s6 = product(s6, subgroupBroadcast(a, 6u), w);
                    s7 = product(s7, subgroupBroadcast(a, 7u), w);
                    s8 = product(s8, subgroupBroadcast(b, 0u), w);
                    s9 = product(s9, subgroupBroadcast(b, 1u), w);
                    s10 = product(s10, subgroupBroadcast(b, 2u), w);
                    s11 = product(s11, subgroupBroadcast(b, 3u), w);
                    s12 = product(s12, subgroupBroadcast(b, 4u), w);
                    s13 = product(s13, subgroupBroadcast(b, 5u), w);
                    s14 = product(s14, subgroupBroadcast(b, 6u), w);
                    s15 = product(s15, subgroupBroadcast(b, 7u), w);
                    s16 = product(s16, subgroupBroadcast(c, 0u), w);
                    s17 = product(s17, subgroupBroadcast(c, 1u), w);
                    s18 = product(s18, subgroupBroadcast(c, 2u), w);
                    s19 = product(s19, subgroupBroadcast(c, 3u), w);
                    s20 = product(s20, subgroupBroadcast(c, 4u), w);
                    s21 = product(s21, subgroupBroadcast(c, 5u), w);
                    s22 = product(s22, subgroupBroadcast(c, 6u), w);
                    s23 = product(s23, subgroupBroadcast(c, 7u), w);
                    s24 = product(s24, subgroupBroadcast(d, 0u), w);
                    s25 = product(s25, subgroupBroadcast(d, 1u), w);
                    s26 = product(s26, subgroupBroadcast(d, 2u), w);
                    s27 = product(s27, subgroupBroadcast(d, 3u), w);
                    s28 = product(s28, subgroupBroadcast(d, 4u), w);
                    s29 = product(s29, subgroupBroadcast(d, 5u), w);
                    s30 = product(s30, subgroupBroadcast(d, 6u), w);
                    s31 = product(s31, subgroupBroadcast(d, 7u), w);
                    weight_at += 32u;
                    tile_at += 32u;
                }
                let unit = scale_of(part * 8u + lane);
                let at = products_at + place * 256u + lane;
                workspace[at] = encode(s0 * unit);
                workspace[at + 8u] = encode(s1 * unit);
                workspace[at + 16u] = encode(s2 * unit);
                workspace[at + 24u] = encode(s3 * unit);
                workspace[at + 32u] = encode(s4 * unit);
                workspace[at + 40u] = encode(s5 * unit);
                workspace[at + 48u] = encode(s6 * unit);
                workspace[at + 56u] = encode(s7 * unit);
                workspace[at + 64u] = encode(s8 * unit);
                workspace[at + 72u] = encode(s9 * unit);
                workspace[at + 80u] = encode(s10 * unit);
                workspace[at + 88u] = encode(s11 * unit);
                workspace[at + 96u] = encode(s12 * unit);
                workspace[at + 104u] = encode(s13 * unit);
                workspace[at + 112u] = encode(s14 * unit);
                workspace[at + 120u] = encode(s15 * unit);
                workspace[at + 128u] = encode(s16 * unit);
                workspace[at + 136u] = encode(s17 * unit);
                workspace[at + 144u] = encode(s18 * unit);
                workspace[at + 152u] = encode(s19 * unit);
                workspace[at + 160u] = encode(s20 * unit);
                workspace[at + 168u] = encode(s21 * unit);
                workspace[at + 176u] = encode(s22 * unit);
                workspace[at + 184u] = encode(s23 * unit);
                workspace[at + 192u] = encode(s24 * unit);
                workspace[at + 200u] = encode(s25 * unit);
                workspace[at + 208u] = encode(s26 * unit);
                workspace[at + 216u] = encode(s27 * unit);
                workspace[at + 224u] = encode(s28 * unit);
                workspace[at + 232u] = encode(s29 * unit);
                workspace[at + 240u] = encode(s30 * unit);
                workspace[at + 248u] = encode(s31 * unit);
            }
            let made_block = out_group * 8u + lane;
            if (made_block < made_blocks) {
                @if(!transposed) let block = made_block;
                @if(transposed) let block = made_block % params.out_blocks;
                @if(transposed) let parity = made_block / params.out_blocks;
                let shift = bias_of(block);
                @if(sums) var sum = vec4<f32>();
                for (var tile = start; tile < end; tile++) {
                    @if(!transposed) let y = tile / across * MADE;
                    @if(!transposed) let x = tile % across * MADE;
                    // The first of them may be -1, which is outside as an unsigned one.
                    @if(transposed) let y = tile / across * MADE * STEP - parity / 2u;
                    @if(transposed) let x = tile % across * MADE * STEP - parity % 2u;
                    finish_tile(y, x, block, shift, products_at + (tile - start) * 8u + lane, 256u);
                    @if(sums) { sum += gathered; }
                    @if(sums) { gathered = vec4<f32>(); }
                }
                @if(sums) { sums[start / 32u * params.out_blocks + block] = sum; }
            }
        }
    }
}

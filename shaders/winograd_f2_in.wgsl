// The input transform of a Winograd convolution F(2×2, 3×3): Bᵀ·d·B of 4×4 pixels at stride 2, for the interpolation points
// 0, 1, −1 and ∞. One invocation transforms one block of 4 channels of one tile. Zero padding of one pixel; one input or
// two whose channels follow one another.
//
// Layout: maps NHWC in blocks of 4 channels; result [place][group of 32 tiles][input block][tile] in f32.
// Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
@if(f32) import package::shared::single::{Stored, decode};
@if(!f32) import package::shared::half::{Stored, decode};
import package::shared::single::{Stored as Transformed, encode as encode_transformed};
@if(native_f16) enable f16;

struct Params {
    height: u32,
    width: u32,
    first_blocks: u32,
    in_blocks: u32,
    tiles_across: u32,
    // The first row of tiles, and how many tiles follow from its start.
    first_row: u32,
    tiles: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> first: array<Stored>;
@if(two_inputs) @group(0) @binding(2) var<storage, read_write> second: array<Stored>;
@group(0) @binding(3) var<storage, read_write> output: array<Transformed>;

override WORKGROUP: u32 = 64;

struct Four {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

fn load(y: u32, x: u32, block: u32) -> vec4<f32> {
    // Unsigned: a coordinate left of or above the map wraps to a large one.
    let inside = y < params.height && x < params.width;
    let pixel = select(0u, y * params.width + x, inside);
    @if(two_inputs) {
        if (block >= params.first_blocks) {
            let blocks = params.in_blocks - params.first_blocks;
            return select(vec4<f32>(), decode(second[pixel * blocks + block - params.first_blocks]), inside);
        }
    }
    return select(vec4<f32>(), decode(first[pixel * params.first_blocks + block]), inside);
}

// Bᵀ·v
fn transform(v: Four) -> Four {
    return Four(v.a - v.c, v.b + v.c, v.c - v.b, v.b - v.d);
}

fn row(y: u32, x: u32, block: u32) -> Four {
    return transform(Four(load(y, x, block), load(y, x + 1u, block), load(y, x + 2u, block), load(y, x + 3u, block)));
}

fn store(column: u32, at: u32, v: Four) {
    let t = transform(v);
    let stride = (params.tiles + 31u) / 32u * 32u * params.in_blocks;
    output[column * stride + at] = encode_transformed(t.a);
    output[(4u + column) * stride + at] = encode_transformed(t.b);
    output[(8u + column) * stride + at] = encode_transformed(t.c);
    output[(12u + column) * stride + at] = encode_transformed(t.d);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let tile = id.x / params.in_blocks;
    let block = id.x % params.in_blocks;
    if (tile >= params.tiles) {
        return;
    }
    let y = (params.first_row + tile / params.tiles_across) * 2u - 1u;
    let x = tile % params.tiles_across * 2u - 1u;
    // Tiles stand in groups as winograd_multiply.wgsl takes them.
    let at = (tile / 32u * params.in_blocks + block) * 32u + tile % 32u;
    let r0 = row(y, x, block);
    let r1 = row(y + 1u, x, block);
    let r2 = row(y + 2u, x, block);
    let r3 = row(y + 3u, x, block);
    store(0u, at, Four(r0.a, r1.a, r2.a, r3.a));
    store(1u, at, Four(r0.b, r1.b, r2.b, r3.b));
    store(2u, at, Four(r0.c, r1.c, r2.c, r3.c));
    store(3u, at, Four(r0.d, r1.d, r2.d, r3.d));
}

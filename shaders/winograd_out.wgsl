// The output transform of a Winograd convolution F(4×4, 3×3): Aᵀ·m·A of the 36 products of a tile, for the points of
// winograd_in.wgsl; then bias, GELU and residual. One invocation makes one block of 4 channels of 4×4 pixels.
//
// Layout: products [place][tile][output block] in f32; maps NHWC in blocks of 4 channels.
// Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.
@if(f32) import package::shared::single::{Stored, decode, encode};
@if(!f32) import package::shared::half::{Stored, decode, encode};
import package::shared::single::{Stored as Product, decode as decode_product};
@if(gelu) import package::shared::gelu::gelu;
import package::shared::winograd::{Four, Six, transform_output};
@if(native_f16) enable f16;

struct Params {
    height: u32,
    width: u32,
    out_blocks: u32,
    tiles_across: u32,
    // The first row of tiles, and how many tiles follow from its start.
    first_row: u32,
    tiles: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Product>;
@if(bias) @group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
@if(residual) @group(0) @binding(3) var<storage, read_write> residual: array<Stored>;
@group(0) @binding(4) var<storage, read_write> output: array<Stored>;

override WORKGROUP: u32 = 64;

fn product(at: u32) -> vec4<f32> {
    return decode_product(input[at]);
}

fn row(place: u32, at: u32) -> Four {
    let stride = params.tiles * params.out_blocks;
    let start = place * stride + at;
    return transform_output(Six(
        product(start), product(start + stride), product(start + 2u * stride),
        product(start + 3u * stride), product(start + 4u * stride), product(start + 5u * stride),
    ));
}

fn store(y: u32, x: u32, block: u32, sum: vec4<f32>) {
    if (y >= params.height || x >= params.width) {
        return;
    }
    var value = sum;
    @if(bias) { value += bias[block]; }
    @if(gelu) { value = gelu(value); }
    let at = (y * params.width + x) * params.out_blocks + block;
    @if(residual) { value += decode(residual[at]); }
    output[at] = encode(value);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let tile = id.x / params.out_blocks;
    let block = id.x % params.out_blocks;
    if (tile >= params.tiles) {
        return;
    }
    let y = (params.first_row + tile / params.tiles_across) * 4u;
    let x = tile % params.tiles_across * 4u;
    let r0 = row(0u, id.x);
    let r1 = row(6u, id.x);
    let r2 = row(12u, id.x);
    let r3 = row(18u, id.x);
    let r4 = row(24u, id.x);
    let r5 = row(30u, id.x);
    let c0 = transform_output(Six(r0.a, r1.a, r2.a, r3.a, r4.a, r5.a));
    let c1 = transform_output(Six(r0.b, r1.b, r2.b, r3.b, r4.b, r5.b));
    let c2 = transform_output(Six(r0.c, r1.c, r2.c, r3.c, r4.c, r5.c));
    let c3 = transform_output(Six(r0.d, r1.d, r2.d, r3.d, r4.d, r5.d));
    store(y, x, block, c0.a);
    store(y + 1u, x, block, c0.b);
    store(y + 2u, x, block, c0.c);
    store(y + 3u, x, block, c0.d);
    store(y, x + 1u, block, c1.a);
    store(y + 1u, x + 1u, block, c1.b);
    store(y + 2u, x + 1u, block, c1.c);
    store(y + 3u, x + 1u, block, c1.d);
    store(y, x + 2u, block, c2.a);
    store(y + 1u, x + 2u, block, c2.b);
    store(y + 2u, x + 2u, block, c2.c);
    store(y + 3u, x + 2u, block, c2.d);
    store(y, x + 3u, block, c3.a);
    store(y + 1u, x + 3u, block, c3.b);
    store(y + 2u, x + 3u, block, c3.c);
    store(y + 3u, x + 3u, block, c3.d);
}

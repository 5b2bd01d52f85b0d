// What the forms of the 2-D convolution share: parameters, bindings, and the steps at both ends. Zero padding, any kernel
// and stride, one input or two whose channels follow one another; bias, GELU and residual in the epilogue. With
// `transposed`, the 4×4 transposed convolution of stride 2 as four 2×2 convolutions, one for each parity of the output's
// rows and columns: output (2y+dy, 2x+dx) takes the inputs (y+dy−1+j, x+dx−1+i). Its weights are [parity][j][i] of those.
// With `sums`, the sums of the result's channels are gathered for their mean, in parts that taps.wgsl adds up.
//
// Layout: maps NHWC in blocks of 4 channels; weights [tap][input block][output block][4 inputs] of 4 outputs each.
@if(input_f32) import package::shared::single::{Stored as Input, decode as decode_input};
@if(!input_f32) import package::shared::half::{Stored as Input, decode as decode_input};
@if(output_f32) import package::shared::single::{Stored as Output, decode as decode_output, encode as encode_output};
@if(!output_f32) import package::shared::half::{Stored as Output, decode as decode_output, encode as encode_output};
@if(weight_f32) import package::shared::single::{Stored as Weight, decode as decode_weight};
@if(weight_i16) import package::shared::integer::{Stored as Weight, decode as decode_weight};
@if(!weight_f32 && !weight_i16) import package::shared::half::{Stored as Weight, decode as decode_weight};
@if(gelu) import package::shared::gelu::gelu;

struct Params {
    in_height: u32,
    in_width: u32,
    first_blocks: u32,
    in_blocks: u32,
    out_height: u32,
    out_width: u32,
    out_blocks: u32,
    kernel: u32,
    stride: u32,
    padding: u32,
    // Of a dispatch of winograd.wgsl: its first tile, and the one after its last.
    first_tile: u32,
    end_tile: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> first: array<Input>;
@if(two_inputs) @group(0) @binding(2) var<storage, read_write> second: array<Input>;
@group(0) @binding(3) var<storage, read> weight: array<Weight>;
@if(bias) @group(0) @binding(4) var<storage, read> bias: array<vec4<f32>>;
@if(residual) @group(0) @binding(5) var<storage, read_write> residual: array<Output>;
@group(0) @binding(6) var<storage, read_write> output: array<Output>;
// What weights stored as integers are multiplied by, in the order that their kernel packs them in.
@if(weight_i16) @group(0) @binding(7) var<storage, read> scale: array<vec4<f32>>;

// [part][output block]
@if(sums) @group(0) @binding(9) var<storage, read_write> sums: array<vec4<f32>>;

// What this invocation has stored since it was last zero.
@if(sums) var<private> gathered: vec4<f32>;

// What stands for a pixel outside the map.
const OUTSIDE = 0xffffffffu;

// The input pixel that a tap of an output pixel (row and column) reads, or OUTSIDE.
fn tapped(at: vec2<u32>, ky: u32, kx: u32) -> u32 {
    // Unsigned: a coordinate left of or above the map wraps to a large one and fails the test for its end.
    let y = at.x * params.stride + ky - params.padding;
    let x = at.y * params.stride + kx - params.padding;
    return select(OUTSIDE, y * params.in_width + x, y < params.in_height && x < params.in_width);
}

// The pixels that a kernel goes through, rows and columns: the output's, or the input's, once for each parity.
fn grid() -> vec2<u32> {
    @if(transposed) return vec2<u32>(params.in_height, params.in_width);
    @if(!transposed) return vec2<u32>(params.out_height, params.out_width);
}

// The output pixel of a pixel of the grid (row and column).
fn made(at: vec2<u32>, parity: vec2<u32>) -> u32 {
    @if(transposed) return (2u * at.x + parity.x) * params.out_width + 2u * at.y + parity.y;
    @if(!transposed) return at.x * params.out_width + at.y;
}

// A block of an input pixel.
fn read(pixel: u32, block: u32) -> vec4<f32> {
    @if(two_inputs) {
        if (block >= params.first_blocks) {
            return decode_input(second[pixel * (params.in_blocks - params.first_blocks) + block - params.first_blocks]);
        }
    }
    return decode_input(first[pixel * params.first_blocks + block]);
}

// The same without a branch, so that a subgroup stays together; zero OUTSIDE.
fn read_padded(pixel: u32, block: u32) -> vec4<f32> {
    let inside = pixel != OUTSIDE;
    return select(vec4<f32>(), read(select(0u, pixel, inside), block), inside);
}

// The same in three steps, so that a loop over blocks multiplies once, and can read all it needs before it decodes: where
// a pixel's blocks start (OUTSIDE stays), a block as it is stored, its value.
fn start_of(pixel: u32) -> u32 {
    @if(two_inputs) return pixel;
    @if(!two_inputs) return select(OUTSIDE, pixel * params.first_blocks, pixel != OUTSIDE);
}

fn stored(start: u32, block: u32) -> Input {
    let inside = select(0u, start, start != OUTSIDE);
    @if(two_inputs) {
        if (block >= params.first_blocks) {
            return second[inside * (params.in_blocks - params.first_blocks) + block - params.first_blocks];
        }
        return first[inside * params.first_blocks + block];
    }
    @if(!two_inputs) return first[inside + block];
}

fn padded(start: u32, block: Input) -> vec4<f32> {
    return select(vec4<f32>(), decode_input(block), start != OUTSIDE);
}

// The weights of one input channel and one output block.
fn weights_of_one(at: u32) -> vec4<f32> {
    return decode_weight(weight[at]);
}

// The 4 × 4 weights of one input and one output block; `at` is the first of four vec4s.
fn weights(at: u32) -> mat4x4<f32> {
    return mat4x4<f32>(weights_of_one(at), weights_of_one(at + 1u), weights_of_one(at + 2u), weights_of_one(at + 3u));
}

// One input block's share of 4 output channels.
fn product(sum: vec4<f32>, x: vec4<f32>, w: mat4x4<f32>) -> vec4<f32> {
    return fma(vec4<f32>(x.w), w[3], fma(vec4<f32>(x.z), w[2], fma(vec4<f32>(x.y), w[1], fma(vec4<f32>(x.x), w[0], sum))));
}

fn bias_of(block: u32) -> vec4<f32> {
    @if(bias) return bias[block];
    @if(!bias) return vec4<f32>();
}

fn scale_of(block: u32) -> vec4<f32> {
    @if(weight_i16) return scale[block];
    @if(!weight_i16) return vec4<f32>(1.0);
}

// The epilogue but for the bias.
fn store(pixel: u32, block: u32, sum: vec4<f32>) {
    let at = pixel * params.out_blocks + block;
    @if(residual) put(at, sum, decode_output(residual[at]));
    @if(!residual) put(at, sum, vec4<f32>());
}

// The same in two steps, so that several residuals can be read before the first is used: a place in the output is known by
// its index there.
fn put(at: u32, sum: vec4<f32>, before: vec4<f32>) {
    var value = sum;
    @if(gelu) { value = gelu(value); }
    @if(residual) { value += before; }
    @if(sums) { gathered += value; }
    output[at] = encode_output(value);
}

// 2-D convolution, plain: one invocation makes 4 output channels of one pixel. Zero padding, any kernel and stride,
// one input or two whose channels follow one another; bias, GELU and residual in the epilogue.
//
// Layout: maps NHWC in blocks of 4 channels; weights [tap][input block][output block][4 inputs] of 4 outputs each.
// Source: IRNeXt (ICML 2023), every convolution of figure 2.
@if(input_f32) import package::shared::single::{Stored as Input, decode as decode_input};
@if(!input_f32) import package::shared::half::{Stored as Input, decode as decode_input};
@if(output_f32) import package::shared::single::{Stored as Output, decode as decode_output, encode as encode_output};
@if(!output_f32) import package::shared::half::{Stored as Output, decode as decode_output, encode as encode_output};
@if(weight_f32) import package::shared::single::{Stored as Weight, decode as decode_weight};
@if(!weight_f32) import package::shared::half::{Stored as Weight, decode as decode_weight};
@if(gelu) import package::shared::gelu::gelu;
@if(native_f16) enable f16;

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
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> first: array<Input>;
@if(two_inputs) @group(0) @binding(2) var<storage, read_write> second: array<Input>;
@group(0) @binding(3) var<storage, read> weight: array<Weight>;
@if(bias) @group(0) @binding(4) var<storage, read> bias: array<vec4<f32>>;
@if(residual) @group(0) @binding(5) var<storage, read_write> residual: array<Output>;
@group(0) @binding(6) var<storage, read_write> output: array<Output>;

override WORKGROUP: u32 = 64;

fn load(pixel: u32, block: u32) -> vec4<f32> {
    @if(two_inputs) {
        if (block >= params.first_blocks) {
            return decode_input(second[pixel * (params.in_blocks - params.first_blocks) + block - params.first_blocks]);
        }
    }
    return decode_input(first[pixel * params.first_blocks + block]);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x / params.out_blocks;
    let block = id.x % params.out_blocks;
    if (column >= params.out_width) {
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var ky = 0u; ky < params.kernel; ky++) {
        // Unsigned: a coordinate left of or above the map wraps to a large one and fails the test for its end.
        let y = id.y * params.stride + ky - params.padding;
        if (y >= params.in_height) {
            continue;
        }
        for (var kx = 0u; kx < params.kernel; kx++) {
            let x = column * params.stride + kx - params.padding;
            if (x >= params.in_width) {
                continue;
            }
            let pixel = y * params.in_width + x;
            for (var i = 0u; i < params.in_blocks; i++) {
                let value = load(pixel, i);
                let w = (((ky * params.kernel + kx) * params.in_blocks + i) * params.out_blocks + block) * 4u;
                sum += value.x * decode_weight(weight[w]);
                sum += value.y * decode_weight(weight[w + 1u]);
                sum += value.z * decode_weight(weight[w + 2u]);
                sum += value.w * decode_weight(weight[w + 3u]);
            }
        }
    }
    @if(bias) { sum += bias[block]; }
    @if(gelu) { sum = gelu(sum); }
    let at = (id.y * params.out_width + column) * params.out_blocks + block;
    @if(residual) { sum += decode_output(residual[at]); }
    output[at] = encode_output(sum);
}

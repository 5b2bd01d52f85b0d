// Transposed convolution 4×4, stride 2, padding 1, as a gather: one invocation makes 4 channels of the 2×2 output
// pixels over one input pixel. Output (2y+dy, 2x+dx) takes the 2×2 inputs (y+dy−1+j, x+dx−1+i) through the
// taps (3−dy−2j, 3−dx−2i). Bias and GELU in the epilogue.
//
// Layout: maps NHWC in blocks of 4 channels; weights [tap][input block][output block][4 inputs] of 4 outputs each.
// Source: IRNeXt (ICML 2023), decoder upsampling.
@if(f32) import package::shared::single::{Stored, decode, encode};
@if(!f32) import package::shared::half::{Stored, decode, encode};
@if(gelu) import package::shared::gelu::gelu;
@if(native_f16) enable f16;

struct Params {
    in_height: u32,
    in_width: u32,
    in_blocks: u32,
    out_blocks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Stored>;
@group(0) @binding(2) var<storage, read> weight: array<Stored>;
@if(bias) @group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> output: array<Stored>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x;
    let block = id.z;
    if (column >= params.in_width) {
        return;
    }
    for (var parity = 0u; parity < 4u; parity++) {
        let dy = parity / 2u;
        let dx = parity % 2u;
        var sum = vec4<f32>(0.0);
        for (var near = 0u; near < 4u; near++) {
            let j = near / 2u;
            let i = near % 2u;
            let y = id.y + dy + j - 1u;
            let x = column + dx + i - 1u;
            if (y >= params.in_height || x >= params.in_width) {
                continue;
            }
            let tap = (3u - dy - 2u * j) * 4u + 3u - dx - 2u * i;
            let pixel = (y * params.in_width + x) * params.in_blocks;
            for (var k = 0u; k < params.in_blocks; k++) {
                let value = decode(input[pixel + k]);
                let w = ((tap * params.in_blocks + k) * params.out_blocks + block) * 4u;
                sum += value.x * decode(weight[w]);
                sum += value.y * decode(weight[w + 1u]);
                sum += value.z * decode(weight[w + 2u]);
                sum += value.w * decode(weight[w + 3u]);
            }
        }
        @if(bias) { sum += bias[block]; }
        @if(gelu) { sum = gelu(sum); }
        let row = 2u * id.y + dy;
        output[(row * 2u * params.in_width + 2u * column + dx) * params.out_blocks + block] = encode(sum);
    }
}

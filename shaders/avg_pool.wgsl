// Average pooling: the mean of size × size pixels at stride size; rows and columns that don't fill a window are
// dropped. One invocation makes 4 channels of one pixel.
// Source: IRNeXt (ICML 2023), the multi-scale module's pyramid of 8, 4 and 2.
@if(f32) import package::shared::single::{Stored, decode, encode};
@if(!f32) import package::shared::half::{Stored, decode, encode};
@if(native_f16) enable f16;

struct Params {
    in_width: u32,
    out_width: u32,
    blocks: u32,
    size: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Stored>;
@group(0) @binding(2) var<storage, read_write> output: array<Stored>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x / params.blocks;
    let block = id.x % params.blocks;
    if (column >= params.out_width) {
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var dy = 0u; dy < params.size; dy++) {
        // A sum a row first, so that no long chain of additions loses digits.
        var row = vec4<f32>(0.0);
        for (var dx = 0u; dx < params.size; dx++) {
            let pixel = (id.y * params.size + dy) * params.in_width + column * params.size + dx;
            row += decode(input[pixel * params.blocks + block]);
        }
        sum += row;
    }
    let at = (id.y * params.out_width + column) * params.blocks + block;
    output[at] = encode(sum / f32(params.size * params.size));
}

// The average pools of 2, 4 and 8 of one map, which is read once: each window of 2 × 2 is summed, then four such sums,
// then four of those, all in f32; rows and columns that don't fill a window of a pool are dropped from that pool. One
// invocation makes 4 channels of what lies within 8 × 8 pixels: 16, 4 and 1 of the three results.
// Source: IRNeXt (ICML 2023), the multi-scale module's pyramid.
@if(f32) import package::shared::single::{Stored, decode, encode};
@if(!f32) import package::shared::half::{Stored, decode, encode};
@if(native_f16) enable f16;

struct Params {
    in_width: u32,
    blocks: u32,
    // Rows and columns of each pool.
    halves: vec2<u32>,
    quarters: vec2<u32>,
    eighths: vec2<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Stored>;
@group(0) @binding(2) var<storage, read_write> half: array<Stored>;
@group(0) @binding(3) var<storage, read_write> quarter: array<Stored>;
@group(0) @binding(4) var<storage, read_write> eighth: array<Stored>;

override WORKGROUP: u32 = 64;

fn load(y: u32, x: u32, block: u32) -> vec4<f32> {
    return decode(input[(y * params.in_width + x) * params.blocks + block]);
}

// The sum of a window of 2 × 2, whose mean is kept. Beyond the last one there is nothing that a larger window takes.
fn sum_of_4(at: vec2<u32>, block: u32) -> vec4<f32> {
    if (any(at >= params.halves)) {
        return vec4<f32>(0.0);
    }
    let y = 2u * at.x;
    let x = 2u * at.y;
    let sum = (load(y, x, block) + load(y, x + 1u, block)) + (load(y + 1u, x, block) + load(y + 1u, x + 1u, block));
    half[(at.x * params.halves.y + at.y) * params.blocks + block] = encode(sum / 4.0);
    return sum;
}

fn sum_of_16(at: vec2<u32>, block: u32) -> vec4<f32> {
    var sum = vec4<f32>(0.0);
    for (var part = 0u; part < 4u; part++) {
        sum += sum_of_4(2u * at + vec2<u32>(part / 2u, part % 2u), block);
    }
    if (all(at < params.quarters)) {
        quarter[(at.x * params.quarters.y + at.y) * params.blocks + block] = encode(sum / 16.0);
    }
    return sum;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let block = id.x % params.blocks;
    // Row and column of the window of 8 × 8.
    let at = vec2<u32>(id.y, id.x / params.blocks);
    if (4u * at.y >= params.halves.y) {
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var part = 0u; part < 4u; part++) {
        sum += sum_of_16(2u * at + vec2<u32>(part / 2u, part % 2u), block);
    }
    if (all(at < params.eighths)) {
        eighth[(at.x * params.eighths.y + at.y) * params.blocks + block] = encode(sum / 64.0);
    }
}

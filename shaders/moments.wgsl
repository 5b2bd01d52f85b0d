// Mean and biased variance of each channel over the whole picture, in two steps: `partial` reduces a chunk of pixels a
// workgroup, `merge` reduces the chunks. Welford's recurrence within an invocation, Chan's pairwise formula across them,
// all in f32: never a sum whose digits are lost in its own size.
// Source: instance norm of IRNeXt (ICML 2023).
@if(f32) import package::shared::single::{Stored, decode};
@if(!f32) import package::shared::half::{Stored, decode};
@if(native_f16) enable f16;

struct Params {
    pixels: u32,
    blocks: u32,
    // Pixels a chunk, and chunks.
    chunk: u32,
    chunks: u32,
}

// Mean and sum of squared deviations of `count` values of each of 4 channels.
struct Moments {
    mean: vec4<f32>,
    m2: vec4<f32>,
    count: f32,
}

const LANES = 64u;

@group(0) @binding(0) var<uniform> params: Params;
@if(!merge) @group(0) @binding(1) var<storage, read_write> input: array<Stored>;
// Two vec4s (mean, m2) a chunk and block.
@group(0) @binding(2) var<storage, read_write> partials: array<vec4<f32>>;
// Means of all blocks, then their variances.
@if(merge) @group(0) @binding(3) var<storage, read_write> output: array<vec4<f32>>;

var<workgroup> lanes: array<Moments, LANES>;

fn combine(a: Moments, b: Moments) -> Moments {
    let count = a.count + b.count;
    let share = b.count / max(count, 1.0);
    let gap = b.mean - a.mean;
    return Moments(a.mean + gap * share, a.m2 + b.m2 + gap * gap * (a.count * share), count);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let block = group.y;
    var own = Moments(vec4<f32>(0.0), vec4<f32>(0.0), 0.0);
    @if(!merge) {
        let end = min((group.x + 1u) * params.chunk, params.pixels);
        for (var pixel = group.x * params.chunk + lane; pixel < end; pixel += LANES) {
            let value = decode(input[pixel * params.blocks + block]);
            own.count += 1.0;
            let gap = value - own.mean;
            own.mean += gap / own.count;
            own.m2 += gap * (value - own.mean);
        }
    }
    @if(merge) {
        for (var chunk = lane; chunk < params.chunks; chunk += LANES) {
            let at = (chunk * params.blocks + block) * 2u;
            let count = min(params.chunk, params.pixels - chunk * params.chunk);
            own = combine(own, Moments(partials[at], partials[at + 1u], f32(count)));
        }
    }
    lanes[lane] = own;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
            lanes[lane] = combine(lanes[lane], lanes[lane + half]);
        }
    }
    if (lane == 0u) {
        let total = lanes[0];
        @if(!merge) {
            let at = (group.x * params.blocks + block) * 2u;
            partials[at] = total.mean;
            partials[at + 1u] = total.m2;
        }
        @if(merge) {
            output[block] = total.mean;
            output[params.blocks + block] = total.m2 / total.count;
        }
    }
}

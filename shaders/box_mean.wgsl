// The mean over a sliding window, in two steps: `rows` sums a window along each row into f32, `columns` sums those
// down and divides. Every window lies inside the map; the border repeats the nearest one. An invocation makes a
// segment of outputs: it sums the first window in short runs, then slides, so rounding never builds up as in a
// prefix sum.
// Source: IRNeXt (ICML 2023), motion deblurring's test-time local mean.
@if(f32) import package::shared::single::{Stored, decode, encode};
@if(!f32) import package::shared::half::{Stored, decode, encode};
@if(native_f16) enable f16;

struct Params {
    height: u32,
    width: u32,
    blocks: u32,
    window_height: u32,
    window_width: u32,
    segment: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@if(rows) @group(0) @binding(1) var<storage, read_write> input: array<Stored>;
@group(0) @binding(2) var<storage, read_write> sums: array<vec4<f32>>;
@if(columns) @group(0) @binding(3) var<storage, read_write> output: array<Stored>;

override WORKGROUP: u32 = 64;
const RUN = 16u;

@if(rows)
fn value(y: u32, x: u32, block: u32) -> vec4<f32> {
    return decode(input[(y * params.width + x) * params.blocks + block]);
}

@if(rows) @compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let block = id.x % params.blocks;
    let start = id.x / params.blocks * params.segment;
    let y = id.y;
    let places = params.width - params.window_width + 1u;
    if (start >= places) {
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var x = 0u; x < params.window_width; x += RUN) {
        var run = vec4<f32>(0.0);
        for (var i = x; i < min(x + RUN, params.window_width); i++) {
            run += value(y, start + i, block);
        }
        sum += run;
    }
    sums[(y * places + start) * params.blocks + block] = sum;
    for (var x = start + 1u; x < min(start + params.segment, places); x++) {
        sum += value(y, x + params.window_width - 1u, block) - value(y, x - 1u, block);
        sums[(y * places + x) * params.blocks + block] = sum;
    }
}

@if(columns)
fn value(y: u32, x: u32, block: u32) -> vec4<f32> {
    return sums[(y * (params.width - params.window_width + 1u) + x) * params.blocks + block];
}

@if(columns)
fn store(y: u32, x: u32, block: u32, sum: vec4<f32>) {
    let area = f32(params.window_height) * f32(params.window_width);
    output[(y * params.width + x) * params.blocks + block] = encode(sum / area);
}

@if(columns) @compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let block = id.x % params.blocks;
    let column = id.x / params.blocks;
    let start = id.y * params.segment;
    let places = params.height - params.window_height + 1u;
    if (column >= params.width || start >= places) {
        return;
    }
    // ⌊·/2⌋ of the missing places before, the rest after.
    let above = (params.window_height - 1u) / 2u;
    let left = (params.window_width - 1u) / 2u;
    let x = min(max(column, left) - left, params.width - params.window_width);
    var sum = vec4<f32>(0.0);
    for (var y = 0u; y < params.window_height; y += RUN) {
        var run = vec4<f32>(0.0);
        for (var i = y; i < min(y + RUN, params.window_height); i++) {
            run += value(start + i, x, block);
        }
        sum += run;
    }
    let end = min(start + params.segment, places);
    for (var y = start; y < end; y++) {
        if (y > start) {
            sum += value(y + params.window_height - 1u, x, block) - value(y - 1u, x, block);
        }
        store(above + y, column, block, sum);
        if (y == 0u) {
            for (var border = 0u; border < above; border++) {
                store(border, column, block, sum);
            }
        }
        if (y + 1u == places) {
            for (var border = above + places; border < params.height; border++) {
                store(border, column, block, sum);
            }
        }
    }
}

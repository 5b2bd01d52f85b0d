// gelu?(base? + Σ upsample(source)): one to three maps, upsampled bilinearly with align_corners = true to any size,
// added to one another and to a map of that size. One invocation makes 4 channels of one pixel.
// Source: IRNeXt (ICML 2023), the multi-scale module's total.
@if(f32) import package::shared::single::{Stored, decode, encode};
@if(!f32) import package::shared::half::{Stored, decode, encode};
@if(gelu) import package::shared::gelu::gelu;
@if(native_f16) enable f16;

struct Params {
    height: u32,
    width: u32,
    blocks: u32,
    // Rows and columns of each source.
    heights: vec3<u32>,
    // Rows of the window of a picture that all these maps are, and of the picture; else unused.
    window: u32,
    widths: vec3<u32>,
    picture: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@if(base) @group(0) @binding(1) var<storage, read_write> base: array<Stored>;
@group(0) @binding(2) var<storage, read_write> source0: array<Stored>;
@if(second) @group(0) @binding(3) var<storage, read_write> source1: array<Stored>;
@if(third) @group(0) @binding(4) var<storage, read_write> source2: array<Stored>;
@group(0) @binding(5) var<storage, read_write> output: array<Stored>;
// The window's first row.
@if(window) @group(0) @binding(6) var<storage, read_write> origin: array<u32>;

override WORKGROUP: u32 = 64;

struct Position {
    low: u32,
    high: u32,
    fraction: f32,
}

// Where pixel `at` of `to` falls among the pixels of `source`: at·(source−1)/(to−1), the whole part taken in integers.
fn position(at: u32, source: u32, to: u32) -> Position {
    let steps = max(to - 1u, 1u);
    let numerator = at * (source - 1u);
    let low = numerator / steps;
    return Position(low, min(low + 1u, source - 1u), f32(numerator % steps) / f32(steps));
}

@if(!window)
fn down(y: u32, height: u32) -> Position {
    return position(y, height, params.height);
}

// Where a row falls is a matter of the whole picture. Rows near the window's borders may need others that are not
// there; the nearest stands in, and the host takes no such row.
@if(window)
fn down(y: u32, height: u32) -> Position {
    let row = origin[0] * params.height / params.window + y;
    let first = origin[0] * height / params.window;
    let last = first + height - 1u;
    let all = vec2<u32>(height, params.height) * params.picture / params.window;
    let place = position(row, all.x, all.y);
    return Position(clamp(place.low, first, last) - first, clamp(place.high, first, last) - first, place.fraction);
}

struct Corners {
    // Indices of the four neighbours in vec4s, then the weights of the right and of the lower ones.
    at: vec4<u32>,
    right: f32,
    lower: f32,
}

fn corners(y: u32, x: u32, block: u32, height: u32, width: u32) -> Corners {
    let v = down(y, height);
    let h = position(x, width, params.width);
    let rows = vec4<u32>(v.low, v.low, v.high, v.high);
    let columns = vec4<u32>(h.low, h.high, h.low, h.high);
    return Corners((rows * width + columns) * params.blocks + block, h.fraction, v.fraction);
}

fn blend(c: Corners, a: Stored, b: Stored, d: Stored, e: Stored) -> vec4<f32> {
    let top = decode(a) * (1.0 - c.right) + decode(b) * c.right;
    let bottom = decode(d) * (1.0 - c.right) + decode(e) * c.right;
    return top * (1.0 - c.lower) + bottom * c.lower;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let x = id.x / params.blocks;
    let block = id.x % params.blocks;
    if (x >= params.width) {
        return;
    }
    let c0 = corners(id.y, x, block, params.heights.x, params.widths.x);
    var sum = blend(c0, source0[c0.at.x], source0[c0.at.y], source0[c0.at.z], source0[c0.at.w]);
    @if(second) {
        let c1 = corners(id.y, x, block, params.heights.y, params.widths.y);
        sum += blend(c1, source1[c1.at.x], source1[c1.at.y], source1[c1.at.z], source1[c1.at.w]);
    }
    @if(third) {
        let c2 = corners(id.y, x, block, params.heights.z, params.widths.z);
        sum += blend(c2, source2[c2.at.x], source2[c2.at.y], source2[c2.at.z], source2[c2.at.w]);
    }
    let at = (id.y * params.width + x) * params.blocks + block;
    @if(base) { sum += decode(base[at]); }
    @if(gelu) { sum = gelu(sum); }
    output[at] = encode(sum);
}

// gelu?(base? + Σ upsample(source)): one to three maps, upsampled bilinearly with align_corners = true to any size,
// added to one another and to a map of that size. One invocation makes 4 channels of one pixel, or, where no source has
// more than half the rows (`tall`), of four pixels, one above the other: these need four rows of a source at most.
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

// Pixels that an invocation makes.
@if(tall) const TALL = 4u;
@if(!tall) const TALL = 1u;

struct Position {
    low: u32,
    fraction: f32,
}

// Where pixel `at` of `to` falls among the pixels of `source`: at·(source−1)/(to−1), the whole part taken in integers.
// Software drivers divide these lane by lane, so the division is an estimate in f32, set right by what it leaves.
fn position(at: u32, source: u32, to: u32) -> Position {
    let steps = max(to - 1u, 1u);
    let numerator = at * (source - 1u);
    let estimate = u32(f32(numerator) / f32(steps));
    let left = i32(numerator) - i32(estimate * steps);
    let low = i32(estimate) + select(0, 1, left >= i32(steps)) - select(0, 1, left < 0);
    return Position(u32(low), f32(i32(numerator) - low * i32(steps)) / f32(steps));
}

@if(!window)
fn down(y: u32, height: u32) -> Position {
    return position(y, height, params.height);
}

// Where a row falls is a matter of the whole picture.
@if(window)
fn down(y: u32, height: u32) -> Position {
    let all = vec2<u32>(height, params.height) * params.picture / params.window;
    return position(origin[0] * params.height / params.window + y, all.x, all.y);
}

// Row `y` of a source among those that are there, as an index of pixels.
@if(!window)
fn row(y: u32, height: u32, width: u32) -> u32 {
    return min(y, height - 1u) * width;
}

// Rows near the window's borders may need others that are not there; the nearest stands in, and the host takes no such
// row.
@if(window)
fn row(y: u32, height: u32, width: u32) -> u32 {
    let first = origin[0] * height / params.window;
    return (clamp(y, first, first + height - 1u) - first) * width;
}

// Indices of two neighbours in a row, in vec4s, and the right one's weight.
struct Columns {
    left: u32,
    right: u32,
    fraction: f32,
}

fn columns(x: u32, block: u32, width: u32) -> Columns {
    let h = position(x, width, params.width);
    return Columns(h.low * params.blocks + block, min(h.low + 1u, width - 1u) * params.blocks + block, h.fraction);
}

fn across(c: Columns, left: Stored, right: Stored) -> vec4<f32> {
    return decode(left) * (1.0 - c.fraction) + decode(right) * c.fraction;
}

fn across0(c: Columns, y: u32) -> vec4<f32> {
    let at = row(y, params.heights.x, params.widths.x) * params.blocks;
    return across(c, source0[at + c.left], source0[at + c.right]);
}

@if(second)
fn across1(c: Columns, y: u32) -> vec4<f32> {
    let at = row(y, params.heights.y, params.widths.y) * params.blocks;
    return across(c, source1[at + c.left], source1[at + c.right]);
}

@if(third)
fn across2(c: Columns, y: u32) -> vec4<f32> {
    let at = row(y, params.heights.z, params.widths.z) * params.blocks;
    return across(c, source2[at + c.left], source2[at + c.right]);
}

// A source's rows from `first` on, each taken where the pixels stand.
struct Rows {
    first: u32,
    a: vec4<f32>,
    b: vec4<f32>,
    @if(tall) c: vec4<f32>,
    @if(tall) d: vec4<f32>,
}

@if(!tall)
fn take0(c: Columns, y: u32) -> Rows {
    return Rows(y, across0(c, y), across0(c, y + 1u));
}

@if(tall)
fn take0(c: Columns, y: u32) -> Rows {
    return Rows(y, across0(c, y), across0(c, y + 1u), across0(c, y + 2u), across0(c, y + 3u));
}

@if(second && !tall)
fn take1(c: Columns, y: u32) -> Rows {
    return Rows(y, across1(c, y), across1(c, y + 1u));
}

@if(second && tall)
fn take1(c: Columns, y: u32) -> Rows {
    return Rows(y, across1(c, y), across1(c, y + 1u), across1(c, y + 2u), across1(c, y + 3u));
}

@if(third && !tall)
fn take2(c: Columns, y: u32) -> Rows {
    return Rows(y, across2(c, y), across2(c, y + 1u));
}

@if(third && tall)
fn take2(c: Columns, y: u32) -> Rows {
    return Rows(y, across2(c, y), across2(c, y + 1u), across2(c, y + 2u), across2(c, y + 3u));
}

@if(!tall)
fn blend(rows: Rows, at: Position) -> vec4<f32> {
    return rows.a * (1.0 - at.fraction) + rows.b * at.fraction;
}

@if(tall)
fn blend(rows: Rows, at: Position) -> vec4<f32> {
    let first = at.low == rows.first;
    let second = at.low == rows.first + 1u;
    let upper = select(select(rows.c, rows.b, second), rows.a, first);
    let lower = select(select(rows.d, rows.c, second), rows.b, first);
    return upper * (1.0 - at.fraction) + lower * at.fraction;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let x = id.x / params.blocks;
    let block = id.x % params.blocks;
    if (x >= params.width) {
        return;
    }
    let top = id.y * TALL;
    let rows0 = take0(columns(x, block, params.widths.x), down(top, params.heights.x).low);
    @if(second) let rows1 = take1(columns(x, block, params.widths.y), down(top, params.heights.y).low);
    @if(third) let rows2 = take2(columns(x, block, params.widths.z), down(top, params.heights.z).low);
    for (var y = top; y < min(top + TALL, params.height); y++) {
        var sum = blend(rows0, down(y, params.heights.x));
        @if(second) { sum += blend(rows1, down(y, params.heights.y)); }
        @if(third) { sum += blend(rows2, down(y, params.heights.z)); }
        let at = (y * params.width + x) * params.blocks + block;
        @if(base) { sum += decode(base[at]); }
        @if(gelu) { sum = gelu(sum); }
        output[at] = encode(sum);
    }
}

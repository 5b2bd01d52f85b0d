// The dynamic filter's taps: z = weight · mean + bias, nine numbers a group, then tanh, softmax over the nine, or the product
// of both. By one workgroup, in its memory, sums in f32; with `gather` it takes the mean itself first, from the sums of
// chunks that global_mean.wgsl or a convolution made or, if it is small, from the map.
// Source: IRNeXt (ICML 2023), equations 4 and 5; batch norm is folded into weight and bias.
@if(gather && parts_f32) import package::shared::single::{Stored, decode};
@if(gather && !parts_f32) import package::shared::half::{Stored, decode};
@if(native_f16) enable f16;

struct Params {
    // Channels in vec4s, channels a group, groups, channels.
    blocks: u32,
    group_channels: u32,
    groups: u32,
    channels: u32,
    // Items to gather, and 1/pixels.
    items: u32,
    factor: f32,
    // Of a dynamic filter that makes its own taps: its map, and the blocks that a workgroup filters.
    height: u32,
    width: u32,
    slice: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(6) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> bias: array<f32>;
// [items][blocks]
@if(gather) @group(0) @binding(8) var<storage, read_write> parts: array<Stored>;
// [blocks], read; with `gather`, written. A filter that makes its own taps keeps it to itself.
@if(!own_taps) @group(0) @binding(9) var<storage, read_write> mean: array<vec4<f32>>;
@if(own_taps) var<workgroup> mean: array<vec4<f32>, LANES>;

const LANES = 256u;
// 9 taps for at most 128 groups, or for those of a slice.
@if(!own_taps) const ROWS = 1152u;
@if(own_taps) const ROWS = 256u;

var<workgroup> z: array<f32, ROWS>;
@if(gather) var<workgroup> lanes: array<vec4<f32>, LANES>;

// Several lanes' shares of a row, [row][share].
var<workgroup> shares: array<f32, LANES>;

// The mean, up to 256 blocks at a time; `across` lanes share a block, as in global_mean.wgsl, and read 4 parts at once: there
// are few workgroups, so little else is under way while they wait for memory.
@if(gather)
fn gather(lane: u32) {
    for (var first = 0u; first < params.blocks; first += LANES) {
        let own = min(params.blocks - first, LANES);
        let across = LANES / own;
        let block = first + lane % own;
        var sum = vec4<f32>(0.0);
        if (lane < own * across) {
            for (var item = lane / own; item < params.items; item += across * 4u) {
                var several: array<vec4<f32>, 4>;
                for (var i = 0u; i < 4u; i++) {
                    let at = item + i * across;
                    let part = decode(parts[min(at, params.items - 1u) * params.blocks + block]);
                    several[i] = select(vec4<f32>(), part, at < params.items);
                }
                sum += several[0] + several[1] + several[2] + several[3];
            }
        }
        lanes[lane] = sum;
        workgroupBarrier();
        for (var left = across; left > 1u;) {
            let kept = (left + 1u) / 2u;
            if (lane < (left - kept) * own) {
                lanes[lane] += lanes[kept * own + lane];
            }
            left = kept;
            workgroupBarrier();
        }
        if (lane < own) {
            mean[block] = lanes[lane] * params.factor;
        }
        workgroupBarrier();
    }
    @if(!own_taps) { storageBarrier(); }
}

// By the exponential of a negative number, which cannot overflow; near 0, where that would lose digits, by Taylor's series.
fn tanh_of(x: f32) -> f32 {
    let e = exp(-2.0 * abs(x));
    let square = x * x;
    let near = x + x * square * (-1.0 / 3.0 + square * (2.0 / 15.0 - square * (17.0 / 315.0)));
    return select(sign(x) * (1.0 - e) / (1.0 + e), near, abs(x) < 0.25);
}

@if(softmax)
fn largest(start: u32) -> f32 {
    var top = z[start];
    for (var tap = 1u; tap < 9u; tap++) {
        top = max(top, z[start + tap]);
    }
    return top;
}

@if(softmax)
fn exponentials(start: u32, top: f32) -> f32 {
    var total = 0.0;
    for (var tap = 0u; tap < 9u; tap++) {
        total += exp(z[start + tap] - top);
    }
    return total;
}

// Those of some groups into z, [group from the first on][9].
fn make_taps(lane: u32, first: u32, groups: u32) {
    @if(gather) { gather(lane); }
    let rows = groups * 9u;
    let split = max(LANES / rows, 1u);
    for (var at = lane; at < rows * split; at += LANES) {
        let row = at / split;
        let row_at = (first * 9u + row) * params.blocks;
        var sum = 0.0;
        for (var block = at % split; block < params.blocks; block += split) {
            sum += dot(weight[row_at + block], mean[block]);
        }
        if (split == 1u) {
            z[row] = sum + bias[first * 9u + row];
        } else {
            shares[at] = sum;
        }
    }
    workgroupBarrier();
    if (split > 1u && lane < rows) {
        var sum = bias[first * 9u + lane];
        for (var share = 0u; share < split; share++) {
            sum += shares[lane * split + share];
        }
        z[lane] = sum;
    }
    workgroupBarrier();
    for (var group = lane; group < groups; group += LANES) {
        let start = group * 9u;
        @if(softmax) let top = largest(start);
        @if(softmax) let total = exponentials(start, top);
        for (var tap = 0u; tap < 9u; tap++) {
            let raw = z[start + tap];
            var value = 1.0;
            @if(softmax) { value *= exp(raw - top) / total; }
            @if(tanh) { value *= tanh_of(raw); }
            z[start + tap] = value;
        }
    }
    workgroupBarrier();
}

// A tap of a channel, of those that begin with a group; zero for channels that only pad a block.
fn tap_of(channel: u32, tap: u32, first: u32) -> f32 {
    if (channel >= params.channels) {
        return 0.0;
    }
    return z[(channel / params.group_channels - first) * 9u + tap];
}

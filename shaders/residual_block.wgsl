// A residual block, x + conv3(gelu(conv3(x))), as one dispatch: a workgroup makes 8 × 16 pixels (8 × 8 in f32) of all
// channels, and keeps what lies between the convolutions, with a border of one pixel that its neighbours make too, in
// workgroup memory, stored as the activations are: at most 12.5 KiB for 32 channels. An invocation makes 4 neighbouring
// pixels × 4 channels at a time. Neighbouring lanes take neighbouring channels, so they read the same pixels.
// Source: IRNeXt (ICML 2023), the blocks of every stage without the multi-scale module.
@if(f32) import package::shared::single::{Stored, decode, encode};
@if(!f32) import package::shared::half::{Stored, decode, encode};
import package::shared::gelu::gelu;
@if(native_f16) enable f16;

struct Params {
    height: u32,
    width: u32,
    // Blocks of 4 channels of x, and between the convolutions: at most 8.
    blocks: u32,
    middle_blocks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Stored>;
// [tap][input block][output block][4 inputs][4 outputs]
@group(0) @binding(2) var<storage, read> first_weight: array<Stored>;
@group(0) @binding(3) var<storage, read> first_bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> second_weight: array<Stored>;
@group(0) @binding(5) var<storage, read> second_bias: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> output: array<Stored>;

const LANES = 128u;
// Pixels of a workgroup, in quads of 4 along a row; the same with the border.
const ROWS = 8u;
@if(f32) const QUADS = 2u;
@if(!f32) const QUADS = 4u;
const MIDDLE_ROWS = 10u;
@if(f32) const MIDDLE_COLUMNS = 10u;
@if(!f32) const MIDDLE_COLUMNS = 18u;
@if(f32) const MIDDLE_QUADS = 3u;
@if(!f32) const MIDDLE_QUADS = 5u;

// [row][column][block]; a quad that reaches beyond the last column keeps nothing there.
@if(f32) var<workgroup> middle: array<Stored, 800>;
@if(!f32) var<workgroup> middle: array<Stored, 1440>;

// A pixel of an input row; left and right of it are zeros. Unsigned: a column left of the map wraps to a large one.
fn load(row: u32, x: u32, block: u32) -> vec4<f32> {
    let value = decode(input[(row + min(x, params.width - 1u)) * params.blocks + block]);
    return select(vec4<f32>(0.0), value, x < params.width);
}

fn load_middle(row: u32, column: u32, block: u32) -> vec4<f32> {
    return decode(middle[(row * MIDDLE_COLUMNS + column) * params.middle_blocks + block]);
}

fn keep_middle(row: u32, column: u32, block: u32, inside: bool, sum: vec4<f32>) {
    if (column < MIDDLE_COLUMNS) {
        // The second convolution's padding is zeros, not what the first would make there.
        let value = select(vec4<f32>(0.0), gelu(sum), inside);
        middle[(row * MIDDLE_COLUMNS + column) * params.middle_blocks + block] = encode(value);
    }
}

fn store(y: u32, x: u32, block: u32, sum: vec4<f32>) {
    if (y < params.height && x < params.width) {
        let at = (y * params.width + x) * params.blocks + block;
        output[at] = encode(sum + decode(input[at]));
    }
}

fn first_convolution(item: u32, top: u32, left: u32) {
    let block = item % params.middle_blocks;
    let quad = item / params.middle_blocks;
    let row = quad / MIDDLE_QUADS;
    let column = quad % MIDDLE_QUADS * 4u;
    // Of the border above and to the left of the map these wrap.
    let y = top + row - 1u;
    let x = left + column - 1u;
    var s0 = first_bias[block]; var s1 = s0; var s2 = s0; var s3 = s0;
    for (var ky = 0u; ky < 3u; ky++) {
        let in_y = y + ky - 1u;
        if (in_y >= params.height) {
            continue;
        }
        let start = in_y * params.width;
        for (var kx = 0u; kx < 3u; kx++) {
            let in_x = x + kx - 1u;
            for (var i = 0u; i < params.blocks; i++) {
                let at = (((ky * 3u + kx) * params.blocks + i) * params.middle_blocks + block) * 4u;
                let w = mat4x4<f32>(
                    decode(first_weight[at]), decode(first_weight[at + 1u]),
                    decode(first_weight[at + 2u]), decode(first_weight[at + 3u]),
                );
                s0 += w * load(start, in_x, i);
                s1 += w * load(start, in_x + 1u, i);
                s2 += w * load(start, in_x + 2u, i);
                s3 += w * load(start, in_x + 3u, i);
            }
        }
    }
    let inside = y < params.height;
    keep_middle(row, column, block, inside && x < params.width, s0);
    keep_middle(row, column + 1u, block, inside && x + 1u < params.width, s1);
    keep_middle(row, column + 2u, block, inside && x + 2u < params.width, s2);
    keep_middle(row, column + 3u, block, inside && x + 3u < params.width, s3);
}

fn second_convolution(item: u32, top: u32, left: u32) {
    let block = item % params.blocks;
    let quad = item / params.blocks;
    let row = quad / QUADS;
    let column = quad % QUADS * 4u;
    var s0 = second_bias[block]; var s1 = s0; var s2 = s0; var s3 = s0;
    for (var ky = 0u; ky < 3u; ky++) {
        for (var kx = 0u; kx < 3u; kx++) {
            for (var i = 0u; i < params.middle_blocks; i++) {
                let at = (((ky * 3u + kx) * params.middle_blocks + i) * params.blocks + block) * 4u;
                let w = mat4x4<f32>(
                    decode(second_weight[at]), decode(second_weight[at + 1u]),
                    decode(second_weight[at + 2u]), decode(second_weight[at + 3u]),
                );
                s0 += w * load_middle(row + ky, column + kx, i);
                s1 += w * load_middle(row + ky, column + kx + 1u, i);
                s2 += w * load_middle(row + ky, column + kx + 2u, i);
                s3 += w * load_middle(row + ky, column + kx + 3u, i);
            }
        }
    }
    let y = top + row;
    let x = left + column;
    store(y, x, block, s0);
    store(y, x + 1u, block, s1);
    store(y, x + 2u, block, s2);
    store(y, x + 3u, block, s3);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let top = group.y * ROWS;
    let left = group.x * QUADS * 4u;
    for (var item = lane; item < MIDDLE_ROWS * MIDDLE_QUADS * params.middle_blocks; item += LANES) {
        first_convolution(item, top, left);
    }
    workgroupBarrier();
    for (var item = lane; item < ROWS * QUADS * params.blocks; item += LANES) {
        second_convolution(item, top, left);
    }
}

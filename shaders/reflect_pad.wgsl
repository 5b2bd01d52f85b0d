// Pads by reflection, as often as needed, or crops where an offset is negative: output (y, x) is input
// (reflect(y − top), reflect(x − left)).
// Source: the release's evaluation code pads pictures to multiples of 32 this way.
@if(f32) import package::shared::single::Stored;
@if(!f32) import package::shared::half::Stored;
import package::shared::border::reflect;
@if(native_f16) enable f16;

struct Params {
    in_height: i32,
    in_width: i32,
    out_width: u32,
    blocks: u32,
    top: i32,
    left: i32,
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
    let y = reflect(i32(id.y) - params.top, params.in_height);
    let x = reflect(i32(column) - params.left, params.in_width);
    let source = u32(y * params.in_width + x) * params.blocks + block;
    output[(id.y * params.out_width + column) * params.blocks + block] = input[source];
}

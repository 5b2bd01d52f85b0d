// Every second pixel of every second row, from the top left: x[0::2, 0::2].
// Source: IRNeXt (ICML 2023), the multi-input branches' downscaled pictures.
@if(f32) import package::shared::single::Stored;
@if(!f32) import package::shared::half::Stored;
@if(native_f16) enable f16;

struct Params {
    in_width: u32,
    out_width: u32,
    blocks: u32,
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
    let source = (2u * id.y * params.in_width + 2u * column) * params.blocks + block;
    output[(id.y * params.out_width + column) * params.blocks + block] = input[source];
}

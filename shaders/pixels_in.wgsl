// Pixels of a picture file, 8 or 16 bit RGBA, into the network's input: RGB in 0..1 as f32, the fourth channel zero,
// padded on the right and below by reflection. Alpha stays behind.
import package::shared::border::reflect;

struct Params {
    // The picture's size, and the padded size's width.
    height: i32,
    width: i32,
    padded_width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// One word a pixel at 8 bit, two at 16.
@group(0) @binding(1) var<storage, read_write> pixels: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;

override WORKGROUP: u32 = 64;

// Divided, not multiplied by a reciprocal, so that the value is the nearest f32 everywhere.
@if(!sixteen)
fn read(at: u32) -> vec4<f32> {
    let word = pixels[at];
    return vec4<f32>(f32(word & 255u), f32((word >> 8u) & 255u), f32((word >> 16u) & 255u), 0.0) / 255.0;
}

@if(sixteen)
fn read(at: u32) -> vec4<f32> {
    let red_green = pixels[2u * at];
    let blue_alpha = pixels[2u * at + 1u];
    let rgb = vec4<f32>(f32(red_green & 65535u), f32(red_green >> 16u), f32(blue_alpha & 65535u), 0.0);
    return rgb / 65535.0;
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.padded_width) {
        return;
    }
    let y = reflect(i32(id.y), params.height);
    let x = reflect(i32(id.x), params.width);
    let at = u32(y * params.width + x);
    output[id.y * params.padded_width + id.x] = read(at);
}

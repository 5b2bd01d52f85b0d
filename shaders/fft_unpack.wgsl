// The spectra of single channels out of the spectra of pairs (see fft.wgsl): with Z the transform of a + ib,
// A[k] = (Z[k] + conj Z[−k]) / 2 and B[k] = (Z[k] − conj Z[−k]) / 2i. Real parts go to the first `channels` channels
// of the output, imaginary parts to the next.
struct Params {
    height: u32,
    width: u32,
    channels: u32,
    in_blocks: u32,
    out_blocks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> input: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;

override WORKGROUP: u32 = 64;

// Real (part 0) or imaginary (part 1) part of one channel's spectrum at a pixel and its mirror.
fn component(pixel: u32, mirror: u32, channel: u32, part: u32) -> f32 {
    let z4 = input[pixel * params.in_blocks + channel / 4u];
    let m4 = input[mirror * params.in_blocks + channel / 4u];
    let z = select(z4.xy, z4.zw, channel % 4u >= 2u);
    let m = select(m4.xy, m4.zw, channel % 4u >= 2u);
    let first = vec2<f32>(z.x + m.x, z.y - m.y);
    let second = vec2<f32>(z.y + m.y, m.x - z.x);
    let spectrum = 0.5 * select(first, second, channel % 2u == 1u);
    return select(spectrum.x, spectrum.y, part == 1u);
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let x = id.x / params.out_blocks;
    let block = id.x % params.out_blocks;
    if (x >= params.width) {
        return;
    }
    let pixel = id.y * params.width + x;
    let mirror_y = (params.height - id.y) % params.height;
    let mirror_x = (params.width - x) % params.width;
    let mirror = mirror_y * params.width + mirror_x;
    var value = vec4<f32>(0.0);
    for (var lane = 0u; lane < 4u; lane++) {
        let channel = block * 4u + lane;
        if (channel < params.channels) {
            value[lane] = component(pixel, mirror, channel, 0u);
        } else if (channel < 2u * params.channels) {
            value[lane] = component(pixel, mirror, channel - params.channels, 1u);
        }
    }
    output[pixel * params.out_blocks + block] = value;
}

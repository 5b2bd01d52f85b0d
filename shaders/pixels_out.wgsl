// The network's result back into pixels, 8 or 16 bit RGBA: cropped, clamped to 0..1, rounded; alpha is the
// original's. A value that is not finite is counted, so that the host can refuse the picture.
struct Params {
    height: u32,
    width: u32,
    padded_width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> input: array<vec4<f32>>;
// The picture as it came: one word a pixel at 8 bit, two at 16.
@group(0) @binding(2) var<storage, read_write> original: array<u32>;
@group(0) @binding(3) var<storage, read_write> pixels: array<u32>;
@group(0) @binding(4) var<storage, read_write> not_finite: array<atomic<u32>>;

override WORKGROUP: u32 = 64;

// By its bits: shading languages may assume that NaN does not happen.
fn is_finite(value: vec4<f32>) -> bool {
    let exponents = bitcast<vec4<u32>>(value) & vec4<u32>(0x7f800000u);
    return all(exponents != vec4<u32>(0x7f800000u));
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.width) {
        return;
    }
    let value = input[id.y * params.padded_width + id.x];
    if (!is_finite(value)) {
        atomicAdd(&not_finite[0], 1u);
    }
    let at = id.y * params.width + id.x;
    let rgb = clamp(value.xyz, vec3<f32>(0.0), vec3<f32>(1.0));
    @if(!sixteen) {
        let levels = vec3<u32>(rgb * 255.0 + 0.5);
        pixels[at] = levels.x | (levels.y << 8u) | (levels.z << 16u) | (original[at] & 0xff000000u);
    }
    @if(sixteen) {
        let levels = vec3<u32>(rgb * 65535.0 + 0.5);
        pixels[2u * at] = levels.x | (levels.y << 16u);
        pixels[2u * at + 1u] = levels.z | (original[2u * at + 1u] & 0xffff0000u);
    }
}

// Multiplies and adds in registers as fast as the device computes: the ceiling of a roofline.
@if(half && native_f16) enable f16;
@if(half && native_f16) alias Real4 = vec4<f16>;
@if(!half || !native_f16) alias Real4 = vec4<f32>;

struct Params {
    // vec4s in the output, and how often each of 8 accumulators is multiplied and added to, in fours.
    count: u32,
    rounds: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> output: array<vec4<f32>>;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.count) {
        return;
    }
    // Converges to 1, so that no format overflows or slows down on subnormal numbers.
    let keep = Real4(vec4<f32>(0.75));
    let add = Real4(vec4<f32>(0.25));
    let start = vec4<f32>(f32(id.x % 64u) * 0.015625);
    var a = Real4(start);
    var b = Real4(start + 1.0);
    var c = Real4(start + 2.0);
    var d = Real4(start + 3.0);
    var e = Real4(start + 4.0);
    var f = Real4(start + 5.0);
    var g = Real4(start + 6.0);
    var h = Real4(start + 7.0);
    for (var round = 0u; round < params.rounds; round += 1u) {
        for (var turn = 0u; turn < 4u; turn += 1u) {
            a = fma(a, keep, add);
            b = fma(b, keep, add);
            c = fma(c, keep, add);
            d = fma(d, keep, add);
            e = fma(e, keep, add);
            f = fma(f, keep, add);
            g = fma(g, keep, add);
            h = fma(h, keep, add);
        }
    }
    output[id.x] = vec4<f32>(a + b + c + d) + vec4<f32>(e + f + g + h);
}

// One radix-r pass of a Stockham FFT along the rows or columns of a map; any radix, so any length.
//
// Two real channels ride in one complex number: a vec4 of channels is two complex values, (x + iy) and (z + iw). The
// transform of such a pair unpacks into the two real transforms (fft_unpack.wgsl); a real, even mask and the inverse
// need no unpacking at all, which is how the frequency split uses it.
//
// With n = ∏ radices and `done` the product of those already applied, output k + q·done of group j / done
// (k = j mod done) is Σ_s in[j + s·n/r] · w^(s·(k + q·done)·n/(done·r)), w = e^(∓2πi/n) from a table made in f64.
// Source: Govindaraju et al., "High performance discrete Fourier transforms on graphics processors" (SC 2008).
@if(input_f32) import package::shared::single::{Stored as Input, decode};
@if(!input_f32) import package::shared::half::{Stored as Input, decode};
@if(output_f32) import package::shared::single::{Stored as Output, encode};
@if(!output_f32) import package::shared::half::{Stored as Output, encode};
@if(native_f16) enable f16;

struct Params {
    height: u32,
    width: u32,
    blocks: u32,
    // Length of the transform, this pass's radix, product of the radices before it.
    n: u32,
    radix: u32,
    done: u32,
    // Highest frequency that the input keeps (n: all), factor on the output, sign of the exponent.
    highest: u32,
    scale: f32,
    sign: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Input>;
// (cos, sin) of 2πk/n.
@group(0) @binding(2) var<storage, read> roots: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> output: array<Output>;

override WORKGROUP: u32 = 64;

fn address(position: u32, line: u32, block: u32) -> u32 {
    @if(columns) { return (position * params.width + line) * params.blocks + block; }
    @if(!columns) { return (line * params.width + position) * params.blocks + block; }
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x / params.blocks;
    let block = id.x % params.blocks;
    if (column >= params.width) {
        return;
    }
    @if(columns) let at = id.y;
    @if(columns) let line = column;
    @if(!columns) let at = column;
    @if(!columns) let line = id.y;

    // at = group·done·radix + q·done + k
    let k = at % params.done;
    let q = (at / params.done) % params.radix;
    let j = at / (params.done * params.radix) * params.done + k;
    let step = (k + q * params.done) * (params.n / (params.done * params.radix));
    let stride = params.n / params.radix;
    var sum = vec4<f32>(0.0);
    var turn = 0u;
    for (var s = 0u; s < params.radix; s++) {
        let position = j + s * stride;
        if (min(position, params.n - position) <= params.highest) {
            let z = decode(input[address(position, line, block)]);
            let w = roots[turn] * vec2<f32>(1.0, params.sign);
            sum += z * w.x + vec4<f32>(-z.y, z.x, -z.w, z.z) * w.y;
        }
        turn += step;
        if (turn >= params.n) {
            turn %= params.n;
        }
    }
    output[address(at, line, block)] = encode(sum * params.scale);
}

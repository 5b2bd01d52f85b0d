// Four consecutive channels in half precision: native where the adapter has SHADER_F16, else the same bytes
// unpacked from two words, or from one of 64 bits where a load costs by the number of words. Arithmetic is always f32.
@if(native_f16) alias Stored = vec4<f16>;
@if(!native_f16 && words64) alias Stored = u64;
@if(!native_f16 && !words64) alias Stored = vec2<u32>;

@if(native_f16)
fn decode(stored: Stored) -> vec4<f32> {
    return vec4<f32>(stored);
}

@if(native_f16)
fn encode(value: vec4<f32>) -> Stored {
    return vec4<f16>(value);
}

@if(!native_f16 && words64)
fn decode(stored: Stored) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(u32(stored)), unpack2x16float(u32(stored >> 32u)));
}

@if(!native_f16 && words64)
fn encode(value: vec4<f32>) -> Stored {
    let halves = halves(value);
    return u64(halves.x | (halves.y << 16u)) | (u64(halves.z | (halves.w << 16u)) << 32u);
}

@if(!native_f16 && !words64)
fn decode(stored: Stored) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(stored.x), unpack2x16float(stored.y));
}

@if(!native_f16 && !words64)
fn encode(value: vec4<f32>) -> Stored {
    let halves = halves(value);
    return vec2<u32>(halves.x | (halves.y << 16u), halves.z | (halves.w << 16u));
}

// Half-precision bits, rounded to the nearest, ties to even. pack2x16float may round either way (some GPUs round towards
// zero, and sixty layers of that add up), and software drivers make branches by magnitude of it.
@if(!native_f16)
fn halves(value: vec4<f32>) -> vec4<u32> {
    let bits = bitcast<vec4<u32>>(value);
    let size = bits & vec4<u32>(0x7fffffffu);
    // A number too large for half precision becomes infinity, NaN stays NaN.
    let cut = min(size, vec4<u32>(0x47800000u));
    let normal = (cut + ((cut >> vec4<u32>(13u)) & vec4<u32>(1u)) + vec4<u32>(0xc8000fffu)) >> vec4<u32>(13u);
    // A half without an exponent counts in steps of 2^-24, as f32 does beside 0.5.
    let small = bitcast<vec4<u32>>(abs(value) + vec4<f32>(0.5)) - vec4<u32>(0x3f000000u);
    let finite = select(normal, small, size < vec4<u32>(0x38800000u));
    let all = select(finite, vec4<u32>(0x7e00u), size > vec4<u32>(0x7f800000u));
    return all | ((bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u));
}

// Two consecutive channels.
@if(native_f16) alias Pair = vec2<f16>;
@if(!native_f16) alias Pair = u32;

@if(native_f16)
fn decode_pair(stored: Pair) -> vec2<f32> {
    return vec2<f32>(stored);
}

@if(native_f16)
fn encode_pair(value: vec2<f32>) -> Pair {
    return vec2<f16>(value);
}

@if(!native_f16)
fn decode_pair(stored: Pair) -> vec2<f32> {
    return unpack2x16float(stored);
}

@if(!native_f16)
fn encode_pair(value: vec2<f32>) -> Pair {
    let halves = halves(vec4<f32>(value, vec2<f32>()));
    return halves.x | (halves.y << 16u);
}

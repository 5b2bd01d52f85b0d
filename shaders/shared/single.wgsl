// Four consecutive channels in single precision, as words of 64 bits where a load costs by the number of words.
@if(words64) alias Stored = vec2<u64>;
@if(!words64) alias Stored = vec4<f32>;

@if(words64)
fn decode(stored: Stored) -> vec4<f32> {
    let low = vec2<u32>(stored);
    let high = vec2<u32>(stored >> vec2<u32>(32u));
    return bitcast<vec4<f32>>(vec4<u32>(low.x, high.x, low.y, high.y));
}

@if(words64)
fn encode(value: vec4<f32>) -> Stored {
    let words = bitcast<vec4<u32>>(value);
    return vec2<u64>(words.xz) | (vec2<u64>(words.yw) << vec2<u32>(32u));
}

@if(!words64)
fn decode(stored: Stored) -> vec4<f32> {
    return stored;
}

@if(!words64)
fn encode(value: vec4<f32>) -> Stored {
    return value;
}

// Two consecutive channels.
@if(words64) alias Pair = u64;
@if(!words64) alias Pair = vec2<f32>;

@if(words64)
fn decode_pair(stored: Pair) -> vec2<f32> {
    return bitcast<vec2<f32>>(vec2<u32>(u32(stored), u32(stored >> 32u)));
}

@if(words64)
fn encode_pair(value: vec2<f32>) -> Pair {
    let words = bitcast<vec2<u32>>(value);
    return u64(words.x) | (u64(words.y) << 32u);
}

@if(!words64)
fn decode_pair(stored: Pair) -> vec2<f32> {
    return stored;
}

@if(!words64)
fn encode_pair(value: vec2<f32>) -> Pair {
    return value;
}

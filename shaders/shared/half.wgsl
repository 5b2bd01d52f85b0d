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
    return u64(pack2x16float(value.xy)) | (u64(pack2x16float(value.zw)) << 32u);
}

@if(!native_f16 && !words64)
fn decode(stored: Stored) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(stored.x), unpack2x16float(stored.y));
}

@if(!native_f16 && !words64)
fn encode(value: vec4<f32>) -> Stored {
    return vec2<u32>(pack2x16float(value.xy), pack2x16float(value.zw));
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
    return pack2x16float(value);
}

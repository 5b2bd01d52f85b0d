// Four consecutive channels in half precision: native where the adapter has SHADER_F16, else the same bytes
// unpacked from two words. Arithmetic is always f32.
@if(native_f16) alias Stored = vec4<f16>;
@if(!native_f16) alias Stored = vec2<u32>;

@if(native_f16)
fn decode(stored: Stored) -> vec4<f32> {
    return vec4<f32>(stored);
}

@if(native_f16)
fn encode(value: vec4<f32>) -> Stored {
    return vec4<f16>(value);
}

@if(!native_f16)
fn decode(stored: Stored) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(stored.x), unpack2x16float(stored.y));
}

@if(!native_f16)
fn encode(value: vec4<f32>) -> Stored {
    return vec2<u32>(pack2x16float(value.xy), pack2x16float(value.zw));
}

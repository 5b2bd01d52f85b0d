// Four consecutive weights as 16-bit integers, from two words or from one of 64 bits where a load costs by the number of
// words. Closer to their values than half precision where the largest of a channel are of like size, and cheaper to
// unpack on a CPU: each is left in the upper half of its word, so what is made of them is 65,536 times too large.
@if(words64) alias Stored = u64;
@if(!words64) alias Stored = vec2<u32>;

fn expand(low: u32, high: u32) -> vec4<f32> {
    let words = vec4<u32>(low << 16u, low & 0xffff0000u, high << 16u, high & 0xffff0000u);
    return vec4<f32>(bitcast<vec4<i32>>(words));
}

@if(words64)
fn decode(stored: Stored) -> vec4<f32> {
    return expand(u32(stored), u32(stored >> 32u));
}

@if(!words64)
fn decode(stored: Stored) -> vec4<f32> {
    return expand(stored.x, stored.y);
}

// Four consecutive channels in single precision.
alias Stored = vec4<f32>;

fn decode(stored: Stored) -> vec4<f32> {
    return stored;
}

fn encode(value: vec4<f32>) -> Stored {
    return value;
}

// The transforms of Winograd's F(2, 3) for the interpolation points 0, 1, −1 and ∞. Weights are transformed when they are
// packed.
// Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.

struct Two {
    a: vec4<f32>,
    b: vec4<f32>,
}

struct Four {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

// Bᵀ·v
fn transform_input(v: Four) -> Four {
    return Four(v.a - v.c, v.b + v.c, v.c - v.b, v.b - v.d);
}

// Aᵀ·m
fn transform_output(m: Four) -> Two {
    return Two(m.a + m.b + m.c, m.b - m.c - m.d);
}

// The transforms of Winograd's F(4, 3) and F(5, 2) for the interpolation points 0, 1, −1, 2, −1/2 and ∞, whose rounding error in f32
// is the least of the small dyadic sets. Weights are transformed when they are packed.
// Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016.

struct Four {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

struct Five {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
    e: vec4<f32>,
}

struct Six {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
    e: vec4<f32>,
    f: vec4<f32>,
}

// Bᵀ·v
fn transform_input(v: Six) -> Six {
    let ec = v.e - v.c;
    let bd = v.b - v.d;
    return Six(
        v.a - v.c + 1.5 * bd + ec,
        v.e - v.b - 2.5 * v.c - 0.5 * v.d,
        v.e + v.b + 0.5 * v.c - 2.5 * v.d,
        ec - 0.5 * bd,
        ec + 2.0 * bd,
        v.b - v.d + 1.5 * (v.c - v.e) - v.d + v.f,
    );
}

// Aᵀ·m
fn transform_output(m: Six) -> Four {
    let sum = m.b + m.c;
    let difference = m.b - m.c;
    return Four(
        m.a + sum + m.d + m.e,
        difference + 2.0 * m.d - 0.5 * m.e,
        sum + 4.0 * m.d + 0.25 * m.e,
        difference + 8.0 * m.d - 0.125 * m.e + m.f,
    );
}

// Aᵀ·m of F(5, 2)
fn transform_output_of_five(m: Six) -> Five {
    let sum = m.b + m.c;
    let difference = m.b - m.c;
    return Five(
        m.a + sum + m.d + m.e,
        difference + 2.0 * m.d - 0.5 * m.e,
        sum + 4.0 * m.d + 0.25 * m.e,
        difference + 8.0 * m.d - 0.125 * m.e,
        sum + 16.0 * m.d + 0.0625 * m.e + m.f,
    );
}

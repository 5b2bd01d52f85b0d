// GELU in its exact erf form, x·Φ(x), without an exponential or a division, which cost software drivers dear.
//
// It is relu(x) − h(|x|) with h(z) = z·Φ(−z), a small hump. The eighth root of Φ(−z) falls so evenly that a polynomial of
// degree 8 gives it: fitted to the least worst error of h, 3e-8, over 0 ≤ z ≤ 6, beyond which h is under 6e-9. In f32 the
// result is within 2.5e-7 of exact.
fn gelu(x: vec4<f32>) -> vec4<f32> {
    let size = abs(x);
    let z = min(size, vec4<f32>(6.0));
    var q = z * -3.059785456116515e-7 + 7.614968126290478e-6;
    q = q * z - 6.095652861404233e-5;
    q = q * z + 3.6028039176017046e-5;
    q = q * z + 0.0015023067826405168;
    q = q * z - 0.0006710885209031403;
    q = q * z - 0.03192784637212753;
    q = q * z - 0.09145763516426086;
    q = q * z + 0.9170040488243103;
    let q2 = q * q;
    let q4 = q2 * q2;
    // Half of x + |x| is relu(x), but of a NaN a NaN.
    return (x + size) * 0.5 - z * (q4 * q4);
}

//! The discrete Fourier transform of any length: mixed radix, in f64.

use crate::tensor::{FeatureMap, Real, Shape};
use rayon::prelude::*;
use std::f64::consts::TAU;
use std::ops::{Add, Mul, Sub};

/// The 2-D transform of each channel, unnormalised: `[h, w, c]` → `[h, w, 2c]`, real parts before imaginary parts.
pub(super) fn fft2<T: Real>(x: &FeatureMap<T>) -> FeatureMap<T> {
    let Shape { height, width, channels } = x.shape;
    let signal = x.data.iter().map(|value| Complex { re: value.wide(), im: 0.0 }).collect();
    let spectrum = along_both_axes(signal, height, width, channels, |fft, line| fft.forward(line));
    FeatureMap::from_fn(Shape::new(height, width, 2 * channels), |y, column, pixel| {
        let bins = &spectrum[(y * width + column) * channels..];
        let (real, imaginary) = pixel.split_at_mut(channels);
        for ((re, im), bin) in real.iter_mut().zip(imaginary).zip(bins) {
            (*re, *im) = (T::of(bin.re), T::of(bin.im));
        }
    })
}

/// `apply` on every row, then on every column, of each channel of `[height][width][channels]`.
pub(super) fn along_both_axes(
    data: Vec<Complex>,
    height: usize,
    width: usize,
    channels: usize,
    apply: impl Fn(&Fft, &mut [Complex]) + Sync,
) -> Vec<Complex> {
    if data.is_empty() {
        return data;
    }
    let columns = along_rows(data, width, channels, &apply);
    along_rows(columns, height, channels, &apply)
}

/// `[rows][length][channels]` → `[length][rows][channels]`, with `apply` on each line of `length`.
fn along_rows(
    mut data: Vec<Complex>,
    length: usize,
    channels: usize,
    apply: &(impl Fn(&Fft, &mut [Complex]) + Sync),
) -> Vec<Complex> {
    let fft = Fft::new(length);
    data.par_chunks_mut(length * channels).for_each(|row| {
        let mut line = vec![Complex::ZERO; length];
        for c in 0..channels {
            line.iter_mut().zip(row[c..].iter().step_by(channels)).for_each(|(to, from)| *to = *from);
            apply(&fft, &mut line);
            row[c..].iter_mut().step_by(channels).zip(&line).for_each(|(to, from)| *to = *from);
        }
    });
    let rows = data.len() / (length * channels);
    let mut transposed = vec![Complex::ZERO; data.len()];
    transposed.par_chunks_mut(rows * channels).enumerate().for_each(|(column, line)| {
        for (row, pixel) in line.chunks_exact_mut(channels).enumerate() {
            let at = (row * length + column) * channels;
            pixel.copy_from_slice(&data[at..at + channels]);
        }
    });
    transposed
}

/// A transform of one length, planned.
pub(super) struct Fft {
    /// Prime factors of the length, pairs of 2 taken as 4.
    radices: Vec<usize>,
    /// `exp(−2πi·k/length)`.
    roots: Vec<Complex>,
}

impl Fft {
    fn new(length: usize) -> Self {
        let root = |k: usize| {
            let (sin, cos) = (-TAU * k as f64 / length as f64).sin_cos();
            Complex { re: cos, im: sin }
        };
        Self { radices: radices(length), roots: (0..length).map(root).collect() }
    }

    /// `X[k] = Σ x[n]·exp(−2πi·k·n/length)`.
    pub(super) fn forward(&self, line: &mut [Complex]) {
        let input = line.to_vec();
        self.decimate(&input, 1, line, &self.radices);
    }

    /// `x[n] = 1/length·Σ X[k]·exp(2πi·k·n/length)`: the forward transform between two conjugations.
    pub(super) fn inverse(&self, line: &mut [Complex]) {
        line.iter_mut().for_each(|value| *value = value.conjugate());
        self.forward(line);
        let share = 1.0 / line.len() as f64;
        line.iter_mut().for_each(|value| *value = value.conjugate() * Complex { re: share, im: 0.0 });
    }

    /// Decimation in time: `radix` transforms of every `radix`-th sample, then butterflies between them. `input` is
    /// read at `stride`.
    fn decimate(&self, input: &[Complex], stride: usize, output: &mut [Complex], radices: &[usize]) {
        let Some((&radix, rest)) = radices.split_first() else {
            output[0] = input[0];
            return;
        };
        let part = output.len() / radix;
        for (r, output) in output.chunks_exact_mut(part).enumerate() {
            self.decimate(&input[r * stride..], stride * radix, output, rest);
        }
        let mut turned = vec![Complex::ZERO; radix];
        for k in 0..part {
            for (r, turned) in turned.iter_mut().enumerate() {
                *turned = output[r * part + k] * self.roots[r * k * stride];
            }
            match turned[..] {
                [a, b] => {
                    output[k] = a + b;
                    output[part + k] = a - b;
                }
                [a, b, c, d] => {
                    let (even, odd) = (a + c, b + d);
                    let (across, along) = (a - c, (b - d).times_minus_i());
                    output[k] = even + odd;
                    output[part + k] = across + along;
                    output[2 * part + k] = even - odd;
                    output[3 * part + k] = across - along;
                }
                _ => {
                    let step = self.roots.len() / radix;
                    for q in 0..radix {
                        let terms =
                            turned.iter().enumerate().map(|(r, &value)| value * self.roots[q * r % radix * step]);
                        output[q * part + k] = terms.fold(Complex::ZERO, Complex::add);
                    }
                }
            }
        }
    }
}

fn radices(mut length: usize) -> Vec<usize> {
    let mut radices = Vec::new();
    let mut radix = 4;
    while length > 1 {
        while length.is_multiple_of(radix) {
            radices.push(radix);
            length /= radix;
        }
        radix = match radix {
            4 => 2,
            2 => 3,
            odd if odd * odd > length => length.max(2),
            odd => odd + 2,
        };
    }
    radices
}

/// A complex number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Complex {
    pub(super) re: f64,
    pub(super) im: f64,
}

impl Complex {
    pub(super) const ZERO: Self = Self { re: 0.0, im: 0.0 };

    fn conjugate(self) -> Self {
        Self { im: -self.im, ..self }
    }

    fn times_minus_i(self) -> Self {
        Self { re: self.im, im: -self.re }
    }
}

impl Add for Complex {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }
}

impl Sub for Complex {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { re: self.re - other.re, im: self.im - other.im }
    }
}

impl Mul for Complex {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, term by term.
    fn slow(line: &[Complex]) -> Vec<Complex> {
        let root = |turn: usize| {
            let (sin, cos) = (-TAU * (turn % line.len()) as f64 / line.len() as f64).sin_cos();
            Complex { re: cos, im: sin }
        };
        let bin = |k| line.iter().enumerate().map(|(n, &x)| x * root(k * n)).fold(Complex::ZERO, Complex::add);
        (0..line.len()).map(bin).collect()
    }

    #[test]
    fn any_length_is_the_definition_and_comes_back() {
        for length in (1..=64).chain([67, 97, 100, 120, 127, 135, 169, 240, 251, 343, 509]) {
            let wave = |n: usize| Complex { re: (n as f64 * 1.7).sin(), im: (n as f64 * n as f64 * 0.3).cos() };
            let line: Vec<Complex> = (0..length).map(wave).collect();
            let fft = Fft::new(length);
            let far = |a: &[Complex], b: &[Complex]| {
                a.iter().zip(b).map(|(&a, &b)| (a - b).re.abs().max((a - b).im.abs())).fold(0.0, f64::max)
            };
            let mut bins = line.clone();
            fft.forward(&mut bins);
            assert!(far(&bins, &slow(&line)) < 1e-12 * length as f64, "length {length}");
            fft.inverse(&mut bins);
            assert!(far(&bins, &line) < 1e-13 * length as f64, "length {length}");
        }
    }

    #[test]
    fn lengths_split_into_small_radices() {
        assert!(radices(1).is_empty());
        assert_eq!(radices(480), [4, 4, 2, 3, 5]);
        assert_eq!(radices(2 * 251), [2, 251]);
        assert_eq!(radices(49), [7, 7]);
    }
}

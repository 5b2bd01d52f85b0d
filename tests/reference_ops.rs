//! The CPU executor's operators against their definitions, written here once more, one value at a time, in f64.

use irnext::graph::{
    Activation, Conv2d, ConvTranspose2d, DynamicFilter, Epilogue, Graph, NodeId, Op, TapWeights, WeightId,
};
use irnext::reference::{execute, reflect};
use irnext::tensor::{FeatureMap, Shape, Tensor};
use irnext::verify::Error;
use proptest::prelude::*;
use std::cell::Cell;
use std::f64::consts::TAU;

/// A graph of one op under test, over values that a seed decides.
struct Bench {
    graph: Graph,
    inputs: Vec<FeatureMap<f64>>,
    state: Cell<u64>,
}

impl Bench {
    fn new(seed: u64) -> Self {
        Self { graph: Graph::new(), inputs: vec![], state: Cell::new(seed) }
    }

    /// −1..1, splitmix64.
    fn value(&self) -> f32 {
        self.state.set(self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut z = self.state.get();
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn input(&mut self, height: usize, width: usize, channels: usize) -> NodeId {
        let shape = Shape::new(height, width, channels);
        let data = (0..shape.values()).map(|_| f64::from(self.value())).collect();
        self.inputs.push(FeatureMap { shape, data });
        self.graph.input("x", shape, false)
    }

    fn weight(&mut self, shape: &[usize]) -> WeightId {
        let data = (0..shape.iter().product()).map(|_| self.value()).collect();
        self.graph.weight("w", Tensor::new(shape, data).expect("as many values"))
    }

    fn of(&self, id: WeightId, at: usize) -> f64 {
        f64::from(self.graph.tensor(id).data()[at])
    }

    /// Runs the op in f64 and in f32 and compares both with `expected(y, x, channel)`.
    fn check(&mut self, op: Op, inputs: &[NodeId], expected: impl Fn(&Self, usize, usize, usize) -> f64) {
        let node = self.graph.push("op", op, inputs).expect("fits");
        self.graph.output("y", node, false);
        let Shape { height, width, channels } = self.graph.node(node).shape;
        let at = |at: usize| expected(self, at / channels / width, at / channels % width, at % channels);
        let expected: Vec<f64> = (0..height * width * channels).map(at).collect();
        let double = &execute(&self.graph, &self.inputs).expect("runs")[0];
        let single: Vec<_> = self.inputs.iter().map(FeatureMap::cast::<f32>).collect();
        let single = &execute(&self.graph, &single).expect("runs")[0];
        let (double, single) = (Error::between(&double.data, &expected), Error::between(&single.data, &expected));
        assert!(double.max_abs <= 1e-9, "f64: {double}");
        assert!(single.max_abs <= 2e-4 && single.within(1e-5), "f32: {single}");
    }
}

fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + libm::erf(x / 2.0_f64.sqrt()))
}

/// The pixel's value, or 0 outside.
fn padded(map: &FeatureMap<f64>, y: isize, x: isize, c: usize) -> f64 {
    let inside = (0..map.shape.height as isize).contains(&y) && (0..map.shape.width as isize).contains(&x);
    if inside { map.pixel(y as usize, x as usize)[c] } else { 0.0 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn conv2d(
        (h, w) in (1_usize..40, 1_usize..20), first in 1_usize..10, second in 0_usize..4, out in 1_usize..10,
        kernel in 1_usize..6, stride in 1_usize..4, padding in 0_usize..3, flags in 0_u8..8, seed: u64,
    ) {
        prop_assume!(kernel <= h + 2 * padding && kernel <= w + 2 * padding);
        let mut bench = Bench::new(seed);
        let mut nodes = vec![bench.input(h, w, first)];
        if second > 0 {
            nodes.push(bench.input(h, w, second));
        }
        let sources = nodes.len();
        let epilogue = Epilogue { gelu: flags & 1 > 0, residual: flags & 2 > 0 };
        if epilogue.residual {
            nodes.push(bench.input((h + 2 * padding - kernel) / stride + 1, (w + 2 * padding - kernel) / stride + 1, out));
        }
        let channels = first + second;
        let weight = bench.weight(&[out, channels, kernel, kernel]);
        let bias = (flags & 4 > 0).then(|| bench.weight(&[out]));
        let conv = Conv2d { weight, bias, kernel, stride, padding, epilogue };
        bench.check(Op::Conv2d(conv), &nodes, |bench, y, x, o| {
            let mut sum = bias.map_or(0.0, |bias| bench.of(bias, o));
            for c in 0..channels {
                let (map, inner) = if c < first { (&bench.inputs[0], c) } else { (&bench.inputs[1], c - first) };
                for tap in 0..kernel * kernel {
                    let (ky, kx) = (tap / kernel, tap % kernel);
                    let at = |place: usize, k: usize| (place * stride + k) as isize - padding as isize;
                    let weight = bench.of(weight, (o * channels + c) * kernel * kernel + tap);
                    sum += weight * padded(map, at(y, ky), at(x, kx), inner);
                }
            }
            let sum = if epilogue.gelu { gelu(sum) } else { sum };
            sum + if epilogue.residual { bench.inputs[sources].pixel(y, x)[o] } else { 0.0 }
        });
    }

    #[test]
    fn conv_transpose2d((h, w) in (1_usize..20, 1_usize..20), channels in 1_usize..8, out in 1_usize..8, flags in 0_u8..4, seed: u64) {
        let mut bench = Bench::new(seed);
        let input = bench.input(h, w, channels);
        let weight = bench.weight(&[channels, out, 4, 4]);
        let bias = (flags & 1 > 0).then(|| bench.weight(&[out]));
        let conv = ConvTranspose2d { weight, bias, gelu: flags & 2 > 0 };
        bench.check(Op::ConvTranspose2d(conv), &[input], |bench, y, x, o| {
            let mut sum = bias.map_or(0.0, |bias| bench.of(bias, o));
            // Input (i, j) adds to results (2i − 1 + ky, 2j − 1 + kx).
            for (ky, kx) in (0..4).flat_map(|ky| (0..4).map(move |kx| (ky, kx))) {
                let (i, j) = (y + 1, x + 1);
                if i < ky || j < kx || (i - ky) % 2 > 0 || (j - kx) % 2 > 0 {
                    continue;
                }
                for c in 0..channels {
                    let value = padded(&bench.inputs[0], ((i - ky) / 2) as isize, ((j - kx) / 2) as isize, c);
                    sum += value * bench.of(weight, ((c * out + o) * 4 + ky) * 4 + kx);
                }
            }
            if flags & 2 > 0 { gelu(sum) } else { sum }
        });
    }

    #[test]
    fn upsample_sum(
        (h, w) in (1_usize..24, 1_usize..24), sides in prop::collection::vec((1_usize..12, 1_usize..12), 1..4),
        channels in 1_usize..6, base: bool, with_gelu: bool, seed: u64,
    ) {
        let mut bench = Bench::new(seed);
        let mut nodes = Vec::new();
        if base {
            nodes.push(bench.input(h, w, channels));
        }
        nodes.extend(sides.iter().map(|&(h, w)| bench.input(h, w, channels)));
        bench.check(Op::UpsampleSum { height: h, width: w, base, gelu: with_gelu }, &nodes, |bench, y, x, c| {
            let place = |at: usize, from: usize, to: usize| at as f64 * (from - 1) as f64 / (to - 1).max(1) as f64;
            let mut sum = if base { bench.inputs[0].pixel(y, x)[c] } else { 0.0 };
            for map in &bench.inputs[usize::from(base)..] {
                // The hat function of every sample: its weight falls from 1 to 0 within a distance of 1.
                let (py, px) = (place(y, map.shape.height, h), place(x, map.shape.width, w));
                let hat = |distance: f64| (1.0 - distance.abs()).max(0.0);
                for (i, j) in (0..map.shape.height).flat_map(|i| (0..map.shape.width).map(move |j| (i, j))) {
                    sum += hat(py - i as f64) * hat(px - j as f64) * map.pixel(i, j)[c];
                }
            }
            if with_gelu { gelu(sum) } else { sum }
        });
    }

    #[test]
    fn box_mean((h, w) in (1_usize..50, 1_usize..30), channels in 1_usize..4, (base, more) in (1_usize..200, 0_usize..200), seed: u64) {
        let mut bench = Bench::new(seed);
        let input = bench.input(h, w, channels);
        let train = base + more;
        let (kh, kw) = ((h * base / train).max(1), (w * base / train).max(1));
        bench.check(Op::BoxMean { base, train }, &[input], |bench, y, x, c| {
            let start = |at: usize, k: usize, side: usize| at.saturating_sub((k - 1) / 2).min(side - k);
            let (top, left) = (start(y, kh, h), start(x, kw, w));
            let pixels = (top..top + kh).flat_map(|i| (left..left + kw).map(move |j| (i, j)));
            pixels.map(|(i, j)| bench.inputs[0].pixel(i, j)[c]).sum::<f64>() / (kh * kw) as f64
        });
    }

    #[test]
    fn spectra((h, w) in (1_usize..14, 1_usize..14), channels in 1_usize..4, cutoff in 0.0..0.6_f64, seed: u64) {
        let mut bench = Bench::new(seed);
        let input = bench.input(h, w, channels);
        let wave = move |ky: usize, kx: usize, y: usize, x: usize| TAU * ((ky * y) as f64 / h as f64 + (kx * x) as f64 / w as f64);
        let grid = move || (0..h).flat_map(move |y| (0..w).map(move |x| (y, x)));
        bench.check(Op::Fft2, &[input], |bench, ky, kx, c| {
            let part = |turn: f64| if c < channels { turn.cos() } else { -turn.sin() };
            grid().map(|(y, x)| bench.inputs[0].pixel(y, x)[c % channels] * part(wave(ky, kx, y, x))).sum()
        });

        let mut bench = Bench::new(seed);
        let input = bench.input(h, w, channels);
        let frequency = |k: usize, length: usize| k.min(length - k) as f32 * (1.0 / length as f64) as f32;
        bench.check(Op::LowBand { cutoff }, &[input], |bench, y, x, c| {
            // The band's own filter: the sum of the cosines that are kept.
            let kept = grid().filter(|&(ky, kx)| frequency(ky, h) <= cutoff as f32 && frequency(kx, w) <= cutoff as f32);
            let kept: Vec<(usize, usize)> = kept.collect();
            let tap = |dy: usize, dx: usize| kept.iter().map(|&(ky, kx)| wave(ky, kx, dy, dx).cos()).sum::<f64>();
            grid().map(|(i, j)| bench.inputs[0].pixel(i, j)[c] * tap((h + y - i) % h, (w + x - j) % w)).sum::<f64>() / (h * w) as f64
        });
    }

    #[test]
    fn instance_norm((h, w) in (1_usize..20, 1_usize..20), channels in 1_usize..6, seed: u64) {
        // One pixel has no variance: its error is multiplied by 1/√eps, and f32 is not the judge of that.
        prop_assume!(h * w > 1);
        let mut bench = Bench::new(seed);
        let input = bench.input(h, w, channels);
        let (weight, bias) = (bench.weight(&[channels]), bench.weight(&[channels]));
        bench.check(Op::InstanceNorm { weight, bias, eps: 1e-5 }, &[input], |bench, y, x, c| {
            let values: Vec<f64> = bench.inputs[0].data.iter().copied().skip(c).step_by(channels).collect();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|value| value * value).sum::<f64>() / n - mean * mean;
            (bench.inputs[0].pixel(y, x)[c] - mean) / (variance + 1e-5).sqrt() * bench.of(weight, c) + bench.of(bias, c)
        });
    }

    #[test]
    fn filter((h, w) in (1_usize..12, 1_usize..12), groups in 1_usize..5, share in 1_usize..4, local: bool, which in 0..3, seed: u64) {
        let channels = groups * share;
        let activation = [Activation::Tanh, Activation::Softmax, Activation::SoftmaxTanh][which as usize];
        let mut bench = Bench::new(seed);
        let mean = bench.input(1, 1, channels);
        let (weight, bias) = (bench.weight(&[groups * 9, channels, 1, 1]), bench.weight(&[groups * 9]));
        bench.check(Op::FilterTaps(TapWeights { weight, bias, groups, activation }), &[mean], |bench, _, tap, c| {
            let z = |tap: usize| {
                let row = c / share * 9 + tap;
                let products = (0..channels).map(|d| bench.of(weight, row * channels + d) * bench.inputs[0].data[d]);
                products.sum::<f64>() + bench.of(bias, row)
            };
            let softmax = z(tap).exp() / (0..9).map(|tap| z(tap).exp()).sum::<f64>();
            match activation {
                Activation::Tanh => z(tap).tanh(),
                Activation::Softmax => softmax,
                Activation::SoftmaxTanh => softmax * z(tap).tanh(),
            }
        });

        let mut bench = Bench::new(seed);
        let nodes = [bench.input(h, w, channels), bench.input(1, 9, channels),
            if local { bench.input(h, w, channels) } else { bench.input(1, 1, channels) }];
        let (inside, lamb_l, lamb_h) = (bench.weight(&[channels, 1, 1]), bench.weight(&[channels]), bench.weight(&[channels]));
        bench.check(Op::DynamicFilter(DynamicFilter { inside, lamb_l, lamb_h }), &nodes, |bench, y, x, c| {
            let [map, taps, smooth] = &bench.inputs[..] else { unreachable!() };
            let low: f64 = (0..9).map(|tap| {
                let (i, j) = (reflect((y + tap / 3) as isize - 1, h), reflect((x + tap % 3) as isize - 1, w));
                map.pixel(i, j)[c] * taps.pixel(0, tap)[c]
            }).sum();
            let smooth = if local { smooth.pixel(y, x)[c] } else { smooth.data[c] };
            let low = low * (bench.of(inside, c) + 1.0) - bench.of(inside, c) * smooth;
            low * bench.of(lamb_l, c) + map.pixel(y, x)[c] * (bench.of(lamb_h, c) + 1.0)
        });
    }

    #[test]
    fn normalisations_and_activations((h, w, c) in (1_usize..12, 1_usize..12, 1_usize..6), groups in 1_usize..4, seed: u64) {
        // Variances are random too, −1 to 1.
        let eps = 2.0;
        let normal = |x: f64, mean: f64, variance: f64, weight: f64, bias: f64| {
            (x - mean) / (variance + eps).sqrt() * weight + bias
        };
        let mut bench = Bench::new(seed);
        let node = bench.input(h, w, c);
        let parameters = [bench.weight(&[c]), bench.weight(&[c]), bench.weight(&[c]), bench.weight(&[c])];
        bench.check(Op::BatchNorm { parameters, eps }, &[node], |bench, y, x, c| {
            let [weight, bias, mean, variance] = parameters.map(|id| bench.of(id, c));
            normal(bench.inputs[0].pixel(y, x)[c], mean, variance, weight, bias)
        });

        let mut bench = Bench::new(seed);
        let node = bench.input(h, w, c);
        bench.check(Op::Moments, &[node], |bench, _, moment, channel| {
            let mean = |of: &dyn Fn(f64) -> f64| {
                let values = bench.inputs[0].data.iter().skip(channel).step_by(c);
                values.map(|&x| of(x)).sum::<f64>() / (h * w) as f64
            };
            let average = mean(&|x| x);
            if moment == 0 { average } else { mean(&|x| (x - average).powi(2)) }
        });

        let mut bench = Bench::new(seed);
        let nodes = [bench.input(h, w, c), bench.input(1, 2, c)];
        let (weight, bias) = (bench.weight(&[c]), bench.weight(&[c]));
        bench.check(Op::Normalise { weight, bias, eps }, &nodes, |bench, y, x, c| {
            let [map, moments] = &bench.inputs[..] else { unreachable!() };
            let (mean, variance) = (moments.pixel(0, 0)[c], moments.pixel(0, 1)[c]);
            normal(map.pixel(y, x)[c], mean, variance, bench.of(weight, c), bench.of(bias, c))
        });

        let mut bench = Bench::new(seed);
        let node = bench.input(h, w, c);
        // The normal distribution by Simpson's rule.
        let below = |x: f64| {
            const STEPS: u32 = 200;
            let density = |at: f64| (-at * at / 2.0).exp() / TAU.sqrt();
            let weight = |k: u32| if k == 0 || k == STEPS { 1.0 } else { f64::from(2 + 2 * (k % 2)) };
            let step = x / f64::from(STEPS);
            0.5 + (0..=STEPS).map(|k| weight(k) * density(f64::from(k) * step)).sum::<f64>() * step / 3.0
        };
        bench.check(Op::Gelu, &[node], |bench, y, x, c| {
            let x = bench.inputs[0].pixel(y, x)[c];
            x * below(x)
        });

        for activation in [Activation::Tanh, Activation::Softmax, Activation::SoftmaxTanh] {
            let mut bench = Bench::new(seed);
            let node = bench.input(1, 1, 9 * groups);
            let op = Op::TapActivation { groups, channels: c * groups, activation };
            bench.check(op, &[node], |bench, _, tap, channel| {
                let z = |tap: usize| bench.inputs[0].data[channel / c * 9 + tap];
                let softmax = z(tap).exp() / (0..9).map(|tap| z(tap).exp()).sum::<f64>();
                match activation {
                    Activation::Tanh => z(tap).tanh(),
                    Activation::Softmax => softmax,
                    Activation::SoftmaxTanh => softmax * z(tap).tanh(),
                }
            });
        }
    }

    #[test]
    fn the_rest((h, w) in (1_usize..20, 1_usize..20), (a, b) in (1_usize..6, 1_usize..6), size in 1_usize..9, pads in prop::array::uniform4(-3_isize..40), seed: u64) {
        let mut bench = Bench::new(seed);
        let nodes = [bench.input(h, w, a), bench.input(h, w, b)];
        bench.check(Op::Concat, &nodes, |bench, y, x, c| {
            if c < a { bench.inputs[0].pixel(y, x)[c] } else { bench.inputs[1].pixel(y, x)[c - a] }
        });

        let mut bench = Bench::new(seed);
        let nodes = [bench.input(h, w, a), bench.input(h, w, a)];
        bench.check(Op::Add { scale: -0.5 }, &nodes, |bench, y, x, c| {
            bench.inputs[0].pixel(y, x)[c] - 0.5 * bench.inputs[1].pixel(y, x)[c]
        });

        let mut bench = Bench::new(seed);
        let node = bench.input(h, w, a);
        bench.check(Op::NearestHalf, &[node], |bench, y, x, c| bench.inputs[0].pixel(2 * y, 2 * x)[c]);

        let mut bench = Bench::new(seed);
        let node = bench.input(h, w, a);
        bench.check(Op::GlobalMean, &[node], |bench, _, _, c| {
            bench.inputs[0].data.iter().skip(c).step_by(a).sum::<f64>() / (h * w) as f64
        });

        if size <= h.min(w) {
            let mut bench = Bench::new(seed);
            let node = bench.input(h, w, a);
            bench.check(Op::AvgPool { size }, &[node], |bench, y, x, c| {
                let window = (0..size * size).map(|at| bench.inputs[0].pixel(y * size + at / size, x * size + at % size)[c]);
                window.sum::<f64>() / (size * size) as f64
            });
        }

        let [left, right, top, bottom] = pads;
        if h as isize + top + bottom > 0 && w as isize + left + right > 0 {
            let mut bench = Bench::new(seed);
            let node = bench.input(h, w, a);
            // Reflected step by step, as a ball between two walls.
            let bounce = |mut at: isize, side: usize| {
                let last = side as isize - 1;
                while last > 0 && !(0..=last).contains(&at) {
                    at = if at < 0 { -at } else { 2 * last - at };
                }
                if last == 0 { 0 } else { at as usize }
            };
            bench.check(Op::ReflectPad { left, right, top, bottom }, &[node], |bench, y, x, c| {
                bench.inputs[0].pixel(bounce(y as isize - top, h), bounce(x as isize - left, w))[c]
            });
        }
    }
}

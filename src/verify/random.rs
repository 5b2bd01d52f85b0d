//! Random cases: for every op with a kernel, small graphs of random shape — odd sizes, one pixel wide, channels that
//! don't fill a `vec4` — with random weights and inputs. The judge is the CPU reference in f64.

use crate::graph::{
    Activation, Conv2d, ConvTranspose2d, DynamicFilter, Epilogue, Graph, GraphError, NodeId, Op, TapWeights, WeightId,
};
use crate::tensor::{FeatureMap, Shape, Tensor};
use fastrand::Rng;

/// A graph and what goes in.
#[derive(Debug)]
pub struct RandomCase {
    /// Op and shapes.
    pub name: String,
    /// Its passes are done.
    pub graph: Graph,
    /// One map per input.
    pub inputs: Vec<FeatureMap<f32>>,
}

/// The ops that have a kernel.
pub const OPS: &[&str] = &[
    "conv2d",
    "conv_transpose2d",
    "gelu",
    "add",
    "avg_pool",
    "pool_pyramid",
    "upsample_sum",
    "nearest_half",
    "instance_norm",
    "moments",
    "normalise",
    "global_mean",
    "box_mean",
    "low_band",
    "fft2",
    "filter_taps",
    "dynamic_filter",
    "reflect_pad",
    "residual_block",
];

/// A case of one of [`OPS`], the same for the same seed.
///
/// # Errors
/// None for the ops of the list; a graph error would be a fault of this file.
pub fn case(op: &str, seed: u64) -> Result<RandomCase, GraphError> {
    let mut maker = Maker { rng: Rng::with_seed(seed), graph: Graph::new() };
    let name = maker.build(op)?;
    let Maker { mut rng, graph } = maker;
    let inputs = graph
        .inputs()
        .map(|id| {
            let shape = graph.node(id).shape;
            FeatureMap { shape, data: (0..shape.values()).map(|_| uniform(&mut rng)).collect() }
        })
        .collect();
    Ok(RandomCase { name, graph, inputs })
}

/// −1..1
fn uniform(rng: &mut Rng) -> f32 {
    rng.f32() * 2.0 - 1.0
}

struct Maker {
    rng: Rng,
    graph: Graph,
}

impl Maker {
    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.rng.usize(..list.len())]
    }

    fn side(&mut self) -> usize {
        self.pick(&[1, 1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 23, 31, 32, 33, 37, 40])
    }

    fn channels(&mut self) -> usize {
        self.pick(&[1, 2, 3, 4, 5, 8, 12, 16, 24, 32])
    }

    fn shape(&mut self) -> Shape {
        Shape::new(self.side(), self.side(), self.channels())
    }

    fn input(&mut self, shape: Shape) -> NodeId {
        self.graph.input("input", shape, false)
    }

    /// A weight of values up to `scale`.
    fn weight(&mut self, shape: &[usize], scale: f32) -> WeightId {
        let data = (0..shape.iter().product()).map(|_| uniform(&mut self.rng) * scale).collect();
        let tensor = Tensor::new(shape, data).unwrap_or_else(|_| unreachable!("as many values as the shape holds"));
        self.graph.weight("weight", tensor)
    }

    fn convolution(&mut self, out: usize, inputs: usize, kernel: usize) -> WeightId {
        self.weight(&[out, inputs, kernel, kernel], (3.0 / (inputs * kernel * kernel) as f32).sqrt())
    }

    fn build(&mut self, op: &str) -> Result<String, GraphError> {
        if op == "pool_pyramid" {
            return self.pool_pyramid();
        }
        let (op, inputs) = match op {
            "conv2d" => self.conv2d(),
            "conv_transpose2d" => {
                let (x, out) = (self.shape(), self.channels());
                let weight = self.weight(&[x.channels, out, 4, 4], (3.0 / (x.channels * 4) as f32).sqrt());
                let bias = self.rng.bool().then(|| self.weight(&[out], 1.0));
                let gelu = self.rng.bool();
                (Op::ConvTranspose2d(ConvTranspose2d { weight, bias, gelu }), vec![self.input(x)])
            }
            "add" => {
                let x = self.shape();
                (Op::Add { scale: self.pick(&[1.0, -1.0, 0.5]) }, vec![self.input(x), self.input(x)])
            }
            "avg_pool" => {
                let size = self.pick(&[2, 4, 8]);
                let x = Shape::new(size + self.side(), size + self.side(), self.channels());
                (Op::AvgPool { size }, vec![self.input(x)])
            }
            "upsample_sum" => self.upsample_sum(),
            "residual_block" => self.residual_block()?,
            "filter_taps" => self.filter_taps(),
            "dynamic_filter" => self.dynamic_filter(),
            "normalise" => {
                let x = self.shape();
                let (weight, bias) = (self.weight(&[x.channels], 1.0), self.weight(&[x.channels], 1.0));
                let (x, other) = (self.input(x), self.input(x));
                let moments = self.graph.push("moments", Op::Moments, &[other])?;
                (Op::Normalise { weight, bias, eps: 0.1 }, vec![x, moments])
            }
            "reflect_pad" => {
                let x = self.shape();
                let (left, right) = (self.rng.isize(-1..9), self.rng.isize(1..70));
                let (top, bottom) = (self.rng.isize(-1..9), self.rng.isize(1..70));
                (Op::ReflectPad { left, right, top, bottom }, vec![self.input(x)])
            }
            single => {
                let x = self.shape();
                let op = match single {
                    "gelu" => Op::Gelu,
                    "nearest_half" => Op::NearestHalf,
                    "global_mean" => Op::GlobalMean,
                    "moments" => Op::Moments,
                    "box_mean" => Op::BoxMean { base: 120, train: 256 },
                    "low_band" => Op::LowBand { cutoff: self.pick(&[0.125, 0.25, 0.5]) },
                    "fft2" => Op::Fft2,
                    _ => {
                        let (weight, bias) = (self.weight(&[x.channels], 1.0), self.weight(&[x.channels], 1.0));
                        Op::InstanceNorm { weight, bias, eps: 1e-5 }
                    }
                };
                (op, vec![self.input(x)])
            }
        };
        let node = self.graph.push("node", op, &inputs)?;
        self.graph.output("output", node, false);
        let shapes: Vec<String> = inputs.iter().map(|&id| self.graph.node(id).shape.to_string()).collect();
        let made = self.graph.node(node);
        Ok(format!("{} {} -> {}", made.op.kind(), shapes.join(" "), made.shape))
    }

    fn conv2d(&mut self) -> (Op, Vec<NodeId>) {
        let (first, out) = (self.shape(), self.channels());
        let kernel = self.pick(&[1, 3, 3, 3]);
        let stride = self.pick(&[1, 1, 2]);
        let mut inputs = vec![self.input(first)];
        let mut channels = first.channels;
        if self.rng.bool() {
            let second = Shape { channels: self.channels(), ..first };
            channels += second.channels;
            inputs.push(self.input(second));
        }
        let padding = kernel / 2;
        let epilogue = Epilogue { gelu: self.rng.bool(), residual: self.rng.bool() };
        if epilogue.residual {
            let side = |n: usize| (n + 2 * padding - kernel) / stride + 1;
            inputs.push(self.input(Shape::new(side(first.height), side(first.width), out)));
        }
        let weight = self.convolution(out, channels, kernel);
        let bias = self.rng.bool().then(|| self.weight(&[out], 1.0));
        (Op::Conv2d(Conv2d { weight, bias, kernel, stride, padding, epilogue }), inputs)
    }

    /// The pools of one map, in any order, each an output.
    fn pool_pyramid(&mut self) -> Result<String, GraphError> {
        let shape = Shape::new(7 + self.side(), 7 + self.side(), self.channels());
        let x = self.input(shape);
        let mut sizes = [2, 4, 8];
        self.rng.shuffle(&mut sizes);
        for size in sizes {
            let pool = self.graph.push(format!("pool {size}"), Op::AvgPool { size }, &[x])?;
            self.graph.output(format!("pool {size}"), pool, false);
        }
        Ok(format!("pool_pyramid {shape}"))
    }

    /// The second convolution of a residual block, after the first.
    fn residual_block(&mut self) -> Result<(Op, Vec<NodeId>), GraphError> {
        let (x, middle) = (self.shape(), self.channels());
        let input = self.input(x);
        let conv = |maker: &mut Self, out: usize, inputs: usize, epilogue: Epilogue| {
            let (weight, bias) = (maker.convolution(out, inputs, 3), Some(maker.weight(&[out], 1.0)));
            Op::Conv2d(Conv2d { weight, bias, kernel: 3, stride: 1, padding: 1, epilogue })
        };
        let first = conv(self, middle, x.channels, Epilogue { gelu: true, residual: false });
        let first = self.graph.push("first", first, &[input])?;
        let second = conv(self, x.channels, middle, Epilogue { gelu: false, residual: true });
        Ok((second, vec![first, input]))
    }

    fn upsample_sum(&mut self) -> (Op, Vec<NodeId>) {
        let out = self.shape();
        let base = self.rng.bool();
        let mut inputs = if base { vec![self.input(out)] } else { vec![] };
        for _ in 0..self.rng.usize(1..4) {
            let source = Shape::new(self.side().div_ceil(2), self.side().div_ceil(2), out.channels);
            inputs.push(self.input(source));
        }
        (Op::UpsampleSum { height: out.height, width: out.width, base, gelu: self.rng.bool() }, inputs)
    }

    fn filter_taps(&mut self) -> (Op, Vec<NodeId>) {
        let groups = self.pick(&[1, 2, 8]);
        let channels = groups * self.pick(&[1, 2, 3, 4, 8]);
        let weight = self.weight(&[groups * 9, channels, 1, 1], 1.0);
        let bias = self.weight(&[groups * 9], 1.0);
        let activation = self.pick(&[Activation::Tanh, Activation::Softmax, Activation::SoftmaxTanh]);
        let x = Shape { channels, ..self.shape() };
        let x = self.input(x);
        // Statistics reach the kernel in f32, by way of a mean; of one that others read before it, it takes no part.
        let mean = self.graph.push("mean", Op::GlobalMean, &[x]).unwrap_or(x);
        if self.rng.bool() {
            let early = self.graph.push("early", Op::Gelu, &[mean]).unwrap_or(mean);
            self.graph.output("early", early, false);
        }
        (Op::FilterTaps(TapWeights { weight, bias, groups, activation }), vec![mean])
    }

    fn dynamic_filter(&mut self) -> (Op, Vec<NodeId>) {
        let x = self.shape();
        let c = x.channels;
        let input = self.input(x);
        let (weight, bias) = (self.weight(&[9 * c, c, 1, 1], 1.0), self.weight(&[9 * c], 1.0));
        let mean = self.graph.push("mean", Op::GlobalMean, &[input]).unwrap_or(input);
        let taps = TapWeights { weight, bias, groups: c, activation: Activation::Tanh };
        let taps = self.graph.push("taps", Op::FilterTaps(taps), &[mean]).unwrap_or(mean);
        let smooth = if self.rng.bool() { mean } else { self.input(x) };
        let filter = DynamicFilter {
            inside: self.weight(&[c, 1, 1], 0.5),
            lamb_l: self.weight(&[c], 0.5),
            lamb_h: self.weight(&[c], 0.5),
        };
        (Op::DynamicFilter(filter), vec![input, taps, smooth])
    }
}

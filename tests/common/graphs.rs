//! Graphs of one convolution, and what goes in.

use half::f16;
use irnext::compile::assign_elements;
use irnext::graph::{Activation, Conv2d, ConvTranspose2d, DynamicFilter, Epilogue, Graph, Op, TapWeights};
use irnext::tensor::{Element, FeatureMap, Shape, Tensor};

/// The kernels that read a patch with its halo.
pub const HALO: [&str; 4] =
    ["conv2d_matrix_halo", "conv2d_matrix_low", "conv2d_matrix_flat", "conv_transpose2d_matrix"];

/// The inputs in the precision that they are stored in: their rounding is no error of a kernel's, and it is as large as
/// a mean that comes out near zero.
pub fn as_stored(inputs: &[FeatureMap<f32>], precision: Element) -> Vec<FeatureMap<f32>> {
    let stored = |value: &f32| if precision == Element::F16 { f16::from_f32(*value).to_f32() } else { *value };
    let map = |map: &FeatureMap<f32>| FeatureMap { shape: map.shape, data: map.data.iter().map(stored).collect() };
    inputs.iter().map(map).collect()
}

/// −1..1, without end.
pub fn values() -> impl Iterator<Item = f32> {
    (0u32..).map(|at| (at.wrapping_mul(2_654_435_761) >> 8) as f32 / (1u32 << 23) as f32 - 1.0)
}

/// A transposed convolution and its input.
pub fn wide_transposed(shape: Shape, out: usize) -> (Graph, Vec<FeatureMap<f32>>) {
    let (mut values, mut graph) = (values(), Graph::new());
    let input = graph.input("input", shape, false);
    let scale = (0.75 / shape.channels as f32).sqrt();
    let data = values.by_ref().take(shape.channels * out * 16).map(|value| value * scale).collect();
    let weight = graph.weight("weight", Tensor::new([shape.channels, out, 4, 4], data).expect("as many values"));
    let bias = graph.weight("bias", Tensor::new([out], values.by_ref().take(out).collect()).expect("as many values"));
    let conv = ConvTranspose2d { weight, bias: Some(bias), gelu: true };
    let node = graph.push("transposed", Op::ConvTranspose2d(conv), &[input]).expect("fits");
    graph.output("output", node, false);
    assign_elements(&mut graph, Element::F16);
    (graph, vec![FeatureMap { shape, data: values.take(shape.values()).collect() }])
}

/// A convolution over two inputs, the second of 3 channels, with all that an epilogue holds, and its inputs.
pub fn wide_convolution(shape: Shape, out: usize, kernel: usize, stride: usize) -> (Graph, Vec<FeatureMap<f32>>) {
    wider_convolution(shape, 3, out, kernel, stride)
}

/// The same with a second input of so many channels.
pub fn wider_convolution(
    shape: Shape,
    second: usize,
    out: usize,
    kernel: usize,
    stride: usize,
) -> (Graph, Vec<FeatureMap<f32>>) {
    let mut values = values();
    let mut graph = Graph::new();
    let second = Shape::new(shape.height, shape.width, second);
    let after = Shape::new(shape.height.div_ceil(stride), shape.width.div_ceil(stride), out);
    let inputs = [shape, second, after].map(|shape| graph.input("input", shape, false));
    let channels = shape.channels + second.channels;
    let scale = (1.0 / channels as f32).sqrt();
    let data = values.by_ref().take(out * channels * kernel * kernel).map(|value| value * scale).collect();
    let weight = graph.weight("weight", Tensor::new([out, channels, kernel, kernel], data).expect("as many values"));
    let bias = graph.weight("bias", Tensor::new([out], values.by_ref().take(out).collect()).expect("as many values"));
    let conv = Conv2d {
        weight,
        bias: Some(bias),
        kernel,
        stride,
        padding: kernel / 2,
        epilogue: Epilogue { gelu: true, residual: true },
    };
    let node = graph.push("convolution", Op::Conv2d(conv), &inputs).expect("fits");
    graph.output("output", node, false);
    assign_elements(&mut graph, Element::F16);
    let fill = |shape: Shape| FeatureMap { shape, data: values.by_ref().take(shape.values()).collect() };
    (graph, [shape, second, after].map(fill).to_vec())
}

/// A convolution of as many channels as it has, and its input.
pub fn large_convolution(shape: Shape) -> (Graph, Vec<FeatureMap<f32>>) {
    let (mut values, mut graph) = (values(), Graph::new());
    let (input, channels) = (graph.input("input", shape, false), shape.channels);
    let data = values.by_ref().take(channels * channels * 9).map(|value| value * 0.03).collect();
    let weight = Tensor::new([channels, channels, 3, 3], data).expect("as many values");
    let weight = graph.weight("weight", weight);
    let conv = Conv2d { weight, bias: None, kernel: 3, stride: 1, padding: 1, epilogue: Epilogue::default() };
    let node = graph.push("convolution", Op::Conv2d(conv), &[input]).expect("fits");
    graph.output("output", node, false);
    assign_elements(&mut graph, Element::F16);
    (graph, vec![FeatureMap { shape, data: values.take(shape.values()).collect() }])
}

/// A convolution without bias, the mean of its result, and the filter made of that: a level of the multi-scale module. The
/// filter subtracts the mean, or another input, a map (`by_map`).
pub fn filtered(shape: Shape, out: usize, activation: Activation, by_map: bool) -> (Graph, Vec<FeatureMap<f32>>) {
    let (mut values, mut graph) = (values(), Graph::new());
    let mut weight = |graph: &mut Graph, shape: &[usize], size: f32| {
        let data = values.by_ref().take(shape.iter().product()).map(|value| value * size).collect();
        graph.weight("weight", Tensor::new(shape, data).expect("as many values"))
    };
    let input = graph.input("input", shape, false);
    let conv = Conv2d {
        weight: weight(&mut graph, &[out, shape.channels, 3, 3], (1.0 / (3 * shape.channels) as f32).sqrt()),
        bias: None,
        kernel: 3,
        stride: 1,
        padding: 1,
        epilogue: Epilogue::default(),
    };
    let map = graph.push("convolution", Op::Conv2d(conv), &[input]).expect("fits");
    let mean = graph.push("mean", Op::GlobalMean, &[map]).expect("fits");
    let taps = TapWeights {
        weight: weight(&mut graph, &[72, out, 1, 1], 2.0),
        bias: weight(&mut graph, &[72], 0.1),
        groups: 8,
        activation,
    };
    let taps = graph.push("taps", Op::FilterTaps(taps), &[mean]).expect("fits");
    let [inside, lamb_l, lamb_h] = [vec![out, 1, 1], vec![out], vec![out]].map(|shape| weight(&mut graph, &shape, 1.0));
    let filter = DynamicFilter { inside, lamb_l, lamb_h };
    let after = Shape::new(shape.height, shape.width, out);
    let smooth = if by_map { graph.input("smooth", after, false) } else { mean };
    let node = graph.push("filter", Op::DynamicFilter(filter), &[map, taps, smooth]).expect("fits");
    graph.output("output", node, false);
    // Means that are not near zero.
    let mut fill = |shape: Shape| FeatureMap {
        shape,
        data: values.by_ref().take(shape.values()).map(|value| value + 0.5).collect(),
    };
    let first = fill(shape);
    (graph, std::iter::once(first).chain(by_map.then(|| fill(after))).collect())
}

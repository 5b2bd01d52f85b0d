//! The fast paths of the CPU executor, judged by the plain reference in f64 and by recorded outputs of PyTorch.

use irnext::cpu::Program;
use irnext::graph::{Conv2d, ConvTranspose2d, Epilogue, Graph, NodeId, Op, WeightId};
use irnext::model::{Activation, MeanKind, Model};
use irnext::reference::execute;
use irnext::tensor::{FeatureMap, Shape, Tensor, file::TensorFile};
use irnext::verify::{Error, golden};

/// Against f64. Winograd's transforms cost some of f32's last digits: about 1e-6 is measured.
const BOUND: f64 = 5e-6;

fn weight(graph: &mut Graph, random: &mut fastrand::Rng, shape: &[usize]) -> WeightId {
    let values = (0..shape.iter().product()).map(|_| random.f32() - 0.5).collect();
    graph.weight("weight", Tensor::new(shape, values).expect("as many values"))
}

/// A graph's inputs at random and its result by both executors; how the last node was computed.
fn check(random: &mut fastrand::Rng, graph: &Graph) -> &'static str {
    let inputs: Vec<FeatureMap<f32>> = graph
        .inputs()
        .map(|id| graph.node(id).shape)
        .map(|shape| FeatureMap { shape, data: (0..shape.values()).map(|_| random.f32() - 0.3).collect() })
        .collect();
    let program = Program::new(graph);
    let wide: Vec<FeatureMap<f64>> = inputs.iter().map(FeatureMap::cast).collect();
    let truth = &execute(graph, &wide).expect("runs")[0];
    // Twice: the second finds the buffers of the first.
    for _ in 0..2 {
        let found = &program.run(&inputs).expect("runs")[0];
        assert_eq!(found.shape, truth.shape);
        let error = Error::between(&found.data, &truth.data);
        let (how, last) = (program.how(graph.nodes.len() - 1), &graph.nodes[graph.nodes.len() - 1]);
        println!("{how:<10} {} <- {}: {error}", last.shape, inputs[0].shape);
        assert!(error.within(BOUND), "{how} {last:?}: {error}");
    }
    program.how(graph.nodes.len() - 1)
}

/// One convolution over maps of `channels`.
fn convolution(random: &mut fastrand::Rng, [height, width]: [usize; 2], channels: &[usize], conv: [usize; 3]) -> Graph {
    let [out, kernel, stride] = conv;
    let mut graph = Graph::new();
    let shape = |channels| Shape::new(height, width, channels);
    let mut inputs: Vec<NodeId> = channels.iter().map(|&c| graph.input("x", shape(c), false)).collect();
    let weight_id = weight(&mut graph, random, &[out, channels.iter().sum(), kernel, kernel]);
    let bias = random.bool().then(|| weight(&mut graph, random, &[out]));
    let epilogue = Epilogue { gelu: random.bool(), residual: random.bool() };
    if epilogue.residual {
        let side = |n: usize| (n + 2 * (kernel / 2) - kernel) / stride + 1;
        inputs.push(graph.input("residual", Shape::new(side(height), side(width), out), false));
    }
    let op = Op::Conv2d(Conv2d { weight: weight_id, bias, kernel, stride, padding: kernel / 2, epilogue });
    let node = graph.push("conv", op, &inputs).expect("fits");
    graph.output("y", node, false);
    graph
}

#[test]
fn convolutions_of_every_form() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut seen = std::collections::BTreeSet::new();
    for size in [[1, 1], [1, 40], [40, 1], [8, 8], [9, 11], [33, 18], [64, 96], [13, 131]] {
        for channels in [&[3][..], &[16], &[24], &[40], &[8, 24], &[32, 32], &[17]] {
            for conv in [[16, 3, 1], [32, 3, 1], [64, 3, 1], [24, 3, 1], [3, 3, 1], [48, 3, 2], [20, 1, 1]] {
                let graph = convolution(&mut random, size, channels, conv);
                seen.insert(check(&mut random, &graph));
            }
        }
    }
    assert!(seen.contains("winograd") && seen.contains("direct"), "{seen:?}");
}

#[test]
fn transposed_convolutions() {
    let mut random = fastrand::Rng::with_seed(8);
    for ([height, width], channels, out) in [([1, 1], 3, 5), ([1, 9], 16, 8), ([7, 1], 64, 32), ([17, 23], 24, 40)] {
        for gelu in [false, true] {
            let mut graph = Graph::new();
            let x = graph.input("x", Shape::new(height, width, channels), false);
            let weight_id = weight(&mut graph, &mut random, &[channels, out, 4, 4]);
            let bias = gelu.then(|| weight(&mut graph, &mut random, &[out]));
            let op = Op::ConvTranspose2d(ConvTranspose2d { weight: weight_id, bias, gelu });
            let node = graph.push("conv", op, &[x]).expect("fits");
            graph.output("y", node, false);
            assert_eq!(check(&mut random, &graph), "transposed");
        }
    }
}

#[test]
fn recorded_operators() {
    let file = TensorFile::read("tests/data/golden/ops.safetensors").expect("reads");
    let cases = golden::cases(&file);
    assert!(cases.len() >= 50, "{} cases", cases.len());
    for case in cases {
        let case = case.unwrap_or_else(|error| panic!("{error}"));
        let program = Program::new(&case.graph);
        let run = |picture| program.run(std::slice::from_ref(picture)).expect("runs");
        let pictures: Vec<Vec<FeatureMap<f32>>> = case.pictures.iter().map(run).collect();
        for (index, (name, expected)) in case.expected.iter().enumerate() {
            let maps: Vec<FeatureMap<f32>> = pictures.iter().map(|maps| maps[index].clone()).collect();
            let found = FeatureMap::to_nchw(&maps).expect("one shape");
            let error = Error::between(found.data(), expected.data());
            assert!(error.within(1e-5), "{} {name}: {error}", case.name);
        }
    }
}

/// The whole network, wide enough for every fast path, fused and not, on a size with odd tiles at each scale.
#[test]
fn whole_network() {
    let model = Model::shipped(irnext::model::Task::Dehaze, irnext::model::Quality::Small).expect("is shipped");
    assert_eq!((model.config.activation, model.config.mean), (Activation::Tanh, MeanKind::Global));
    let mut random = fastrand::Rng::with_seed(9);
    let graph = model.graph(96, 160).expect("builds");
    let fused = irnext::compile::optimise(&graph).expect("fuses");
    let shape = Shape::new(96, 160, 3);
    let picture = FeatureMap { shape, data: (0..shape.values()).map(|_| random.f32()).collect() };
    let truth = execute(&graph, &[picture.cast::<f64>()]).expect("runs");
    for graph in [&graph, &fused] {
        let found = Program::new(graph).run(std::slice::from_ref(&picture)).expect("runs");
        for ((found, truth), output) in found.iter().zip(&truth).zip(&graph.outputs) {
            let error = Error::between(&found.data, &truth.data);
            println!("{} {error}", output.name);
            assert!(error.within(1e-4), "{}: {error}", output.name);
        }
    }
}

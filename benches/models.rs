//! Whole networks on the CPU executor and, where there is an adapter, on the first: `cargo bench`. Single kernels, and
//! figures for scripts: `irnext bench --json`.

use irnext::compile::optimise;
use irnext::cpu::Program;
use irnext::gpu::{Gpu, adapters};
use irnext::graph::Graph;
use irnext::kernels::shaders;
use irnext::model::random_model;
use irnext::model::{Activation, Config, MeanKind};
use irnext::run::TensorSession;
use irnext::tensor::{Element, FeatureMap};
use std::sync::Arc;

fn main() {
    divan::main();
}

/// Width 16, 3 blocks, the shape of the shipped models, on a square picture.
fn network(side: usize) -> (Graph, FeatureMap<f32>) {
    let model = random_model(Config::new(16, 3, Activation::Tanh, MeanKind::Global));
    let graph = optimise(&model.graph(side, side).expect("builds")).expect("fuses");
    let shape = graph.node(graph.inputs().next().expect("one input")).shape;
    (graph, FeatureMap { shape, data: vec![0.5; shape.values()] })
}

#[divan::bench(args = [64, 256], sample_count = 5)]
fn cpu_executor(bencher: divan::Bencher, side: usize) {
    let (graph, input) = network(side);
    let program = Program::new(&graph);
    bencher.bench(|| program.run(std::slice::from_ref(&input)).expect("runs"));
}

#[divan::bench(args = [64, 256], sample_count = 5)]
fn first_adapter(bencher: divan::Bencher, side: usize) {
    let Some(adapter) = adapters().into_iter().next() else {
        println!("no adapter: nothing is timed");
        return;
    };
    let gpu = Arc::new(Gpu::open(&adapter, shaders()).expect("opens"));
    let (graph, input) = network(side);
    let session = TensorSession::new(&gpu, &graph, Element::F16, false).expect("records");
    session.run(&[input]).expect("runs");
    bencher.bench(|| session.session().dispatch().expect("runs"));
}

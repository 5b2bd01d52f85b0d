//! Whole models against their golden outputs: f32 and half precision on the device, and the CPU executor; and that every
//! pass keeps the meaning.

mod common;

use common::devices;
use irnext::compile;
use irnext::kernels::Target;
use irnext::model::random_model;
use irnext::model::{Activation, Config, MeanKind, Model};
use irnext::reference;
use irnext::run::{TensorSession, target};
use irnext::tensor::file::TensorFile;
use irnext::tensor::{Element, FeatureMap, Shape};
use irnext::verify::Error;
use std::path::Path;

const MODELS: [(&str, Activation, MeanKind); 5] = [
    ("tiny", Activation::Tanh, MeanKind::Global),
    ("tiny-local", Activation::Tanh, MeanKind::Local),
    ("tiny-frequency", Activation::Tanh, MeanKind::Frequency),
    ("tiny-softmax", Activation::Softmax, MeanKind::Global),
    ("tiny-softmax-tanh", Activation::SoftmaxTanh, MeanKind::Global),
];

struct Golden {
    model: Model,
    size: String,
    input: FeatureMap<f32>,
    expected: Vec<FeatureMap<f32>>,
}

/// Every size of every golden model; outputs in the order quarter, half, full.
fn golden() -> Vec<Golden> {
    let folder = Path::new("tests/data/models");
    let mut all = vec![];
    for (name, activation, mean) in MODELS {
        let model = Model::read(&folder.join(format!("{name}.pkl")), Some(activation), Some(mean)).expect("reads");
        let file = TensorFile::read(folder.join(format!("{name}.safetensors"))).expect("reads");
        for size in file.tensors.keys().filter_map(|key| key.strip_suffix("/input")) {
            let map = |part: &str| {
                FeatureMap::from_nchw(&file.tensors[&format!("{size}/{part}")]).expect("rank 4").swap_remove(0)
            };
            all.push(Golden {
                model: model.clone(),
                size: format!("{name} {size}"),
                input: map("input"),
                expected: ["quarter", "half", "full"].map(map).to_vec(),
            });
        }
    }
    assert!(all.len() >= 8, "golden models are missing");
    all
}

fn compare(what: &str, results: &[FeatureMap<f32>], expected: &[FeatureMap<f32>], bound: f64) {
    for (name, (result, expected)) in ["quarter", "half", "full"].iter().zip(results.iter().zip(expected)) {
        let error = Error::between(&result.data, &expected.data);
        assert!(error.within(bound), "{what} {name}: {error}");
    }
    assert_eq!(results.len(), 3);
}

fn decibels(result: &FeatureMap<f32>, truth: &FeatureMap<f32>) -> f64 {
    let square = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
    let mean = result.data.iter().zip(&truth.data).map(square).sum::<f64>() / truth.data.len() as f64;
    assert!(mean.is_finite());
    -10.0 * mean.log10()
}

#[test]
fn cpu_executor() {
    for case in golden() {
        let Golden { model, size, input, expected } = case;
        let graph = model.graph(input.shape.height, input.shape.width).expect("builds");
        let fused = compile::optimise(&graph).expect("fuses");
        for (what, graph) in [("as built", &graph), ("fused", &fused)] {
            let results = reference::execute(graph, std::slice::from_ref(&input)).expect("runs");
            compare(&format!("{size} {what}"), &results, &expected, 1e-4);
        }
    }
}

#[test]
fn device_in_f32_with_chosen_and_plain_kernels_fused_and_not() {
    for case in golden() {
        let Golden { model, size, input, expected } = case;
        let graph = model.graph(input.shape.height, input.shape.width).expect("builds");
        let (packed, weak) = (&devices().packed, &devices().weak);
        for (what, graph, plain, gpu) in [
            ("fused", compile::optimise(&graph).expect("fuses"), false, packed),
            ("plain", compile::optimise(&graph).expect("fuses"), true, packed),
            ("unfused", compile::required(&graph).expect("rewrites"), false, packed),
            ("weak limits", compile::optimise(&graph).expect("fuses"), false, weak),
        ] {
            let session = TensorSession::new(gpu, &graph, Element::F32, plain).expect("records");
            for _ in 0..2 {
                // Replayed: the second picture must not see the first.
                let results = session.run(std::slice::from_ref(&input)).expect("runs");
                compare(&format!("{size} {what}"), &results, &expected, 1e-4);
            }
        }
    }
}

/// Each residual block as one kernel, of 16 channels and of 32, against the reference in f64.
#[test]
fn blocks_as_one_kernel() {
    let model = random_model(Config::new(16, 2, Activation::Tanh, MeanKind::Global));
    let graph = model.graph(64, 96).expect("builds");
    let mut rng = fastrand::Rng::with_seed(1);
    let shape = Shape::new(64, 96, 3);
    let input = FeatureMap { shape, data: (0..shape.values()).map(|_| rng.f32()).collect() };
    let truth = reference::execute(&graph, &[input.cast::<f64>()]).expect("runs");
    let truth: Vec<FeatureMap<f32>> = truth.iter().map(FeatureMap::cast).collect();
    let graph = compile::optimise(&graph).expect("fuses");
    for precision in [Element::F32, Element::F16] {
        let gpu = &devices().weak;
        let target = Target { prefer: Some("residual_block"), ..target(gpu, false) };
        let session = TensorSession::with_target(gpu, &graph, precision, target).expect("records");
        let steps = &session.session().plan().steps;
        assert_eq!(steps.iter().filter(|step| step.variant.shader == "residual_block").count(), 4);
        let results = session.run(std::slice::from_ref(&input)).expect("runs");
        match precision {
            Element::F32 => compare("blocks", &results, &truth, 1e-4),
            Element::F16 => assert!(decibels(&results[2], &truth[2]) >= 55.0),
        }
    }
}

/// A multi-scale module reads its map once for all pools, and takes the mean of a level in the kernel that makes its taps,
/// after one dispatch that sums chunks where the level is large.
#[test]
fn pools_and_means_are_fused() {
    let graph = golden().swap_remove(0).model.graph(256, 256).expect("builds");
    let graph = compile::optimise(&graph).expect("fuses");
    let count = |plain: bool, shader: &str| {
        let target = Target { plain, ..Target::default() };
        let plan = compile::compile(&graph, Element::F16, target).expect("compiles");
        plan.steps.iter().filter(|step| step.variant.shader == shader).count()
    };
    let modules = count(true, "filter_taps") / 3;
    assert!(modules > 0);
    assert_eq!([count(true, "avg_pool"), count(true, "pool_pyramid")], [3 * modules, 0]);
    assert_eq!([count(false, "avg_pool"), count(false, "pool_pyramid")], [0, modules]);
    assert!(count(true, "global_mean") > 3 * modules);
    assert!(count(false, "global_mean") < 3 * modules);
}

/// The picture in half precision is within 55 dB of the one in f32.
#[test]
fn device_in_half_precision() {
    for case in golden() {
        let Golden { model, size, input, expected } = case;
        let graph = model.graph(input.shape.height, input.shape.width).expect("builds");
        let unfused = compile::required(&graph).expect("rewrites");
        let graph = compile::optimise(&graph).expect("fuses");
        for (kind, gpu) in devices().all().into_iter().chain([("weak limits", devices().weak.clone())]) {
            let session = TensorSession::new(&gpu, &graph, Element::F16, false).expect("records");
            let results = session.run(std::slice::from_ref(&input)).expect("runs");
            let psnr = decibels(&results[2], &expected[2]);
            assert!(psnr >= 55.0, "{size} {kind}: {psnr:.1} dB");
            let session = TensorSession::new(&gpu, &unfused, Element::F16, false).expect("records");
            let results = session.run(std::slice::from_ref(&input)).expect("runs");
            let psnr = decibels(&results[2], &expected[2]);
            assert!(psnr >= 55.0, "{size} {kind} unfused: {psnr:.1} dB");
        }
    }
}

/// Each pass alone, against the graph before it, in f64.
#[test]
fn every_pass_keeps_the_meaning() {
    let case = golden().swap_remove(0);
    let graph = case.model.graph(case.input.shape.height, case.input.shape.width).expect("builds");
    let input = [case.input.cast::<f64>()];
    let stages = compile::stages(&graph, Element::F16).expect("passes run");
    let truth = reference::execute(&graph, &input).expect("runs");
    for (name, stage) in &stages[1..] {
        let results = reference::execute(stage, &input).expect("runs");
        for (result, truth) in results.iter().zip(&truth) {
            // Folded weights are rounded to f32.
            let error = Error::between(&result.data, &truth.data);
            assert!(error.within(1e-6), "{name}: {error}");
        }
    }
    let last = &stages[stages.len() - 1].1;
    assert!(last.nodes.len() * 10 < graph.nodes.len() * 7, "{} of {} nodes left", last.nodes.len(), graph.nodes.len());
}

/// The arena is no larger than a little above what is alive at once.
#[test]
fn arena_is_near_its_lower_bound() {
    for case in golden() {
        let graph = case.model.graph(256, 256).expect("builds");
        let graph = compile::optimise(&graph).expect("fuses");
        let plan = compile::compile(&graph, Element::F16, irnext::kernels::Target::default()).expect("compiles");
        let (bytes, bound) = (plan.placement.bytes(), plan.placement.lower_bound);
        assert!(bytes as f64 <= 1.05 * bound as f64, "{}: {bytes} bytes, at least {bound}", case.size);
    }
}

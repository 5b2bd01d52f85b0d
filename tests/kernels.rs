//! Every kernel in every variant on a device, against the CPU reference in f64, on random shapes.

mod common;

use common::devices;
use half::f16;
use irnext::compile::{Choice, Reason, assign_elements, block, check_key, choose, choose_block, key};
use irnext::gpu::{Gpu, Preferences};
use irnext::graph::{Graph, NodeId, Op};
use irnext::kernels::Target;
use irnext::model::{Activation, Config, MeanKind};
use irnext::reference;
use irnext::run::{TensorSession, target};
use irnext::tensor::{Element, FeatureMap, Shape};
use irnext::verify::random::random_model;
use irnext::verify::{self, Error, Plan, random};
use proptest::prelude::*;
use std::sync::Arc;

/// DESIGN's bounds on the relative L2 error of an operator.
fn bound(precision: Element) -> f64 {
    match precision {
        Element::F32 => 1e-5,
        Element::F16 => 2e-3,
    }
}

/// The inputs in the precision that they are stored in: their rounding is no error of a kernel's, and it is as large as
/// a mean that comes out near zero.
fn as_stored(inputs: &[FeatureMap<f32>], precision: Element) -> Vec<FeatureMap<f32>> {
    let stored = |value: &f32| if precision == Element::F16 { f16::from_f32(*value).to_f32() } else { *value };
    let map = |map: &FeatureMap<f32>| FeatureMap { shape: map.shape, data: map.data.iter().map(stored).collect() };
    inputs.iter().map(map).collect()
}

fn check(gpu: &Arc<Gpu>, kind: &str, case: &random::RandomCase, precision: Element) {
    let inputs = as_stored(&case.inputs, precision);
    // A sum in f32 can't be closer than half a step of its largest term, however small it comes out.
    let largest = inputs.iter().flat_map(|map| &map.data).fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let least = f64::from(largest * f32::EPSILON / 2.0);
    let truth: Vec<_> = inputs.iter().map(|map| map.cast::<f64>()).collect();
    let truth = reference::execute(&case.graph, &truth).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    for plan in verify::plans(gpu, &case.graph, precision) {
        let Plan { name, target, .. } = plan;
        let session = TensorSession::with_target(gpu, &case.graph, precision, target)
            .unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let result = session.run(&inputs).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        assert_eq!(result.len(), truth.len());
        for (result, truth) in result.iter().zip(&truth) {
            let error = Error::between(&result.data, &truth.data);
            assert!(
                error.rel_l2 <= bound(precision) || error.max_abs <= least,
                "{} in {precision} ({kind}, {name}): {error:?}\ngot  {:?}\nwant {:?}\n{}",
                case.name,
                &result.data[..result.data.len().min(12)],
                &truth.data[..truth.data.len().min(12)],
                case.graph
            );
        }
    }
}

fn check_everywhere(op: &str, seed: u64) {
    let case = random::case(op, seed).expect("a case of the list");
    for (kind, gpu) in devices().all() {
        check(&gpu, kind, &case, Element::F16);
    }
    check(&devices().packed, "f32", &case, Element::F32);
}

macro_rules! random_shapes {
    ($($op:ident)*) => {$(
        proptest! {
            #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]
            #[test]
            fn $op(seed in any::<u64>()) {
                check_everywhere(stringify!($op), seed);
            }
        }
    )*

    /// A kernel that is added to the list is tested here.
        #[test]
        fn every_op_is_tested() {
            assert_eq!(random::OPS, [$(stringify!($op)),*]);
        }
    };
}

random_shapes! {
    conv2d conv_transpose2d gelu add avg_pool pool_pyramid upsample_sum nearest_half instance_norm moments normalise
    global_mean box_mean low_band fft2 filter_taps dynamic_filter reflect_pad residual_block
}

/// Cooperative matrices in both sizes, offered or not: software Vulkan computes 16×16 ones although it offers only 8×8.
#[test]
fn cooperative_matrices() {
    let Some(gpu) = devices().native.as_ref().filter(|gpu| gpu.matrix.is_some() && gpu.subgroup.is_some()) else {
        common::not_tested(&devices().packed.name, "cooperative matrices of half floats (none offered)");
        return;
    };
    for seed in 0..16 {
        let case = random::case("conv2d", seed).expect("a case of the list");
        let truth: Vec<_> = case.inputs.iter().map(|map| map.cast::<f64>()).collect();
        let truth = reference::execute(&case.graph, &truth).expect("runs");
        for side in [8, 16] {
            let target = Target { matrix: Some(side), prefer: Some("conv2d_matrix"), ..target(gpu, false) };
            let session = TensorSession::with_target(gpu, &case.graph, Element::F16, target).expect("records");
            let steps = &session.session().plan().steps;
            assert!(steps.iter().any(|step| step.variant.shader == "conv2d_matrix"), "{}", case.name);
            let result = session.run(&case.inputs).expect("runs");
            let error = Error::between(&result[0].data, &truth[0].data);
            assert!(error.within(bound(Element::F16)), "{} by matrices of {side}: {error}", case.name);
        }
    }
}

/// A kernel that disagrees with the plain one is never chosen, and its successor is.
#[test]
fn a_demoted_kernel_is_out_of_use() {
    let mut graph = random_model(Config::new(32, 1, Activation::Tanh, MeanKind::Global)).graph(64, 64).expect("builds");
    assign_elements(&mut graph, Element::F16);
    let id = (0..graph.nodes.len())
        .map(NodeId)
        .find(|&id| graph.node(id).name == "Encoder.0.layers.0.main.2.main.0")
        .expect("the network has it");
    let chosen = |preferences: Preferences| {
        let preferences: &'static Preferences = Box::leak(Box::new(preferences));
        let target = Target { subgroup: Some(8), preferences: Some(preferences), ..Target::default() };
        choose(&graph, Element::F16, &target, id)
    };
    let mut known = Preferences::default();
    assert_eq!(chosen(known.clone()), Choice { kernel: "winograd", reason: Reason::Heuristic });
    known.agrees.insert(check_key("winograd", Element::F16), false);
    assert_eq!(chosen(known.clone()), Choice { kernel: "conv2d_broadcast", reason: Reason::Demoted });
    known.agrees.insert(check_key("conv2d_broadcast", Element::F16), false);
    assert_eq!(chosen(known.clone()), Choice { kernel: "conv2d_tiled", reason: Reason::Demoted });
    known.fastest.insert(key(&graph, Element::F16, id).expect("a convolution"), "winograd_f2".into());
    assert_eq!(chosen(known.clone()), Choice { kernel: "winograd_f2", reason: Reason::Tuned });
    known.agrees.insert(check_key("winograd_f2", Element::F16), false);
    assert_eq!(chosen(known), Choice { kernel: "conv2d_tiled", reason: Reason::Demoted });
}

/// A residual block is taken apart unless one kernel was the fastest, and agrees.
#[test]
fn a_block_is_one_kernel_where_that_was_faster() {
    let model = random_model(Config::new(32, 2, Activation::Tanh, MeanKind::Global));
    let mut graph = irnext::compile::optimise(&model.graph(64, 64).expect("builds")).expect("fuses");
    assign_elements(&mut graph, Element::F16);
    let keys: Vec<String> = (0..graph.nodes.len())
        .filter_map(|index| block(&graph, Element::F16, NodeId(index)))
        .map(|(_, key)| key)
        .collect();
    // The first block of the first and of the last stage: the others have more channels, or a module in between.
    assert_eq!(keys, ["block 32>32>32 2^12 f16"; 2]);
    let chosen = |preferences: &Preferences| {
        let preferences: &'static Preferences = Box::leak(Box::new(preferences.clone()));
        let target = Target { preferences: Some(preferences), ..Target::default() };
        let plan = irnext::compile::compile(&graph, Element::F16, target).expect("compiles");
        let fused = plan.steps.iter().filter(|step| step.variant.shader == "residual_block").count();
        (choose_block(Element::F16, &target, &keys[0]), fused, plan.steps.len())
    };
    let mut known = Preferences::default();
    let (apart, none, steps) = chosen(&known);
    assert_eq!((apart.kernel, apart.reason, none), ("two convolutions", Reason::Heuristic, 0));
    known.fastest.insert(keys[0].clone(), "residual_block".into());
    let tuned = Choice { kernel: "residual_block", reason: Reason::Tuned };
    assert_eq!(chosen(&known), (tuned, 2, steps - 2));
    known.agrees.insert(check_key("residual_block", Element::F16), false);
    assert_eq!(chosen(&known), (apart, 0, steps));
}

/// A layer of few channels gets the kernel that leaves no lane idle on them, and a wider one doesn't.
#[test]
fn few_channels_have_their_own_kernel() {
    for (width, kernel) in [(16, "conv2d_pairs"), (32, "winograd")] {
        let network = random_model(Config::new(width, 1, Activation::Tanh, MeanKind::Global));
        let mut graph = network.graph(64, 64).expect("builds");
        assign_elements(&mut graph, Element::F16);
        let id = (0..graph.nodes.len())
            .map(NodeId)
            .find(|&id| graph.node(id).name == "Encoder.0.layers.0.main.2.main.0")
            .expect("the network has it");
        let target = Target { subgroup: Some(8), ..Target::default() };
        let choice = choose(&graph, Element::F16, &target, id);
        assert_eq!(choice, Choice { kernel, reason: Reason::Heuristic });
        // Subgroups of 4 lanes can't run it.
        let four = choose(&graph, Element::F16, &Target { subgroup: Some(4), ..target }, id);
        assert_eq!(four, Choice { kernel: "conv2d_tiled", reason: Reason::Heuristic });
    }
}

/// Where this program rounds to half precision itself (words of 64 bits), it rounds as the standard says: ties, numbers
/// without an exponent, overflow, infinities, NaN.
#[test]
fn halves_are_rounded_to_the_nearest() {
    let gpu = &devices().packed;
    if !gpu.words64 {
        return common::not_tested(&gpu.name, "rounding to half precision (the driver rounds: no words of 64 bits)");
    }
    let shape = Shape::new(64, 256, 4);
    let mut graph = Graph::default();
    let inputs = ["a", "b"].map(|name| graph.input(name, shape, false));
    let sum = graph.push("sum", Op::Add { scale: 1.0 }, &inputs).expect("fits");
    graph.output("sum", sum, false);
    let mut rng = fastrand::Rng::with_seed(7);
    // All halves, each with one of like size, so that sums need a bit or two more than a half has.
    let a = FeatureMap::from_fn(shape, |y, x, pixel| {
        for (c, value) in pixel.iter_mut().enumerate() {
            *value = f16::from_bits((y * 1024 + x * 4 + c) as u16).to_f32();
        }
    });
    let mut b = a.clone();
    for value in &mut b.data {
        let near = f16::from_f32(*value).to_bits().wrapping_add(rng.u16(0..3 << 11)) ^ (rng.u16(0..2) << 15);
        *value = f16::from_bits(near).to_f32();
    }
    let target = target(gpu, true);
    let session = TensorSession::with_target(gpu, &graph, Element::F16, target).expect("records");
    let made = session.run(&[a.clone(), b.clone()]).expect("runs");
    let mut kinds = [0; 3];
    for ((a, b), made) in a.data.iter().zip(&b.data).zip(&made[0].data) {
        let wanted = f16::from_f32(a + b);
        kinds[usize::from(wanted.is_infinite()) + 2 * usize::from(wanted.is_nan())] += 1;
        let same = if wanted.is_nan() { made.is_nan() } else { made.to_bits() == wanted.to_f32().to_bits() };
        assert!(same, "{a:e} + {b:e} is {:e}, rounded {wanted:e}: made {made:e}", a + b);
    }
    assert!(kinds.iter().all(|&count| count > 300), "{kinds:?}");
}

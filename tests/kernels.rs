//! Every kernel in every variant on a device, against the CPU reference in f64, on random shapes.

mod common;

use common::{Devices, devices};
use half::f16;
use irnext::compile::{Choice, Reason, assign_elements, block, check_key, choose, choose_block, key, optimise};
use irnext::gpu::{Gpu, Matrices, Preferences};
use irnext::graph::{Conv2d, ConvTranspose2d, DynamicFilter, Epilogue, Graph, NodeId, Op, TapWeights};
use irnext::kernels::Target;
use irnext::model::{Activation, Config, MeanKind};
use irnext::reference;
use irnext::run::{TensorSession, target};
use irnext::tensor::{Element, FeatureMap, Shape, Tensor};
use irnext::verify::random::random_model;
use irnext::verify::{self, Error, Plan, random};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

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
                error.rel_l2 <= precision.error_bound() || error.max_abs <= least,
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

/// A device with cooperative matrices of half floats, or word that it wasn't tested.
fn with_matrices() -> Option<&'static Arc<Gpu>> {
    let gpu = devices().native.as_ref().filter(|gpu| gpu.matrix.is_some());
    if gpu.is_none() {
        common::not_tested(&devices().packed.name, "cooperative matrices of half floats (none offered)");
    }
    gpu
}

/// Cooperative matrices on random shapes, in both sizes, offered or not: software Vulkan computes 16×16 ones although it
/// offers only 8×8.
#[test]
fn cooperative_matrices_on_random_shapes() {
    let Some(gpu) = with_matrices() else { return };
    for seed in 0..16 {
        for op in ["conv2d", "conv_transpose2d"] {
            let case = random::case(op, seed).expect("a case of the list");
            check_matrices(gpu, &case.name, &case.graph, &case.inputs, &["conv2d_matrix"], (&[8, 16], 4));
            // Drivers take seconds to compile each of these.
            if seed < 4 {
                check_matrices(gpu, &case.name, &case.graph, &case.inputs, &HALO, (&[8], 4));
            }
        }
    }
    // Twice as many subgroups as the kernels want, as where their size is known only by its bounds.
    let (graph, inputs) = wide_convolution(Shape::new(21, 19, 24), 40, 3, 1);
    check_matrices(gpu, "eight subgroups", &graph, &inputs, &["conv2d_matrix", "conv2d_matrix_halo"], (&[8], 8));
}

#[test]
fn every_form_of_8_by_8_matrices() {
    every_form_of_matrices(8);
}

#[test]
fn every_form_of_16_by_16_matrices() {
    every_form_of_matrices(16);
}

fn every_form_of_matrices(side: u32) {
    let Some(gpu) = with_matrices() else { return };
    // Those of 16×16 take drivers minutes to compile: of these, narrow and slim ones only with all taps and stride 1.
    let outputs = if side == 8 { &[72, 16, 5][..] } else { &[72] };
    let narrower = ["+narrow+strided", "+slim+strided", "+narrow+pointwise", "+slim+pointwise"];
    let narrower = if side == 8 { &narrower[..] } else { &[] };
    // Several workgroups on each axis, none of them whole, and more than one round of channels from two inputs.
    let mut made = BTreeSet::new();
    for (height, width, channels, out) in [(35, 37, 24, 72), (19, 21, 8, 24), (17, 1, 5, 16), (37, 9, 5, 3)] {
        let (graph, inputs) = wide_convolution(Shape::new(height, width, channels), out, 3, 1);
        made.extend(check_matrices(gpu, "wide convolution", &graph, &inputs, &HALO, (&[side], 4)));
    }
    let shape = Shape::new(35, 37, 24);
    for (kernel, stride) in [(3, 2), (1, 1)] {
        for &out in outputs {
            let (graph, inputs) = wide_convolution(shape, out, kernel, stride);
            made.extend(check_matrices(gpu, "wide convolution", &graph, &inputs, &HALO, (&[side], 4)));
        }
    }
    // Of these the size decides the form.
    for height in [9, 20, 33, 40, 56] {
        let (graph, inputs) = wide_transposed(Shape::new(height, height + 2, 24), 72);
        let kernel = &["conv_transpose2d_matrix"];
        made.extend(check_matrices(gpu, "wide transposed", &graph, &inputs, kernel, (&[side], 4)));
    }
    let rest = |variant: &String| {
        let rest = variant.split('+').filter(|part| !["bias", "gelu", "residual", "two_inputs"].contains(part));
        rest.collect::<Vec<_>>().join("+")
    };
    let made: BTreeSet<String> = made.iter().map(rest).collect();
    let forms = ["", "+rows4", "+rows4+rows8", "+narrow", "+narrow+rows4", "+slim", "+slim+rows4", "+slim+rows4+rows8"];
    let others = ["+strided", "+strided+rows4", "+pointwise", "+pointwise+rows4", "+pointwise+rows4+rows8"];
    let mut missing = vec![];
    let transposed = ["+transposed", "+rows4+transposed", "+rows4+rows8+transposed"];
    for form in forms.into_iter().chain(others).chain(narrower.iter().copied()).chain(transposed) {
        let size = (side == 16).then_some("size16");
        let mut parts: Vec<&str> = form.split('+').filter(|part| !part.is_empty()).chain(size).collect();
        parts.sort_unstable();
        let name = std::iter::once("conv2d_matrix_halo").chain(parts).collect::<Vec<_>>().join("+");
        if !made.contains(&name) {
            missing.push(name);
        }
    }
    // The largest patches.
    let large = ["conv2d_matrix_halo+rows4+rows8+size16+slim", "conv2d_matrix_halo+rows4+size16+strided"];
    assert!(missing.iter().all(|name| large.contains(&name.as_str())), "no case of {missing:?}: {made:?}");
    if !missing.is_empty() {
        let room = gpu.limits.max_compute_workgroup_storage_size;
        common::not_tested(&gpu.name, &format!("{missing:?} ({room} bytes of workgroup memory are too few)"));
    }
}

/// The kernels that read a patch with its halo.
const HALO: [&str; 4] = ["conv2d_matrix_halo", "conv2d_matrix_low", "conv2d_matrix_flat", "conv_transpose2d_matrix"];

/// A graph through those of some kernels that compute it, with matrices of some sides; the variants that did.
fn check_matrices(
    gpu: &Arc<Gpu>,
    name: &str,
    graph: &Graph,
    inputs: &[FeatureMap<f32>],
    kernels: &[&'static str],
    (sides, subgroups): (&[u32], u32),
) -> Vec<String> {
    let inputs = as_stored(inputs, Element::F16);
    let truth: Vec<_> = inputs.iter().map(|map| map.cast::<f64>()).collect();
    let truth = reference::execute(graph, &truth).expect("runs");
    let mut made = vec![];
    for kernel in kernels {
        for &side in sides {
            let matrix = gpu.matrix.map(|matrix| Matrices { side, lanes: matrix.lanes * subgroups / 4 });
            let target = Target { matrix, prefer: Some(kernel), ..target(gpu, false) };
            let session = TensorSession::with_target(gpu, graph, Element::F16, target).expect("records");
            let last = session.session().plan().steps.last().expect("has steps").variant.to_string();
            if !last.starts_with("conv2d_matrix") {
                continue;
            }
            let result = session.run(&inputs).expect("runs");
            let error = Error::between(&result[0].data, &truth[0].data);
            assert!(error.within(Element::F16.error_bound()), "{name} by {last}: {error}");
            made.push(last);
        }
    }
    made
}

/// −1..1, without end.
fn values() -> impl Iterator<Item = f32> {
    (0u32..).map(|at| (at.wrapping_mul(2_654_435_761) >> 8) as f32 / (1u32 << 23) as f32 - 1.0)
}

/// A transposed convolution and its input.
fn wide_transposed(shape: Shape, out: usize) -> (Graph, Vec<FeatureMap<f32>>) {
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

/// A convolution over two inputs, with all that an epilogue holds, and its inputs.
fn wide_convolution(shape: Shape, out: usize, kernel: usize, stride: usize) -> (Graph, Vec<FeatureMap<f32>>) {
    let mut values = values();
    let mut graph = Graph::new();
    let second = Shape::new(shape.height, shape.width, 3);
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
    assert_eq!(chosen(known.clone()), Choice { kernel: "winograd_shared", reason: Reason::Demoted });
    known.agrees.insert(check_key("winograd_shared", Element::F16), false);
    assert_eq!(chosen(known.clone()), Choice { kernel: "conv2d_tiled", reason: Reason::Demoted });
    known.fastest.insert(key(&graph, Element::F16, id).expect("a convolution"), "winograd_f2".into());
    assert_eq!(chosen(known.clone()), Choice { kernel: "winograd_f2", reason: Reason::Tuned });
    known.agrees.insert(check_key("winograd_f2", Element::F16), false);
    assert_eq!(chosen(known), Choice { kernel: "conv2d_tiled", reason: Reason::Demoted });
}

/// What the program carries of an adapter goes before what was tuned, for this adapter and no other, unless it is wrong
/// there.
#[test]
fn the_shipped_table_is_taken_first() {
    let graph = random_model(Config::new(32, 1, Activation::Tanh, MeanKind::Global)).graph(256, 256).expect("builds");
    let mut graph = optimise(&graph).expect("passes");
    assign_elements(&mut graph, Element::F16);
    let wanted = "3x3/1 32>32 2^12 f16";
    let id = (0..graph.nodes.len()).map(NodeId).find(|&id| key(&graph, Element::F16, id).as_deref() == Some(wanted));
    let id = id.expect("the network has it");
    let chosen = |adapter: &str, agrees: bool| {
        let mut known = Preferences { adapter: adapter.into(), ..Preferences::default() };
        known.fastest.insert(wanted.into(), "conv2d_pairs".into());
        known.agrees.insert(check_key("winograd_f2", Element::F16), agrees);
        let preferences: &'static Preferences = Box::leak(Box::new(known));
        let target = Target { software: true, subgroup: Some(8), preferences: Some(preferences), ..Target::default() };
        choose(&graph, Element::F16, &target, id)
    };
    let newer = "llvmpipe (LLVM 19.1.7, 256 bits) (software driver, vulkan, Mesa 26.1.6)";
    assert_eq!(chosen(newer, true), Choice { kernel: "winograd_f2", reason: Reason::Shipped });
    assert_eq!(chosen(newer, false), Choice { kernel: "conv2d_pairs", reason: Reason::Tuned });
    assert_eq!(chosen("another GPU", true), Choice { kernel: "conv2d_pairs", reason: Reason::Tuned });
}

/// A device with units for matrices uses them, with more workgroups where a map is small; a weak one has no room for a patch.
#[test]
fn matrices_are_taken_where_they_are() {
    let taken = |width: usize, side: usize, target: Target, name: &str| {
        let model = random_model(Config::new(width, 1, Activation::Tanh, MeanKind::Global));
        let mut graph = model.graph(side, side).expect("builds");
        assign_elements(&mut graph, Element::F16);
        let named = (0..graph.nodes.len()).map(NodeId).find(|&id| graph.node(id).name == name);
        choose(&graph, Element::F16, &target, named.expect("the network has it")).kernel
    };
    let chosen = |side: usize, target: Target| {
        ["Encoder.0.layers.0.main.2.main.0", "Convs.1.main.0", "feat_extract.3.main.0"]
            .map(|name| taken(32, side, target, name))
    };
    let able = Target {
        subgroup: Some(32),
        matrix: Some(Matrices { side: 16, lanes: 32 }),
        workgroup_memory: 48 << 10,
        ..Target::default()
    };
    assert_eq!(chosen(64, able), ["conv2d_matrix_low", "conv2d_matrix_low", "conv_transpose2d_matrix"]);
    assert_eq!(chosen(384, able), ["conv2d_matrix_halo", "conv2d_matrix_low", "conv_transpose2d_matrix"]);
    // Of stride 2 to 32 channels: many workgroups by the tallest form, whose patch has no room.
    assert_eq!(taken(16, 768, able, "feat_extract.1.main.0"), "conv2d_matrix_low");
    let weak = Target { workgroup_memory: 8 << 10, ..able };
    assert_eq!(chosen(64, weak), ["conv2d_matrix", "conv2d_matrix", "conv_transpose2d_shared"]);
    let weak = Target { workgroup_memory: 16 << 10, ..able };
    assert_eq!(chosen(64, weak), ["conv2d_matrix", "conv2d_matrix_low", "conv_transpose2d_matrix"]);
    let without = Target { matrix: None, ..able };
    assert_eq!(chosen(64, without), ["winograd_shared", "conv2d_tiled", "conv_transpose2d_shared"]);
}

/// The mean of a convolution's result out of the sums that its kernel leaves, and the filter made of it: as from the map
/// itself, on maps with tiles left over, narrow and wide, and without a dispatch for the sums.
#[test]
fn means_come_with_the_convolution() {
    let kernels = [
        "conv2d_tiled",
        "conv2d_shared",
        "conv2d_broadcast",
        "conv2d_pairs",
        "winograd",
        "winograd_f2",
        "winograd_shared",
    ];
    let mut made = BTreeSet::new();
    for (height, width, channels, out) in [(67, 45, 16, 16), (33, 80, 8, 40), (37, 41, 24, 72)] {
        let (graph, inputs) = filtered(Shape::new(height, width, channels), out);
        let truth: Vec<_> = as_stored(&inputs, Element::F16).iter().map(|map| map.cast::<f64>()).collect();
        let truth = reference::execute(&graph, &truth).expect("runs");
        for (kind, gpu) in devices().all() {
            for kernel in kernels.into_iter().chain(HALO) {
                for precision in [Element::F16, Element::F32] {
                    let mut graph = graph.clone();
                    assign_elements(&mut graph, precision);
                    let target = Target { prefer: Some(kernel), ..target(&gpu, false) };
                    let session = TensorSession::with_target(&gpu, &graph, precision, target).expect("records");
                    let steps = &session.session().plan().steps;
                    let first = &steps[0].variant;
                    if !first.has("sums") {
                        continue;
                    }
                    let means = steps.iter().filter(|step| step.variant.shader == "global_mean").count();
                    assert_eq!(means, 0, "{kernel}: {steps:?}");
                    made.insert(first.shader);
                    let result = session.run(&as_stored(&inputs, Element::F16)).expect("runs");
                    let error = Error::between(&result[0].data, &truth[0].data);
                    let name = format!("{height}x{width} {channels}>{out} by {first} in {precision} ({kind})");
                    assert!(error.within(precision.error_bound()), "{name}: {error}");
                }
            }
        }
    }
    for shader in ["conv2d_shared", "conv2d_tiled", "winograd_shared"] {
        assert!(made.contains(shader), "no case of {shader}: {made:?}");
    }
    let missing: Vec<_> = ["conv2d_broadcast", "conv2d_pairs", "winograd", "conv2d_matrix_halo"]
        .into_iter()
        .filter(|shader| !made.contains(shader))
        .collect();
    if !missing.is_empty() {
        common::not_tested(&devices().packed.name, &format!("sums of {missing:?} (it can't run them)"));
    }
}

/// A filter that makes its own taps, as GPUs do on small maps: slices of channels that cut groups, several workgroups on both
/// axes, the mean from a convolution's sums and from the map.
#[test]
fn small_maps_make_their_own_taps() {
    let mut axes = BTreeSet::new();
    for (height, width, channels, out) in
        [(23, 27, 8, 72), (20, 20, 16, 24), (64, 64, 8, 16), (1, 9, 8, 136), (1, 1, 3, 8)]
    {
        let (graph, inputs) = filtered(Shape::new(height, width, channels), out);
        let truth: Vec<_> = as_stored(&inputs, Element::F16).iter().map(|map| map.cast::<f64>()).collect();
        let truth = reference::execute(&graph, &truth).expect("runs");
        for (kind, gpu) in devices().all() {
            for precision in [Element::F16, Element::F32] {
                let mut graph = graph.clone();
                assign_elements(&mut graph, precision);
                let target = Target { software: false, ..target(&gpu, false) };
                let session = TensorSession::with_target(&gpu, &graph, precision, target).expect("records");
                let last = session.session().plan().steps.last().expect("has steps");
                let name = format!("{height}x{width} {channels}>{out} by {} in {precision} ({kind})", last.variant);
                assert!(last.variant.has("own_taps"), "{name}");
                axes.insert([last.workgroups[0] > 1, last.workgroups[1] > 1]);
                let result = session.run(&as_stored(&inputs, Element::F16)).expect("runs");
                let error = Error::between(&result[0].data, &truth[0].data);
                assert!(error.within(precision.error_bound()), "{name}: {error}");
            }
        }
    }
    assert!(axes.contains(&[true, true]), "{axes:?}");
}

/// A convolution without bias, the mean of its result, and the filter made of that: a level of the multi-scale module.
fn filtered(shape: Shape, out: usize) -> (Graph, Vec<FeatureMap<f32>>) {
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
        activation: Activation::Tanh.into(),
    };
    let taps = graph.push("taps", Op::FilterTaps(taps), &[mean]).expect("fits");
    let [inside, lamb_l, lamb_h] = [vec![out, 1, 1], vec![out], vec![out]].map(|shape| weight(&mut graph, &shape, 1.0));
    let filter = DynamicFilter { inside, lamb_l, lamb_h };
    let node = graph.push("filter", Op::DynamicFilter(filter), &[map, taps, mean]).expect("fits");
    graph.output("output", node, false);
    // Means that are not near zero.
    let inputs = vec![FeatureMap { shape, data: values.take(shape.values()).map(|value| value + 0.5).collect() }];
    (graph, inputs)
}

/// A map of so many tiles that one dispatch would take more rounds of a loop than some drivers finish: as by the broadcasts.
#[test]
fn winograd_goes_through_large_maps() {
    let Devices { packed: gpu, .. } = devices();
    if gpu.subgroup != Some(8) {
        common::not_tested(&gpu.name, "Winograd on large maps (no subgroups of 8)");
        return;
    }
    let run = |graph: &Graph, inputs: &[FeatureMap<f32>], kernel: &'static str| {
        let target = Target { prefer: Some(kernel), ..target(gpu, false) };
        let session = TensorSession::with_target(gpu, graph, Element::F16, target).expect("records");
        let steps = &session.session().plan().steps;
        let shader = kernel.replace("conv_transpose2d_winograd", "winograd");
        assert!(steps.iter().all(|step| shader.starts_with(step.variant.shader)), "{kernel}: {steps:?}");
        let dispatches = steps.len();
        (session.run(inputs).expect("runs").remove(0), dispatches)
    };
    let check = |(graph, inputs): (Graph, Vec<FeatureMap<f32>>), plain, kernels: &[(&'static str, bool)]| {
        let truth: Vec<f64> = run(&graph, &inputs, plain).0.data.iter().map(|&value| f64::from(value)).collect();
        for &(kernel, several) in kernels {
            let (result, dispatches) = run(&graph, &inputs, kernel);
            let error = Error::between(&result.data, &truth);
            assert!(error.within(Element::F16.error_bound()), "{kernel}: {error}");
            assert!(!several || dispatches > 1, "{kernel}: one dispatch");
        }
    };
    // The smaller tiles, and four times as many channels, are too many for one dispatch on however many cores.
    let shape = Shape::new(416, 400, 128);
    check(large_convolution(shape), "conv2d_broadcast", &[("winograd", false), ("winograd_f2", true)]);
    check(wide_transposed(shape, 64), "conv_transpose2d_broadcast", &[("conv_transpose2d_winograd", true)]);
}

/// A convolution of as many channels as it has, and its input.
fn large_convolution(shape: Shape) -> (Graph, Vec<FeatureMap<f32>>) {
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

/// The four parities of a transposed convolution by Winograd: tiles left over on each side, one pixel, one row, one
/// column, channels that are no whole blocks, more of them than a group and fewer.
#[test]
fn winograd_makes_transposed_convolutions() {
    for (kind, gpu) in devices().all() {
        if gpu.subgroup != Some(8) {
            common::not_tested(&gpu.name, "transposed convolutions by Winograd (no subgroups of 8)");
            continue;
        }
        for (height, width, channels, out) in [
            (1, 1, 8, 8),
            (1, 23, 3, 5),
            (21, 1, 5, 3),
            (4, 5, 16, 16),
            (5, 4, 24, 40),
            (19, 33, 12, 9),
            (40, 29, 8, 72),
        ] {
            for precision in [Element::F16, Element::F32] {
                let (mut graph, inputs) = wide_transposed(Shape::new(height, width, channels), out);
                assign_elements(&mut graph, precision);
                let inputs = as_stored(&inputs, precision);
                let truth: Vec<_> = inputs.iter().map(|map| map.cast::<f64>()).collect();
                let truth = reference::execute(&graph, &truth).expect("runs");
                let target = Target { prefer: Some("conv_transpose2d_winograd"), ..target(&gpu, false) };
                let session = TensorSession::with_target(&gpu, &graph, precision, target).expect("records");
                let variant = session.session().plan().steps[0].variant.clone();
                assert!(variant.shader == "winograd" && variant.has("transposed"), "{variant}");
                let result = session.run(&inputs).expect("runs");
                let error = Error::between(&result[0].data, &truth[0].data);
                let name = format!("{height}x{width} {channels}>{out} by {variant} in {precision} ({kind})");
                assert!(error.within(precision.error_bound()), "{name}: {error}");
            }
        }
    }
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
        let target = Target { software: true, subgroup: Some(8), ..Target::default() };
        let choice = choose(&graph, Element::F16, &target, id);
        assert_eq!(choice, Choice { kernel, reason: Reason::Heuristic });
        // Subgroups of 4 lanes can't run it.
        let four = choose(&graph, Element::F16, &Target { subgroup: Some(4), ..target }, id);
        assert_eq!(four, Choice { kernel: "conv2d_tiled", reason: Reason::Heuristic });
    }
}

/// Where half precision is packed, this program rounds to it, and as the standard says: ties, numbers without an exponent,
/// overflow, infinities, NaN.
#[test]
fn halves_are_rounded_to_the_nearest() {
    let gpu = &devices().packed;
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

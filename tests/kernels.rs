//! Every kernel in every variant on a device, against the CPU reference in f64, on random shapes.

mod common;

use common::graphs::{HALO, as_stored, filtered};
use common::{adapter, devices};
use half::f16;
use irnext::compile::assign_elements;
use irnext::gpu::Gpu;
use irnext::graph::{Activation, Graph, Op};
use irnext::kernels::{Target, shaders};
use irnext::reference;
use irnext::run::{TensorSession, measure_rounding, target};
use irnext::tensor::{Element, FeatureMap, Shape};
use irnext::verify::{self, Error, Way, random};
use proptest::prelude::*;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A case in half precision as one of the devices has it, or in single precision, by lot (`turn`): a software driver
/// compiles for a second what it runs for a millisecond.
fn check_somewhere(op: &str, turn: u64) {
    let case = &random::case(op, turn).expect("a case of the list");
    let device = || {
        let all = devices().all();
        let taken = all.get(turn as usize % (all.len() + 1)).map(|(kind, gpu)| (*kind, Arc::clone(gpu), Element::F16));
        taken.unwrap_or_else(|| ("f32", Arc::clone(&devices().packed), Element::F32))
    };
    let (_, gpu, precision) = device();
    let inputs = as_stored(&case.inputs, precision);
    // A sum in f32 can't be closer than half a step of its largest term, however small it comes out.
    let largest = inputs.iter().flat_map(|map| &map.data).fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let least = f64::from(largest * f32::EPSILON / 2.0);
    let truth: Vec<_> = inputs.iter().map(|map| map.cast::<f64>()).collect();
    let truth = reference::execute(&case.graph, &truth).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    verify::ways(&gpu, &case.graph, precision).into_par_iter().for_each(|way| {
        let Way { name, target, .. } = way;
        // Of the thread that takes it.
        let (kind, gpu, _) = device();
        let session = TensorSession::with_target(&gpu, &case.graph, precision, target)
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
    });
}

/// Random cases of each op; the variable is proptest's own.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().map_or(16, |text| text.parse().expect("a number"))
}

macro_rules! random_shapes {
    ($($op:ident)*) => {$(
        proptest! {
            #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]
            #[test]
            fn $op(seed in any::<u64>()) {
                check_somewhere(stringify!($op), seed);
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

/// A map nearly as long as the upsampling kernel can place its pixels is right, a longer one is refused.
#[test]
fn upsampling_to_very_long_maps() {
    let gpu = &devices().packed;
    let upsampled = |length: usize, across: bool| {
        let side = |length: usize| if across { Shape::new(1, length, 4) } else { Shape::new(length, 1, 4) };
        let (mut graph, shape, out) = (Graph::new(), side(length), side(2 * length));
        let input = graph.input("input", shape, false);
        let op = Op::UpsampleSum { height: out.height, width: out.width, base: false, gelu: false };
        let node = graph.push("upsampled", op, &[input]).expect("fits");
        graph.output("output", node, false);
        (graph, FeatureMap { shape, data: (0..shape.values()).map(|at| (at * 7919 % 1024) as f32 / 1024.0).collect() })
    };
    let (graph, input) = upsampled(46_000, true);
    let session = TensorSession::new(gpu, &graph, Element::F32, false).expect("records");
    let result = session.run(std::slice::from_ref(&input)).expect("runs");
    let truth = reference::execute(&graph, &[input.cast::<f64>()]).expect("runs");
    let error = Error::between(&result[0].data, &truth[0].data);
    assert!(error.within(Element::F32.error_bound()), "{error}");
    for across in [true, false] {
        let (graph, _) = upsampled(50_000, across);
        let error = TensorSession::new(gpu, &graph, Element::F32, false).err().expect("is refused").to_string();
        assert!(error.contains("too large a map"), "{error}");
    }
}

/// A window so wide that a software driver may stop the loop through it is refused there; a narrower one is right.
#[test]
fn means_over_very_wide_windows() {
    let gpu = &devices().packed;
    for (width, long) in [(100_000, false), (140_000, true)] {
        let (mut graph, shape) = (Graph::new(), Shape::new(1, width, 4));
        let input = graph.input("input", shape, false);
        let node = graph.push("mean", Op::BoxMean { base: 120, train: 256 }, &[input]).expect("fits");
        graph.output("output", node, false);
        let session = TensorSession::new(gpu, &graph, Element::F32, false);
        if long && gpu.software {
            let error = session.err().expect("is refused").to_string();
            assert!(error.contains("too large a map"), "{error}");
            continue;
        }
        let data = (0..shape.values()).map(|at| (at * 7919 % 1024) as f32 / 1024.0).collect();
        let input = FeatureMap { shape, data };
        let result = session.expect("records").run(std::slice::from_ref(&input)).expect("runs");
        let truth = reference::execute(&graph, &[input.cast::<f64>()]).expect("runs");
        let error = Error::between(&result[0].data, &truth[0].data);
        assert!(error.within(Element::F32.error_bound()), "{width}: {error}");
    }
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
        let (graph, inputs) = filtered(Shape::new(height, width, channels), out, Activation::Tanh, false);
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
/// axes, every activation, a mean or a map to subtract, the mean from a convolution's sums and from the map.
#[test]
fn small_maps_make_their_own_taps() {
    let (mut axes, mut made) = (BTreeSet::new(), BTreeSet::new());
    let shapes = [(23, 27, 8, 72), (20, 20, 16, 24), (64, 64, 8, 16), (1, 9, 8, 136), (2, 1, 3, 8)];
    let activations = [Activation::Tanh, Activation::Softmax, Activation::SoftmaxTanh];
    for ((height, width, channels, out), (activation, by_map)) in
        shapes.into_iter().flat_map(|shape| activations.map(|a| [false, true].map(|by| (shape, (a, by))))).flatten()
    {
        let (graph, inputs) = filtered(Shape::new(height, width, channels), out, activation, by_map);
        let inputs = as_stored(&inputs, Element::F16);
        let truth: Vec<_> = inputs.iter().map(|map| map.cast::<f64>()).collect();
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
                if precision == Element::F16 {
                    made.insert(format!(
                        "{activation:?} {} {}",
                        last.variant.has("smooth_map"),
                        last.variant.has("parts_f32")
                    ));
                }
                let result = session.run(&inputs).expect("runs");
                let error = Error::between(&result[0].data, &truth[0].data);
                assert!(error.within(precision.error_bound()), "{name}: {error}");
            }
        }
    }
    assert!(axes.contains(&[true, true]), "{axes:?}");
    assert_eq!(made.len(), 3 * 2 * 2, "{made:?}");
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

/// What shaders store is rounded to the nearest half float on every dialect; and a driver that rounds towards zero would be
/// found out.
#[test]
fn stored_values_are_rounded_to_the_nearest() {
    for (kind, gpu) in devices().all() {
        assert!(measure_rounding(&gpu).expect("runs"), "{kind}");
    }
    let text = std::fs::read_to_string("shaders/shared/half.wgsl").expect("reads");
    let rounded = "(cut + ((cut >> vec4<u32>(13u)) & vec4<u32>(1u)) + vec4<u32>(0xc8000fffu))";
    assert!(text.contains(rounded));
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("shared")).expect("creates");
    let text = text.replace(rounded, "(cut + vec4<u32>(0xc8000000u))");
    std::fs::write(folder.path().join("shared/half.wgsl"), text).expect("writes");
    let sources = shaders().replaced_from(folder.path()).expect("reads");
    let adapter = adapter();
    let limits = wgpu::Limits::default();
    let gpu = Arc::new(Gpu::open_with(&adapter, sources, false, limits).expect("opens"));
    assert!(!measure_rounding(&gpu).expect("runs"));
}

/// Pixels of files come in and go out as on the host, to the bit; a wrong shader is told.
#[test]
fn pixels_in_and_out() {
    for (kind, gpu) in devices().all() {
        for precision in [Element::F16, Element::F32] {
            let reports = verify::pixel_cases(&gpu, precision);
            assert!(reports.len() >= 8 && reports.iter().all(|report| report.pass), "{kind} {precision}: {reports:?}");
        }
    }
    for (file, right, wrong) in [("pixels_in.wgsl", "255.0", "254.0"), ("pixels_out.wgsl", "255.0", "254.0")] {
        let text = std::fs::read_to_string(format!("shaders/{file}")).expect("reads");
        assert!(text.contains(right), "{file}");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(file), text.replace(right, wrong)).expect("writes");
        let sources = shaders().replaced_from(folder.path()).expect("reads");
        let gpu = Arc::new(Gpu::open_with(&adapter(), sources, false, wgpu::Limits::default()).expect("opens"));
        assert!(verify::pixel_cases(&gpu, Element::F16).iter().any(|report| !report.pass), "{file}");
    }
}

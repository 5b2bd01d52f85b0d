//! The kernels by cooperative matrices, in every form, against the CPU reference in f64.

mod common;

use common::devices;
use common::graphs::{HALO, as_stored, filtered, wide_convolution, wide_transposed, wider_convolution};
use irnext::compile::assign_elements;
use irnext::gpu::{Gpu, Matrices};
use irnext::graph::{Activation, Graph};
use irnext::kernels::Target;
use irnext::reference;
use irnext::run::{TensorSession, target};
use irnext::tensor::{Element, FeatureMap, Shape};
use irnext::verify::{Error, random};
use std::collections::BTreeSet;
use std::sync::Arc;

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

/// The kernel that stages its weights too: tiles and workgroups that aren't whole, one pixel wide, several rounds of channels
/// from two inputs, in its form for few channels and in those for more and for less workgroup memory.
#[test]
fn staged_weights() {
    let Some(gpu) = with_matrices() else { return };
    let mut made = BTreeSet::new();
    for (height, width, first, second, out) in
        [(35, 37, 16, 32, 72), (17, 1, 48, 16, 5), (1, 18, 16, 16, 33), (19, 40, 32, 16, 32)]
    {
        let (graph, inputs) = wider_convolution(Shape::new(height, width, first), second, out, 3, 1);
        let name = format!("{first} and {second} > {out} at {height}x{width}");
        made.extend(check_matrices(gpu, &name, &graph, &inputs, &STAGED, (&[16], 4)));
    }
    let forms = ["+narrow+residual+two_inputs+whole", "+residual+two_inputs+whole", "+residual+two_inputs"];
    let forms = forms.map(|form| format!("conv2d_matrix_staged+bias+gelu{form}"));
    let missing: Vec<_> = forms.into_iter().filter(|form| !made.contains(form)).collect();
    assert!(missing.len() < 2, "{made:?}");
    if !missing.is_empty() {
        let room = gpu.limits.max_compute_workgroup_storage_size;
        common::not_tested(&gpu.name, &format!("{missing:?} ({room} bytes of workgroup memory decide for the other)"));
    }
    // Weights of half a round would be those of the next pixel.
    let (graph, inputs) = wider_convolution(Shape::new(9, 9, 16), 8, 16, 3, 1);
    let other = check_matrices(gpu, "half a round", &graph, &inputs, &STAGED, (&[16], 4));
    assert!(other.iter().all(|variant| !variant.starts_with("conv2d_matrix_staged")), "{other:?}");
}

/// The sums of its result, out of which the filter behind it is made.
#[test]
fn staged_weights_and_sums() {
    let Some(gpu) = with_matrices() else { return };
    if gpu.software {
        common::not_tested(
            &gpu.name,
            "sums of 64 channels at a time by staged weights (software drivers take minutes for it)",
        );
    }
    for out in if gpu.software { &[24][..] } else { &[24, 72] } {
        let (graph, inputs) = filtered(Shape::new(33, 18, 16), *out, Activation::Tanh, false);
        let inputs = as_stored(&inputs, Element::F16);
        let truth: Vec<_> = inputs.iter().map(|map| map.cast::<f64>()).collect();
        let truth = reference::execute(&graph, &truth).expect("runs");
        let matrix = gpu.matrix.map(|matrix| Matrices { side: 16, ..matrix });
        let target = Target { matrix, prefer: Some(STAGED[0]), ..target(gpu, false) };
        let mut graph = graph.clone();
        assign_elements(&mut graph, Element::F16);
        let session = TensorSession::with_target(gpu, &graph, Element::F16, target).expect("records");
        let first = session.session().plan().steps[0].variant.clone();
        assert!(first.shader == STAGED[0] && first.has("sums"), "{first}");
        let result = session.run(&inputs).expect("runs");
        let error = Error::between(&result[0].data, &truth[0].data);
        assert!(error.within(Element::F16.error_bound()), "{first}: {error}");
    }
}

/// The kernel that stages its weights.
const STAGED: [&str; 1] = ["conv2d_matrix_staged"];

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

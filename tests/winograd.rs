//! Winograd's kernels where random shapes don't reach: large maps, and every edge of a transposed convolution's tiles.

mod common;

use common::graphs::{as_stored, large_convolution, wide_transposed};
use common::{Devices, devices};
use irnext::compile::assign_elements;
use irnext::graph::Graph;
use irnext::kernels::Target;
use irnext::reference;
use irnext::run::{TensorSession, target};
use irnext::tensor::{Element, FeatureMap, Shape};
use irnext::verify::Error;

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

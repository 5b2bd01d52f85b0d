//! Every kernel in every variant on a device, against the CPU reference in f64, on random shapes.

mod common;

use common::devices;
use half::f16;
use irnext::gpu::Gpu;
use irnext::reference;
use irnext::run::TensorSession;
use irnext::tensor::{Element, FeatureMap};
use irnext::verify::{Error, random};
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

fn check(gpu: &Arc<Gpu>, kind: &str, case: &random::RandomCase, precision: Element, plain: bool) {
    let inputs = as_stored(&case.inputs, precision);
    let truth: Vec<_> = inputs.iter().map(|map| map.cast::<f64>()).collect();
    let truth = reference::execute(&case.graph, &truth).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let session =
        TensorSession::new(gpu, &case.graph, precision, plain).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let result = session.run(&inputs).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let error = Error::between(&result[0].data, &truth[0].data);
    assert!(
        error.rel_l2 <= bound(precision),
        "{} in {precision} ({kind}, plain {plain}): {error:?}\ngot  {:?}\nwant {:?}\n{}",
        case.name,
        &result[0].data[..result[0].data.len().min(12)],
        &truth[0].data[..truth[0].data.len().min(12)],
        case.graph
    );
}

fn check_everywhere(op: &str, seed: u64) {
    let case = random::case(op, seed).expect("a case of the list");
    for (kind, gpu) in devices().all() {
        for plain in [true, false] {
            check(&gpu, kind, &case, Element::F16, plain);
        }
    }
    for plain in [true, false] {
        check(&devices().packed, "f32", &case, Element::F32, plain);
    }
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
    conv2d conv_transpose2d gelu add avg_pool upsample_sum nearest_half instance_norm moments normalise global_mean
    box_mean low_band fft2 filter_taps dynamic_filter reflect_pad
}

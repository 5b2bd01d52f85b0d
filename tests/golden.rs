//! Every golden operator on the device, in f32, native and packed half precision, with chosen and plain kernels.

mod common;

use common::devices;
use irnext::gpu::Gpu;
use irnext::restore::Executor;
use irnext::tensor::Element;
use irnext::tensor::file::TensorFile;
use irnext::verify::{golden, golden_case};
use std::sync::Arc;

#[test]
fn golden_operators_in_f32_and_within_weak_limits() {
    golden_operators(vec![
        ("f32", Arc::clone(&devices().packed), Element::F32),
        ("weak limits, f32", Arc::clone(&devices().weak), Element::F32),
        ("weak limits, f16", Arc::clone(&devices().weak), Element::F16),
    ]);
}

#[test]
fn golden_operators_in_half_precision() {
    golden_operators(devices().all().into_iter().map(|(kind, gpu)| (kind, gpu, Element::F16)).collect());
}

fn golden_operators(runs: Vec<(&str, Arc<Gpu>, Element)>) {
    let file = TensorFile::read("tests/data/golden/ops.safetensors").expect("reads");
    let cases = golden::cases(&file);
    assert!(cases.len() >= 50, "{} cases", cases.len());
    for (kind, gpu, precision) in runs {
        let executor = Executor::Gpu(gpu);
        for case in &cases {
            let case = case.as_ref().unwrap_or_else(|error| panic!("{error}"));
            for report in golden_case(&executor, case, precision) {
                assert!(report.pass, "{kind}: {report:?}");
            }
        }
    }
}

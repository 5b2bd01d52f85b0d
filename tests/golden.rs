//! Every golden operator on the device, in f32, native and packed half precision, with chosen and plain kernels.

mod common;

use common::devices;
use irnext::restore::Executor;
use irnext::tensor::Element;
use irnext::tensor::file::TensorFile;
use irnext::verify::{golden, golden_case};
use std::sync::Arc;

#[test]
fn golden_operators() {
    let file = TensorFile::read("tests/data/golden/ops.safetensors").expect("reads");
    let cases = golden::cases(&file);
    assert!(cases.len() >= 50, "{} cases", cases.len());
    let mut runs = vec![
        ("f32", Arc::clone(&devices().packed), Element::F32),
        ("weak limits, f32", Arc::clone(&devices().weak), Element::F32),
        ("weak limits, f16", Arc::clone(&devices().weak), Element::F16),
    ];
    runs.extend(devices().all().into_iter().map(|(kind, gpu)| (kind, gpu, Element::F16)));
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

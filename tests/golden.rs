//! Every golden operator on the device, in f32, native and packed half precision, with chosen and plain kernels.

mod common;

use common::devices;
use irnext::gpu::Gpu;
use irnext::restore::Executor;
use irnext::tensor::Element;
use irnext::tensor::file::TensorFile;
use irnext::verify::{golden, golden_case};
use rayon::prelude::*;
use std::sync::Arc;

/// A device by its name, and the precision that it computes in.
type Run = (&'static str, Arc<Gpu>, Element);

#[test]
fn golden_operators_in_f32_and_within_weak_limits() {
    golden_operators(|| {
        let weak = || Arc::clone(&devices().weak);
        let single = ("weak limits, f32", weak(), Element::F32);
        // Among the others where its shaders differ from theirs.
        let half = devices().packed.dialect == devices().weak.dialect;
        [single].into_iter().chain(half.then(|| ("weak limits, f16", weak(), Element::F16))).collect()
    });
}

#[test]
fn golden_operators_in_half_precision() {
    golden_operators(|| devices().all().into_iter().map(|(kind, gpu)| (kind, gpu, Element::F16)).collect());
}

/// `runs` gives those of the thread that asks.
fn golden_operators(runs: fn() -> Vec<Run>) {
    let file = TensorFile::read("tests/data/golden/ops.safetensors").expect("reads");
    let cases = golden::cases(&file);
    assert!(cases.len() >= 50, "{} cases", cases.len());
    cases.par_iter().for_each(|case| {
        let case = case.as_ref().unwrap_or_else(|error| panic!("{error}"));
        for (kind, gpu, precision) in runs() {
            for report in golden_case(&Executor::Gpu(gpu), case, precision) {
                assert!(report.pass, "{kind}: {report:?}");
            }
        }
    });
}

//! The metrics against scikit-image, pytorch_msssim and PyTorch: `tests/data/metrics/make.py` made the vectors.

use irnext::eval::{Window, judge, luma, mae, psnr, ssim};
use irnext::model::Task;
use irnext::tensor::file::TensorFile;
use irnext::tensor::{FeatureMap, Shape};
use serde_json::Value;

/// Name, truth, result and figures of each case.
fn cases() -> Vec<(String, FeatureMap<f64>, FeatureMap<f64>, Value)> {
    let file = TensorFile::read("tests/data/metrics/metrics.safetensors").expect("reads");
    let case = |(name, figures): (&String, &String)| {
        let figures: Value = serde_json::from_str(figures).expect("JSON");
        let map = |part: &str| {
            let tensor = &file.tensors[&format!("{name}/{part}")];
            let &[height, width, channels] = tensor.shape() else { panic!("{name} is no picture") };
            let top = figures["top"].as_f64().expect("a number");
            let data = tensor.data().iter().map(|&value| f64::from(value) / top).collect();
            FeatureMap { shape: Shape::new(height, width, channels), data }
        };
        (name.clone(), map("truth"), map("result"), figures)
    };
    file.metadata.iter().map(case).collect()
}

fn close(found: f64, figures: &Value, figure: &str, case: &str) {
    let expected = figures[figure].as_f64().expect("a figure");
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{case} {figure}: {found} != {expected}");
}

#[test]
fn metrics_agree_with_the_libraries_that_papers_use() {
    let cases = cases();
    assert_eq!(cases.len(), 4);
    for (name, truth, result, figures) in &cases {
        close(psnr(result, truth, 1.0), figures, "psnr", name);
        close(mae(result, truth), figures, "mae", name);
        close(ssim(result, truth, 1.0, Window::Gaussian), figures, "ssim_gaussian", name);
        close(ssim(result, truth, 1.0, Window::Uniform), figures, "ssim_uniform", name);
    }
}

#[test]
fn each_task_is_judged_by_its_protocol() {
    for (name, truth, result, figures) in &cases() {
        for (task, figures_of_task) in [
            (Task::Dehaze, ["psnr", "ssim_release", "mae"]),
            (Task::Desnow, ["psnr", "ssim_release", "mae"]),
            (Task::Deblur, ["psnr", "ssim_gaussian", "mae"]),
            (Task::Defocus, ["psnr", "ssim_uniform", "mae"]),
            (Task::Derain, ["luma_psnr", "luma_ssim", "mae_bytes"]),
        ] {
            let scores = judge(task, result, truth).expect("of one size");
            for (found, figure) in [scores.psnr, scores.ssim, scores.mae].into_iter().zip(figures_of_task) {
                close(found, figures, figure, &format!("{name} {task}"));
            }
        }
    }
}

#[test]
fn luma_is_of_studio_range() {
    let levels = |rgb: [f64; 3]| luma(&FeatureMap { shape: Shape::new(1, 1, 3), data: rgb.to_vec() }).data;
    assert_eq!([levels([0.0; 3]), levels([1.0; 3])].concat(), [16.0, 235.0]);
    // As MATLAB's documentation of rgb2ycbcr weighs them: 16 + 65.481, 128.553, 24.966.
    let primaries = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]].map(levels);
    assert_eq!(primaries.concat(), [81.0, 145.0, 41.0]);
}

//! How the results of each task are judged, as the papers that IRNeXt compares itself with do.
//!
//! - **Dehazing, desnowing** (the release's evaluation): PSNR of RGB, the network's clamped output unrounded. SSIM
//!   ([`Window::Gaussian`]) of pictures made smaller by area averages: with H and W the sides' next multiples of 32
//!   (32 more where a side is one already), ratio = max(1, round(min(H, W) / 256)), a half rounded to even; the pictures,
//!   not padded, are averaged to ⌊H / ratio⌋ × ⌊W / ratio⌋. RESIDE's indoor ground truth has a border of 10 pixels that
//!   its hazy pictures lack: it is cut off.
//! - **Motion deblurring** (the release's evaluation): PSNR of RGB, unrounded. The release measures no SSIM; here it is
//!   [`Window::Gaussian`] on RGB.
//! - **Defocus deblurring** (Abuolaim and Brown's evaluation for DPDD): PSNR, MAE and SSIM ([`Window::Uniform`]) of RGB,
//!   unrounded.
//! - **Deraining** (the MATLAB script that MPRNet published): pictures rounded to 8 bits as saved files are; PSNR and
//!   SSIM ([`Window::Gaussian`]) of [`luma`].
//!
//! MAE is of RGB in 0..1, for every task.

use super::{Window, average_to, luma, mae, psnr, ssim};
use crate::model::Task;
use crate::photo::{Photo, Pixels, luma as grey};
use crate::tensor::{FeatureMap, Shape};
use serde::Serialize;
use thiserror::Error;

/// What one picture, or the mean of many, came to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// Decibels; infinite for equal pictures, which JSON has as null.
    pub psnr: f64,
    /// −1 to 1.
    pub ssim: f64,
    /// 0 to 1.
    pub mae: f64,
}

impl Scores {
    /// The mean of each figure; none of none.
    pub fn mean(scores: &[Scores]) -> Option<Scores> {
        let mean = |of: fn(&Scores) -> f64| scores.iter().map(of).sum::<f64>() / scores.len() as f64;
        let means = Scores { psnr: mean(|s| s.psnr), ssim: mean(|s| s.ssim), mae: mean(|s| s.mae) };
        (!scores.is_empty()).then_some(means)
    }
}

/// Pictures that can't be compared.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum JudgeError {
    /// They differ in size.
    #[error("is {}x{} (height x width) but its ground truth is {}x{}", .found[0], .found[1], .truth[0], .truth[1])]
    Sizes {
        /// Height and width.
        found: [usize; 2],
        /// Those of the ground truth.
        truth: [usize; 2],
    },
    /// A side is shorter than the window of SSIM.
    #[error("has a side of less than {SIDE_LEAST} pixels, which SSIM can't be measured on")]
    Small,
}

/// The side of the smaller window.
const SIDE_LEAST: usize = 7;

/// The protocol of a task in a line.
pub fn protocol(task: Task) -> &'static str {
    match task {
        Task::Dehaze | Task::Desnow => "RGB PSNR; SSIM on area-averaged RGB",
        Task::Deblur => "RGB PSNR and SSIM",
        Task::Defocus => "RGB PSNR, SSIM (7x7 window) and MAE",
        Task::Derain => "luma PSNR and SSIM of 8-bit pictures",
    }
}

/// `result` against `truth`, both RGB in 0..1, by the task's protocol.
///
/// # Errors
/// When the two differ in size, or are too small.
pub fn judge(task: Task, result: &FeatureMap<f64>, truth: &FeatureMap<f64>) -> Result<Scores, JudgeError> {
    let sides = |map: &FeatureMap<f64>| [map.shape.height, map.shape.width];
    let bordered = task == Task::Dehaze && sides(truth) == sides(result).map(|side| side + 2 * RESIDE_BORDER);
    let inner = bordered.then(|| without_border(truth));
    let truth = inner.as_ref().unwrap_or(truth);
    if sides(result) != sides(truth) {
        return Err(JudgeError::Sizes { found: sides(result), truth: sides(truth) });
    }
    if sides(result).iter().any(|&side| side < SIDE_LEAST) {
        return Err(JudgeError::Small);
    }
    let whole = |window| Scores {
        psnr: psnr(result, truth, 1.0),
        ssim: ssim(result, truth, 1.0, window),
        mae: mae(result, truth),
    };
    Ok(match task {
        Task::Deblur => whole(Window::Gaussian),
        Task::Defocus => whole(Window::Uniform),
        Task::Dehaze | Task::Desnow => {
            let [height, width] = averaged_size(sides(result));
            let small = |map| average_to(map, height, width);
            Scores {
                psnr: psnr(result, truth, 1.0),
                ssim: ssim(&small(result), &small(truth), 1.0, Window::Gaussian),
                mae: mae(result, truth),
            }
        }
        Task::Derain => {
            let (result, truth) = (rounded(result), rounded(truth));
            let (y, y_truth) = (luma(&result), luma(&truth));
            Scores {
                psnr: psnr(&y, &y_truth, 255.0),
                ssim: ssim(&y, &y_truth, 255.0, Window::Gaussian),
                mae: mae(&result, &truth),
            }
        }
    })
}

/// Pixels around RESIDE's indoor ground truth.
const RESIDE_BORDER: usize = 10;

fn without_border(map: &FeatureMap<f64>) -> FeatureMap<f64> {
    let [height, width] = [map.shape.height, map.shape.width].map(|side| side - 2 * RESIDE_BORDER);
    FeatureMap::from_fn(Shape { height, width, ..map.shape }, |y, x, pixel| {
        pixel.copy_from_slice(map.pixel(y + RESIDE_BORDER, x + RESIDE_BORDER));
    })
}

/// The size at which the release measures SSIM.
fn averaged_size(sides: [usize; 2]) -> [usize; 2] {
    let padded = sides.map(|side| (side / 32 + 1) * 32);
    let ratio = (padded[0].min(padded[1]) as f64 / 256.0).round_ties_even().max(1.0) as usize;
    padded.map(|side| side / ratio)
}

/// To whole 8-bit levels, still in 0..1.
fn rounded(map: &FeatureMap<f64>) -> FeatureMap<f64> {
    FeatureMap { shape: map.shape, data: map.data.iter().map(|value| (value * 255.0).round() / 255.0).collect() }
}

/// A photo's colours in 0..1, as they would be written: of a grey one three times its luma.
pub fn rgb(photo: &Photo) -> FeatureMap<f64> {
    fn flat<T: Copy + Into<f64> + Into<u32> + TryFrom<u32>>(pixels: &[[T; 4]], top: f64, colour: bool) -> Vec<f64> {
        let written = |pixel: [T; 4]| if colour { [pixel[0], pixel[1], pixel[2]] } else { [grey(pixel); 3] };
        pixels.iter().flat_map(|&pixel| written(pixel).map(|value| Into::<f64>::into(value) / top)).collect()
    }
    let colour = photo.layout.has_colour();
    let data = match &photo.pixels {
        Pixels::Eight(pixels) => flat(pixels, 255.0, colour),
        Pixels::Sixteen(pixels) => flat(pixels, 65535.0, colour),
    };
    FeatureMap { shape: Shape::new(photo.height, photo.width, 3), data }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photo::Layout;

    #[test]
    fn the_release_averages_to_these_sizes() {
        // 460 is padded to 480, 480 counts as 512; 640 / 256 is a tie, rounded to 2.
        assert_eq!(averaged_size([460, 620]), [240, 320]);
        assert_eq!(averaged_size([480, 640]), [256, 336]);
        assert_eq!(averaged_size([639, 1000]), [320, 512]);
        assert_eq!(averaged_size([70, 66]), [96, 96]);
    }

    #[test]
    fn grey_is_judged_as_it_is_written() {
        let pixels = Pixels::Eight(vec![[10, 20, 250, 255]; 6]);
        let photo = |layout| Photo::new(3, 2, pixels.clone(), layout);
        let written = photo(Layout::Grey).to_dynamic_image();
        assert_eq!(rgb(&photo(Layout::Grey)), rgb(&Photo::from(written)));
        assert_ne!(rgb(&photo(Layout::Grey)), rgb(&photo(Layout::Rgb)));
    }

    #[test]
    fn pictures_that_cannot_be_compared_are_refused() {
        let picture = |height, width| FeatureMap::<f64>::zeros(Shape::new(height, width, 3));
        let sizes = judge(Task::Dehaze, &picture(8, 9), &picture(9, 8));
        assert_eq!(sizes, Err(JudgeError::Sizes { found: [8, 9], truth: [9, 8] }));
        assert_eq!(judge(Task::Defocus, &picture(6, 9), &picture(6, 9)), Err(JudgeError::Small));
        assert_eq!(judge(Task::Dehaze, &picture(8, 9), &picture(28, 29)).map(|scores| scores.mae), Ok(0.0));
        assert!(judge(Task::Desnow, &picture(8, 9), &picture(28, 29)).is_err());
        assert_eq!(judge(Task::Derain, &picture(7, 7), &picture(7, 7)).map(|scores| scores.psnr), Ok(f64::INFINITY));
    }
}

//! Floor 9: how good restored pictures are: the metrics, one a file; each task's published protocol; pictures and their
//! ground truth as the data sets lay them out.
//!
//! ```
//! use irnext::eval::{Window, psnr, ssim};
//! use irnext::tensor::{FeatureMap, Shape};
//!
//! let truth = FeatureMap::from_fn(Shape::new(16, 16, 3), |y, x, rgb| rgb.fill((y + x) as f64 / 30.0));
//! let result = FeatureMap { data: truth.data.iter().map(|value| value + 0.01).collect(), ..truth.clone() };
//! assert!((psnr(&result, &truth, 1.0) - 40.0).abs() < 1e-9);
//! assert_eq!(ssim(&truth, &truth, 1.0, Window::Gaussian), 1.0);
//! ```

mod data_set;
mod layouts;
mod list;
mod luma;
mod mae;
mod pairing;
mod pool;
mod protocol;
mod psnr;
mod published;
mod ssim;
mod words;

pub use data_set::{DataSet, DataSetError, find, of_folders};
pub use list::{List, ListError};
pub use luma::luma;
pub use mae::mae;
pub use pairing::Pair;
pub use pool::average_to;
pub use protocol::{JudgeError, Scores, judge, protocol, rgb};
pub use psnr::psnr;
pub use published::{Published, published};
pub use ssim::{Window, ssim};

//! irnext restores photographs with the IRNeXt network (ICML 2023) on any GPU: every operator is a hand-written WGSL
//! compute shader, a graph executor in Rust fuses them, plans their memory and schedules them over fp16 buffers
//! through `wgpu`. A machine without a GPU gets the same result from the CPU executor.
//!
//! Loading a model and restoring an image:
//!
//! ```
//! use irnext::model::{Model, Quality, Task};
//! use irnext::restore::{Options, Restorer};
//!
//! let hazy = image::DynamicImage::new_rgb8(80, 60); // or image::open("hazy.jpg")?
//! let model = Model::shipped(Task::Dehaze, Quality::Small)?;
//! let restorer = Restorer::new(model, &Options::default())?;
//! let clear = restorer.restore_image(&hazy)?;
//! assert_eq!((clear.width(), clear.height()), (80, 60));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A model walks once, **checkpoint → model → graph → passes → plan**; a picture many times, **file → photo → plan
//! replayed on the device → photo → file**. The modules are the floors of that house; an import only goes down:
//!
//! | floor | module | what lives there |
//! |---|---|---|
//! | 1 | [`tensor`], [`gpu`] | shapes, element types, tensor files; adapter, device, shaders, pipelines |
//! | 2 | [`graph`] | the op set, shape inference, dumps |
//! | 3 | [`mod@reference`], [`kernels`] | the CPU reference, one file per op; what the host must know of each WGSL file |
//! | 3 | [`cpu`] | what a machine without a GPU gets: the reference's walk with fast convolutions |
//! | 4 | [`compile`] | passes, kernel choice, memory: a graph becomes a plan |
//! | 5 | [`run`] | a plan recorded once and replayed, in one piece or in bands |
//! | 6 | [`model`] | IRNeXt's graph from a config; checkpoint readers; shipped models |
//! | 7 | [`photo`] | decode, encode, colour, alpha, atomic write |
//! | 8 | [`restore`] | photo in, photo out |
//! | 9 | [`verify`], [`eval`], [`profile`], [`cli`] | what proves a device right, a picture good, a plan fast; the program |
#![warn(missing_docs)]

mod by_name;
pub mod cli;
pub mod compile;
pub mod cpu;
pub mod eval;
pub mod gpu;
pub mod graph;
pub mod kernels;
pub mod model;
pub mod photo;
pub mod profile;
pub mod reference;
pub mod restore;
pub mod run;
pub mod tensor;
pub mod verify;

//! Floor 8: photo in, photo out: a model on a device, or on the CPU executor where there is none.

mod cpu;
mod faithful;
mod fill;
mod turns;

pub use faithful::Adjustments;

use crate::compile::{self, Frame, PlanError, compile_picture};
use crate::gpu::{AdapterChoice, Backing, Gpu, GpuError, ShaderError, choose};
use crate::graph::{Graph, GraphError};
use crate::kernels::shaders;
use crate::model::Model;
use crate::model::network::BuildError;
use crate::photo::{Photo, Pixels};
use crate::run::{RunError, Session, target};
use crate::tensor::Element;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;

/// Why a photo can't be restored. No result is given in its place.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// No such device, or it can't be opened.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The device can't run the plan, or failed while it did.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The model's tensors don't make a graph.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A pass broke the graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The result has values that are no numbers.
    #[error(
        "the network's result is not finite in {pixels} pixels: the model `{model}` doesn't suit this picture or its \
         weights are damaged; with half precision, `--precision f32` may help"
    )]
    NotFinite {
        /// How many pixels.
        pixels: u64,
        /// The model's name.
        model: String,
    },
}

impl From<ShaderError> for RestoreError {
    fn from(error: ShaderError) -> Self {
        Self::Gpu(error.into())
    }
}

impl From<PlanError> for RestoreError {
    fn from(error: PlanError) -> Self {
        Self::Run(error.into())
    }
}

/// Where and how to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The device.
    pub device: AdapterChoice,
    /// How activations are stored on a GPU. The CPU executor works in f32.
    pub precision: Element,
    /// Keep half precision packed in words even where the adapter has it natively.
    pub packed: bool,
    /// A folder whose WGSL files replace the binary's.
    pub shaders: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { device: AdapterChoice::Auto, precision: Element::F16, packed: false, shaders: None }
    }
}

/// What runs a network: a device, or the CPU executor.
pub enum Executor {
    /// A device.
    Gpu(Arc<Gpu>),
    /// The CPU executor, with the reason if a device was wanted.
    Cpu(Option<String>),
}

impl Executor {
    /// Opens the device that the options ask for.
    ///
    /// # Errors
    /// When there is no such device or it can't be opened, or a shader can't be read.
    pub fn open(options: &Options) -> Result<Self, RestoreError> {
        let mut sources = shaders();
        if let Some(folder) = &options.shaders {
            sources = sources.replaced_from(folder)?;
        }
        Ok(match choose(options.device)? {
            Backing::Adapter(adapter) => Self::Gpu(Arc::new(match options.packed {
                true => Gpu::open_with(&adapter, sources, false)?,
                false => Gpu::open(&adapter, sources)?,
            })),
            Backing::Cpu(reason) => Self::Cpu(reason),
        })
    }

    /// The adapter's name, or the CPU executor's.
    pub fn name(&self) -> &str {
        match self {
            Self::Gpu(gpu) => &gpu.name,
            Self::Cpu(_) => "CPU executor",
        }
    }
}

/// A model, ready to restore photos one after another. The plan of the last size is kept.
pub struct Restorer {
    model: Model,
    executor: Executor,
    precision: Element,
    recorded: Mutex<Option<(Frame, Arc<Session>)>>,
}

impl Restorer {
    /// Opens the device.
    ///
    /// # Errors
    /// As [`Executor::open`].
    pub fn new(model: Model, options: &Options) -> Result<Self, RestoreError> {
        let executor = Executor::open(options)?;
        Ok(Self { model, executor, precision: options.precision, recorded: Mutex::new(None) })
    }

    /// What it runs on.
    pub fn executor(&self) -> &Executor {
        &self.executor
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The photo, restored: same size, depth, layout, alpha and colour space.
    ///
    /// # Errors
    /// When the device can't run a picture of this size, fails, or the result is not finite.
    pub fn restore(&self, photo: &Photo) -> Result<Photo, RestoreError> {
        self.restore_with(photo, &mut |_| ())
    }

    /// As [`Restorer::restore`], telling `progress` the share that is done, 0 to 1.
    ///
    /// # Errors
    /// As [`Restorer::restore`].
    pub fn restore_with(&self, photo: &Photo, progress: &mut dyn FnMut(f64)) -> Result<Photo, RestoreError> {
        self.restore_adjusted(photo, &Adjustments::default(), progress)
    }

    /// What the network makes of sRGB pixels; their alpha comes back as it was.
    fn through_network(
        &self,
        width: usize,
        height: usize,
        pixels: &Pixels,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Pixels, RestoreError> {
        let frame = Frame { height, width, sixteen: matches!(pixels, Pixels::Sixteen(_)) };
        let (pixels, not_finite) = match &self.executor {
            Executor::Gpu(gpu) => self.on_gpu(gpu, frame, pixels, progress)?,
            Executor::Cpu(_) => cpu::restore(&self.graph(frame)?, frame, pixels, progress),
        };
        if not_finite > 0 {
            return Err(RestoreError::NotFinite { pixels: not_finite, model: self.model.name.clone() });
        }
        Ok(pixels)
    }

    /// An image, restored.
    ///
    /// # Errors
    /// As [`Restorer::restore`].
    pub fn restore_image(&self, image: &image::DynamicImage) -> Result<image::DynamicImage, RestoreError> {
        Ok(self.restore(&Photo::from(image.clone()))?.to_dynamic_image())
    }

    /// The network for a frame, padded as the paper's evaluation does, without the two smaller outputs.
    fn graph(&self, frame: Frame) -> Result<Graph, RestoreError> {
        let [height, width] = padded_size(frame.height, frame.width);
        let mut graph = self.model.graph(height, width)?;
        graph.outputs.retain(|output| output.name == "full");
        Ok(compile::optimise(&graph)?)
    }

    fn session(&self, gpu: &Arc<Gpu>, frame: Frame) -> Result<Arc<Session>, RestoreError> {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, session)) = recorded.as_ref()
            && *of == frame
        {
            return Ok(Arc::clone(session));
        }
        // The old arena goes before the new one is made.
        *recorded = None;
        let plan = compile_picture(&self.graph(frame)?, self.precision, target(gpu, false), frame)?;
        let session = Arc::new(Session::new(Arc::clone(gpu), Arc::new(plan))?);
        *recorded = Some((frame, Arc::clone(&session)));
        Ok(session)
    }

    fn on_gpu(
        &self,
        gpu: &Arc<Gpu>,
        frame: Frame,
        pixels: &Pixels,
        progress: &mut dyn FnMut(f64),
    ) -> Result<(Pixels, u64), RestoreError> {
        let session = self.session(gpu, frame)?;
        let bytes: &[u8] = match pixels {
            Pixels::Eight(pixels) => bytemuck::cast_slice(pixels),
            Pixels::Sixteen(pixels) => bytemuck::cast_slice(pixels),
        };
        session.upload(&[bytes])?;
        session.dispatch_with(progress)?;
        let results = session.download()?;
        let count = results[1].first_chunk().map_or(0, |word| u64::from(u32::from_le_bytes(*word)));
        let restored = &results[0][..bytes.len()];
        let pixels = match pixels {
            Pixels::Eight(_) => Pixels::Eight(bytemuck::pod_collect_to_vec(restored)),
            Pixels::Sixteen(_) => Pixels::Sixteen(bytemuck::pod_collect_to_vec(restored)),
        };
        Ok((pixels, count))
    }
}

/// Sides rounded up to multiples of 32, at least 64.
pub fn padded_size(height: usize, width: usize) -> [usize; 2] {
    [height, width].map(|side| side.next_multiple_of(32).max(64))
}

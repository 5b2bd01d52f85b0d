//! Floor 8: photo in, photo out: a model on a device, or on the CPU executor where there is none.

mod carry;
mod cpu;
mod device;
mod executor;
mod faithful;
mod fill;
mod linear_change;
pub(crate) mod pixels;
mod plans;
mod sound;
mod steady;
mod turns;

pub(crate) use cpu::needed;
pub use executor::{Executor, LongestSide, Options};
pub use faithful::Adjustments;
pub use steady::Steady;

use crate::compile::PlanError;
use crate::gpu::{Gpu, GpuError, ShaderError};
use crate::graph::{Graph, GraphError};
use crate::kernels::Raster;
use crate::model::Model;
use crate::model::network::{BuildError, SIDE_LEAST, SIDE_MULTIPLE};
use crate::photo::{Photo, Pixels};
use crate::run::{self, RunError, target};
use crate::tensor::Element;
use crate::tensor::memory::Bytes;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
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
    /// A picture of no width or height.
    #[error("the picture has no pixels")]
    Empty,
    /// The CPU executor has too little memory for a picture.
    #[error(
        "the CPU executor takes about {needed} for this picture, and {limit}; use a smaller picture, or a device \
         (`--device N`), which takes it in bands where it has too little memory"
    )]
    Memory {
        /// What it takes.
        needed: Bytes,
        /// What there is.
        limit: String,
    },
    /// The result has values that are no numbers.
    #[error(
        "the network's result is not finite in {pixels} pixels: the model `{model}` doesn't suit this picture, or its \
         weights are damaged"
    )]
    NotFinite {
        /// How many pixels.
        pixels: u64,
        /// The model's name.
        model: String,
    },
}

impl RestoreError {
    /// Whether it is only that there is too little memory.
    fn is_for_want_of_room(&self) -> bool {
        match self {
            Self::Run(error) => error.is_for_want_of_room(),
            error => matches!(error, Self::Memory { .. } | Self::Gpu(GpuError::Memory { .. })),
        }
    }
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

/// A model, ready to restore photos one after another. The plan of the last size is kept, and that of the same size turned.
pub struct Restorer {
    model: Model,
    executor: Executor,
    precision: Element,
    /// Whether half precision was found too narrow for the model.
    wide: AtomicBool,
    tune: bool,
    memory: Option<u64>,
    longest_side: Option<usize>,
    kept: device::Kept,
    program: cpu::Kept,
    /// Plans in bands, and want of room, that were told of.
    told: Mutex<HashSet<String>>,
    notice: Box<dyn Fn(&str) + Send + Sync>,
}

/// What timing a GPU's kernels may take on first use. A software driver is left to the heuristic, which was measured on
/// such drivers.
const TUNING: Duration = Duration::from_secs(3);

impl Restorer {
    /// Opens the device.
    ///
    /// # Errors
    /// As [`Executor::open`].
    pub fn new(model: Model, options: &Options) -> Result<Self, RestoreError> {
        Ok(Self::on(Executor::open(options)?, model, options))
    }

    /// On an executor that is open: several models may share a device.
    pub fn on(executor: Executor, model: Model, options: &Options) -> Self {
        let kept = device::Kept::new(options.memory);
        let Options { precision, tune, memory, .. } = *options;
        let longest_side = match options.longest_side {
            LongestSide::OfTheModel => model.longest_side,
            LongestSide::Pixels(side) => Some(side),
            LongestSide::Any => None,
        };
        let (wide, program, told) = (AtomicBool::default(), Mutex::default(), Mutex::default());
        let notice = Box::new(|_: &str| ());
        Self { model, executor, precision, wide, tune, memory, longest_side, kept, program, told, notice }
    }

    /// Tells `notice`, in a line, what a user should know before or while a picture is restored: that it is taken in
    /// bands, and what that takes; that memory ran out, and what is done about it; that a kernel is put out of use.
    pub fn with_notice(mut self, notice: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.notice = Box::new(notice);
        self
    }

    fn notice(&self, line: &str) {
        (self.notice)(line);
    }

    /// Tells of something that comes back with every picture.
    fn tell_once(&self, line: &str) {
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(line.to_owned()) {
            self.notice(line);
        }
    }

    /// What it runs on.
    pub fn executor(&self) -> &Executor {
        &self.executor
    }

    /// How many threads may well restore pictures at once: on a device one is uploaded while another is computed; the CPU
    /// executor has all cores at work on one.
    pub fn lanes(&self) -> usize {
        match self.executor {
            Executor::Gpu(_) => 2,
            Executor::Cpu(_) => 1,
        }
    }

    /// Which kernels compute a photo's convolutions on the device, and why.
    ///
    /// # Errors
    /// As [`Restorer::restore`].
    pub fn explain(&self, photo: &Photo) -> Result<Vec<String>, RestoreError> {
        let Executor::Gpu(gpu) = &self.executor else { return Ok(vec!["the CPU executor has one of each".into()]) };
        let (width, height) = self.seen(photo.width, photo.height);
        let raster = Raster { height, width, sixteen: matches!(photo.pixels, Pixels::Sixteen(_)) };
        let graph = self.graph(raster)?;
        self.prepare(gpu, &graph)?;
        Ok(run::explain(&graph, self.precision(), &target(gpu, false)))
    }

    /// How activations are stored on a device from now on.
    fn precision(&self) -> Element {
        if self.wide.load(Ordering::SeqCst) { Element::F32 } else { self.precision }
    }

    fn prepare(&self, gpu: &Arc<Gpu>, graph: &Graph) -> Result<(), RestoreError> {
        let budget = (self.tune && !gpu.software).then_some(TUNING);
        let found = run::prepare(gpu, graph, self.precision(), budget)?;
        found.iter().for_each(|warning| self.notice(warning));
        Ok(())
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

    /// Width and height of what the network sees of a picture.
    fn seen(&self, width: usize, height: usize) -> (usize, usize) {
        match self.longest_side {
            Some(longest) if width.max(height) > longest => carry::copy_size(width, height, longest),
            _ => (width, height),
        }
    }

    /// What evens out the change of a video's frames, which it takes in order, if it is a smooth one, carried over. One for
    /// each video.
    pub fn steady(&self) -> Option<Steady> {
        self.longest_side.map(|_| Steady::default())
    }

    /// What `network` makes of sRGB pixels, or of a copy of them; their alpha comes back as it was.
    fn through(
        &self,
        raster: Raster,
        pixels: &Pixels,
        network: impl FnOnce(Raster, &Pixels) -> Result<Pixels, RestoreError>,
    ) -> Result<Pixels, RestoreError> {
        if self.longest_side.is_none() {
            return network(raster, pixels);
        }
        let (width, height) = self.seen(raster.width, raster.height);
        if (width, height) != (raster.width, raster.height) {
            let side = width.max(height);
            self.tell_once(&format!(
                "the network sees a copy of pictures larger than {side} pixels; its change is carried over (--longest-side)"
            ));
        }
        let seen = Raster { height, width, sixteen: true };
        let before = carry::copy(raster, pixels, (width, height));
        let after = network(seen, &before)?;
        Ok(carry::carry_over(raster, pixels, seen, &before, &after))
    }

    /// What the network makes of sRGB pixels.
    fn by_network(
        &self,
        raster: Raster,
        pixels: &Pixels,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Pixels, RestoreError> {
        let (pixels, not_finite) = match &self.executor {
            Executor::Gpu(gpu) => self.on_device_wide_enough(gpu, raster, pixels, progress)?,
            Executor::Cpu(_) => self.on_cpu(raster, pixels, progress)?,
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
}

/// A picture's sides, rounded up to what the network takes.
pub fn padded_size(height: usize, width: usize) -> [usize; 2] {
    [height, width].map(|side| side.next_multiple_of(SIDE_MULTIPLE).max(SIDE_LEAST))
}

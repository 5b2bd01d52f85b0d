//! Whether a device makes of a picture what the CPU makes of it: asked once a device, before its first picture, by the whole
//! network. Kernels of which there are several are compared one by one before; a driver may get others wrong.

use super::pixels::{bytes, whole};
use super::{Executor, RestoreError, Restorer};
use crate::compile::compile_picture;
use crate::gpu::{Gpu, GpuError, Preferences};
use crate::kernels::Raster;
use crate::photo::Pixels;
use crate::run::{self, Session, target};
use crate::tensor::psnr;
use std::sync::{Arc, PoisonError};

/// A picture of sides that no tile divides.
const SMALL: Raster = Raster { height: 75, width: 90, sixteen: false };

/// Decibels between both below which a device isn't trusted. Half precision alone comes to 50 and more.
const LEAST: f64 = 30.0;

/// The colours of 8-bit pixels; alpha is the picture's own.
fn colours(pixels: &Pixels) -> impl Iterator<Item = f64> {
    pixels.to_eight().into_iter().flat_map(|[r, g, b, _]| [r, g, b].map(f64::from))
}

impl Restorer {
    /// Refuses a GPU that computes something else than the CPU; the answer is kept with what else is known of it. Software
    /// drivers are tested, and slow to compile.
    ///
    /// # Errors
    /// When it does, or fails.
    pub(super) fn vouch(&self, gpu: &Arc<Gpu>) -> Result<(), RestoreError> {
        let config = &self.model.config;
        let key = format!("network with {} and the {} mean {}", config.activation, config.mean, self.precision());
        let is_known = gpu.preferences().is_some_and(|known| known.agrees.get(&key) == Some(&true));
        // Who changes a shader may want another result.
        if gpu.software || !gpu.has_embedded_shaders() || is_known {
            return Ok(());
        }
        let decibels = match self.decibels_to_cpu() {
            Ok(Some(decibels)) => decibels,
            // The picture itself fares no better, and is told why.
            Ok(None) => return Ok(()),
            Err(error) if error.is_for_want_of_room() => {
                self.tell_once(&format!("{}: no room to compare it with the CPU: {error}", gpu.name));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if decibels < LEAST {
            let reason = format!(
                "a small picture comes out different from the CPU's (PSNR {decibels:.0} dB; {LEAST:.0} at least are expected)"
            );
            return Err(GpuError::Unsound { adapter: gpu.name.clone(), reason }.into());
        }
        let mut known = gpu.preferences().cloned().unwrap_or_default();
        known.agrees.insert(key.clone(), true);
        gpu.prefer(known);
        if let Some(file) = gpu.preferences_file() {
            Preferences::keep_answer(&file, &gpu.name, &key, true);
        }
        Ok(())
    }

    /// How near the device's result on a small picture is to the CPU executor's, in decibels of 8-bit levels; none where
    /// either is not finite, or nothing but the CPU is there.
    ///
    /// # Errors
    /// When the device fails, or there is no room.
    pub fn decibels_to_cpu(&self) -> Result<Option<f64>, RestoreError> {
        let Executor::Gpu(gpu) = &self.executor else { return Ok(None) };
        let level = |at: usize| (at * 7919 % 61 + at / 7 % 150) as u8;
        let pixels = (0..SMALL.height * SMALL.width).map(|at| [level(at), level(at + 11), level(3 * at), 255]);
        let pixels = Pixels::Eight(pixels.collect());
        let graph = self.graph(SMALL)?;
        run::prepare(gpu, &graph, self.precision(), None)?.iter().for_each(|warning| self.notice(warning));
        let (by_cpu, mut wrong) = self.on_cpu(SMALL, &pixels, &mut |_| ())?;
        // Its packed weights are needed no more.
        self.program.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let mut least = f64::INFINITY;
        // Large pictures take kernels that a small one only has among the plain ones.
        for plain in [false, true] {
            let plan = compile_picture(&graph, self.precision(), target(gpu, plain), SMALL)?;
            let session = Session::new(Arc::clone(gpu), Arc::new(plan))?;
            let (by_device, wrong_too) = whole(&pixels, &session.run(&[bytes(&pixels)])?);
            wrong += wrong_too;
            least = least.min(psnr(colours(&by_device).zip(colours(&by_cpu)), 255.0));
        }
        Ok((wrong == 0).then_some(least))
    }
}

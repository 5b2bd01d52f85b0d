//! Compiled pipelines on disk, where the backend can (Vulkan): the next start of the program takes them from there.

use super::preferences::keep;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use wgpu::{Adapter, Device, Features, PipelineCache, PipelineCacheDescriptor};

/// The driver's cache of one device, and its file.
pub(super) struct KeptPipelines {
    /// To be given when a pipeline is made.
    pub cache: PipelineCache,
    file: PathBuf,
    /// Pipelines that the file is known to hold.
    saved: AtomicUsize,
}

impl KeptPipelines {
    /// Reads the file for this adapter in `folder`, if there is one. None where the device has no such cache.
    pub fn open(adapter: &Adapter, device: &Device, folder: &Path) -> Option<Self> {
        if !device.features().contains(Features::PIPELINE_CACHE) {
            return None;
        }
        let file = folder.join(wgpu::util::pipeline_cache_key(&adapter.get_info())?);
        let data = std::fs::read(&file).ok();
        let descriptor = PipelineCacheDescriptor { label: Some("irnext"), data: data.as_deref(), fallback: true };
        // SAFETY: the file is one that `save` wrote: it lies in the user's own cache folder, is renamed into its place
        // whole, and wgpu checks its header against this adapter, driver and its own version before the driver sees it.
        let cache = unsafe { device.create_pipeline_cache(&descriptor) };
        Some(Self { cache, file, saved: AtomicUsize::new(0) })
    }

    /// Writes the file if there are more pipelines than when it was last written.
    pub fn save(&self, pipelines: usize) -> Result<(), String> {
        if self.saved.swap(pipelines, Ordering::Relaxed) >= pipelines {
            return Ok(());
        }
        let Some(data) = self.cache.get_data() else { return Ok(()) };
        keep(&self.file, &data)
            .map_err(|error| format!("{}: {error}; pipelines will be made again next time", self.file.display()))
    }
}

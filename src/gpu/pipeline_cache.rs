//! Compiled pipelines on disk, where the backend can (Vulkan): the next start of the program takes them from there.

use super::preferences::{fingerprint, keep};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use wgpu::{Adapter, Device, Features, PipelineCache, PipelineCacheDescriptor};

/// The driver's cache of one device, and its file.
pub(super) struct KeptPipelines {
    /// To be given when a pipeline is made.
    pub cache: PipelineCache,
    file: PathBuf,
    kept: Mutex<Kept>,
}

/// What the file is known to hold.
struct Kept {
    /// So many of this start's pipelines.
    pipelines: usize,
    /// The fingerprint of its bytes.
    bytes: Option<u64>,
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
        let kept = Kept { pipelines: 0, bytes: data.map(fingerprint) };
        Some(Self { cache, file, kept: Mutex::new(kept) })
    }

    /// Writes the file if there are more pipelines than when it was last written, and they are news to it.
    pub fn save(&self, pipelines: usize) -> Result<(), String> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.pipelines >= pipelines {
            return Ok(());
        }
        let Some(data) = self.cache.get_data() else { return Ok(()) };
        let bytes = Some(fingerprint(data.iter().copied()));
        if kept.bytes != bytes {
            keep(&self.file, &data)
                .map_err(|error| format!("{}: {error}; pipelines will be made again next time", self.file.display()))?;
        }
        *kept = Kept { pipelines, bytes };
        Ok(())
    }
}

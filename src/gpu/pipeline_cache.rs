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
        let data = std::fs::read(&file).ok().and_then(whole);
        let descriptor = PipelineCacheDescriptor { label: Some("irnext"), data: data.as_deref(), fallback: true };
        // SAFETY: the file is one that `save` wrote: it lies in the user's own cache folder, ends with the fingerprint of
        // what comes before, and wgpu checks its header against this adapter, driver and its own version.
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
        let Some(mut data) = self.cache.get_data() else { return Ok(()) };
        let bytes = fingerprint(data.iter().copied());
        if kept.bytes != Some(bytes) {
            data.extend(bytes.to_le_bytes());
            keep(&self.file, &data)
                .map_err(|error| format!("{}: {error}; pipelines will be made again next time", self.file.display()))?;
        }
        *kept = Kept { pipelines, bytes: Some(bytes) };
        Ok(())
    }
}

/// What a file holds, without the fingerprint at its end; none where that is of something else: drivers take damaged
/// pipelines as they are.
fn whole(mut file: Vec<u8>) -> Option<Vec<u8>> {
    let end = file.len().checked_sub(8)?;
    let told = u64::from_le_bytes(file[end..].try_into().ok()?);
    file.truncate(end);
    (fingerprint(file.iter().copied()) == told).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::{fingerprint, whole};

    #[test]
    fn damaged_pipelines_are_no_pipelines() {
        let mut file = vec![3; 100];
        file.extend(fingerprint(file.iter().copied()).to_le_bytes());
        assert_eq!(whole(file.clone()), Some(vec![3; 100]));
        for at in [0, 50, 99, 100, 107] {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            assert_eq!(whole(damaged), None, "{at}");
        }
        assert_eq!((whole(file[..60].to_vec()), whole(vec![0; 7])), (None, None));
    }
}

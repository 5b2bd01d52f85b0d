//! What runs a network, chosen and opened.

use super::RestoreError;
use crate::gpu::{AdapterChoice, Backing, Gpu, GpuError, choose};
use crate::kernels::shaders;
use crate::tensor::Element;
use std::path::PathBuf;
use std::sync::Arc;

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
    /// Bytes of memory for maps and weights at most; a picture that takes more is restored in bands on a device, and
    /// refused by the CPU executor, which counts maps alone. None: what there is, found out by asking for it.
    pub memory: Option<u64>,
    /// Whether a GPU's kernels are timed for a few seconds if they never were.
    pub tune: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            device: AdapterChoice::Auto,
            precision: Element::F16,
            packed: false,
            shaders: None,
            memory: None,
            tune: true,
        }
    }
}

/// What runs a network: a device, or the CPU executor. Clones share it.
#[derive(Clone)]
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
        let open = |adapter: &wgpu::Adapter, passed_over: Vec<String>| -> Result<Self, GpuError> {
            let mut gpu = match options.packed {
                true => Gpu::open_with(adapter, sources.clone(), false, adapter.limits())?,
                false => Gpu::open(adapter, sources.clone())?,
            };
            gpu.passed_over = passed_over;
            if let Some(memory) = options.memory {
                gpu.memory.set_budget(memory);
            }
            Ok(Self::Gpu(Arc::new(gpu)))
        };
        let on_cpu = |reason: Option<String>| {
            let Some(_) = options.shaders else { return Self::Cpu(reason) };
            let reason = reason.unwrap_or_else(|| "the CPU executor it is".to_owned());
            Self::Cpu(Some(format!("{reason}; it has no shaders, so --shaders changes nothing")))
        };
        Ok(match choose(options.device)? {
            Backing::Adapter(adapter) => open(&adapter, vec![])?,
            Backing::Any(adapters) => first_that_opens(&adapters, open).unwrap_or_else(|reason| on_cpu(Some(reason))),
            Backing::Cpu(reason) => on_cpu(reason),
        })
    }

    /// How activations of `precision` are stored on it, in words.
    pub fn stores(&self, precision: Element) -> &'static str {
        match self {
            Self::Gpu(gpu) if precision == Element::F16 && gpu.dialect.native_f16 => "f16, native",
            Self::Gpu(_) if precision == Element::F16 => "f16, packed",
            Self::Gpu(_) | Self::Cpu(_) => "f32",
        }
    }

    /// The adapter's name, or the CPU executor's.
    pub fn name(&self) -> &str {
        match self {
            Self::Gpu(gpu) => &gpu.name,
            Self::Cpu(_) => "CPU executor",
        }
    }
}

/// The first adapter that can be opened, told what was said of those before it; else all that was said.
fn first_that_opens<A>(
    adapters: &[A],
    open: impl Fn(&A, Vec<String>) -> Result<Executor, GpuError>,
) -> Result<Executor, String> {
    let mut reasons = vec![];
    for adapter in adapters {
        match open(adapter, reasons.clone()) {
            Ok(executor) => return Ok(executor),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    reasons.push("using the CPU executor".into());
    Err(reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::{Executor, first_that_opens};
    use crate::gpu::GpuError;

    #[test]
    fn a_gpu_that_cannot_be_opened_is_passed_over() {
        let opened = |adapters: &[&str]| {
            first_that_opens(adapters, |name, passed_over| match name.strip_prefix("broken ") {
                Some(_) => Err(GpuError::Open { adapter: (*name).into(), reason: "no queue".into() }),
                None => Ok(Executor::Cpu(Some(format!("{name} after {}", passed_over.len())))),
            })
        };
        let Ok(Executor::Cpu(Some(told))) = opened(&["broken a", "b", "c"]) else { panic!("is opened") };
        assert_eq!(told, "b after 1");
        let told = opened(&["broken a", "broken b"]).err().expect("nothing is left");
        let all = ["broken a can't be opened: no queue", "broken b", "using the CPU executor"];
        assert!(all.iter().all(|part| told.contains(part)), "{told}");
    }
}

//! What runs a network, chosen and opened.

use super::RestoreError;
use crate::gpu::{AdapterChoice, Backing, Gpu, GpuError, Shaders, choose};
use crate::kernels::shaders;
use crate::run::rounds_to_nearest;
use crate::tensor::Element;
use std::path::PathBuf;
use std::sync::Arc;

/// What the network sees of a picture: itself, or a copy of at most so many pixels on its longest side, from which the change
/// is carried over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LongestSide {
    /// As the model has it: [`Model::longest_side`](crate::model::Model::longest_side).
    #[default]
    OfTheModel,
    /// This one.
    Pixels(usize),
    /// Any picture itself.
    Any,
}

/// Where and how to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The device.
    pub device: AdapterChoice,
    /// How activations are stored on a GPU. The CPU executor works in f32.
    pub precision: Element,
    /// Whether half precision is native, which an adapter may lack, or packed in words. None: native where the adapter has it,
    /// is no software driver, and rounds to the nearest.
    pub native_f16: Option<bool>,
    /// A folder whose WGSL files replace the binary's.
    pub shaders: Option<PathBuf>,
    /// Bytes of memory for maps and weights at most; a picture that takes more is restored in bands on a device, and
    /// refused by the CPU executor, which counts maps alone. None: what there is, found out by asking for it.
    pub memory: Option<u64>,
    /// What the network sees of large pictures.
    pub longest_side: LongestSide,
    /// Whether a GPU's kernels are timed for a few seconds if they never were.
    pub tune: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            device: AdapterChoice::Auto,
            precision: Element::F16,
            native_f16: None,
            shaders: None,
            memory: None,
            longest_side: LongestSide::OfTheModel,
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
            let gpu = opened(adapter, &sources, options.native_f16, passed_over)?;
            if let Some(memory) = options.memory {
                gpu.memory.set_budget(memory);
            }
            Ok(Self::Gpu(gpu))
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

/// An adapter, opened with the half precision that is asked for.
fn opened(
    adapter: &wgpu::Adapter,
    sources: &Shaders,
    native_f16: Option<bool>,
    mut passed_over: Vec<String>,
) -> Result<Arc<Gpu>, GpuError> {
    let open = |native_f16: bool, passed_over: Vec<String>| {
        let mut gpu = Gpu::open_with(adapter, sources.clone(), native_f16, adapter.limits())?;
        gpu.passed_over = passed_over;
        Ok::<_, GpuError>(Arc::new(gpu))
    };
    let gpu = open(native_f16.unwrap_or(Gpu::takes_native_f16(adapter)), passed_over.clone())?;
    if native_f16 == Some(true) && !gpu.dialect.native_f16 {
        let reason = "it has no native half precision: leave out `--precision native`".into();
        return Err(GpuError::Open { adapter: gpu.name.clone(), reason });
    }
    // A folder's shaders may be wrong, which is not the device's fault.
    let is_asked = native_f16.is_none() && gpu.dialect.native_f16 && gpu.has_embedded_shaders();
    let is_sound = !is_asked || rounds_to_nearest(&gpu)?;
    if is_sound {
        return Ok(gpu);
    }
    passed_over.push(format!(
        "{}: its half precision doesn't round to the nearest, and is done without (`--precision native` takes it)",
        gpu.name
    ));
    open(false, passed_over)
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

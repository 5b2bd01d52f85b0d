//! Which adapters this machine has, and which one a run gets.

use super::GpuError;
use std::str::FromStr;
use wgpu::{Adapter, Backends, DeviceType, Instance, InstanceDescriptor};

/// What `--device` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdapterChoice {
    /// The first GPU; the CPU executor where there is none. A software driver is not chosen.
    #[default]
    Auto,
    /// The CPU executor.
    Cpu,
    /// The adapter of this number in [`adapters`], a software driver too.
    Index(usize),
}

impl FromStr for AdapterChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            // A variable that is set to nothing is as good as not set.
            "auto" | "" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            number => number
                .parse()
                .map(Self::Index)
                .map_err(|_| format!("`{number}` is not a device: `auto`, `cpu`, or a number from `irnext devices`")),
        }
    }
}

/// What a choice came to.
pub enum Backing {
    /// A GPU, or a software driver, asked for by number.
    Adapter(Box<Adapter>),
    /// The GPUs of which the first that can be opened is taken, and the CPU executor where none can.
    Any(Vec<Adapter>),
    /// The CPU executor, with the reason if it was not asked for.
    Cpu(Option<String>),
}

/// Every adapter that `wgpu` finds, hardware first.
pub fn adapters() -> Vec<Adapter> {
    let mut descriptor = InstanceDescriptor::new_without_display_handle_from_env();
    descriptor.backends &= Backends::PRIMARY;
    let instance = Instance::new(descriptor);
    let mut found = pollster::block_on(instance.enumerate_adapters(Backends::PRIMARY));
    found.sort_by_key(|adapter| rank(adapter.get_info().device_type));
    found
}

fn rank(kind: DeviceType) -> u8 {
    match kind {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

/// Name, kind, driver and backend in one line.
pub fn describe(adapter: &Adapter) -> String {
    let info = adapter.get_info();
    let kind = match info.device_type {
        DeviceType::DiscreteGpu => "discrete GPU",
        DeviceType::IntegratedGpu => "integrated GPU",
        DeviceType::VirtualGpu => "virtual GPU",
        DeviceType::Cpu => "software driver",
        DeviceType::Other => "other",
    };
    let driver = if info.driver_info.is_empty() { info.driver } else { info.driver_info };
    format!("{} ({kind}, {}, {driver})", info.name, info.backend)
}

/// The adapter, or the CPU executor, for a choice.
///
/// # Errors
/// When the number names no adapter.
pub fn choose(choice: AdapterChoice) -> Result<Backing, GpuError> {
    if choice == AdapterChoice::Cpu {
        return Ok(Backing::Cpu(None));
    }
    let mut found = adapters();
    match choice {
        AdapterChoice::Index(index) if index < found.len() => Ok(Backing::Adapter(Box::new(found.swap_remove(index)))),
        AdapterChoice::Index(index) => Err(GpuError::NoSuchAdapter { index, found: found.len() }),
        _ => {
            let software = found.iter().find(|a| a.get_info().device_type == DeviceType::Cpu).map(describe);
            found.retain(|adapter| adapter.get_info().device_type != DeviceType::Cpu);
            if found.is_empty() {
                return Ok(Backing::Cpu(Some(match software {
                    Some(name) => format!("no GPU found, only {name}; using the CPU executor"),
                    None => "no GPU driver found; using the CPU executor".into(),
                })));
            }
            Ok(Backing::Any(found))
        }
    }
}

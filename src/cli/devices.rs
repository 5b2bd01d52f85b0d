//! `irnext devices`: what this machine can run on.

use super::Failure;
use super::output::{self, print_line};
use crate::gpu::{Gpu, adapters, describe};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use wgpu::{DeviceType, Features};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let found = adapters();
    let gpu = found.iter().position(|adapter| adapter.get_info().device_type != DeviceType::Cpu);
    let threads = rayon::current_num_threads();
    if arguments.json {
        let mut list: Vec<_> = found
            .iter()
            .enumerate()
            .map(|(index, adapter)| {
                let (info, limits) = (adapter.get_info(), adapter.limits());
                json!({
                    "device": index,
                    "name": info.name,
                    "type": format!("{:?}", info.device_type),
                    "backend": info.backend.to_string(),
                    "driver": format!("{} {}", info.driver, info.driver_info).trim().to_string(),
                    "native_f16": Gpu::takes_native_f16(adapter),
                    "timestamps": adapter.features().contains(Features::TIMESTAMP_QUERY),
                    "max_binding_bytes": limits.max_storage_buffer_binding_size,
                    "max_buffer_bytes": limits.max_buffer_size,
                    "auto": gpu == Some(index),
                })
            })
            .collect();
        list.push(json!({ "device": "cpu", "name": "CPU executor", "threads": threads, "auto": gpu.is_none() }));
        output::json(&list)?;
        return Ok(ExitCode::SUCCESS);
    }
    for (index, adapter) in found.iter().enumerate() {
        let limits = adapter.limits();
        let half = if Gpu::takes_native_f16(adapter) { "native" } else { "packed" };
        print_line!("{index}: {}", describe(adapter))?;
        print_line!(
            "   half precision {half}; at most {} MiB a binding, {} MiB a buffer",
            limits.max_storage_buffer_binding_size >> 20,
            limits.max_buffer_size >> 20
        )?;
    }
    print_line!("cpu: the CPU executor, {threads} threads, f32")?;
    print_line!("`--device auto` takes {}", gpu.map_or("cpu".into(), |index| index.to_string()))?;
    Ok(ExitCode::SUCCESS)
}

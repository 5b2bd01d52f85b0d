//! `irnext profile`: where the time of one picture goes, beside what the device can do at best.

use super::network::NetworkArguments;
use super::opened::{ExplainArguments, checked_indices, passed_over};
use super::output::{self, print_line};
use super::progress::Progress;
use super::written::{not_over, not_there};
use super::wrong::wrong;
use super::{DeviceArguments, Failure, parse_count, parse_size};
use crate::compile::optimise;
use crate::photo::{same_file, write_atomic, write_new};
use crate::profile::{Group, Profile, Roofline, html, trace};
use crate::restore::{Executor, padded_size};
use crate::run::TensorSession;
use crate::tensor::FeatureMap;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  irnext profile
  irnext profile --blocks 14 --mean local --size 720x1280 --html roofline.html
  irnext profile --trace trace.json      # for ui.perfetto.dev

Each dispatch is timed by the device's own clock where it has one. The roofline is measured in the \
same run: memory by a copy, arithmetic by multiply-adds in registers. Operations and bytes are what \
an op needs, each value touched once. Without --device the first adapter is taken, a software driver \
too. Without --model the published dehazing network's shape runs on random weights.")]
pub(super) struct Arguments {
    #[command(flatten)]
    network: NetworkArguments,
    /// The picture's size, as HEIGHTxWIDTH
    #[arg(long, value_name = "HxW", default_value = "256x256", value_parser = parse_size)]
    size: [usize; 2],
    /// Runs, of which the median is shown
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = parse_count)]
    runs: usize,
    /// Rows of the table, the slowest first
    #[arg(long, value_name = "N", default_value_t = 25)]
    top: usize,
    /// Write every dispatch as a trace for Perfetto or Chrome
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write the roofline and the table as one HTML file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Replace the trace and the HTML file if they are there
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    device: DeviceArguments,
    #[command(flatten)]
    kernels: ExplainArguments,
    /// As JSON, every dispatch
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let options = arguments.device.driver_options();
    let executor = Executor::open(&options)?;
    passed_over(&executor);
    let Executor::Gpu(gpu) = &executor else {
        return Err("profile times a device's dispatches, and the CPU executor has none: `irnext devices` lists what \
                    this machine has, `irnext bench --device cpu` times the CPU executor"
            .into());
    };
    checked_indices(&executor);
    for written in arguments.trace.iter().chain(&arguments.html) {
        not_over(written, arguments.network.file())?;
        if !arguments.overwrite {
            not_there(written)?;
        }
    }
    if arguments.trace.as_ref().zip(arguments.html.as_ref()).is_some_and(|(trace, html)| same_file(trace, html)) {
        return Err(wrong("--trace and --html can't both go into one file"));
    }
    let model = arguments.network.model()?;
    let size = padded_size(arguments.size[0], arguments.size[1]);
    let graph = model.picture_graph(size[0], size[1])?;
    let fused = optimise(&graph)?;
    arguments.kernels.prepare(&executor, &fused, options.precision)?;
    let mut progress = Progress::new(2, false);
    progress.start("the roofline");
    let roofline = Roofline::measure(gpu)?;
    progress.finish("roofline measured");
    progress.start("the network");
    let session = TensorSession::new(gpu, &fused, options.precision, false)?;
    let shape = graph.node(graph.inputs().next().ok_or("the network has no input")?).shape;
    session.run(&[FeatureMap { shape, data: vec![0.5; shape.values()] }])?;
    let profile = Profile {
        network: model.config.to_string(),
        precision: executor.stores(options.precision).into(),
        size,
        ..Profile::measure(session.session(), roofline, arguments.runs)?
    };
    progress.finish("network profiled");
    drop(progress);
    if let Some(path) = &arguments.trace {
        arguments.save(path, trace(&profile).to_string().as_bytes())?;
    }
    if let Some(path) = &arguments.html {
        arguments.save(path, html(&profile).as_bytes())?;
    }
    if arguments.json {
        output::json(&json!({"profile": profile, "groups": profile.groups()}))?;
    } else {
        print(&profile, arguments.top)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn save(&self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        let written = if self.overwrite { write_atomic(path, bytes) } else { write_new(path, bytes) };
        Ok(written?)
    }
}

fn print(profile: &Profile, top: usize) -> Result<(), Failure> {
    let Profile { adapter, network, precision, size: [height, width], roofline, wall_ms, dispatches_ms, .. } = profile;
    print_line!("{adapter} in {precision}; {network}; {height}x{width}")?;
    let half = roofline.gflops_f16.map_or(String::new(), |gflops| format!(", {gflops:.0} GFLOP/s in native f16"));
    let Roofline { gigabytes_per_second, gflops_f32, .. } = roofline;
    print_line!("roofline: copy {gigabytes_per_second:.1} GB/s, multiply-adds {gflops_f32:.0} GFLOP/s in f32{half}")?;
    let clock = if profile.device_clock { "the device's clock" } else { "the host's clock, one submission each" };
    let (count, between) = (profile.steps.len(), wall_ms - dispatches_ms);
    let than_all = match between < 0.0 {
        true => format!("{:.2} ms less: unlike those that are timed, they need not wait for each other", -between),
        false => format!("{between:.2} ms more"),
    };
    print_line!("{count} dispatches: {dispatches_ms:.2} ms by {clock}; a whole run {wall_ms:.2} ms, {than_all}")?;
    print_line!(
        "{:>9} {:>6} {:>5} {:>9} {:>8} {:>8}  kernel, workgroups, first node",
        "ms",
        "share",
        "count",
        "GFLOP/s",
        "GB/s",
        "of roof"
    )?;
    let groups = profile.groups();
    for group in groups.iter().take(top) {
        let Group { variant, node, workgroups: [x, y, z], count, ms, share, gflops, gigabytes_per_second, .. } = group;
        let (share, roof) = (share * 100.0, group.of_roofline * 100.0);
        print_line!(
            "{ms:>9.3} {share:>5.1}% {count:>5} {gflops:>9.1} {gigabytes_per_second:>8.2} {roof:>7.0}%  {variant} \
             {x}x{y}x{z}  # {node}"
        )?;
    }
    if groups.len() > top {
        let rest = &groups[top..];
        let ms: f64 = rest.iter().map(|group| group.ms).sum();
        print_line!("{ms:>9.3} {:>5.1}%  in {} more (--top)", ms / dispatches_ms * 100.0, rest.len())?;
    }
    if profile.steps.iter().any(|step| step.variant.starts_with("winograd")) {
        print_line!(
            "Winograd's GFLOP/s are of the direct convolution, of which it multiplies only a part: it may pass the roof."
        )?;
    }
    Ok(())
}

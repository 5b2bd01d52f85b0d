//! `irnext tune`: every kernel on every kind of convolution of a model, its speed and its error; the fastest is kept for
//! this machine.

use super::network::random;
use super::opened::{checked_indices, passed_over, prepare_kernels};
use super::output::{self, print_line, say};
use super::progress::Progress;
use super::{DeviceArguments, Failure, seconds};
use crate::compile::{CHOICES, check_key, optimise, shader};
use crate::gpu::{Gpu, Preferences};
use crate::graph::Graph;
use crate::model::{Activation, MeanKind};
use crate::profile::Roofline;
use crate::reference;
use crate::restore::{Executor, padded_size};
use crate::run::{Kind, Learning, TensorSession, WARMING, check_inputs, kinds, least_time, sample, target};
use crate::tensor::{Element, FeatureMap};
use crate::verify::Error;
use clap::Args;
use serde::Serialize;
use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  irnext tune --device 0
  irnext tune --width 16 --size 480x640 --json
  irnext tune --device 0 --only \"3x3/1 32>32\" --kernel conv2d_tiled --shaders shaders   as you edit it

Kernels are kept by adapter, driver and shaders in IRNEXT_CACHE, else in the user's cache folder. Without --device the \
first adapter is taken, a software driver too. Times are the least of a host's clock, errors relative L2 against the CPU \
reference in f64; the roofline (`profile`) is measured in the same run, without units for matrices and for a direct \
convolution, so that kernels by matrices or Winograd may pass it. Shaders of a folder are compiled with a check of every \
index: compare them with others of the folder.")]
pub(super) struct Arguments {
    /// Channels at full resolution
    #[arg(long, default_value_t = 32)]
    width: usize,
    /// A picture's size
    #[arg(long, value_name = "HxW", default_value = "256x256", value_parser = super::parse_size)]
    size: [usize; 2],
    /// Seconds for each kernel on each convolution, at least one pass; a GPU warms up for another 0.25
    #[arg(long, default_value_t = 0.2)]
    seconds: f64,
    #[command(flatten)]
    device: DeviceArguments,
    /// Only these kernels; which is fastest is not kept. May be given several times
    #[arg(long = "kernel", value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(CHOICES))]
    kernels: Vec<String>,
    /// Only convolutions whose name contains this; which is fastest is not kept. May be given several times
    #[arg(long = "only", value_name = "TEXT")]
    only: Vec<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Pixels of the maps on which errors are judged, about.
const JUDGED_PIXELS: usize = 1 << 14;

#[derive(Debug, Serialize)]
struct Row {
    convolution: String,
    count: usize,
    kernel: &'static str,
    file: String,
    microseconds: f64,
    gflops: f64,
    of_roofline: Option<f64>,
    rel_l2: f64,
    fastest: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    // More blocks are more of the same.
    let model = random(arguments.width, 2, Activation::Tanh, MeanKind::Global)?;
    let options = arguments.device.driver_options();
    let budget = seconds(arguments.seconds)?;
    let executor = Executor::open(&options)?;
    passed_over(&executor);
    let Executor::Gpu(gpu) = &executor else { return Err("the CPU executor has nothing to choose from".into()) };
    checked_indices(&executor);
    let precision: Element = options.precision;
    let [height, width] = padded_size(arguments.size[0], arguments.size[1]);
    let graph = optimise(&model.graph(height, width)?)?;
    prepare_kernels(gpu, &graph, precision)?;
    let mut known = gpu.preferences().cloned().unwrap_or_default();
    let mut kinds = kinds(&graph, precision, &target(gpu, false));
    let all_kinds = kinds.len();
    kinds.retain(|kind| arguments.only.is_empty() || arguments.only.iter().any(|text| kind.key.contains(text)));
    let all = arguments.kernels.is_empty() && arguments.only.is_empty();
    let roofline = match Roofline::measure(gpu) {
        Err(error) if error.is_of_one_kernel() => {
            say!("irnext: no roofline: {error}");
            None
        }
        measured => Some(measured?),
    };
    // An interrupted run is not lost; whether it can be kept is said at the end.
    let save = |known: &Preferences| {
        let _ = gpu.preferences_file().filter(|_| all).map(|file| known.save(&file));
    };
    let mut progress = Progress::new(kinds.len(), false);
    let mut rows = vec![];
    for kind in &mut kinds {
        progress.start(&kind.key);
        if kind.nodes.len() > 1 {
            gpu.prefer(known.clone());
        }
        let wanted = &arguments.kernels;
        kind.candidates.retain(|kernel| wanted.is_empty() || wanted.iter().any(|name| name == kernel));
        // That a first run began is written by who holds the lock; this takes too long to have others wait for it.
        let mut learning = Learning { gpu, precision, kept: false, known: &mut known };
        let timed = time(&mut learning, &graph, kind, roofline.as_ref(), budget);
        // Also what a failure has taught.
        let mut timed = timed.inspect_err(|_| save(&known))?;
        // NaN is wrong too.
        let right = |row: &Row| row.rel_l2 <= precision.error_bound();
        for row in timed.iter().filter(|row| !right(row)) {
            say!("irnext: {}: `{}` is wrong on this device and is not taken", row.convolution, row.kernel);
        }
        known.fastest.remove(&kind.key);
        let sound = |row: &&mut Row| right(row) && !known.demoted(&check_key(row.kernel, precision));
        let fastest = timed.iter_mut().filter(sound).min_by(|a, b| a.microseconds.total_cmp(&b.microseconds));
        if let Some(row) = fastest {
            row.fastest = true;
            known.fastest.insert(kind.key.clone(), row.kernel.into());
        }
        rows.extend(timed);
        save(&known);
        progress.finish("");
    }
    drop(progress);
    if rows.is_empty() {
        return Err(format!(
            "nothing to time: none of {all_kinds} kinds of convolutions is meant, or no kernel can run"
        )
        .into());
    }
    let kept = if all { keep(gpu.preferences_file(), &known) } else { ExitCode::SUCCESS };
    print(arguments.json, gpu, precision, roofline.as_ref(), &rows)?;
    Ok(kept)
}

/// Every kernel of a kind that runs here: its least time on the network's map, its error on a smaller one.
fn time(
    learning: &mut Learning,
    graph: &Graph,
    kind: &Kind,
    roofline: Option<&Roofline>,
    budget: Duration,
) -> Result<Vec<Row>, Failure> {
    let Learning { gpu, precision, .. } = *learning;
    let left_out = |kernel: &str, reason: &dyn Display| {
        say!("irnext: {}: `{kernel}` is left out: {reason}", kind.key);
    };
    let mut kernels = kind.candidates.clone();
    // It may have lost the device. Who edits a shader is shown all the same how wrong it is.
    if gpu.has_embedded_shaders() {
        kernels.retain(|kernel| !learning.is_out_of_use(kernel));
        let out_of_use = kind.candidates.iter().filter(|kernel| !kernels.contains(kernel));
        out_of_use.for_each(|kernel| left_out(kernel, &"it is out of use on this device"));
    }
    // The reference takes minutes for a large map.
    let judged = sample(graph, precision, kind, JUDGED_PIXELS)?;
    let timed = sample(graph, precision, kind, usize::MAX)?;
    let (inputs, filling) = (check_inputs(&judged), check_inputs(&timed));
    let exact: Vec<FeatureMap<f64>> = inputs.iter().map(FeatureMap::cast).collect();
    let truth = reference::execute(&judged, &exact)?.swap_remove(0);
    let flops = 2 * timed.multiply_adds();
    let mut rows = vec![];
    let found = learning.measure_each(&kernels, |kernel| {
        let result = TensorSession::by_kernel(gpu, &judged, precision, kernel)?.run(&inputs)?.swap_remove(0);
        let session = TensorSession::by_kernel(gpu, &timed, precision, kernel)?;
        // Zeros would be multiplied faster than a picture.
        session.run(&filling)?;
        let least = least_time(&session, WARMING, budget)?.as_secs_f64();
        Ok((Error::between(&result.data, &truth.data).rel_l2, least, session.session().plan().bytes_moved()))
    })?;
    for (kernel, measured) in found {
        let (rel_l2, seconds, bytes) = match measured {
            Ok(measured) => measured,
            Err(error) => {
                left_out(kernel, &error);
                continue;
            }
        };
        rows.push(Row {
            convolution: kind.key.clone(),
            count: kind.count,
            kernel,
            file: shader(kernel).map_or(String::new(), |shader| format!("{shader}.wgsl")),
            microseconds: seconds * 1e6,
            gflops: flops as f64 / seconds / 1e9,
            of_roofline: roofline.map(|roofline| roofline.least_us(flops, bytes) / (seconds * 1e6)),
            rel_l2,
            fastest: false,
        });
    }
    Ok(rows)
}

fn print(
    as_json: bool,
    gpu: &Gpu,
    precision: Element,
    roofline: Option<&Roofline>,
    rows: &[Row],
) -> Result<(), Failure> {
    if as_json {
        let (adapter, precision) = (&gpu.name, precision.to_string());
        return output::json(
            &serde_json::json!({"adapter": adapter, "precision": precision, "roofline": roofline, "kernels": rows}),
        );
    }
    let best = roofline.map_or(String::new(), |best| {
        format!("; at best {:.0} GFLOP/s, {:.1} GB/s", best.gflops(), best.gigabytes_per_second)
    });
    print_line!("{} in {precision}{best}", gpu.name)?;
    print_line!(
        "{:<28} {:>5} {:>11} {:>8} {:>8} {:>9}  kernel (file, where it has another name)",
        "convolution",
        "count",
        "us",
        "GFLOP/s",
        "of roof",
        "rel L2"
    )?;
    for Row { convolution, count, kernel, file, microseconds, gflops, of_roofline, rel_l2, fastest } in rows {
        let own = file.is_empty() || *file == format!("{kernel}.wgsl");
        let file = if own { String::new() } else { format!(" ({file})") };
        let share = of_roofline.map_or("-".into(), |share| format!("{:.0} %", 100.0 * share));
        let mark = if *fastest { "  fastest" } else { "" };
        print_line!(
            "{convolution:<28} {count:>5} {microseconds:>11.1} {gflops:>8.2} {share:>8} {rel_l2:>9.1e}  {kernel}{file}{mark}"
        )?;
    }
    Ok(())
}

/// Writes what was found; whether it could.
fn keep(file: Option<std::path::PathBuf>, known: &Preferences) -> ExitCode {
    let Some(file) = file else {
        say!("irnext: this user has no cache folder, so nothing is kept; set IRNEXT_CACHE");
        return ExitCode::FAILURE;
    };
    match known.save(&file) {
        Ok(()) => {
            say!("irnext: kept in {}", file.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            say!("irnext: {}: {error}; nothing is kept", file.display());
            ExitCode::FAILURE
        }
    }
}

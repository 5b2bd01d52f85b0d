//! What is measured of a device: checked on first use, kept, explained, and measured again where the file is broken.

mod common;
#[path = "common/on_device.rs"]
mod on_device;

use common::{adapter, device_argument, devices};
use irnext::compile::{CHOICES, alone, assign_elements, candidates, check_key, key};
use irnext::gpu::{Gpu, GpuError, LearningLock, Preferences, ShaderError};
use irnext::graph::{Conv2d, Epilogue, Graph, NodeId, Op};
use irnext::kernels::shaders;
use irnext::model::random_model;
use irnext::model::{Activation, Config, MeanKind};
use irnext::run::{Learning, RunError, Verdict, target, tune, verdict};
use irnext::tensor::{Element, Shape, Tensor};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn checks_are_kept_and_a_broken_file_is_made_anew() {
    // Fails with a word where there is no adapter.
    let name = &devices().packed.name;
    let folder = tempfile::tempdir().expect("a folder");
    let device = device_argument();
    let bench = || {
        let done = on_device::command()
            .env("IRNEXT_CACHE", folder.path())
            .args(["bench", "--no-kernels", "--width", "8", "--blocks", "1", "--size", "64x64", "--seconds", "0"])
            .args(["--explain", "--device", &device])
            .output()
            .expect("starts");
        let errors = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{errors}");
        errors
    };
    let kept = || {
        let files = std::fs::read_dir(folder.path()).expect("reads").map(|entry| entry.expect("reads").path());
        let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files.swap_remove(0)
    };
    let errors = bench();
    assert!(errors.contains("x 3x3/1 8>8 2^12 f16: "), "{errors}");
    assert!(errors.contains("(heuristic)"), "{errors}");
    let first = std::fs::read_to_string(kept()).expect("reads");
    let known: serde_json::Value = serde_json::from_str(&first).expect("is JSON");
    assert_eq!(known["adapter"], name.as_str());
    let agrees = known["agrees"].as_object().expect("a map");
    assert!(!agrees.is_empty() && agrees.values().all(|agrees| agrees == true), "{first}");
    std::fs::write(kept(), &first[..first.len() / 2]).expect("writes");
    let errors = bench();
    assert!(errors.contains("ignored and measured again"), "{errors}");
    assert_eq!(std::fs::read_to_string(kept()).expect("reads"), first);
    // A first run that the program didn't live to see the end of: twice is an accident, thrice is not.
    let mut known = Preferences::load(&kept()).expect("reads");
    let kernel = known.agrees.keys().find(|kernel| !kernel.starts_with("conv2d ")).expect("is checked").clone();
    for (ends, demoted) in [(2, false), (3, true)] {
        known.agrees.remove(&kernel);
        known.begun.insert(kernel.clone(), ends);
        known.save(&kept()).expect("writes");
        let errors = bench();
        assert_eq!(errors.contains(&format!("`{kernel}` ended the program 3 times")), demoted, "{errors}");
        let after = Preferences::load(&kept()).expect("reads");
        assert_eq!((after.agrees[&kernel], after.begun.len()), (!demoted, 0));
    }
}

/// Who interrupts a kernel's first run gets out of it at once, and the kernel is none the worse.
#[cfg(unix)]
#[test]
fn an_interrupted_first_run_is_forgotten() {
    let folder = tempfile::tempdir().expect("a folder");
    let device = device_argument();
    let mut command = on_device::command();
    command.env("IRNEXT_CACHE", folder.path()).env("MESA_SHADER_CACHE_DIR", folder.path().join("mesa"));
    command.args(["bench", "--no-kernels", "--width", "8", "--size", "64x64", "--device", &device]);
    let mut running = command.spawn().expect("starts");
    let known = || {
        let files = std::fs::read_dir(folder.path()).expect("reads").map(|entry| entry.expect("reads").path());
        let file = files.into_iter().find(|path| path.extension().is_some_and(|it| it == "json"))?;
        Preferences::load(&file).ok()
    };
    while known().is_none_or(|known| known.begun.is_empty()) {
        assert!(running.try_wait().expect("asks").is_none(), "no first run was seen");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::process::Command::new("kill").args(["-INT", &running.id().to_string()]).status().expect("starts");
    for _ in 0..1000 {
        if let Some(status) = running.try_wait().expect("asks") {
            assert_eq!(status.code(), Some(130));
            assert_eq!(known().expect("is kept").begun.values().sum::<u32>(), 0);
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    running.kill().expect("ends");
    panic!("the program hangs");
}

/// Programs that start side by side on a new device learn of it one after another, and what it is, once.
#[test]
fn programs_learn_of_a_new_device_one_after_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("device.json");
    let lock = LearningLock::take(Some(&file));
    assert!(lock.is_held());
    let waiting = std::thread::spawn({
        let file = file.clone();
        move || (LearningLock::take(Some(&file)).is_held(), Preferences::load(&file))
    });
    std::thread::sleep(Duration::from_millis(100));
    assert!(!waiting.is_finished());
    let known = Preferences { adapter: "learnt".into(), ..Preferences::default() };
    known.save(&file).expect("writes");
    drop(lock);
    assert_eq!(waiting.join().expect("ends"), (true, Ok(known)));
    // Where nothing can be kept nothing is waited for.
    assert!(!LearningLock::take(None).is_held());
}

/// The plain kernels, whose place no other can take, are judged by the CPU as well.
#[test]
fn a_wrong_plain_kernel_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let right = std::fs::read_to_string("shaders/conv2d.wgsl").expect("reads");
    let wrong = right.replace("sum + bias_of(block)", "1.01 * sum + bias_of(block)");
    assert_ne!(right, wrong);
    std::fs::write(folder.path().join("conv2d.wgsl"), &wrong).expect("writes");
    let adapter = adapter();
    for (folder, wanted) in
        [(None, Verdict::Agrees), (Some(&folder), Verdict::Objection("disagrees with the CPU reference".into()))]
    {
        let sources = folder.map_or_else(|| Ok(shaders()), |folder| shaders().replaced_from(folder.path()));
        let gpu = Arc::new(Gpu::open(&adapter, sources.expect("reads")).expect("opens"));
        assert_eq!(verdict(&gpu, "conv2d", Element::F32, false).expect("runs"), wanted);
    }
}

/// Compiled pipelines are kept too, where the backend can; a broken file does no harm.
#[test]
fn pipelines_are_kept_for_the_next_start() {
    let gpu = &devices().packed;
    let folder = tempfile::tempdir().expect("a folder");
    let device = device_argument();
    let picture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/heldout/dehaze/input/chelsea.png");
    let restore = |name: &str| {
        let output = folder.path().join(name);
        let done = on_device::command()
            .env("IRNEXT_CACHE", folder.path().join("cache"))
            .args(["restore", picture, "-q", "--device", &device, "-o"])
            .arg(&output)
            .output()
            .expect("starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        std::fs::read(output).expect("is there")
    };
    let first = restore("first.png");
    let kept = std::fs::read_dir(folder.path().join("cache")).expect("reads").map(|entry| entry.expect("reads").path());
    let kept: Vec<_> = kept.filter(|path| path.extension().is_none_or(|it| it != "json" && it != "lock")).collect();
    if !gpu.device.features().contains(wgpu::Features::PIPELINE_CACHE) {
        common::not_tested(&gpu.name, "pipelines kept on disk (no PIPELINE_CACHE)");
        assert!(kept.is_empty(), "{kept:?}");
        return;
    }
    let [file] = &kept[..] else { panic!("one file expected: {kept:?}") };
    let bytes = std::fs::read(file).expect("reads");
    assert!(!bytes.is_empty());
    assert_eq!(restore("second.png"), first);
    std::fs::write(file, &bytes[..bytes.len() / 2]).expect("writes");
    assert_eq!(restore("third.png"), first);
    assert_eq!(std::fs::read(file).expect("reads").len(), bytes.len());
}

/// No kernel that computes what it should is demoted, on any of the graphs that are checked on a GPU.
#[test]
fn sound_kernels_have_nothing_against_them() {
    for (kind, gpu) in devices().all() {
        // Single precision is the same on all of them.
        let single = (kind == "packed f16").then_some(Element::F32);
        for precision in [Element::F16].into_iter().chain(single) {
            for kernel in CHOICES {
                let verdict = verdict(&gpu, kernel, precision, true).expect("runs");
                // Its lanes, or its matrices, aren't there.
                let absent = verdict == Verdict::Objection("computes nothing here".into());
                assert!(verdict == Verdict::Agrees || absent, "{kernel} in {precision} ({kind}): {verdict:?}");
                assert!(
                    !absent || !["conv2d", "conv2d_shared", "winograd_shared"].contains(kernel),
                    "{kernel} ({kind})"
                );
            }
        }
    }
}

/// What could not be compared is neither sound nor demoted.
#[test]
fn a_check_without_room_tells_nothing() {
    let gpu = Arc::new(Gpu::open(&adapter(), shaders()).expect("opens"));
    let of = |kernel| verdict(&gpu, kernel, Element::F32, true).expect("runs");
    gpu.memory.set_budget(1 << 10);
    assert_eq!(of("conv2d_shared"), Verdict::NotCompared);
    gpu.memory.set_budget(u64::MAX);
    assert_eq!(of("conv2d_shared"), Verdict::Agrees);
}

/// A kernel that was found wrong on the device isn't kept as the fastest, however fast it is.
#[test]
fn tuning_passes_over_a_demoted_kernel() {
    let folder = tempfile::tempdir().expect("a folder");
    let device = device_argument();
    let tuned = || {
        let mut command = on_device::command();
        command.env("IRNEXT_CACHE", folder.path()).args(["tune", "--device", &device]);
        let done = command.args(["--width", "8", "--size", "64x64", "--seconds", "0"]).output().expect("starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let files = std::fs::read_dir(folder.path()).expect("reads").map(|entry| entry.expect("reads").path());
        let file = files.into_iter().find(|path| path.extension().is_some_and(|it| it == "json")).expect("is kept");
        (Preferences::load(&file).expect("reads"), file)
    };
    let (mut known, file) = tuned();
    let taken: Vec<String> = known.fastest.values().cloned().collect();
    let kernel = taken.iter().find(|kernel| CHOICES.contains(&kernel.as_str()) && *kernel != "conv2d").expect("one");
    known.agrees.insert(check_key(kernel, Element::F16), false);
    known.fastest.clear();
    known.save(&file).expect("writes");
    let (known, _) = tuned();
    assert!(!known.fastest.is_empty() && !known.fastest.values().any(|taken| taken == kernel), "{kernel}: {known:?}");
}

/// Nor is one that is seen to be wrong.
#[test]
fn tuning_never_takes_a_wrong_kernel() {
    let device = device_argument();
    let folder = tempfile::tempdir().expect("a folder");
    let right = std::fs::read_to_string("shaders/conv2d_tiled.wgsl").expect("reads");
    let wrong = right.replace("sum + bias_of(block)", "2.0 * sum + bias_of(block)");
    assert_ne!(right, wrong);
    std::fs::write(folder.path().join("conv2d_tiled.wgsl"), wrong).expect("writes");
    let mut command = on_device::command();
    command.env("IRNEXT_CACHE", folder.path().join("cache")).args(["tune", "--device", &device, "--json", "--shaders"]);
    command.arg(folder.path()).args(["--width", "8", "--size", "64x64", "--seconds", "0"]);
    let done = command.args(["--only", "3x3/2 ", "--kernel", "conv2d_tiled"]).output().expect("starts");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success() && said.contains("`conv2d_tiled` is wrong on this device and is not taken"),
        "{said}"
    );
    let table: serde_json::Value = serde_json::from_slice(&done.stdout).expect("is JSON");
    let rows = table["kernels"].as_array().expect("rows");
    assert!(!rows.is_empty() && rows.iter().all(|row| row["fastest"] == false), "{rows:?}");
}

/// A large map's convolution, and a small one's.
fn two_convolutions() -> Graph {
    let mut graph = Graph::new();
    for (side, channels) in [(160, 8), (16, 16)] {
        let data = vec![0.1; channels * channels * 9];
        let weight = graph.weight("weight", Tensor::new([channels, channels, 3, 3], data).expect("as many values"));
        let x = graph.input("x", Shape::new(side, side, channels), false);
        let conv = Conv2d { weight, bias: None, kernel: 3, stride: 1, padding: 1, epilogue: Epilogue::default() };
        let made = graph.push("convolution", Op::Conv2d(conv), &[x]).expect("fits");
        graph.output("output", made, false);
    }
    graph
}

/// What there is no room for is left untimed, and the budget ends it.
#[test]
fn tuning_gets_by_on_little_memory_and_in_its_time() {
    // A device of its own: budgets and preferences are a device's.
    let adapter = adapter();
    let graph = two_convolutions();
    let open = |bytes| {
        let gpu = Arc::new(Gpu::open(&adapter, shaders()).expect("opens"));
        gpu.memory.set_budget(bytes);
        gpu
    };
    let tuned = |bytes, budget| {
        let mut known = Preferences::default();
        let gpu = open(bytes);
        let mut learning = Learning { gpu: &gpu, precision: Element::F16, kept: false, known: &mut known };
        let warnings = tune(&mut learning, &graph, budget).expect("gets by");
        assert!(warnings.is_empty(), "{warnings:?}");
        known.fastest
    };
    assert!(tuned(u64::MAX, Duration::ZERO).is_empty());
    let (few, all) = (tuned(1 << 20, Duration::from_secs(60)), tuned(1 << 30, Duration::from_secs(60)));
    let kinds = irnext::run::kinds(&graph, Element::F16, &target(&open(1 << 30), false));
    let several = kinds.iter().filter(|kind| kind.candidates.len() > 1).count();
    assert!(!few.is_empty() && few.len() < several, "{few:?}");
    assert_eq!(all.len(), several, "{all:?}");
}

/// A refused kernel is the driver's doing and out of use from then on, but its writer's where it comes from a folder; want of
/// room is nobody's.
#[test]
fn what_a_kernel_is_left_out_for_decides_what_becomes_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy("shaders/conv2d.wgsl", folder.path().join("conv2d.wgsl")).expect("copies");
    let adapter = adapter();
    let kernels = ["conv2d_tiled", "conv2d_shared", "two convolutions"];
    let measured = |own: bool, failing: &str| {
        let sources = if own { shaders().replaced_from(folder.path()) } else { Ok(shaders()) };
        let gpu = Arc::new(Gpu::open(&adapter, sources.expect("reads")).expect("opens"));
        let mut known = Preferences::default();
        let mut learning = Learning { gpu: &gpu, precision: Element::F16, kept: false, known: &mut known };
        let found = learning.measure_each(&kernels, |kernel| match kernel {
            "conv2d_shared" => {
                let (adapter, what, reason) = (String::new(), String::new(), String::new());
                Err(RunError::Gpu(GpuError::Memory { adapter, what, reason }))
            }
            kernel if kernel == failing => {
                let refused = ShaderError::Refused { variant: kernel.into(), reason: "no".into() };
                Err(RunError::Gpu(refused.into()))
            }
            kernel => Ok(kernel),
        });
        let found = found.map(|found| found.into_iter().filter_map(|(_, found)| found.ok()).collect::<Vec<_>>());
        (found.ok(), kernels.map(|kernel| known.demoted(&check_key(kernel, Element::F16))))
    };
    assert_eq!(measured(false, "conv2d_tiled"), (Some(vec!["two convolutions"]), [true, false, false]));
    assert_eq!(measured(true, "conv2d_tiled"), (None, [false; 3]));
    for own in [false, true] {
        assert_eq!(measured(own, "two convolutions"), (Some(vec!["conv2d_tiled"]), [false; 3]));
    }
}

/// What a kernel is timed on keeps the kind of its convolution, with fewer rows.
#[test]
fn rows_are_left_out_of_what_is_too_large() {
    let model = random_model(Config::new(8, 1, Activation::Tanh, MeanKind::Global));
    let mut graph = model.graph(96, 64).expect("builds");
    assign_elements(&mut graph, Element::F16);
    let target = target(&devices().packed, false);
    for id in (0..graph.nodes.len()).map(NodeId).filter(|&id| key(&graph, Element::F16, id).is_some()) {
        let node = graph.node(id);
        let mut small = alone(&graph, Element::F16, &[id], 1000).expect("builds");
        let largest = small.nodes.iter().map(|node| node.shape.pixels()).max().expect("has nodes");
        let all = node.inputs.iter().chain([&id]).map(|&id| graph.node(id).shape.pixels()).max().expect("has maps");
        assert!(largest <= 1000.min(all) && 2 * largest > 1000.min(all), "{}: {largest} of {all}", node.name);
        assign_elements(&mut small, Element::F16);
        let last = NodeId(small.nodes.len() - 1);
        let [of_all, of_small] =
            [(&graph, id), (&small, last)].map(|(graph, id)| candidates(graph, Element::F16, &target, id));
        assert_eq!(of_all, of_small, "{}", node.name);
        let whole = alone(&graph, Element::F16, &[id], usize::MAX).expect("builds");
        assert_eq!(whole.nodes.last().map(|node| node.shape), Some(node.shape));
    }
}

/// A part of the table is for who edits a kernel: it holds what is meant, is not kept, and is an error where it holds nothing.
#[test]
fn a_part_of_the_table_is_not_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let device = device_argument();
    let part = |more: &[&str]| {
        let mut command = on_device::command();
        command.env("IRNEXT_CACHE", folder.path()).args(["tune", "--device", &device, "--json"]);
        command.args(["--width", "8", "--size", "64x64", "--seconds", "0"]).args(more).output().expect("starts")
    };
    let done = part(&["--only", "3x3/2 ", "--kernel", "conv2d", "--kernel", "conv2d_tiled"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let table: serde_json::Value = serde_json::from_slice(&done.stdout).expect("is JSON");
    let rows = table["kernels"].as_array().expect("rows");
    assert_eq!(rows.len(), 4, "{rows:?}");
    for row in rows {
        assert!(row["convolution"].as_str().is_some_and(|name| name.starts_with("3x3/2 ")), "{row}");
        assert!(row["rel_l2"].as_f64().is_some_and(|error| error <= Element::F16.error_bound()), "{row}");
        assert!(row["microseconds"].as_f64().is_some_and(|time| time > 0.0), "{row}");
    }
    let kept = std::fs::read_dir(folder.path()).expect("reads").map(|entry| entry.expect("reads").path());
    for file in kept.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let known: Preferences = Preferences::load(&file).expect("reads");
        assert!(known.fastest.is_empty(), "{:?}", known.fastest);
    }
    let nothing = part(&["--only", "no such convolution"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("nothing to time"));
}

/// Beside its speed, each kernel's error: of every one that a network takes, and within what `verify` passes.
#[test]
fn a_bench_says_how_far_each_kernel_is_from_f64() {
    let device = device_argument();
    for (device, most) in [(device.as_str(), 2e-3), ("cpu", 1e-5)] {
        let shape = ["--width", "8", "--blocks", "1", "--size", "64x64", "--seconds", "0"];
        let mut command = on_device::command();
        let done =
            command.args(["bench", "--errors", "--json", "--device", device]).args(shape).output().expect("starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let results: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
        let kernels = results["kernels"].as_array().expect("a list");
        assert!(!kernels.is_empty());
        for kernel in kernels {
            let error = kernel["rel_l2"].as_f64();
            assert!(error.is_some_and(|error| error <= most), "{device}: {kernel}");
        }
    }
}

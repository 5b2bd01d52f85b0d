//! The program as a user meets it: on the CPU executor, so that it runs everywhere.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn irnext(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_irnext")).env("IRNEXT_DEVICE", "cpu").args(arguments).output().expect("starts")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder's name is text")
}

fn decibels(a: &image::RgbImage, b: &image::RgbImage) -> f64 {
    let square = |(a, b): (&u8, &u8)| (f64::from(*a) - f64::from(*b)).powi(2);
    let mean = a.iter().zip(b.iter()).map(square).sum::<f64>() / a.len() as f64;
    10.0 * (255.0 * 255.0 / mean).log10()
}

#[test]
fn restore_clears_the_example() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("clear.png");
    let done = irnext(&["restore", "tests/data/photos/hazy.png", "-o", text(&out)]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let open = |path: &Path| image::open(path).expect("opens").to_rgb8();
    let (hazy, clear) = (open(Path::new("tests/data/photos/hazy.png")), open(Path::new("tests/data/photos/clear.png")));
    let restored = open(&out);
    assert_eq!(restored.dimensions(), hazy.dimensions());
    let gain = decibels(&restored, &clear) - decibels(&hazy, &clear);
    assert!(gain > 5.0, "{gain:.2} dB");
}

/// Haze of a large picture is told from a copy, which is said, and leaves the picture's size and details.
#[test]
fn haze_of_a_large_picture_is_told_from_a_copy() {
    let folder = tempfile::tempdir().expect("a folder");
    let (large, out) = (folder.path().join("large.png"), folder.path().join("out.png"));
    let enlarged = |path: &str| {
        let small = image::open(path).expect("opens").to_rgb8();
        image::imageops::resize(&small, 1200, 900, image::imageops::FilterType::CatmullRom)
    };
    let (hazy, clear) = (enlarged("tests/data/photos/hazy.png"), enlarged("tests/data/photos/clear.png"));
    hazy.save(&large).expect("writes");
    let restore = |arguments: &[&str]| {
        let done = irnext(&[&["restore", text(&large), "-o", text(&out), "--overwrite"], arguments].concat());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        (image::open(&out).expect("opens").to_rgb8(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (restored, said) = restore(&["--device", "cpu"]);
    assert!(said.contains("larger than 640 pixels"), "{said}");
    assert_eq!(restored.dimensions(), (1200, 900));
    let gain = decibels(&restored, &clear) - decibels(&hazy, &clear);
    assert!(gain > 9.0, "{gain:.2} dB");
    let (smaller, said) = restore(&["--device", "cpu", "--longest-side", "320"]);
    assert!(said.contains("larger than 320 pixels") && smaller != restored, "{said}");
    // No other task's change is smooth.
    let (_, said) = restore(&["--device", "cpu", "--task", "derain"]);
    assert!(!said.contains("copy"), "{said}");
    for wrong in ["0", "63", "all", "-1", "10000000"] {
        let refused = irnext(&["restore", text(&large), "-o", text(&out), "--longest-side", wrong]);
        assert_eq!(refused.status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn what_cannot_be_restored_is_an_error_and_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let cut = folder.path().join("cut.png");
    let whole = std::fs::read("tests/data/photos/hazy.png").expect("reads");
    std::fs::write(&cut, &whole[..whole.len() / 2]).expect("writes");
    let out = folder.path().join("out.png");
    let done = irnext(&["restore", text(&cut), "-o", text(&out)]);
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&done.stderr).contains("cut.png"));
    assert!(!out.exists());
    // An input is never written over, an existing file only if asked.
    let done = irnext(&["restore", text(&cut), "-o", text(&cut), "--overwrite"]);
    assert_eq!(done.status.code(), Some(1));
    assert_eq!(std::fs::read(&cut).expect("reads").len(), whole.len() / 2);
    assert_eq!(irnext(&["restore"]).status.code(), Some(2));
}

#[test]
fn run_keeps_its_contract() {
    let folder = tempfile::tempdir().expect("a folder");
    let golden = irnext::tensor::file::TensorFile::read("tests/data/models/tiny-local.safetensors").expect("reads");
    let mut input = irnext::tensor::file::TensorFile::default();
    input.tensors.insert("input".into(), golden.tensors["128x160/input"].clone());
    let (x, y) = (folder.path().join("x.safetensors"), folder.path().join("y.safetensors"));
    input.write(&x, irnext::tensor::Element::F32).expect("writes");
    let model = "tests/data/models/tiny-local.pkl";
    let done = irnext(&["run", "--model", model, "--mean", "local", "--input", text(&x), "--output", text(&y)]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let made = irnext::tensor::file::TensorFile::read(&y).expect("reads");
    for name in ["quarter", "half", "full"] {
        let (made, expected) = (&made.tensors[name], &golden.tensors[&format!("128x160/{name}")]);
        assert_eq!(made.shape(), expected.shape());
        let expected: Vec<f64> = expected.data().iter().map(|&value| f64::from(value)).collect();
        assert!(irnext::verify::Error::between(made.data(), &expected).within(1e-4), "{name}");
    }
    let lean = "weights/deblur-small.safetensors"; // without the side outputs
    let done = irnext(&["run", "--model", lean, "--device", "cpu", "--input", text(&x), "--output", text(&y)]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let made = irnext::tensor::file::TensorFile::read(&y).expect("reads");
    assert_eq!(made.tensors.keys().collect::<Vec<_>>(), ["full"]);
}

#[test]
fn verify_passes_the_golden_operators_on_the_cpu_executor() {
    let done = irnext(&["verify", "--device", "cpu", "--json", "--golden", "tests/data/golden/ops.safetensors"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let cases = report["cases"].as_array().expect("cases");
    assert!(cases.len() > 100 && cases.iter().all(|case| case["pass"] == true));
}

#[test]
fn inspect_shows_every_stage() {
    let done = irnext(&["inspect", "--json"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let summary: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert!(summary["fused"]["dispatches"].as_u64() < summary["unfused"]["dispatches"].as_u64());
    let built = |what: &str| summary["as_built"][what].as_u64().expect("a count");
    assert!(built("ops") > summary["unfused"]["dispatches"].as_u64().expect("a count"));
    assert!(built("bytes_moved") > summary["unfused"]["bytes_moved"].as_u64().expect("a count"));
    let shape = irnext(&["inspect", "--json", "--width", "8", "--blocks", "1", "--mean", "local", "--size", "64x64"]);
    assert!(shape.status.success(), "{}", String::from_utf8_lossy(&shape.stderr));
    let shape: serde_json::Value = serde_json::from_slice(&shape.stdout).expect("JSON");
    assert_eq!((&shape["width"], &shape["blocks"], &shape["mean"]), (&8.into(), &1.into(), &"local".into()));
    assert!(shape["target"].as_str().is_some_and(|target| target.contains("WebGPU")), "{shape}");
    for wrong in [&["--width", "8", "--task", "derain"][..], &["--mean", "local"], &["--width", "7"]] {
        assert_eq!(irnext(&[&["inspect"], wrong].concat()).status.code(), Some(2), "{wrong:?}");
    }
    for missing in [["--device", "99"], ["--shaders", "/nonexistent"]] {
        let done = irnext(&[&["inspect"], &missing[..]].concat());
        let said = String::from_utf8_lossy(&done.stderr).to_string();
        assert!(done.status.code() == Some(1) && said.contains(missing[1]), "{missing:?}: {said}");
    }
    let stages = irnext(&["inspect", "--stage", "all"]);
    let stages = String::from_utf8_lossy(&stages.stdout).to_string();
    assert!(["# build:", "# fuse_gelu:", "# assign_elements:"].iter().all(|stage| stages.contains(stage)));
}

#[test]
fn inspect_shows_bands_where_memory_is_short() {
    let bands = |memory: &str| {
        let done = irnext(&["inspect", "--json", "--size", "256x256", "--memory", memory]);
        let told: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        (told["bands"].clone(), told["device_bytes"].as_u64().unwrap())
    };
    let (none, whole) = bands("1GiB");
    assert!(none.is_null(), "{none}");
    let (some, _) = bands("8MiB");
    let taken = some["device_bytes"].as_u64().unwrap();
    assert!(taken <= 8 << 20 && whole > 8 << 20 && some["bands"].as_u64().unwrap() > 1, "{some}, whole {whole}");
    let done = irnext(&["inspect", "--memory", "8MiB"]);
    assert!(String::from_utf8_lossy(&done.stdout).contains(" bands in "));
    assert_eq!(irnext(&["inspect", "--memory", "1KiB"]).status.code(), Some(1));
}

#[test]
fn devices_end_with_the_cpu_executor_and_one_is_automatic() {
    let list: Vec<serde_json::Value> = serde_json::from_slice(&irnext(&["devices", "--json"]).stdout).unwrap();
    assert_eq!(list.last().unwrap()["device"], "cpu");
    assert_eq!(list.iter().filter(|device| device["auto"] == true).count(), 1);
    for device in &list {
        let name = device["device"].to_string();
        assert!(name == "\"cpu\"" || name.parse::<usize>().is_ok(), "{device}");
    }
}

#[test]
fn models_are_chosen_by_task_and_quality() {
    let models = irnext(&["models", "--json"]);
    let models: serde_json::Value = serde_json::from_slice(&models.stdout).expect("JSON");
    let models = models.as_array().expect("a list");
    assert!(models.iter().any(|model| model["name"] == "dehaze-small" && model["parameters"].as_u64() > Some(100_000)));
    let table = String::from_utf8_lossy(&irnext(&["models"]).stdout).to_string();
    let names = models.iter().map(|model| model["name"].as_str().expect("a name"));
    assert!(names.into_iter().all(|name| table.contains(name)), "{table}");
    let tasks = ["dehaze", "deblur", "defocus", "derain", "desnow"];
    assert!(tasks.iter().all(|task| table.lines().any(|line| line.starts_with(task))), "{table}");
    // One that is not shipped is named beside those that are.
    let full = irnext(&["inspect", "--task", "dehaze", "--quality", "full"]);
    let shipped = models.iter().any(|model| model["task"] == "dehaze" && model["quality"] == "full");
    assert_eq!(full.status.success(), shipped);
    let said = String::from_utf8_lossy(&full.stderr).to_string();
    assert!(shipped || said.contains("no full model for `dehaze`") && said.contains("dehaze-small"), "{said}");
    assert_eq!(irnext(&["inspect", "--quality", "best"]).status.code(), Some(2));
    assert_eq!(irnext(&["inspect", "--quality", "80"]).status.code(), Some(2));
    assert_eq!(irnext(&["eval", "tests/data/heldout", "--quality", "80"]).status.code(), Some(2));
}

#[test]
fn restore_says_which_tasks_there_are_unless_told_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (tiny, out) = (folder.path().join("tiny.png"), folder.path().join("out.jpg"));
    image::RgbImage::from_pixel(70, 66, image::Rgb([90, 120, 150])).save(&tiny).expect("writes");
    let restore = |more: &[&str]| {
        let done = irnext(&[&["restore", text(&tiny), "-o", text(&out), "--overwrite"], more].concat());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stderr).to_string()
    };
    assert!(["dehaze (", "deblur (", "desnow ("].iter().all(|task| restore(&[]).contains(task)));
    assert!(!restore(&["--quiet"]).contains("--task"));
    assert!(!restore(&["--task", "dehaze", "--quality", "small", "--quality", "20"]).contains("--task"));
    let small = std::fs::metadata(&out).expect("is there").len();
    restore(&["--quality", "100"]);
    assert!(small < std::fs::metadata(&out).expect("is there").len(), "a number is the file's quality");
    let lossless = folder.path().join("out.png");
    let done = irnext(&["restore", text(&tiny), "-o", text(&lossless), "--quality", "20"]);
    assert!(String::from_utf8_lossy(&done.stderr).contains("--quality 20 changes nothing"));
}

#[test]
fn going_on_makes_the_comparisons_that_are_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (tiny, out) = (folder.path().join("tiny.png"), folder.path().join("out"));
    image::RgbImage::from_pixel(40, 33, image::Rgb([90, 120, 150])).save(&tiny).expect("writes");
    let restore = |more: &[&str]| {
        // A variable that is set to nothing chooses no device.
        let mut command = Command::new(env!("CARGO_BIN_EXE_irnext"));
        command.env("IRNEXT_DEVICE", "").args(["restore", text(&tiny), "-o", text(&out), "--quiet", "--no-tune"]);
        let done = command.args(more).output().expect("starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    };
    restore(&[]);
    let (picture, comparison) = (out.join("tiny.png"), out.join("tiny.before-after.png"));
    let written = |path: &std::path::Path| std::fs::metadata(path).and_then(|about| about.modified()).ok();
    let (first, none) = (written(&picture), written(&comparison));
    restore(&["--skip-existing", "--compare", "side"]);
    let second = written(&comparison);
    assert!(first.is_some() && none.is_none() && second.is_some());
    let lines = restore(&["--skip-existing", "--compare", "side", "--json"]);
    assert_eq!((written(&picture), written(&comparison)), (first, second), "what is there stays");
    let line: serde_json::Value = serde_json::from_slice(&lines).expect("a line of JSON");
    assert_eq!((&line["skipped"], line["comparison"].as_str()), (&true.into(), comparison.to_str()));
}

/// `set` is a data set of one picture.
fn eval_measures_what_restore_writes_by_tta(set: &Path, folder: &Path) {
    let done = irnext(&["eval", text(set), "--json", "--tta"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let results = report["sets"][0]["results"].as_array().expect("results").clone();
    let names: Vec<_> = results.iter().map(|result| result["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["degraded", "small", "small --tta"]);
    let (input, written) = (set.join("input/a.png"), folder.join("turned.png"));
    assert!(irnext(&["restore", text(&input), "-o", text(&written), "--task", "dehaze", "--tta"]).status.success());
    let open = |path: &Path| image::open(path).expect("opens").to_rgb8();
    let expected = decibels(&open(&written), &open(&set.join("target/a.png")));
    let [plain, turned] = [1, 2].map(|index: usize| results[index]["mean"]["psnr"].as_f64().expect("a figure"));
    assert!((turned - expected).abs() < 0.02, "{turned} {expected}: written in 8 bits, measured in more");
    assert!((turned - plain).abs() > 1e-4, "the mean over turns is another picture");
}

#[test]
fn eval_measures_data_sets_and_names_what_it_cannot() {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = |from: &str, to: &str, side: u32| {
        let to = folder.path().join(to);
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        image::open(from).expect("opens").crop_imm(60, 40, side, side).to_rgb8().save(to).expect("writes");
    };
    let (hazy, clear) = ("tests/data/photos/hazy.png", "tests/data/photos/clear.png");
    picture(hazy, "set/dehaze/input/a.png", 128);
    picture(clear, "set/dehaze/target/a.png", 128);
    picture(hazy, "classical/dehaze/a.png", 128);
    picture(hazy, "set/derain/input/b.png", 96);
    picture(clear, "set/derain/target/b.png", 96);
    let root = folder.path().join("set");
    let done = irnext(&["eval", text(&root), "--json"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let sets = report["sets"].as_array().expect("sets");
    assert_eq!(sets.iter().map(|set| &set["task"]).collect::<Vec<_>>(), ["dehaze", "derain"]);
    let classical = folder.path().join("classical");
    let dehaze = root.join("dehaze");
    let one = ["eval", text(&dehaze), "--json", "--quality", "small", "--baseline", text(&classical)];
    let done = irnext(&one);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let results = report["sets"][0]["results"].as_array().expect("results").clone();
    let names: Vec<_> = results.iter().map(|result| result["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["degraded", "baseline", "small"]);
    let psnr = |index: usize| results[index]["mean"]["psnr"].as_f64().expect("a figure");
    assert_eq!(psnr(0), psnr(1));
    assert!(psnr(2) > psnr(0) + 3.0, "{} {}", psnr(0), psnr(2));
    let expected = decibels(
        &image::open(root.join("dehaze/input/a.png")).expect("opens").to_rgb8(),
        &image::open(root.join("dehaze/target/a.png")).expect("opens").to_rgb8(),
    );
    assert!((psnr(0) - expected).abs() < 1e-9);
    eval_measures_what_restore_writes_by_tta(&dehaze, folder.path());

    // One picture of another size than its truth, one without a truth: the third is measured all the same.
    picture(hazy, "set/dehaze/input/c.png", 96);
    picture(clear, "set/dehaze/target/c.png", 97);
    picture(hazy, "set/dehaze/input/d.png", 96);
    picture(hazy, "classical/dehaze/c.png", 96);
    let again = irnext(&one);
    assert_eq!(again.status.code(), Some(1));
    let said = String::from_utf8_lossy(&again.stderr).to_string();
    assert!(said.contains("c.png") && said.contains("97x97") && said.contains("d.png"), "{said}");
    let report: serde_json::Value = serde_json::from_slice(&again.stdout).expect("JSON");
    assert_eq!(report["sets"][0]["results"][2]["mean"]["psnr"].as_f64(), Some(psnr(2)));
    assert_eq!(report["sets"][0]["failed"].as_array().map(Vec::len), Some(2));

    let [input, target] = ["dehaze/input", "dehaze/target"].map(|name| root.join(name));
    let pair = ["eval", "--input", text(&input), "--target", text(&target), "--table"];
    let table = String::from_utf8_lossy(&irnext(&pair).stdout).to_string();
    assert!(table.starts_with("| data set | pictures | degraded | small |"), "{table}");
    assert_eq!(irnext(&["eval", text(folder.path()), "--input", text(&input)]).status.code(), Some(2));
    assert_eq!(irnext(&["eval", text(&input)]).status.code(), Some(1));
}

#[test]
fn convert_notes_what_is_known_and_bench_heeds_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = "tests/data/models/tiny-local.pkl";
    let convert = |input: &str, name: &str, more: &[&str], untold: bool| {
        let output = folder.path().join(name);
        let done = irnext(&[&["convert", input, "-o", text(&output)], more].concat());
        let errors = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{errors}");
        assert_eq!(errors.contains("doesn't tell its"), untold, "{errors}");
        output
    };
    let metadata = |path: &Path| irnext::tensor::file::TensorFile::read(path).expect("reads").metadata;
    let untold = convert(model, "untold.safetensors", &[], true);
    assert!(metadata(&untold).is_empty());
    let told = convert(model, "told.safetensors", &["--mean", "local", "--precision", "f16"], true);
    assert_eq!(metadata(&told).into_iter().collect::<Vec<_>>(), [("mean".to_owned(), "local".to_owned())]);
    let again = convert(text(&told), "again.safetensors", &["--activation", "softmax"], false);
    assert_eq!(metadata(&again).get("mean").map(String::as_str), Some("local"));
    assert_eq!(metadata(&again).get("activation").map(String::as_str), Some("softmax"));
    let tasked = convert(model, "tasked.safetensors", &["--task", "desnow"], true);
    let tasked = convert(text(&tasked), "tasked-again.safetensors", &[], true);
    assert_eq!(metadata(&tasked).into_iter().collect::<Vec<_>>(), [("task".to_owned(), "desnow".to_owned())]);
    let bench = |more: &[&str]| {
        let quick = ["bench", "--no-kernels", "--size", "64x64", "--seconds", "0", "--json", "--model", text(&again)];
        let done = irnext(&[&quick[..], more].concat());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let results: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
        results["config"].as_str().expect("text").to_owned()
    };
    assert!(bench(&[]).contains("activation softmax, mean local"), "{}", bench(&[]));
    assert!(bench(&["--mean", "global"]).contains("activation softmax, mean global"));

    let packed = folder.path().join("packed.safetensors");
    let packed = irnext(&["convert", model, "-o", text(&packed), "--precision", "packed"]);
    assert_eq!(packed.status.code(), Some(2));
    // Metadata that say nonsense: which file it is, and what to do.
    let mut file = irnext::tensor::file::TensorFile::read(&told).expect("reads");
    file.metadata.insert("mean".into(), "bogus".into());
    let bogus = folder.path().join("bogus.safetensors");
    file.write(&bogus, irnext::tensor::Element::F32).expect("writes");
    let done = irnext(&["convert", text(&bogus), "-o", text(&folder.path().join("new.safetensors"))]);
    let said = String::from_utf8_lossy(&done.stderr).to_string();
    assert_eq!(done.status.code(), Some(1));
    assert!(said.contains("bogus.safetensors") && said.contains("`bogus`") && said.contains("--mean"), "{said}");
}

#[test]
#[cfg(unix)]
fn a_reader_that_has_seen_enough_is_no_panic() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_irnext"));
    let command = command.args(["inspect", "--stage", "all"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    drop(child.stdout.take());
    let done = child.wait_with_output().expect("ends");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.code() != Some(0) && !said.contains("panicked"), "{:?}: {said}", done.status);
}

#[test]
fn names_formats_and_comparisons_are_as_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = image::open("tests/data/photos/hazy.png").expect("opens").crop_imm(0, 0, 90, 70);
    let input = folder.path().join("hazy.png");
    small.save(&input).expect("is written");
    let done = irnext(&["restore", text(&input), "--suffix", "-clear", "--format", "jpeg", "--compare", "side"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let at = |name: &str| image::open(folder.path().join(name)).expect("opens").to_rgb8();
    let (before, after, both) = (at("hazy.png"), at("hazy-clear.jpg"), at("hazy-clear.before-after.jpg"));
    assert_eq!(both.dimensions(), (180, 70));
    let half = |x| image::imageops::crop_imm(&both, x, 0, 90, 70).to_image();
    assert!(decibels(&half(0), &before) > 35.0 && decibels(&half(90), &after) > 35.0);
    let split = folder.path().join("split.png");
    let done =
        irnext(&["restore", text(&input), "-o", text(&split), "--compare", "split", "--strength", "0.5", "--tta"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let (restored, split) = (at("split.png"), at("split.before-after.png"));
    assert_eq!((split.get_pixel(0, 5), split.get_pixel(89, 5)), (before.get_pixel(0, 5), restored.get_pixel(89, 5)));
    assert_eq!(split.get_pixel(45, 5), &image::Rgb([255; 3]));
}

#[test]
fn help_fits_a_screen_and_begins_with_examples() {
    for columns in ["80", "100"] {
        let help = Command::new(env!("CARGO_BIN_EXE_irnext"))
            .args(["restore", "-h"])
            .env("COLUMNS", columns)
            .env_remove("IRNEXT_DEVICE")
            .output()
            .expect("starts");
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        assert!(help.starts_with("Examples:\n  irnext restore"), "{help}");
        assert!(help.lines().count() <= 45, "{} lines:\n{help}", help.lines().count());
    }
}

#[test]
fn completions_and_man_pages_name_every_option() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = irnext(&["completions", shell]);
        assert!(script.status.success());
        assert!(String::from_utf8_lossy(&script.stdout).contains("skip-existing"), "{shell}");
    }
    let page = irnext(&["man", "restore"]);
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.contains(".TH irnext-restore 1") && page.contains("skip\\-existing"), "{page}");
    assert!(String::from_utf8_lossy(&irnext(&["man"]).stdout).contains("130"));
    assert_eq!(irnext(&["man", "nothing"]).status.code(), Some(2));
}

//! Failures of a device, injected: each is an error with a cause and a remedy, and no file; and what must not go wrong
//! over time: memory, pipelines, threads.

mod common;
#[path = "common/on_device.rs"]
mod on_device;

use common::{adapter, device_argument, devices};
use irnext::gpu::{AdapterChoice, Gpu};
use irnext::kernels::shaders;
use irnext::model::{Activation, MeanKind, Model};
use irnext::photo::{Photo, Pixels};
use irnext::restore::{Executor, Options, Restorer};
use irnext::run::{Bands, Session, TensorSession};
use irnext::tensor::file::TensorFile;
use irnext::tensor::{Element, Tensor};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

const MODEL: &str = "tests/data/models/tiny.weights.safetensors";

/// A device of its own, to be broken.
fn fresh() -> Arc<Gpu> {
    Arc::new(Gpu::open(&adapter(), shaders()).expect("opens"))
}

fn model() -> Model {
    Model::read(Path::new(MODEL), Some(Activation::Tanh), Some(MeanKind::Global)).expect("reads")
}

fn restorer(gpu: &Arc<Gpu>, memory: Option<u64>) -> Restorer {
    Restorer::on(Executor::Gpu(Arc::clone(gpu)), model(), &Options { memory, ..Options::default() })
}

fn photo(width: u32, height: u32) -> Photo {
    let mut rng = fastrand::Rng::with_seed(u64::from(width * 1000 + height));
    let pixel = |_: u32, _: u32| image::Rgb([rng.u8(..), rng.u8(..), rng.u8(..)]);
    Photo::from(image::DynamicImage::from(image::RgbImage::from_fn(width, height, pixel)))
}

/// The program on the device under test.
fn irnext(arguments: &[&str]) -> Output {
    on_device::command().env("IRNEXT_DEVICE", device_argument()).args(arguments).output().expect("starts")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder's name is text")
}

/// Exit code 1, a message with these words, no file.
fn refused(done: &Output, out: &Path, words: &[&str]) {
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(words.iter().all(|word| said.contains(word)) && !said.contains("panicked"), "{said}");
    assert!(!out.exists());
}

/// The model's checkpoint with some tensors changed.
fn damaged(folder: &Path, tensors: &[&str], change: impl Fn(usize, f32) -> f32) -> std::path::PathBuf {
    let mut file = TensorFile::read(MODEL).expect("reads");
    for &tensor in tensors {
        let old = file.tensors.remove(tensor).expect("a tensor of this name");
        let data = old.data().iter().enumerate().map(|(index, &value)| change(index, value)).collect();
        file.tensors.insert(tensor.into(), Tensor::new(old.shape(), data).expect("the same shape"));
    }
    let path = folder.join("damaged.safetensors");
    file.write(&path, Element::F32).expect("writes");
    path
}

/// Neither more nor less than the plan's input; and of no pixels nothing is made.
#[test]
fn inputs_of_another_size_are_refused() {
    let graph = irnext::compile::optimise(&model().graph(64, 64).expect("builds")).expect("passes");
    let session = TensorSession::new(&fresh(), &graph, Element::F16, false).expect("records");
    let bytes = 64 * 64 * 4 * 4;
    for wrong in [0, 4, bytes - 16, bytes + 16] {
        let error = session.session().run(&[&vec![0; wrong]]).expect_err("is refused").to_string();
        assert!(error.contains(&format!("takes {bytes} bytes, but {wrong}")), "{error}");
    }
    assert!(session.session().run(&[&vec![0; bytes]]).is_ok());
    for executor in [Executor::Cpu(None), Executor::Gpu(fresh())] {
        let restorer = Restorer::on(executor, model(), &Options::default());
        for (width, height) in [(0, 5), (5, 0), (0, 0)] {
            let error = restorer.restore_image(&image::DynamicImage::new_rgb8(width, height)).expect_err("is refused");
            assert!(error.to_string().contains("no pixels"), "{error}");
        }
    }
}

/// In one piece and in bands.
#[test]
fn a_device_lost_in_mid_run_is_an_error_that_stays_one() {
    for memory in [None, Some(4 << 20)] {
        let gpu = fresh();
        let restorer = restorer(&gpu, memory);
        let mut told = 0;
        let lost = restorer.restore_with(&photo(160, 160), &mut |_| {
            told += 1;
            gpu.device.destroy();
        });
        assert!(told > 0);
        let error = lost.expect_err("the device is gone").to_string();
        assert!(error.contains("failed") && error.contains("--device cpu"), "{error}");
        assert!(restorer.restore(&photo(64, 64)).is_err(), "a lost device makes no picture");
    }
}

#[test]
fn an_allocation_refused_is_an_error() {
    let gpu = fresh();
    let usage = wgpu::BufferUsages::STORAGE;
    // More than a budget, more than any device has.
    gpu.memory.set_budget(2 << 20);
    let error = gpu.allocate("a map", (5 << 20) / 2, usage).expect_err("above the budget").to_string();
    assert!(error.contains("2.5 MiB (a map)") && error.contains("2.0 MiB are left"), "{error}");
    gpu.memory.set_budget(u64::MAX);
    let absurd = gpu.guarded(|| gpu.allocate("absurd", 1 << 50, usage));
    assert!(absurd.is_err_and(|error| error.to_string().contains("--device cpu")));
    assert_eq!((gpu.memory.bytes(), gpu.memory.buffers()), (0, 0));
    // The device is none the worse.
    restorer(&gpu, None).restore(&photo(64, 64)).expect("restores");
}

#[test]
fn a_shader_refused_is_an_error_and_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.png");
    for (broken, word) in [
        ("@compute fn main( {", "dynamic_filter"),
        ("@compute @workgroup_size(1) fn main() { let x: u32 = 1.5f; }", "dynamic_filter"),
        ("@compute @workgroup_size(100000) fn main() { }", "dynamic_filter"),
    ] {
        std::fs::write(folder.path().join("dynamic_filter.wgsl"), broken).expect("writes");
        let input = "tests/data/photos/hazy.png";
        let done = irnext(&["restore", input, "-o", text(&out), "--shaders", text(folder.path())]);
        refused(&done, &out, &[word, "shader"]);
    }
    // A misspelt name would be taken for the shader that it replaces.
    std::fs::write(folder.path().join("dynamicfilter.wgsl"), "").expect("writes");
    let done = irnext(&["verify", "--shaders", text(folder.path())]);
    refused(&done, &out, &["dynamicfilter.wgsl", "replaces no shader"]);
}

#[test]
fn a_profile_replaces_nothing_unasked() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    std::fs::write(&page, "mine").expect("writes");
    for (file, word) in [(page.clone(), "--overwrite"), (folder.path().join("none/page.html"), "folder does not exist")]
    {
        let done = irnext(&["profile", "--width", "8", "--blocks", "1", "--size", "64x64", "--html", text(&file)]);
        assert_eq!(done.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&done.stderr).contains(word));
    }
    assert_eq!(std::fs::read(&page).expect("is there"), b"mine");
    assert!(!folder.path().join("none").exists());
}

#[test]
fn weights_that_are_no_numbers_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.png");
    for bad in [f32::NAN, f32::INFINITY] {
        let tensor = "feat_extract.0.main.0.weight";
        let path = damaged(folder.path(), &[tensor], |index, value| if index == 5 { bad } else { value });
        let done = irnext(&["restore", "tests/data/photos/hazy.png", "-o", text(&out), "--model", text(&path)]);
        refused(&done, &out, &[tensor, "damaged.safetensors", "not finite"]);
    }
}

/// Weights that are numbers, and a result that isn't: on the device, in bands, on the CPU executor.
#[test]
fn a_result_that_is_no_number_is_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out.png");
    let ends = ["feat_extract.0.main.0.weight", "feat_extract.5.main.0.weight"];
    let path = damaged(folder.path(), &ends, |_, value| value * 1e30);
    for more in [&["--memory", "1GiB"][..], &["--memory", "6MiB"], &["--precision", "f32"], &["--device", "cpu"]] {
        let mut arguments = vec!["restore", "tests/data/photos/hazy.png", "-o", text(&out), "--model", text(&path)];
        arguments.extend(more);
        refused(&irnext(&arguments), &out, &["not finite", "weights"]);
    }
}

/// A model whose maps pass what half precision holds is restored in single precision, with a word, and so is what follows.
#[test]
fn half_precision_that_is_too_narrow_is_left() {
    let folder = tempfile::tempdir().expect("a folder");
    // What an instance norm reads is so much larger, and what it makes of it the same.
    let before_norm = ["SCM2.main.3.main.0.weight", "SCM2.main.3.main.0.bias"];
    let path = damaged(folder.path(), &before_norm, |_, value| value * 16_777_216.0);
    let model = || Model::read(&path, Some(Activation::Tanh), Some(MeanKind::Global)).expect("reads");
    let (notices, cpu) =
        (Arc::new(std::sync::Mutex::new(vec![])), Options { device: AdapterChoice::Cpu, ..Options::default() });
    let heard = Arc::clone(&notices);
    let restorer = Restorer::on(Executor::Gpu(fresh()), model(), &Options::default())
        .with_notice(move |line| heard.lock().expect("no panic").push(line.to_owned()));
    let truth = Restorer::new(model(), &cpu).expect("opens");
    for (width, height) in [(70, 50), (70, 50), (40, 90)] {
        let (made, wanted) = (restorer.restore(&photo(width, height)), truth.restore(&photo(width, height)));
        assert!(furthest(&made.expect("restores"), &wanted.expect("restores")) <= 1);
    }
    let notices = notices.lock().expect("no panic").clone();
    assert!(notices.len() == 1 && notices[0].contains("too narrow"), "{notices:?}");
}

/// Every shipped model makes the same of a photograph on a device as on the CPU executor, and half precision does for it.
#[test]
fn shipped_models_restore_on_devices() {
    let gpu = fresh();
    for shipped in irnext::model::shipped() {
        let input = format!("tests/data/heldout/{}/input/raccoon.png", shipped.task);
        let photo = Photo::open(Path::new(&input), &irnext::photo::Limits::default()).expect("reads");
        let model = || Model::shipped(shipped.task, shipped.quality).expect("reads");
        let notices = Arc::new(std::sync::Mutex::new(vec![]));
        let on = |executor| {
            let heard = Arc::clone(&notices);
            let notice = move |line: &str| heard.lock().expect("no panic").push(line.to_owned());
            let restorer = Restorer::on(executor, model(), &Options::default()).with_notice(notice);
            restorer.restore(&photo).expect("restores")
        };
        let furthest = furthest(&on(Executor::Gpu(Arc::clone(&gpu))), &on(Executor::Cpu(None)));
        assert!(furthest <= 3, "{} {}: {furthest} levels", shipped.task, shipped.quality);
        let notices = notices.lock().expect("no panic");
        assert!(
            !notices.iter().any(|line| line.contains("too narrow")),
            "{} {}: {notices:?}",
            shipped.task,
            shipped.quality
        );
    }
}

/// A device is trusted with a network that it makes of a picture what the CPU makes of it, and a wrong one is seen.
#[test]
fn a_device_is_compared_with_the_cpu() {
    let decibels = |sources| {
        let gpu = Arc::new(Gpu::open(&adapter(), sources).expect("opens"));
        restorer(&gpu, None).decibels_to_cpu().expect("runs").expect("is finite")
    };
    let sound = decibels(shaders());
    assert!(sound > 45.0, "{sound} dB");
    let folder = tempfile::tempdir().expect("a folder");
    let right = std::fs::read_to_string("shaders/pixels_in.wgsl").expect("reads");
    let wrong = right.replace("/ 255.0", "/ 300.0");
    assert_ne!(right, wrong);
    std::fs::write(folder.path().join("pixels_in.wgsl"), wrong).expect("writes");
    let wrong = decibels(shaders().replaced_from(folder.path()).expect("reads"));
    assert!(wrong < 30.0, "{wrong} dB");
    let cpu = Restorer::on(Executor::Cpu(None), model(), &Options::default());
    assert!(cpu.decibels_to_cpu().expect("asks no device").is_none());
}

/// The largest difference of two pictures of 8 bits, in levels.
fn furthest(a: &Photo, b: &Photo) -> u8 {
    let values = |photo: &Photo| match &photo.pixels {
        Pixels::Eight(pixels) => pixels.concat(),
        Pixels::Sixteen(_) => panic!("8 bits went in"),
    };
    values(a).iter().zip(values(b)).map(|(a, b)| a.abs_diff(b)).max().unwrap_or(u8::MAX)
}

/// Pictures of changing sizes, in one piece and in bands: all buffers come back, pipelines are made once.
#[test]
fn memory_and_pipelines_do_not_grow() {
    let gpu = fresh();
    let (whole, banded) = (restorer(&gpu, None), restorer(&gpu, Some(3 << 20)));
    let sizes = [(64, 64), (100, 70), (33, 150), (128, 96)];
    let (mut after, mut reports) = (vec![], vec![]);
    for _ in 0..3 {
        for (width, height) in sizes {
            whole.restore(&photo(width, height)).expect("restores");
            banded.restore(&photo(width, height)).expect("restores");
        }
        reports.push(gpu.device.generate_allocator_report().map(|report| report.total_allocated_bytes));
        after.push((gpu.pipelines(), gpu.memory.buffers(), gpu.memory.bytes(), gpu.memory.peak()));
    }
    assert_eq!(after[1], after[0]);
    assert_eq!(after[2], after[0]);
    // The first round's may hold a few bytes of what checked the kernels.
    assert!(reports.is_sorted_by(|before, after| before >= after), "{reports:?}");
    drop((whole, banded));
    assert_eq!((gpu.memory.buffers(), gpu.memory.bytes()), (0, 0));
}

#[test]
fn what_should_cross_threads_does() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Gpu>();
    crosses::<Session>();
    crosses::<TensorSession>();
    crosses::<Bands>();
    crosses::<Model>();
    crosses::<Restorer>();
    crosses::<Photo>();
    crosses::<irnext::restore::RestoreError>();
}

/// Two models on three threads each, on one device, some pictures in bands: the pictures are those of one thread.
#[test]
fn threads_on_one_device_make_the_same_pictures() {
    let softmax = || {
        let path = Path::new("tests/data/models/tiny-softmax.pkl");
        Model::read(path, Some(Activation::Softmax), Some(MeanKind::Global)).expect("reads")
    };
    let gpu = Arc::clone(&devices().packed);
    let make = |model: Model, memory| {
        Restorer::on(Executor::Gpu(Arc::clone(&gpu)), model, &Options { memory, ..Options::default() })
    };
    let restorers = [make(model(), None), make(softmax(), None), make(softmax(), Some(3 << 20))];
    // Pictures of one size follow each other through one arena, those turned through another; other sizes wait for them.
    let sizes = [(96, 80), (96, 80), (80, 96), (96, 80), (95, 79), (64, 130), (130, 64), (96, 80), (80, 96)];
    let photos: Vec<Photo> = sizes.map(|(width, height)| photo(width, height)).to_vec();
    let expected: Vec<Vec<Photo>> = restorers
        .iter()
        .map(|restorer| photos.iter().map(|photo| restorer.restore(photo).expect("restores")).collect())
        .collect();
    assert_ne!(expected[0][0].pixels, expected[1][0].pixels, "two models");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            for (restorer, expected) in restorers.iter().zip(&expected) {
                let photos = &photos;
                scope.spawn(move || {
                    for (photo, expected) in photos.iter().zip(expected) {
                        assert_eq!(restorer.restore(photo).expect("restores").pixels, expected.pixels);
                    }
                });
            }
        }
    });
}

/// A folder goes through the device two pictures at a time; each file is its own picture's.
#[test]
fn a_folder_is_restored_as_its_pictures_are() {
    let gpu = fresh();
    let restorer = restorer(&gpu, None);
    let folder = tempfile::tempdir().expect("a folder");
    let [input, output] = ["in", "out"].map(|name| folder.path().join(name));
    std::fs::create_dir(&input).expect("a folder");
    let photos: Vec<Photo> = [(90, 70), (70, 90), (90, 71), (90, 72), (40, 100), (90, 73), (90, 74)]
        .map(|(width, height)| photo(width, height))
        .to_vec();
    for (index, photo) in photos.iter().enumerate() {
        let file = photo.encode(irnext::photo::Format::Png, 95).expect("encodes");
        std::fs::write(input.join(format!("{index}.png")), file).expect("writes");
    }
    let done = irnext(&["restore", text(&input), "-o", text(&output), "--model", MODEL, "--mean", "global"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for (index, photo) in photos.iter().enumerate() {
        let restored = Photo::open(output.join(format!("{index}.png")), &Default::default()).expect("reads");
        assert_eq!(restored.pixels, restorer.restore(photo).expect("restores").pixels, "{index}");
    }
}

//! What is measured of a device: checked on first use, kept, explained, and measured again where the file is broken.

mod common;
#[path = "common/on_device.rs"]
mod on_device;

use common::devices;

#[test]
fn checks_are_kept_and_a_broken_file_is_made_anew() {
    // Fails with a word where there is no adapter.
    let name = &devices().packed.name;
    let folder = tempfile::tempdir().expect("a folder");
    let device = std::env::var("IRNEXT_TEST_ADAPTER").unwrap_or("0".into());
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
        let files: Vec<_> =
            std::fs::read_dir(folder.path()).expect("reads").map(|entry| entry.expect("reads")).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].path()
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
}

/// Compiled pipelines are kept too, where the backend can; a broken file does no harm.
#[test]
fn pipelines_are_kept_for_the_next_start() {
    let gpu = &devices().packed;
    let folder = tempfile::tempdir().expect("a folder");
    let device = std::env::var("IRNEXT_TEST_ADAPTER").unwrap_or("0".into());
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
    let kept: Vec<_> = kept.filter(|path| path.extension().is_none_or(|extension| extension != "json")).collect();
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

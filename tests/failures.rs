//! Everything that goes wrong with what is read, put in by hand: each time the program says what and what to do, ends with
//! the exit code of its table, and neither leaves a half file nor harms one.
#![cfg(unix)]

#[path = "common/failing.rs"]
mod failing;
#[path = "common/program.rs"]
mod program;

use failing::{fails, folder, names, picture, save};
use irnext::photo::{Format, Photo};
use program::{command, said};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;

/// Runs it to its end.
fn irnext<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Output {
    command().args(arguments).output().expect("starts")
}

/// A PNG of this size without a row of it.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let chunk = |name: &[u8], data: &[u8]| {
        let body = [name, data].concat();
        let crc = !body.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
        });
        [&(data.len() as u32).to_be_bytes()[..], &body, &crc.to_be_bytes()].concat()
    };
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n", &chunk(b"IHDR", &header)[..], &chunk(b"IDAT", b""), &chunk(b"IEND", b"")].concat()
}

#[test]
fn files_cut_short() {
    let root = folder();
    let photo = Photo::from(image::DynamicImage::ImageRgb8(picture(40, 30)));
    for format in Format::READ {
        let bytes = photo.encode(format, 90).unwrap();
        let name = format!("cut.{}", format.extension());
        fs::write(root.path().join(&name), &bytes[..bytes.len() / 2]).unwrap();
        fails(
            root.path(),
            &[Path::new(&name), "-o".as_ref(), "out.png".as_ref()],
            &[&name, "fetch or copy the file again"],
        );
    }
    fs::write(root.path().join("empty.png"), b"").unwrap();
    fails(root.path(), &["empty.png".as_ref(), "-o".as_ref(), "out.png".as_ref()], &["empty.png", "0 bytes"]);
}

#[test]
fn checkpoints_cut_short() {
    let root = folder();
    let whole = fs::read("tests/data/models/tiny.weights.safetensors").unwrap();
    let pickled = fs::read("tests/data/models/tiny.pkl").unwrap();
    for (name, bytes, words) in [
        ("values.safetensors", &whole[..whole.len() - 1], "is cut short"),
        ("header.safetensors", &whole[..100], "is cut short"),
        ("start.safetensors", &whole[..5], "cut short"),
        ("empty.safetensors", &[], "empty file"),
        ("half.pkl", &pickled[..pickled.len() / 2], "cut short"),
    ] {
        fs::write(root.path().join(name), bytes).unwrap();
        let output = command().current_dir(root.path()).args(["inspect", "--model", name]).output().unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!([name, words, "fetch or copy"].iter().all(|word| said.contains(word)), "{name}: {said}");
    }
    let model = fs::canonicalize("tests/data/models/tiny.pkl").unwrap();
    let run = |input: &str| {
        let run = ["run", "--output", "out.safetensors", "--input", input, "--model", model.to_str().unwrap()];
        said(&command().current_dir(root.path()).args(run).output().unwrap())
    };
    assert!(run("values.safetensors").contains("values.safetensors: is cut short"), "{}", run("values.safetensors"));
    assert!(run("empty.safetensors").contains("is empty (0 bytes); fetch"), "{}", run("empty.safetensors"));
}

#[test]
fn sizes_that_are_none_or_too_much() {
    let root = folder();
    for (name, width, height, word) in [
        ("bomb.png", 40_000, 40_000, "--max-pixels"),
        ("none.png", 0, 0, "none.png"),
        ("thin.png", 7, 0, "thin.png"),
        ("long.png", u32::MAX >> 1, u32::MAX >> 1, "long.png"),
    ] {
        fs::write(root.path().join(name), png_header(width, height)).unwrap();
        fails(root.path(), &[name.as_ref(), "-o".as_ref(), "out.png".as_ref()], &[name, word]);
    }
    save(&root.path().join("a.png"), 40, 30);
    let limited = ["a.png", "-o", "out.png", "--max-pixels", "1199"].map(Path::new);
    fails(root.path(), &limited, &["40 x 30", "1199", "--max-pixels"]);
}

#[test]
fn pictures_of_one_pixel_and_of_one_column_are_pictures() {
    let root = folder();
    for (width, height) in [(1, 1), (1, 5000), (700, 1), (3, 2)] {
        let (input, out) = (root.path().join("in.png"), root.path().join(format!("{width}x{height}.png")));
        save(&input, width, height);
        let done = irnext(&["restore".as_ref(), input.as_os_str(), "-o".as_ref(), out.as_os_str()]);
        assert!(done.status.success(), "{}", said(&done));
        assert_eq!(image::image_dimensions(&out).unwrap(), (width, height));
    }
}

/// The CPU executor says what a picture takes before it runs out of memory: of what it may take, or of what there is.
#[test]
fn too_little_memory() {
    let root = folder();
    save(&root.path().join("a.png"), 640, 640);
    let arguments = ["restore", "a.png", "-o", "b.png", "--device", "cpu", "--memory", "2MiB"];
    let output = command().current_dir(root.path()).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("`--memory` allows 2.0 MiB; use a smaller picture"), "{}", said(&output));
    assert_eq!(names(root.path()), ["a.png"]);
    let output = irnext(&["bench", "--device", "cpu", "--memory", "2MiB", "--size", "640x640", "--no-kernels"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("640x640: the CPU executor takes") && said(&output).contains("allows 2.0 MiB"));
}

#[test]
fn a_shader_that_is_none_is_told_in_a_plain_line() {
    let root = folder();
    fs::create_dir(root.path().join("shared")).unwrap();
    fs::write(root.path().join("shared/half.wgsl"), "// A comment.\nfn load( {\n").unwrap();
    let output = irnext(&["inspect".as_ref(), "--shaders".as_ref(), root.path().as_os_str()]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("shared/half.wgsl, line 2, column 10"), "{said}");
    assert!(!said.contains('\u{1b}') && said.lines().count() == 1, "{said}");
}

#[test]
fn links_that_lead_in_circles() {
    let root = folder();
    symlink("loop.png", root.path().join("loop.png")).unwrap();
    fails(root.path(), &["loop.png", "-o", "out.png"].map(Path::new), &["loop.png", "link"]);
    // In a folder: told, left out, the others are done, and the exit code says that something was not.
    save(&root.path().join("in/a.png"), 40, 30);
    symlink("..", root.path().join("in/up")).unwrap();
    let output = command().current_dir(root.path()).args(["restore", "in", "-o", "out"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("in/up"), "{}", said(&output));
    assert!(root.path().join("out/a.png").exists());
}

#[test]
fn pictures_that_cannot_be_read_are_counted() {
    let root = folder();
    save(&root.path().join("in/a.png"), 40, 30);
    for name in ["b.heic", "c.gif", "d.avif", "e.jxl", "notes.txt"] {
        fs::write(root.path().join("in").join(name), b"other").unwrap();
    }
    let output = command().current_dir(root.path()).args(["restore", "in", "-o", "out"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("4 pictures are in a format that can't be read"), "{}", said(&output));
    assert!(said(&output).contains("in/b.heic, in/c.gif, in/d.avif, …"), "{}", said(&output));
}

#[test]
fn names_with_line_breaks() {
    let root = folder();
    save(&root.path().join("in/a\nb.png"), 40, 30);
    fs::write(root.path().join("in/c\nd.png"), b"no picture").unwrap();
    let output = command().current_dir(root.path()).args(["restore", "in", "-o", "out"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(names(&root.path().join("out")), ["a\nb.png"]);
    assert!(said(&output).lines().all(|line| !line.starts_with("b.png") && !line.starts_with("d.png")));
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let root = folder();
    for name in ["a.png", "sub/c.png"] {
        save(&root.path().join("in").join(name), 40, 30);
    }
    fs::write(root.path().join("in/b.png"), b"no picture").unwrap();
    let output = command().current_dir(root.path()).args(["restore", "in", "-o", "out", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("1 of 3 pictures failed; the others are done"), "{}", said(&output));
    assert_eq!(names(&root.path().join("out")), ["a.png", "sub"]);
    assert_eq!(names(&root.path().join("out/sub")), ["c.png"]);
    let lines: Vec<serde_json::Value> = output
        .stdout
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect();
    assert_eq!(lines.iter().map(|line| line["error"].is_null()).collect::<Vec<_>>(), [true, false, true]);
}

#[test]
fn when_all_fail_none_is_said_to_be_done() {
    let root = folder();
    for name in ["a.png", "b.png"] {
        fs::write(root.path().join(name), b"no picture").unwrap();
    }
    let output = command().current_dir(root.path()).args(["restore", "a.png", "b.png", "-o", "out/"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("all 2 pictures failed"), "{}", said(&output));
    assert!(!said(&output).contains("others"), "{}", said(&output));
}

/// Thirty times the files do not take more memory: three pictures at most are held at once.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_number_of_files() {
    let root = folder();
    let most = |folder: &str, count: usize| -> u64 {
        for index in 0..count {
            save(&root.path().join(folder).join(format!("{index}.bmp")), 64, 64);
        }
        let mut running = command()
            .current_dir(root.path())
            .args(["restore", folder, "-o", &format!("{folder}-out"), "--quiet"])
            .spawn()
            .expect("starts");
        let status = format!("/proc/{}/status", running.id());
        let mut most = 0;
        while running.try_wait().unwrap().is_none() {
            // Gone when it has ended a moment ago.
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            most = most.max(line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0));
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(running.wait().unwrap().success());
        assert_eq!(names(&root.path().join(format!("{folder}-out"))).len(), count);
        most
    };
    let (few, many) = (most("few", 10), most("many", 300));
    assert!(few > 1000 && many < few + 24 * 1024, "{few} kB for 10 files, {many} kB for 300");
}

#[test]
fn exit_codes_are_those_of_the_table() {
    let root = folder();
    save(&root.path().join("a.png"), 40, 30);
    let code = |arguments: &[&str]| {
        let output = command().current_dir(root.path()).arg("restore").args(arguments).output().unwrap();
        (output.status.code(), said(&output))
    };
    assert_eq!(code(&["a.png", "-o", "b.png"]).0, Some(0));
    assert_eq!(code(&["none.png", "-o", "c.png"]).0, Some(1));
    for wrong in [
        &["a.png", "-o", "c.png", "--strength", "1.5"][..],
        &["a.png", "-o", "c.png", "--strength", "NaN"],
        &["a.png", "-o", "c.png", "--format", "gif"],
        &["a.png", "-o", "c.png", "--overwrite", "--skip-existing"],
        &["a.png", "-o", "c.png", "--compare", "diagonal"],
        &["a.png", "-o", "c.png", "--unheard-of"],
        &["-", "--video", "--json"],
        &["a.png"],
        &["none.png"],
        &["a.png", "--json", "-o", "-"],
        &["a.png", "--video"],
        &["a.png", "-", "-o", "out"],
        &["a.png", "-o", "c.gif"],
        &["a.png", "-o", "c.pgn"],
        &["-", "--video", "--quality", "80"],
    ] {
        assert_eq!(code(wrong).0, Some(2), "{wrong:?}");
    }
    for wrong in [
        &["man", "nosuch"][..],
        &["bench", "--width", "7"],
        &["bench", "--width", "100000000"],
        &["inspect", "--size", "18446744073709551615x18446744073709551615"],
        &["bench", "--seconds", "-1"],
        &["tune", "--width", "7"],
        &["inspect", "--stage", "nosuch"],
    ] {
        let output = irnext(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {}", said(&output));
    }
    assert_eq!(names(root.path()), ["a.png", "b.png"]);
    let help = irnext(&["--help"]);
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for line in ["0    all done", "1    something failed", "2    the command line is wrong", "130  interrupted"] {
        assert!(help.contains(line), "{help}");
    }
}

//! Everything that goes wrong with what is written: full disks, names that are taken, interruptions. Each time there are whole
//! files or none, and nothing that was there is harmed.
#![cfg(unix)]

#[path = "common/failing.rs"]
mod failing;
#[path = "common/program.rs"]
mod program;

use failing::{fails, folder, names, save};
use irnext::tensor::file::TensorFile;
use irnext::tensor::{Element, Tensor};
use program::{command, said};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn a_full_disk() {
    let root = folder();
    save(&root.path().join("a.png"), 70, 64);
    if Path::new("/dev/full").exists() {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let arguments = ["restore", "a.png", "-o", "-"];
        let output = command().current_dir(root.path()).args(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains("standard output: cannot be written"), "{}", said(&output));
    }
    // No file may be longer than 1 KiB: the second write fails as on a full disk.
    let script = format!("ulimit -f 1; exec '{}' restore a.png -o out.bmp --device cpu", env!("CARGO_BIN_EXE_irnext"));
    let output = Command::new("bash").args(["-c", &script]).current_dir(root.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("out.bmp: cannot be written"), "{}", said(&output));
    assert!(said(&output).contains("nothing was left behind"), "{}", said(&output));
    assert_eq!(names(root.path()), ["a.png"]);
}

/// Results in files go through links, keep a file's permissions, and replace nothing but files. The CPU executor heeds
/// `--memory` there too.
#[cfg(unix)]
#[test]
fn tensors_replace_only_files() {
    use std::os::unix::fs::PermissionsExt;
    let root = folder();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/models/tiny-local.pkl");
    let mut input = TensorFile::default();
    let values = Tensor::new([1, 3, 64, 64], vec![0.5; 3 * 64 * 64]).unwrap();
    input.tensors.insert("input".into(), values);
    input.write(root.path().join("x.safetensors"), Element::F32).unwrap();
    let run = |more: &[&str]| {
        let arguments = ["run", "--model", model, "--mean", "local", "--device", "cpu", "--input", "x.safetensors"];
        command().current_dir(root.path()).args(arguments).args(more).output().unwrap()
    };
    let real = root.path().join("real");
    fs::write(&real, b"before").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    symlink("real", root.path().join("link")).unwrap();
    let output = run(&["--output", "link"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(fs::symlink_metadata(root.path().join("link")).unwrap().is_symlink());
    assert_eq!(TensorFile::read(&real).unwrap().tensors.len(), 3);
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);

    assert!(Command::new("mkfifo").arg(root.path().join("pipe")).status().unwrap().success());
    for arguments in [&["--output", "pipe"][..], &["--output", "y.safetensors", "--memory", "1KiB"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let reason = if arguments.len() > 2 { "`--memory` allows" } else { "no regular file" };
        assert!(said(&output).contains(reason), "{}", said(&output));
    }
    assert_eq!(names(root.path()), ["link", "pipe", "real", "x.safetensors"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_no_panic() {
    for arguments in [
        &["models"][..],
        &["models", "--json"],
        &["devices"],
        &["inspect"],
        &["inspect", "--stage", "all"],
        &["man"],
        &["completions", "bash"],
        &["--help"],
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = command().args(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains("standard output: cannot be written"), "{arguments:?}: {}", said(&output));
    }
}

/// What can't be said is no reason to leave the work.
#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_error_stops_nothing() {
    let root = folder();
    save(&root.path().join("a.png"), 70, 64);
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let restore = ["restore", "a.png", "-o", "b.png", "--device", "cpu"];
    let output = command().current_dir(root.path()).args(restore).stderr(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(names(root.path()), ["a.png", "b.png"]);
    let missing = ["restore", "missing.png", "-o", "c.png", "--device", "cpu"];
    for (arguments, code) in [(&missing[..], 1), (&["unknown"], 2)] {
        let output = command().current_dir(root.path()).args(arguments).stderr(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_place_that_cannot_be_written_to() {
    let root = folder();
    save(&root.path().join("a.png"), 40, 30);
    // Not even root makes files there.
    fails(
        root.path(),
        &["a.png".as_ref(), "-o".as_ref(), "/sys/out.png".as_ref()],
        &["/sys/out.png", "cannot be written"],
    );
    fails(root.path(), &["a.png".as_ref(), "-o".as_ref(), "/sys/new/".as_ref()], &["/sys/new", "cannot be written"]);
    fails(root.path(), &["a.png".as_ref(), "-o".as_ref(), "none/out.png".as_ref()], &["none/out.png", "make it first"]);
}

#[test]
fn what_is_there_stays() {
    let root = folder();
    for name in ["a.png", "b.png"] {
        save(&root.path().join(name), 40, 30);
    }
    let over = |out: &'static str| ["a.png", "-o", out].map(Path::new);
    fails(root.path(), &over("b.png"), &["b.png", "--overwrite", "--skip-existing"]);
    fails(root.path(), &over("a.png"), &["a.png", "would write over the input"]);
    fails(root.path(), &["a.png", "-o", "a.png", "--overwrite"].map(Path::new), &["would write over the input"]);
    symlink("a.png", root.path().join("link.png")).unwrap();
    fails(root.path(), &["a.png", "-o", "link.png", "--overwrite"].map(Path::new), &["would write over the input"]);
}

/// A name in a folder that isn't there is more often than not mistyped.
#[test]
fn a_file_goes_into_a_folder_that_is_there() {
    let root = folder();
    save(&root.path().join("a.png"), 40, 30);
    let (model, picture) = (concat!(env!("CARGO_MANIFEST_DIR"), "/weights/dehaze-small.safetensors"), "a.png");
    for arguments in [
        &["restore", "--task", "dehaze", picture, "-o", "none/b.png"][..],
        &["convert", model, "-o", "none/b.safetensors"],
        &["run", "--model", model, "--input", model, "--output", "none/b.safetensors"],
    ] {
        let output = command().current_dir(root.path()).args(arguments).output().expect("starts");
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(
            said(&output).contains("none/b.") && said(&output).contains("folder does not exist"),
            "{}",
            said(&output)
        );
    }
    assert_eq!(names(root.path()), ["a.png"]);
}

#[test]
fn a_checkpoint_is_never_written_over() {
    let root = folder();
    let model = "tests/data/models/tiny-local.pkl";
    let bytes = fs::read(model).unwrap();
    fs::write(root.path().join("r.pkl"), &bytes).unwrap();
    fs::write(root.path().join("there.safetensors"), b"mine").unwrap();
    symlink("r.pkl", root.path().join("link")).unwrap();
    let refused = |arguments: &[&str], word: &str| {
        let output = command().current_dir(root.path()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(word), "{arguments:?}: {}", said(&output));
        assert_eq!(fs::read(root.path().join("r.pkl")).unwrap(), bytes);
        assert_eq!(fs::read(root.path().join("there.safetensors")).unwrap(), b"mine");
    };
    for output in ["r.pkl", "./r.pkl", "link"] {
        refused(&["convert", "r.pkl", "-o", output], "would write over the input");
        refused(&["convert", "r.pkl", "-o", output, "--overwrite"], "would write over the input");
        let run = ["run", "--model", "r.pkl", "--input", "there.safetensors", "--output", output];
        refused(&run, "would write over the input");
    }
    refused(&["run", "--model", "r.pkl", "--input", "link", "--output", "r.pkl"], "would write over the input");
    refused(&["convert", "r.pkl", "-o", "there.safetensors"], "--overwrite");
    let replaced = ["convert", "r.pkl", "-o", "there.safetensors", "--overwrite"];
    let output = command().current_dir(root.path()).args(replaced).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_ne!(fs::read(root.path().join("there.safetensors")).unwrap(), b"mine");
}

#[test]
fn a_picture_and_its_comparison_are_both_there_or_neither() {
    let root = folder();
    save(&root.path().join("a.png"), 40, 30);
    fs::create_dir(root.path().join("b.before-after.png")).unwrap();
    fails(
        root.path(),
        &["a.png", "-o", "b.png", "--compare", "side", "--overwrite"].map(Path::new),
        &["b.before-after.png", "nothing was left behind"],
    );
    // The comparison can be written, and then the picture can't.
    fs::create_dir_all(root.path().join("c/a.png")).unwrap();
    fails(
        root.path(),
        &["a.png", "-o", "c/", "--compare", "side", "--overwrite"].map(Path::new),
        &["c/a.png", "nothing was left behind"],
    );
    assert_eq!(names(&root.path().join("c")), ["a.png"]);
    // One that was there before stays what it was.
    fs::write(root.path().join("c/a.before-after.png"), b"old").unwrap();
    fails(
        root.path(),
        &["a.png", "-o", "c/", "--compare", "side", "--overwrite"].map(Path::new),
        &["c/a.png", "nothing was left behind"],
    );
    assert_eq!(fs::read(root.path().join("c/a.before-after.png")).unwrap(), b"old");
}

/// Started by `nohup`, it goes on when its terminal is gone; else it ends as by Ctrl-C.
#[test]
fn a_run_lives_on_without_its_terminal() {
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::process::CommandExt;
    let root = folder();
    save(&root.path().join("a.png"), 40, 30);
    for ignored in [true, false] {
        let mut program = command();
        program.args(["restore", "-", "-o", "b.png", "--device", "cpu"]);
        let disposition = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
        // SAFETY: nothing but a call that a signal handler may make.
        unsafe {
            program.pre_exec(move || {
                libc::signal(libc::SIGHUP, disposition);
                Ok(())
            });
        }
        let pipes = program.current_dir(root.path()).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut running = pipes.spawn().unwrap();
        // It listens to signals before it says what it will do.
        let mut said = BufReader::new(running.stderr.take().unwrap());
        said.read_line(&mut String::new()).unwrap();
        Command::new("kill").args(["-HUP", &running.id().to_string()]).status().expect("starts");
        if !ignored {
            assert_eq!(running.wait().unwrap().code(), Some(130));
            assert!(!root.path().join("b.png").exists());
            continue;
        }
        let picture = fs::read(root.path().join("a.png")).unwrap();
        running.stdin.take().unwrap().write_all(&picture).unwrap();
        assert!(running.wait().unwrap().success() && root.path().join("b.png").exists());
        fs::remove_file(root.path().join("b.png")).unwrap();
    }
}

/// Ctrl-C at any moment of writing a file that isn't a picture: it is whole, or not there, and nothing is left beside it.
#[test]
fn an_interrupted_conversion_leaves_nothing() {
    let root = folder();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/dehaze-small.safetensors");
    let out = root.path().join("o.safetensors");
    let mut interrupted = 0;
    for moment in 0..40 {
        let arguments = ["convert", model, "-o", "o.safetensors", "--overwrite"];
        let mut running =
            command().current_dir(root.path()).args(arguments).stdout(Stdio::null()).spawn().expect("starts");
        std::thread::sleep(std::time::Duration::from_micros(500 * moment));
        Command::new("kill").args(["-INT", &running.id().to_string()]).status().expect("starts");
        let ended = running.wait().expect("ends");
        interrupted += usize::from(ended.code() == Some(130));
        let left: Vec<_> = names(root.path()).into_iter().filter(|name| name != "o.safetensors").collect();
        assert!(left.is_empty(), "{left:?}");
        if out.exists() {
            TensorFile::read(&out).expect("is whole");
        }
    }
    assert!(interrupted > 0);
}

#[test]
fn dashes_are_no_names_of_files_that_commands_write() {
    let root = folder();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/dehaze-small.safetensors");
    let done = command().current_dir(root.path()).args(["convert", model, "-o", "-"]).output().expect("starts");
    assert_eq!(done.status.code(), Some(2), "{}", said(&done));
    assert!(names(root.path()).is_empty());
}

/// Ctrl-C in the middle of a folder: exit code 130, whole files only, and `--skip-existing` does the rest.
#[test]
fn an_interrupted_folder_is_resumed() {
    let root = folder();
    let count = 40;
    for index in 0..count {
        save(&root.path().join(format!("in/{index:02}.png")), 150, 100);
    }
    let arguments = ["restore", "in", "-o", "out", "--skip-existing"];
    let out = root.path().join("out");
    let mut running =
        command().current_dir(root.path()).args(arguments).stderr(Stdio::piped()).spawn().expect("starts");
    while !out.is_dir() || names(&out).len() < 3 {
        assert!(running.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let sent = Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(said(&output).contains("--skip-existing"), "{}", said(&output));
    let done = names(&out);
    assert!(done.len() < count, "it was not interrupted");
    for name in &done {
        assert!(name.ends_with(".png") && !name.starts_with('.'), "{name}");
        image::open(out.join(name)).expect("is whole");
    }
    let times = |names: &[String]| -> Vec<_> {
        names.iter().map(|name| fs::metadata(out.join(name)).unwrap().modified().unwrap()).collect()
    };
    let before = times(&done);
    let output = command().current_dir(root.path()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains(&format!("{} of {count} are done already", done.len())), "{}", said(&output));
    assert_eq!((times(&done), names(&out).len()), (before, count));
    // With nothing left to do, nothing is done, and that is well.
    assert!(command().current_dir(root.path()).args(arguments).status().unwrap().success());
}

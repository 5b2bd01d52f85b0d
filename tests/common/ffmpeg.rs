//! Debian's ffmpeg, an independent reader and writer of pictures and video.

use super::program::said;
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs ffmpeg on `input`, and gives what it wrote to standard output.
pub fn ffmpeg(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let command = Command::new("ffmpeg");
    let output = feed(command, &[&["-v", "error", "-nostdin"][..], arguments].concat(), input);
    assert!(output.status.success(), "ffmpeg {arguments:?}: {}", said(&output));
    output.stdout
}

/// Runs a command on `input`.
pub fn feed(mut command: Command, arguments: &[&str], input: &[u8]) -> Output {
    let name = command.get_program().to_string_lossy().into_owned();
    let spawned = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut running = spawned.unwrap_or_else(|error| {
        panic!("{name} can't be started ({error}): `tests/run.sh` installs ffmpeg and runs all tests")
    });
    let mut stdin = running.stdin.take().expect("is piped");
    let input = input.to_vec();
    // It may end before it has read everything.
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = running.wait_with_output().expect("ends");
    feeder.join().expect("feeds");
    output
}

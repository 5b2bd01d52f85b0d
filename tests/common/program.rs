//! What the tests of the program share: it runs on the CPU executor, so that they run everywhere.

use std::process::{Command, Output};

/// The program, to be given arguments.
pub fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_irnext"));
    command.env("IRNEXT_DEVICE", "cpu");
    command
}

/// What it said on standard error.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

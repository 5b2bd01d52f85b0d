//! The program on the driver that the tests themselves run on.

use std::process::Command;

/// The program, to be given arguments; through IRNEXT_TEST_RUNNER where the tests run through it.
pub fn command() -> Command {
    let program = env!("CARGO_BIN_EXE_irnext");
    match std::env::var_os("IRNEXT_TEST_RUNNER") {
        Some(runner) => {
            let mut command = Command::new(runner);
            command.arg(program);
            command
        }
        None => Command::new(program),
    }
}

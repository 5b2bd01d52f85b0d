//! Standard output and standard error. The first may be full, or a pipe that broke: then a command ends with an error line,
//! never with a panic as from `println!`. A reader that has seen enough ends the program quietly where the system does
//! that: see `main`. Where the second can't be written, the work goes on.

use super::Failure;
use std::fmt::Arguments;
use std::io::{self, Write};

/// As `println!`, but what can't be written is an error to be handed on.
macro_rules! print_line {
    ($($part:tt)*) => {
        $crate::cli::output::line(format_args!($($part)*))
    };
}
pub(super) use print_line;

/// As `eprintln!`, but where standard error can't be written the work goes on without a word.
macro_rules! say {
    ($($part:tt)*) => {
        $crate::cli::output::error_line(format_args!($($part)*))
    };
}
pub(super) use say;

/// Text to standard error, which may be closed; `say!` makes it.
pub(super) fn error_line(text: Arguments<'_>) {
    let lines: Vec<String> = text.to_string().lines().map(one_line).collect();
    let _ = writeln!(io::stderr(), "{}", lines.join("\n"));
}

/// A file's name may hold line breaks and terminal commands.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A line of text; `print_line!` makes it.
pub(super) fn line(text: Arguments<'_>) -> Result<(), Failure> {
    writeln!(io::stdout(), "{text}").map_err(|error| failed(&error))
}

/// Bytes as they are, all of them.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| failed(&error))
}

/// A value as JSON, for people too.
pub(super) fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    line(format_args!("{}", serde_json::to_string_pretty(value)?))
}

/// What is said when standard output can't be written.
pub(super) fn failed(error: &io::Error) -> Failure {
    format!("standard output: cannot be written: {error}").into()
}

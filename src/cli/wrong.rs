//! Command lines that clap lets pass and that can't be meant: exit code 2, as for those that it refuses itself.

use super::Failure;
use super::files::FilesError;
use std::process::ExitCode;

/// What is wrong with the command line, whatever files and devices there are, and what to write instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct WrongCommandLine(String);

/// An error of the command line.
pub(super) fn wrong(text: impl Into<String>) -> Failure {
    WrongCommandLine(text.into()).into()
}

/// The exit code of a command that ended with this.
pub(super) fn exit_code(error: &Failure) -> ExitCode {
    let files = error.downcast_ref::<FilesError>().is_some_and(FilesError::is_of_the_command_line);
    if files || error.is::<WrongCommandLine>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}

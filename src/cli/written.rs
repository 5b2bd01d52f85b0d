//! The one file that a command writes: never over a file that it reads.

use super::files_error::FilesError;
use super::inputs::exists;
use crate::photo::same_file;
use std::path::Path;

/// Refuses an output that is, by whatever path or link, one of the inputs, or standard output.
pub(super) fn not_over<'a>(output: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<(), FilesError> {
    if output == Path::new("-") {
        return Err(FilesError::NoStream);
    }
    match inputs.into_iter().find(|input| same_file(input, output)) {
        Some(input) => Err(FilesError::OverInput { input: input.display().to_string(), output: output.to_owned() }),
        None => Ok(()),
    }
}

/// Refuses an output that is there already.
pub(super) fn not_there(output: &Path) -> Result<(), FilesError> {
    if exists(output) { Err(FilesError::Taken(output.to_owned())) } else { Ok(()) }
}

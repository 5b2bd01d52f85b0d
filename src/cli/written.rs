//! The one file that a command writes: never over a file that it reads.

use super::files_error::FilesError;
use super::inputs::exists;
use crate::photo::same_file;
use crate::tensor::folder_of;
use std::path::Path;

/// Refuses an output that is, by whatever path or link, one of the inputs, or standard output, or in no folder.
pub(super) fn not_over<'a>(output: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<(), FilesError> {
    if output == Path::new("-") {
        return Err(FilesError::NoStream);
    }
    in_a_folder(output)?;
    match inputs.into_iter().find(|input| same_file(input, output)) {
        Some(input) => Err(FilesError::OverInput { input: input.display().to_string(), output: output.to_owned() }),
        None => Ok(()),
    }
}

/// Refuses an output whose folder isn't there: more often than not its name is mistyped. Folders that a command is told to
/// fill are made.
pub(super) fn in_a_folder(output: &Path) -> Result<(), FilesError> {
    if folder_of(output).is_dir() { Ok(()) } else { Err(FilesError::NoFolder(output.to_owned())) }
}

/// Refuses an output that is there already.
pub(super) fn not_there(output: &Path) -> Result<(), FilesError> {
    if exists(output) { Err(FilesError::Taken(output.to_owned())) } else { Ok(()) }
}

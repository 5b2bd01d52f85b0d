//! Why a list of jobs can't be made: what was asked for, and what to do instead.

use crate::photo::Format;
use std::path::PathBuf;

/// Why there is no plan.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// No IN at all.
    #[error("no input: name files, folders or globs, or - for standard input")]
    NoInput,
    /// No OUT, and not from standard input either.
    #[error("no output: say where with -o FILE, -o FOLDER/, -o - for standard output, or --suffix to put it beside")]
    NoOutput,
    /// An IN that isn't there.
    #[error("{0}: no such file or folder")]
    Missing(String),
    /// A link whose end is not there.
    #[error("{0}: is a link that leads nowhere, or in a circle; name the picture itself")]
    DeadLink(PathBuf),
    /// A glob without a match, or one that can't be parsed.
    #[error("{0}: {1}")]
    Glob(String, String),
    /// A folder without pictures.
    #[error("{0}: no pictures in this folder (looked for .png, .jpg, .webp, .tif and .bmp; hidden files are skipped)")]
    EmptyFolder(PathBuf),
    /// An IN that is a device, a pipe or a socket.
    #[error("{0}: neither a file nor a folder (use - for standard input)")]
    NotAFile(PathBuf),
    /// `-` among several inputs.
    #[error("standard input (-) cannot be combined with other inputs")]
    StdinAmongOthers,
    /// Several pictures into one stream or file.
    #[error("{0} pictures cannot go into one output ({1}); name a folder, ending in /")]
    ManyIntoOne(usize, String),
    /// A folder into one file.
    #[error("{0}: names a file, and the input is a folder; name a folder, ending in / if it looks like a file")]
    FolderIntoFile(PathBuf),
    /// An extension that can't be written.
    #[error(
        "{0}: this format cannot be written; use .png, .jpg, .webp, .avif, .tif or .bmp (or end in / to mean a folder)"
    )]
    UnknownOutput(PathBuf),
    /// `--format` says another format than OUT's extension.
    #[error("{0}: is no name of a {1} file, which --format asks for; leave one of the two out")]
    FormatAndName(PathBuf, Format),
    /// `--suffix` with an OUT that is a file, or a suffix that is no part of a name.
    #[error("--suffix is a part of names (not `{0}`) in a folder or beside the inputs; leave it out to name one file")]
    Suffix(String),
    /// A comparison has no place beside standard output.
    #[error("--compare puts a picture beside the result, and there is nothing beside standard output; use -o FILE")]
    CompareStdout,
    /// OUT lies in a folder that isn't there.
    #[error("{0}: its folder does not exist; make it first")]
    NoFolder(PathBuf),
    /// OUT should be a folder and is a file.
    #[error("{0}: is a file, and a folder is needed here")]
    NotAFolder(PathBuf),
    /// An output that is an input.
    #[error("{output}: would write over the input {input}; choose another name or folder")]
    OverInput {
        /// The input.
        input: String,
        /// The output.
        output: PathBuf,
    },
    /// The output of a command that makes one file is there already.
    #[error("{0}: exists already; use --overwrite to replace it")]
    Taken(PathBuf),
    /// `-` where a file is written.
    #[error("-: this goes into a file, not to standard output; name one (./- if that is its name)")]
    NoStream,
    /// Two inputs with one output.
    #[error("{first} and {second} would both become {output}; restore them into different folders")]
    Collision {
        /// One input.
        first: String,
        /// The other.
        second: String,
        /// Their output.
        output: PathBuf,
    },
    /// An output that is there already.
    #[error("{path}: exists already{}; use --overwrite to replace or --skip-existing to go on", and_more(*.more))]
    Exists {
        /// The first such.
        path: PathBuf,
        /// How many more.
        more: usize,
    },
}

impl FilesError {
    /// Whether the command line can't be meant, whatever it is that lies at its paths.
    pub fn is_of_the_command_line(&self) -> bool {
        match self {
            FilesError::NoInput
            | FilesError::NoOutput
            | FilesError::StdinAmongOthers
            | FilesError::ManyIntoOne(..)
            | FilesError::FolderIntoFile(_)
            | FilesError::UnknownOutput(_)
            | FilesError::FormatAndName(..)
            | FilesError::Suffix(_)
            | FilesError::NoStream
            | FilesError::CompareStdout => true,
            FilesError::Missing(_)
            | FilesError::DeadLink(_)
            | FilesError::Glob(..)
            | FilesError::EmptyFolder(_)
            | FilesError::NotAFile(_)
            | FilesError::NoFolder(_)
            | FilesError::NotAFolder(_)
            | FilesError::OverInput { .. }
            | FilesError::Taken(_)
            | FilesError::Collision { .. }
            | FilesError::Exists { .. } => false,
        }
    }
}

fn and_more(more: usize) -> String {
    if more == 0 { String::new() } else { format!(", as do {more} other outputs") }
}

//! From `IN… -o OUT` to a list of jobs: which picture goes where. Nothing is written here, and whatever would overwrite
//! an input, another output or a file that is already there is refused before any work begins.

pub use super::files_error::FilesError;
pub use super::inputs::Input;
use super::inputs::{Found, Met, exists, find, names_a_picture};
pub use super::naming::Naming;
use super::naming::{ends_in, named, with_suffix};
use super::written::in_a_folder;
use crate::photo::Format;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fmt;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

/// One picture's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Where it comes from.
    pub input: Input,
    /// Where it goes.
    pub output: Output,
    /// The format it is written in.
    pub format: Format,
    /// Where a picture of before and after goes, in the same format.
    pub comparison: Option<PathBuf>,
}

/// Where a picture goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A file; its folder may have to be made first.
    Path(PathBuf),
    /// Standard output.
    Stdout,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Output::Path(path) => path.display().fmt(f),
            Output::Stdout => f.write_str("standard output"),
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// In the order of the arguments, a folder's in the order of names.
    pub jobs: Vec<Job>,
    /// What was met in folders and could not be followed: links in circles, folders that can't be read.
    pub warnings: Vec<String>,
    /// Pictures in folders whose formats can't be read; they are left out.
    pub unread: Vec<PathBuf>,
    /// Those that are left out since their outputs exist.
    pub done: Vec<Job>,
}

/// Makes the plan for `inputs` into `out`. Without `out`, standard input goes to standard output.
///
/// # Errors
///
/// [`FilesError`], at the first thing that is wrong; nothing has been touched then.
pub fn plan<S: AsRef<OsStr>>(inputs: &[S], out: Option<&Path>, naming: &Naming) -> Result<Work, FilesError> {
    if let Some(suffix) = naming.suffix.as_ref().filter(|suffix| suffix.is_empty() || suffix.contains(['/', '\\'])) {
        return Err(FilesError::Suffix(suffix.clone()));
    }
    // Of the command line itself, so it comes before what files there are.
    let named = inputs.iter().any(|input| Path::new(input.as_ref()) != Path::new("-"));
    if named && out.is_none() && naming.suffix.is_none() {
        return Err(FilesError::NoOutput);
    }
    let Met { mut found, warnings, mut unread } = find(inputs, out)?;
    let jobs = match (out, found.as_slice(), &naming.suffix) {
        (None, [Found { input: Input::Stdin, .. }], None) => vec![to_stdout(&found[0], naming)?],
        (None, [.., Found { input: Input::Path(_), .. }], Some(suffix)) => {
            found.retain(|found| !found.from_folder || !ends_in(&found.place, suffix));
            unread.retain(|path| !ends_in(path, suffix));
            beside(&found, naming)
        }
        (None, ..) => return Err(FilesError::NoOutput),
        (Some(out), [one], _) if out == Path::new("-") => vec![to_stdout(one, naming)?],
        (Some(out), ..) if out == Path::new("-") => {
            return Err(FilesError::ManyIntoOne(found.len(), "standard output".to_owned()));
        }
        (Some(out), ..) => {
            let jobs = into_path(&found, out, naming)?;
            let made_before = made_before(&jobs, naming);
            // What an earlier run left among the inputs is no input.
            if found.iter().any(&made_before) {
                found.retain(|found| !made_before(found));
                into_path(&found, out, naming)?
            } else {
                jobs
            }
        }
    };
    check(&jobs, naming)?;
    let (done, jobs) = jobs.into_iter().partition(|job| naming.skip_existing && is_done(job));
    Ok(Work { jobs, warnings, unread, done })
}

/// Tells, of what was found in folders, what an earlier run with this naming has left there by its name.
fn made_before(jobs: &[Job], naming: &Naming) -> impl Fn(&Found) -> bool + use<> {
    let outputs = || {
        jobs.iter().flat_map(|job| {
            let output = if let Output::Path(path) = &job.output { Some(path) } else { None };
            output.into_iter().chain(&job.comparison).map(move |path| (job, path))
        })
    };
    let folders: HashSet<PathBuf> = outputs().filter_map(|(_, path)| Some(resolved(path.parent()?))).collect();
    // In another format, beside the inputs. Nothing is written over where what is there is skipped, so this may err.
    let in_another_format = naming.skip_existing && naming.format.is_some();
    let of_another = |(job, output): (&Job, &PathBuf)| match &job.input {
        Input::Path(input) if in_another_format => Some(resolved(output)).filter(|output| *output != resolved(input)),
        _ => None,
    };
    let converted: HashSet<PathBuf> = outputs().filter_map(of_another).collect();
    let suffix = naming.suffix.clone();
    move |found| match (&suffix, &found.input) {
        _ if !found.from_folder => false,
        (Some(suffix), Input::Path(path)) => {
            let among_outputs = path.parent().is_some_and(|folder| folders.contains(&resolved(folder)));
            ends_in(&found.place, suffix) && among_outputs
        }
        (None, Input::Path(path)) => !converted.is_empty() && converted.contains(&resolved(path)),
        (_, Input::Stdin) => false,
    }
}

/// Whether everything that the job makes is there.
fn is_done(job: &Job) -> bool {
    let Output::Path(output) = &job.output else { return false };
    std::iter::once(output).chain(&job.comparison).all(|path| exists(path))
}

fn to_stdout(found: &Found, naming: &Naming) -> Result<Job, FilesError> {
    match &naming.suffix {
        _ if naming.comparisons => Err(FilesError::CompareStdout),
        Some(suffix) => Err(FilesError::Suffix(suffix.clone())),
        None => {
            let format = naming.format.unwrap_or(Format::Png);
            Ok(Job { input: found.input.clone(), output: Output::Stdout, format, comparison: None })
        }
    }
}

/// The job that makes a file.
fn job(found: &Found, output: PathBuf, naming: &Naming) -> Job {
    let format = Format::from_path(&output).unwrap_or(Format::Png);
    let comparison = naming.comparisons.then(|| with_suffix(&output, ".before-after"));
    Job { input: found.input.clone(), output: Output::Path(output), format, comparison }
}

fn into_path(found: &[Found], out: &Path, naming: &Naming) -> Result<Vec<Job>, FilesError> {
    let slash = out.as_os_str().as_encoded_bytes().last().is_some_and(|&b| b == b'/' || b == MAIN_SEPARATOR as u8);
    // A name with an ending for one picture is meant for a file, known or mistyped.
    let one_into_file = matches!(found, [one] if !one.from_folder) && out.extension().is_some();
    if !slash && !out.is_dir() && (names_a_picture(out) || one_into_file) {
        let [one] = found else { return Err(FilesError::ManyIntoOne(found.len(), out.display().to_string())) };
        if one.from_folder {
            return Err(FilesError::FolderIntoFile(out.to_owned()));
        }
        let Some(named) = Format::from_path(out) else { return Err(FilesError::UnknownOutput(out.to_owned())) };
        if let Some(format) = naming.format.filter(|&format| format != named) {
            return Err(FilesError::FormatAndName(out.to_owned(), format));
        }
        if let Some(suffix) = &naming.suffix {
            return Err(FilesError::Suffix(suffix.clone()));
        }
        in_a_folder(out)?;
        return Ok(vec![job(one, out.to_owned(), naming)]);
    }
    if let Some(file) = out.ancestors().find(|path| path.exists()).filter(|path| !path.is_dir()) {
        return Err(FilesError::NotAFolder(file.to_owned()));
    }
    // Overlapping globs name a file twice; that is one job.
    let mut seen = HashSet::new();
    let once = found.iter().filter(|found| seen.insert((&found.input, &found.place)));
    Ok(once.map(|found| job(found, out.join(named(&found.place, naming)), naming)).collect())
}

/// Outputs in the folders of their inputs.
fn beside(found: &[Found], naming: &Naming) -> Vec<Job> {
    let mut seen = HashSet::new();
    let paths = found.iter().filter_map(|found| match &found.input {
        Input::Path(path) => Some((found, path)),
        Input::Stdin => None,
    });
    let once = paths.filter(|(_, path)| seen.insert(*path));
    once.map(|(found, path)| {
        let place = found.place.file_name().map_or_else(|| path.clone(), |name| path.with_file_name(name));
        job(found, named(&place, naming), naming)
    })
    .collect()
}

fn check(jobs: &[Job], naming: &Naming) -> Result<(), FilesError> {
    let mut inputs = HashMap::new();
    for job in jobs {
        if let Input::Path(path) = &job.input {
            inputs.insert(resolved(path), &job.input);
        }
    }
    let mut outputs = HashMap::new();
    let mut existing = Vec::new();
    for job in jobs {
        let Output::Path(output) = &job.output else { continue };
        for path in std::iter::once(output).chain(&job.comparison) {
            let place = resolved(path);
            if let Some(input) = inputs.get(&place) {
                return Err(FilesError::OverInput { input: input.to_string(), output: path.clone() });
            }
            if exists(path) && !naming.overwrite && !naming.skip_existing {
                existing.push(path);
            }
            if let Some(first) = outputs.insert(place, &job.input) {
                let (first, second) = (first.to_string(), job.input.to_string());
                return Err(FilesError::Collision { first, second, output: path.clone() });
            }
        }
    }
    match existing.as_slice() {
        [] => Ok(()),
        [first, rest @ ..] => Err(FilesError::Exists { path: first.to_path_buf(), more: rest.len() }),
    }
}

/// The path with links resolved as far down as it exists.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if parent.as_os_str().is_empty() => resolved(Path::new(".")).join(name),
        (Some(parent), Some(name)) => resolved(parent).join(name),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    /// A folder with these (empty) files in it.
    fn folder(files: &[&str]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        root
    }

    /// Plans with every path relative to `root`, and shows each job as `input > output`.
    fn ways(root: &TempDir, inputs: &[&str], out: &str) -> Result<Vec<String>, FilesError> {
        let inputs: Vec<_> = inputs.iter().map(|input| at(root, input)).collect();
        let plan = plan(&inputs, Some(&at(root, out)), &Naming::default())?;
        let prefix = format!("{}/", root.path().display());
        Ok(plan.jobs.iter().map(|job| format!("{} > {}", job.input, job.output).replace(&prefix, "")).collect())
    }

    fn overwriting() -> Naming {
        Naming { overwrite: true, ..Naming::default() }
    }

    fn at(root: &TempDir, path: &str) -> PathBuf {
        if path == "-" { path.into() } else { root.path().join(path) }
    }

    #[test]
    fn one_file_into_one_file() {
        let root = folder(&["a.png", "out/b.png"]);
        assert_eq!(ways(&root, &["a.png"], "b.jpg").unwrap(), ["a.png > b.jpg"]);
        assert_eq!(ways(&root, &["a.png"], "out").unwrap(), ["a.png > out/a.png"]);
        assert_eq!(ways(&root, &["a.png"], "new").unwrap(), ["a.png > new/a.png"]);
        assert_eq!(ways(&root, &["a.png"], "new.png/").unwrap(), ["a.png > new.png/a.png"]);
        assert!(matches!(ways(&root, &["a.png"], "b.gif"), Err(FilesError::UnknownOutput(_))));
        assert!(matches!(ways(&root, &["a.png"], "b.pgn"), Err(FilesError::UnknownOutput(_))));
        assert_eq!(ways(&root, &["a.png"], "new.v2/").unwrap(), ["a.png > new.v2/a.png"]);
        assert_eq!(ways(&root, &["a.png", "out/b.png"], "new.v2").unwrap().len(), 2);
        assert!(matches!(ways(&root, &["a.png"], "none/b.png"), Err(FilesError::NoFolder(_))));
        assert!(matches!(ways(&root, &["a.png"], "a.png/b"), Err(FilesError::NotAFolder(_))));
    }

    #[test]
    fn a_folder_keeps_its_tree() {
        let root =
            folder(&["in/b.jpg", "in/a b.png", "in/deep/er/c.TIFF", "in/.hidden.png", "in/.git/d.png", "in/notes.txt"]);
        let expected = ["in/a b.png > out/a b.png", "in/b.jpg > out/b.jpg", "in/deep/er/c.TIFF > out/deep/er/c.TIFF"];
        assert_eq!(ways(&root, &["in"], "out").unwrap(), expected);
        assert!(matches!(ways(&root, &["in"], "out.png"), Err(FilesError::ManyIntoOne(3, _))));
        assert!(matches!(ways(&root, &["in/deep"], "out.png"), Err(FilesError::FolderIntoFile(_))));
    }

    #[test]
    fn pictures_in_formats_that_are_not_read_are_named() {
        let root = folder(&["in/a.png", "in/b.HEIC", "in/c.avif", "in/deep/d.gif", "in/.e.gif", "in/notes.txt"]);
        let plan = plan(&[at(&root, "in")], Some(&at(&root, "out")), &Naming::default()).unwrap();
        let expected = ["in/b.HEIC", "in/c.avif", "in/deep/d.gif"].map(|path| at(&root, path));
        assert_eq!((plan.jobs.len(), plan.unread), (1, expected.to_vec()));
    }

    #[test]
    fn a_second_run_does_not_restore_the_first_ones_results() {
        let root = folder(&["in/a.png", "in/out/a.png"]);
        let inputs = [root.path().join("in")];
        let plan = plan(&inputs, Some(&root.path().join("in/out")), &overwriting()).unwrap();
        assert_eq!(plan.jobs.len(), 1);
    }

    #[test]
    fn globs_the_shell_left_alone() {
        let root = folder(&["a1.png", "a2.png", "b.png", ".a3.png"]);
        assert_eq!(ways(&root, &["a*.png"], "out").unwrap(), ["a1.png > out/a1.png", "a2.png > out/a2.png"]);
        assert_eq!(ways(&root, &["a*.png", "a[12].png"], "out").unwrap().len(), 2);
        assert!(matches!(ways(&root, &["z*.png"], "out"), Err(FilesError::Glob(..))));
        assert!(matches!(ways(&root, &["z.png"], "out"), Err(FilesError::Missing(_))));
        fs::write(root.path().join("z[1].png"), b"").unwrap();
        assert_eq!(ways(&root, &["z[1].png"], "out").unwrap(), ["z[1].png > out/z[1].png"]);
    }

    #[test]
    fn standard_input_and_output() {
        let root = folder(&["a.png", "b.png"]);
        let stdin = plan(&["-"], None, &Naming::default()).unwrap();
        assert_eq!(
            stdin.jobs,
            [Job { input: Input::Stdin, output: Output::Stdout, format: Format::Png, comparison: None }]
        );
        assert_eq!(ways(&root, &["-"], "-").unwrap(), ["standard input > standard output"]);
        assert_eq!(ways(&root, &["-"], "c.jpg").unwrap(), ["standard input > c.jpg"]);
        assert_eq!(ways(&root, &["-"], "out/").unwrap(), ["standard input > out/stdin.png"]);
        assert_eq!(ways(&root, &["a.png"], "-").unwrap(), ["a.png > standard output"]);
        assert!(matches!(ways(&root, &["a.png", "b.png"], "-"), Err(FilesError::ManyIntoOne(2, _))));
        assert!(matches!(ways(&root, &["a.png", "-"], "out"), Err(FilesError::StdinAmongOthers)));
        assert!(matches!(plan(&[at(&root, "a.png")], None, &Naming::default()), Err(FilesError::NoOutput)));
        assert!(matches!(plan::<&str>(&[], None, &Naming::default()), Err(FilesError::NoInput)));
    }

    #[test]
    fn nothing_is_written_over() {
        let root = folder(&["a.png", "x/a.png", "y/a.png", "out/b.png", "b.png", "empty/notes.txt"]);
        assert!(matches!(ways(&root, &["a.png"], "a.png"), Err(FilesError::OverInput { .. })));
        assert!(matches!(ways(&root, &["x"], "x"), Err(FilesError::OverInput { .. })));
        assert!(matches!(ways(&root, &["a.png"], "x/../a.png"), Err(FilesError::OverInput { .. })));
        assert!(matches!(ways(&root, &["x", "y"], "new"), Err(FilesError::Collision { .. })));
        assert!(matches!(ways(&root, &["a.png", "b.png"], "out"), Err(FilesError::Exists { more: 0, .. })));
        assert_eq!(plan(&[at(&root, "b.png")], Some(&at(&root, "out")), &overwriting()).unwrap().jobs.len(), 1);
        assert!(matches!(ways(&root, &["empty"], "out"), Err(FilesError::EmptyFolder(_))));
    }

    #[test]
    fn formats_and_suffixes_make_names() {
        let root = folder(&["in/a.jpg", "in/deep/b.png", "in/a-clear.jpg", "c.jpeg"]);
        let ways = |inputs: &[&str], out: Option<&str>, naming: &Naming| {
            let inputs: Vec<_> = inputs.iter().map(|input| at(&root, input)).collect();
            let plan = plan(&inputs, out.map(|out| at(&root, out)).as_deref(), naming)?;
            let prefix = format!("{}/", root.path().display());
            let outputs = plan.jobs.iter().map(|job| job.output.to_string().replace(&prefix, ""));
            Ok::<_, FilesError>(outputs.collect::<Vec<_>>())
        };
        let clear = Naming { suffix: Some("-clear".into()), ..Naming::default() };
        // Beside the inputs; what an earlier run made is not restored again.
        assert!(matches!(ways(&["in"], None, &clear), Err(FilesError::Exists { .. })));
        let going_on = Naming { skip_existing: true, ..clear.clone() };
        assert_eq!(ways(&["in"], None, &going_on).unwrap(), ["in/deep/b-clear.png"]);
        assert_eq!(ways(&["in"], Some("in"), &going_on).unwrap(), ["in/deep/b-clear.png"]);
        assert_eq!(ways(&["in"], Some("out"), &clear).unwrap().len(), 3);
        assert_eq!(ways(&["c.jpeg"], None, &clear).unwrap(), ["c-clear.jpeg"]);
        let tiff = Naming { format: Some(Format::Tiff), ..clear.clone() };
        assert_eq!(ways(&["c.jpeg", "in/deep"], Some("out"), &tiff).unwrap(), ["out/c-clear.tif", "out/b-clear.tif"]);
        let jpeg = Naming { format: Some(Format::Jpeg), ..Naming::default() };
        assert_eq!(ways(&["c.jpeg"], Some("out"), &jpeg).unwrap(), ["out/c.jpeg"]);
        assert_eq!(ways(&["c.jpeg"], Some("d.jpg"), &jpeg).unwrap(), ["d.jpg"]);
        assert!(matches!(ways(&["c.jpeg"], Some("d.png"), &jpeg), Err(FilesError::FormatAndName(..))));
        assert!(matches!(ways(&["c.jpeg"], Some("d.png"), &clear), Err(FilesError::Suffix(_))));
        assert!(matches!(ways(&["c.jpeg"], Some("-"), &clear), Err(FilesError::Suffix(_))));
        let folders = Naming { suffix: Some("../x".into()), ..Naming::default() };
        assert!(matches!(ways(&["c.jpeg"], None, &folders), Err(FilesError::Suffix(_))));
        assert!(matches!(ways(&["-"], None, &clear), Err(FilesError::NoOutput)));
        assert!(matches!(ways(&["c.jpeg"], None, &Naming::default()), Err(FilesError::NoOutput)));
    }

    #[test]
    fn a_folder_is_resumed() {
        let root = folder(&["in/a.png", "in/b.png", "out/a.png"]);
        let naming = Naming { skip_existing: true, ..Naming::default() };
        let plan = plan(&[at(&root, "in")], Some(&at(&root, "out")), &naming).unwrap();
        assert_eq!((plan.done.len(), plan.jobs.len()), (1, 1));
        assert_eq!(plan.jobs[0].output, Output::Path(at(&root, "out/b.png")));
    }

    #[test]
    fn a_folder_is_resumed_in_another_format() {
        let root = folder(&["in/a.png", "in/a.webp", "in/b.png", "in/c.webp"]);
        let naming = Naming { format: Some(Format::WebP), ..Naming::default() };
        let plan = |naming: &Naming| plan(&[at(&root, "in")], Some(&at(&root, "in")), naming);
        // Whose `a.webp` and `c.webp` are, nobody knows.
        assert!(matches!(plan(&naming), Err(FilesError::OverInput { .. })));
        assert!(matches!(plan(&Naming { overwrite: true, ..naming.clone() }), Err(FilesError::OverInput { .. })));
        fs::remove_file(at(&root, "in/c.webp")).unwrap();
        let plan = plan(&Naming { skip_existing: true, ..naming }).unwrap();
        let outputs = |jobs: &[Job]| jobs.iter().map(|job| job.output.clone()).collect::<Vec<_>>();
        assert_eq!(outputs(&plan.done), [Output::Path(at(&root, "in/a.webp"))]);
        assert_eq!(outputs(&plan.jobs), [Output::Path(at(&root, "in/b.webp"))]);
        fs::write(at(&root, "in/a.before-after.webp"), b"").unwrap();
        let compared =
            Naming { comparisons: true, skip_existing: true, format: Some(Format::WebP), ..Naming::default() };
        let plan = super::plan(&[at(&root, "in")], Some(&at(&root, "in")), &compared).unwrap();
        assert_eq!((plan.done.len(), plan.jobs.len()), (1, 1));
    }

    #[test]
    fn comparisons_are_outputs_too() {
        let root = folder(&["a.png", "out/a.before-after.png"]);
        let naming = Naming { comparisons: true, ..Naming::default() };
        let plan = |out: &str, naming: &Naming| plan(&[at(&root, "a.png")], Some(&at(&root, out)), naming);
        let jobs = plan("b.jpg", &naming).unwrap().jobs;
        assert_eq!(jobs[0].comparison, Some(at(&root, "b.before-after.jpg")));
        assert!(matches!(plan("out", &naming), Err(FilesError::Exists { .. })));
        let going_on = Naming { skip_existing: true, ..naming.clone() };
        assert_eq!(plan("out", &going_on).unwrap().jobs.len(), 1);
        // A picture is done when its comparison is there too.
        fs::write(at(&root, "out/a.png"), b"").unwrap();
        assert_eq!(plan("out", &going_on).unwrap().done.len(), 1);
        fs::remove_file(at(&root, "out/a.before-after.png")).unwrap();
        assert_eq!(plan("out", &going_on).unwrap().jobs.len(), 1);
        let stdout = super::plan(&[at(&root, "a.png")], Some(Path::new("-")), &naming);
        assert!(matches!(stdout, Err(FilesError::CompareStdout)));
    }

    #[cfg(unix)]
    #[test]
    fn names_of_any_bytes() {
        use std::os::unix::ffi::OsStrExt;
        let root = folder(&["in/line\nbreak.png"]);
        let name = OsStr::from_bytes(b"caf\xe9.png");
        fs::write(root.path().join("in").join(name), b"").unwrap();
        let jobs = plan(&[root.path().join("in")], Some(&root.path().join("out")), &Naming::default()).unwrap().jobs;
        assert_eq!(jobs.len(), 2);
        assert!(jobs.iter().any(|job| job.output == Output::Path(root.path().join("out").join(name))));
    }

    #[cfg(unix)]
    #[test]
    fn links_in_circles_are_told_and_left() {
        use std::os::unix::fs::symlink;
        let root = folder(&["in/a.png", "in/deep/b.png"]);
        symlink(root.path().join("in"), root.path().join("in/deep/up")).unwrap();
        let plan = plan(&[root.path().join("in")], Some(&root.path().join("out")), &Naming::default()).unwrap();
        assert_eq!((plan.jobs.len(), plan.warnings.len()), (2, 1));
        // A link to an input is that input.
        symlink(root.path().join("in/a.png"), root.path().join("link.png")).unwrap();
        assert!(matches!(ways(&root, &["in/a.png"], "link.png"), Err(FilesError::OverInput { .. })));
    }
}

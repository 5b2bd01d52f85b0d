//! What the tests of failures share: folders of pictures, and a program that must fail on them.

use super::program::{command, said};
use std::fs;
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

/// The names in a folder, hidden ones too, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A picture of smooth colours.
pub fn picture(width: u32, height: u32) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([x, y, x + y].map(|level| (64 + level * 100 / width.max(height)) as u8))
    })
}

pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

pub fn save(path: &Path, width: u32, height: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    picture(width, height).save(path).expect("is written");
}

/// It failed with exit code 1, said all of this, and what is in the folder is what was.
pub fn fails(root: &Path, arguments: &[&Path], words: &[&str]) -> Output {
    let before: Vec<_> = names(root).iter().map(|name| (name.clone(), fs::read(root.join(name)).ok())).collect();
    let output = command().current_dir(root).arg("restore").args(arguments).output().expect("starts");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is missing in: {said}");
    }
    assert!(output.stdout.is_empty());
    assert_eq!(
        before,
        names(root).iter().map(|name| (name.clone(), fs::read(root.join(name)).ok())).collect::<Vec<_>>()
    );
    output
}

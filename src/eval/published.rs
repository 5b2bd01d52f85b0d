//! The paper's own figures on the benchmarks that it names, for a table beside ours. They are the paper's claims, of its
//! own weights; nothing here has measured them, and they still await a check against the printed tables.

use super::words::words_of;
use crate::model::Task;
use serde::Serialize;
use std::path::Path;

/// A row of the paper's tables.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Published {
    /// The benchmark.
    pub benchmark: &'static str,
    /// What it measures.
    pub task: Task,
    /// Decibels.
    pub psnr: f64,
    /// As printed.
    pub ssim: f64,
    /// Words of the folders of a path, in small letters, by which the benchmark is known.
    #[serde(skip)]
    words: &'static [&'static str],
}

/// Cui, Ren, Yang, Cao, Knoll, *IRNeXt: Rethinking Convolutional Network Design for Image Restoration*, ICML 2023.
const PAPER: &[Published] = &[
    Published { benchmark: "SOTS-Indoor", task: Task::Dehaze, psnr: 41.21, ssim: 0.996, words: &["sots", "indoor"] },
    Published { benchmark: "SOTS-Indoor", task: Task::Dehaze, psnr: 41.21, ssim: 0.996, words: &["reside", "indoor"] },
    Published { benchmark: "GoPro", task: Task::Deblur, psnr: 33.16, ssim: 0.962, words: &["gopro"] },
    Published { benchmark: "CSD", task: Task::Desnow, psnr: 37.29, ssim: 0.99, words: &["csd"] },
];

/// The paper's figures for the benchmark that a folder holds, known by its path.
pub fn published(task: Task, folder: &Path) -> Option<Published> {
    // A path may be spelt without the names that count: `.`, `indoor`.
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    // The figures are of test sets.
    if folder.file_name().is_some_and(|name| name.eq_ignore_ascii_case("train")) {
        return None;
    }
    let words = words_of(&folder);
    let has = |word: &str| words.iter().any(|own| own == word);
    PAPER.iter().find(|row| row.task == task && row.words.iter().all(|word| has(word))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benchmarks_are_known_by_their_folders() {
        let benchmark = |task, path| published(task, Path::new(path)).map(|row| row.benchmark);
        assert_eq!(benchmark(Task::Dehaze, "data/SOTS/indoor"), Some("SOTS-Indoor"));
        assert_eq!(benchmark(Task::Dehaze, "reside-indoor/test"), Some("SOTS-Indoor"));
        assert_eq!(benchmark(Task::Dehaze, "data/SOTS/outdoor"), None);
        assert_eq!(benchmark(Task::Deblur, "GOPRO_Large/test"), Some("GoPro"));
        assert_eq!(benchmark(Task::Deblur, "GOPRO_Large/train"), None);
        assert_eq!(benchmark(Task::Desnow, "GOPRO_Large/test"), None);
        assert_eq!(benchmark(Task::Desnow, "CSD/Test"), Some("CSD"));
        assert_eq!(benchmark(Task::Desnow, "ucsd/x"), None);
        assert_eq!(benchmark(Task::Desnow, "csd_users/Snow100K-L"), None);
        assert_eq!(benchmark(Task::Deblur, "data/gopro/RSBlur"), None);
    }
}

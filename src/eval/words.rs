//! What the names of folders say: words in any spelling, and the tasks that some of them tell.

use crate::model::Task;
use std::path::Path;

/// Beginnings of words, in small letters, that tell a task.
const TELLING: &[(&str, Task)] = &[
    ("rain", Task::Derain),
    ("derain", Task::Derain),
    ("haze", Task::Dehaze),
    ("hazy", Task::Dehaze),
    ("dehaz", Task::Dehaze),
    ("snow", Task::Desnow),
    ("desnow", Task::Desnow),
    ("defocus", Task::Defocus),
    ("dpdd", Task::Defocus),
    ("blur", Task::Deblur),
    ("deblur", Task::Deblur),
    ("gopro", Task::Deblur),
    ("rsblur", Task::Deblur),
];

/// Endings of words that do.
const ENDINGS: &[(&str, Task)] =
    &[("rain", Task::Derain), ("haze", Task::Dehaze), ("snow", Task::Desnow), ("blur", Task::Deblur)];

/// What ends as if it told one.
const OTHERS: &[&str] = &["train", "terrain", "brain", "drain", "grain", "strain"];

/// Names of data sets that tell a task, as whole words.
const NAMES: &[(&str, Task)] = &[
    ("test100", Task::Derain),
    ("test1200", Task::Derain),
    ("test2800", Task::Derain),
    ("reside", Task::Dehaze),
    ("sots", Task::Dehaze),
    ("csd", Task::Desnow),
    ("hide", Task::Deblur),
];

/// Beginnings of words that name a data set.
const SETS: &[&str] =
    &["sots", "reside", "gopro", "hide", "rsblur", "realblur", "csd", "snow100", "dpdd", "rain100", "test100"];

/// The words of a folder's name, in small letters: what stands between other signs, and what begins within it with a capital
/// letter behind a small one. `HeavyRain_100L` is `heavyrain`, `heavy`, `rain` and `100l`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![];
    for whole in name.split(|c: char| !c.is_alphanumeric()).filter(|whole| !whole.is_empty()) {
        words.push(whole.to_lowercase());
        let letters: Vec<char> = whole.chars().collect();
        let begins = |at: &usize| letters[*at].is_uppercase() && letters[at - 1].is_lowercase();
        let starts: Vec<usize> = (1..letters.len()).filter(begins).collect();
        let edges: Vec<usize> = [0].into_iter().chain(starts).chain([letters.len()]).collect();
        let part = |edge: &[usize]| letters[edge[0]..edge[1]].iter().collect::<String>().to_lowercase();
        words.extend(edges.windows(2).filter(|_| edges.len() > 2).map(part));
    }
    words
}

/// The words of a path's folders, from the innermost out to the one that names a data set.
pub(super) fn words_of(path: &Path) -> Vec<String> {
    let mut all = vec![];
    for part in path.ancestors().filter_map(Path::file_name) {
        let words = words(&part.to_string_lossy());
        let named = words.iter().any(|word| SETS.iter().any(|set| word.starts_with(set)));
        all.extend(words);
        if named {
            break;
        }
    }
    all
}

/// What the pictures in a folder of this name are to be freed of, where it tells.
pub(super) fn task_of(name: &str) -> Option<Task> {
    let words = words(name);
    let says = |word: &str| {
        let name = NAMES.iter().find(|(name, _)| *name == word);
        let begins = || TELLING.iter().find(|(beginning, _)| word.starts_with(beginning));
        let ends = || ENDINGS.iter().find(|(ending, _)| word.ends_with(ending) && !OTHERS.contains(&word));
        name.or_else(begins).or_else(ends).map(|(_, task)| *task)
    };
    words.iter().find_map(|word| says(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_words() {
        assert_eq!(words("HeavyRain_100L"), ["heavyrain", "heavy", "rain", "100l"]);
        assert_eq!(words("SOTS-indoor"), ["sots", "indoor"]);
        assert!(words("._-").is_empty());
    }

    #[test]
    fn a_folder_for_training_is_not_of_rain() {
        let told = |name, task| assert_eq!(task_of(name), task, "{name}");
        for name in ["train", "training", "Terrain", "trainB", "brain-scans", "UCSD", "outside", "hazard", "images"] {
            told(name, None);
        }
        for name in ["rain", "Rain100H", "rain_heavy_test", "HeavyRain", "derain", "Test100", "raindrop", "train-rainy"]
        {
            told(name, Some(Task::Derain));
        }
        for (name, task) in [("hazy", Task::Dehaze), ("dehazing", Task::Dehaze), ("SOTS", Task::Dehaze)] {
            told(name, Some(task));
        }
        for (name, task) in [("Snow100K-L", Task::Desnow), ("snowy", Task::Desnow), ("CSD", Task::Desnow)] {
            told(name, Some(task));
        }
        for (name, task) in [("GOPRO_Large", Task::Deblur), ("GoPro", Task::Deblur), ("RSBlur", Task::Deblur)] {
            told(name, Some(task));
        }
        told("defocus_deblurring", Some(Task::Defocus));
        told("heavyrain", Some(Task::Derain));
        told("NHHAZE", Some(Task::Dehaze));
        told("realblur", Some(Task::Deblur));
        told("motion-deblur", Some(Task::Deblur));
        told("HIDE_dataset", Some(Task::Deblur));
    }
}

//! A data set's own list of its test pictures.

use super::Pair;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The lines of a list. Each names a picture or several, as RSBlur's and RealBlur's do: ground truth and degraded picture with
/// a space between them.
#[derive(Debug)]
pub struct List {
    file: PathBuf,
    /// The lines that each path stands in: its words and, since names may have spaces, the whole line.
    lines: HashMap<PathBuf, Vec<usize>>,
    count: usize,
    found: HashSet<usize>,
}

/// A list that chooses nothing.
#[derive(Debug, Error)]
pub enum ListError {
    /// It can't be read.
    #[error("{}: {reason}", file.display())]
    Read {
        /// The list.
        file: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// No line names a degraded picture that is there.
    #[error("{}: none of its {count} lines names a degraded picture that was found", file.display())]
    Nothing {
        /// The list.
        file: PathBuf,
        /// Its lines.
        count: usize,
    },
}

impl List {
    /// Reads a list.
    ///
    /// # Errors
    /// When the file can't be read as text.
    pub fn read(file: &Path) -> Result<Self, ListError> {
        let text = std::fs::read_to_string(file).map_err(|reason| ListError::Read { file: file.to_owned(), reason })?;
        Ok(Self::parse(file, &text))
    }

    fn parse(file: &Path, text: &str) -> Self {
        let mut lines: HashMap<PathBuf, Vec<usize>> = HashMap::new();
        let given: Vec<&str> = text.trim_start_matches('\u{feff}').lines().map(str::trim).collect();
        let given: Vec<&str> = given.into_iter().filter(|line| !line.is_empty()).collect();
        for (at, line) in given.iter().enumerate() {
            for path in line.split_whitespace().chain([*line]) {
                let path = path.replace('\\', "/");
                lines.entry(PathBuf::from(path.trim_start_matches("./"))).or_default().push(at);
            }
        }
        Self { file: file.to_owned(), lines, count: given.len(), found: HashSet::new() }
    }

    /// Keeps the pairs whose degraded picture a line names, by the end of its path.
    pub fn choose(&mut self, pairs: &mut Vec<Pair>) {
        pairs.retain(|pair| {
            let whole = pair.input.canonicalize().unwrap_or_else(|_| pair.input.clone());
            let parts: Vec<_> = whole.components().collect();
            let ends = (0..parts.len()).map(|from| parts[from..].iter().collect::<PathBuf>());
            let lines: Vec<usize> = ends.filter_map(|end| self.lines.get(&end)).flatten().copied().collect();
            self.found.extend(&lines);
            !lines.is_empty()
        });
    }

    /// How many lines named none of the pairs that there were.
    ///
    /// # Errors
    /// When that is all of them.
    pub fn unused(&self) -> Result<usize, ListError> {
        match self.count - self.found.len() {
            unused if unused == self.count => Err(ListError::Nothing { file: self.file.clone(), count: self.count }),
            unused => Ok(unused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{List, Pair};
    use std::path::{Path, PathBuf};

    fn pair(input: &str) -> Pair {
        Pair { name: input.into(), input: PathBuf::from(input), target: PathBuf::from("gt.png"), baseline: None }
    }

    #[test]
    fn pairs_are_chosen_by_the_ends_of_their_paths() {
        let scene = |number: u32| format!("/data/RSBlur/0001/{number:06}/real_blur/real_blur.png");
        let mut pairs: Vec<Pair> =
            (1..5).map(|number| pair(&scene(number))).chain([pair("/data/a b/c d.png")]).collect();
        let text = "\u{feff}RSBlur/0001/000002/gt/gt_sharp.png RSBlur/0001/000002/real_blur/real_blur.png\r\n\n\
                    ./0001/000004/gt/gt_sharp.png 0001/000004/real_blur/real_blur.png\n\
                    0001/000009/gt/gt_sharp.png 0001/000009/real_blur/real_blur.png\n\
                    a b/c d.png\n";
        let mut list = List::parse(Path::new("list.txt"), text);
        list.choose(&mut pairs);
        let chosen: Vec<_> = pairs.iter().map(|pair| pair.name.clone()).collect();
        assert_eq!(chosen, [scene(2), scene(4), "/data/a b/c d.png".into()]);
        assert_eq!(list.unused().expect("some are used"), 1);
    }

    #[test]
    fn a_list_of_other_pictures_is_an_error() {
        let mut pairs = vec![pair("/data/blur/1.png")];
        // The end of a name is no name.
        let mut list = List::parse(Path::new("list.txt"), "lur/1.png\n11.png\n");
        list.choose(&mut pairs);
        assert!(pairs.is_empty());
        let error = list.unused().expect_err("names nothing").to_string();
        assert_eq!(error, "list.txt: none of its 2 lines names a degraded picture that was found");
    }
}

//! `--quality`, which means two things and may be given for each: a word chooses a task's model, a number how far a
//! written file is compressed.

use crate::model::Quality;
use std::str::FromStr;

/// One `--quality`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QualityArgument {
    /// Which of a task's shipped models.
    Model(Quality),
    /// 1 to 100, as encoders have it.
    File(u8),
}

impl FromStr for QualityArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(number) = text.parse::<i64>() {
            let within = u8::try_from(number).ok().filter(|number| (1..=100).contains(number));
            return within.map(Self::File).ok_or_else(|| format!("a file's quality is 1 to 100, not {number}"));
        }
        let word = |_| format!("`{text}` is neither `small` nor `full` (a model) nor 1 to 100 (a file's compression)");
        text.parse().map(Self::Model).map_err(word)
    }
}

/// The model that was asked for; the last word counts.
pub(super) fn of_model(arguments: &[QualityArgument]) -> Option<Quality> {
    arguments.iter().rev().find_map(|argument| match argument {
        QualityArgument::Model(quality) => Some(*quality),
        QualityArgument::File(_) => None,
    })
}

/// The compression that was asked for; the last number counts.
pub(super) fn of_file(arguments: &[QualityArgument]) -> Option<u8> {
    arguments.iter().rev().find_map(|argument| match argument {
        QualityArgument::File(number) => Some(*number),
        QualityArgument::Model(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_choose_the_model_and_numbers_the_compression() {
        let parsed: Vec<QualityArgument> = ["small", "80", "full", "90"].iter().map(|t| t.parse().unwrap()).collect();
        assert_eq!((of_model(&parsed), of_file(&parsed)), (Some(Quality::Full), Some(90)));
        assert_eq!((of_model(&parsed[1..2]), of_file(&parsed[..1])), (None, None));
        for wrong in ["0", "101", "-1", "large", "", "9.5"] {
            assert!(wrong.parse::<QualityArgument>().is_err(), "{wrong}");
        }
    }
}

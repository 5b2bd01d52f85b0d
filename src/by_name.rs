//! Choices that the command line, files and people name alike.

/// Writes and reads a choice by the name that the command line has for it.
macro_rules! by_name {
    ($type:ty) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                use clap::ValueEnum;
                f.pad(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
            }
        }

        impl std::str::FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                <$type as clap::ValueEnum>::from_str(text, false)
            }
        }
    };
}
pub(crate) use by_name;

//! The models that the binary carries, as `weights/manifest.toml` describes them.

use super::{Activation, MeanKind};
use crate::by_name::by_name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a picture is to be freed of.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Haze and fog.
    #[default]
    Dehaze,
    /// Motion blur.
    Deblur,
    /// Defocus blur.
    Defocus,
    /// Rain streaks.
    Derain,
    /// Snow.
    Desnow,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Dehaze, Self::Deblur, Self::Defocus, Self::Derain, Self::Desnow];

    /// What it frees a picture of.
    pub fn of(self) -> &'static str {
        match self {
            Self::Dehaze => "haze and fog",
            Self::Deblur => "motion blur",
            Self::Defocus => "defocus blur",
            Self::Derain => "rain streaks",
            Self::Desnow => "snow",
        }
    }
}

by_name!(Task);

/// How large a shipped model is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quality {
    /// About a million parameters.
    #[default]
    Small,
    /// The paper's architecture.
    Full,
}

by_name!(Quality);

/// A shipped model, as the manifest has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shipped {
    /// Its entry in the manifest.
    #[serde(default)]
    pub name: String,
    /// What it does.
    pub task: Task,
    /// Small or full.
    pub quality: Quality,
    /// Its file under `weights/`.
    pub file: String,
    /// Channels at full resolution.
    pub width: usize,
    /// Residual blocks per stage.
    pub blocks: usize,
    /// z → taps.
    pub activation: Activation,
    /// What the filter subtracts.
    pub mean: MeanKind,
    /// The longest side of pictures that it is good at: see [`Model::longest_side`](super::Model::longest_side).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_side: Option<usize>,
    /// Its terms.
    pub licence: String,
    /// What else the manifest says: seed, recipe, steps, hardware, figures.
    #[serde(flatten)]
    pub provenance: BTreeMap<String, toml::Value>,
    /// The checkpoint.
    #[serde(skip)]
    pub bytes: &'static [u8],
}

const MANIFEST: &str = include_str!("../../weights/manifest.toml");
const FILES: &[(&str, &[u8])] = &[
    ("deblur-small.safetensors", include_bytes!("../../weights/deblur-small.safetensors")),
    ("defocus-small.safetensors", include_bytes!("../../weights/defocus-small.safetensors")),
    ("dehaze-small.safetensors", include_bytes!("../../weights/dehaze-small.safetensors")),
    ("derain-small.safetensors", include_bytes!("../../weights/derain-small.safetensors")),
    ("desnow-small.safetensors", include_bytes!("../../weights/desnow-small.safetensors")),
];

/// Every model that the binary carries.
pub fn shipped() -> Vec<Shipped> {
    // The manifest is part of the binary; a test reads it.
    let entries: BTreeMap<String, Shipped> = toml::from_str(MANIFEST).unwrap_or_default();
    let with_bytes = |(name, model): (String, Shipped)| {
        let bytes = FILES.iter().find(|(file, _)| *file == model.file)?.1;
        Some(Shipped { name, bytes, ..model })
    };
    entries.into_iter().filter_map(with_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_describes_every_file_that_is_embedded() {
        let entries: BTreeMap<String, Shipped> = toml::from_str(MANIFEST).expect("the manifest reads");
        assert_eq!(shipped().len(), entries.len());
        for (file, _) in FILES {
            assert!(entries.values().any(|model| model.file == *file), "{file} is not in the manifest");
        }
    }

    #[test]
    fn every_shipped_model_loads_and_is_what_the_manifest_says() {
        for found in shipped() {
            let model = super::super::Model::shipped(found.task, found.quality).expect("loads");
            assert_eq!((model.config.width, model.config.blocks), (found.width, found.blocks), "{}", found.name);
        }
    }
}

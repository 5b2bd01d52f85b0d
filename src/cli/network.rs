//! The network that `bench`, `profile` and `inspect` take: a checkpoint's, or any shape on random weights.

use super::Failure;
use super::wrong::wrong;
use crate::model::{Activation, Config, MeanKind, Model, random_model};
use clap::Args;
use std::path::{Path, PathBuf};

/// The published dehazing network's.
const WIDTH: usize = 32;
const BLOCKS: usize = 4;

/// Weights that are made up at random at most: a gibibyte of them, twenty times the largest published network.
const MOST_WEIGHTS: usize = 1 << 28;

/// The shape of a network on random weights.
#[derive(Debug, Args)]
pub(super) struct ShapeArguments {
    /// Random weights: channels at full resolution [default: 32]
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    /// Random weights: residual blocks per stage [default: 4]
    #[arg(long, value_name = "N")]
    blocks: Option<usize>,
}

impl ShapeArguments {
    /// Whether a shape is asked for.
    pub(super) fn given(&self) -> bool {
        self.width.is_some() || self.blocks.is_some()
    }

    /// A network of this shape.
    pub(super) fn model(&self, activation: Option<Activation>, mean: Option<MeanKind>) -> Result<Model, Failure> {
        let (width, blocks) = (self.width.unwrap_or(WIDTH), self.blocks.unwrap_or(BLOCKS));
        random(width, blocks, activation.unwrap_or_default(), mean.unwrap_or_default())
    }
}

/// A network of a shape from the command line, on random weights.
pub(super) fn random(width: usize, blocks: usize, activation: Activation, mean: MeanKind) -> Result<Model, Failure> {
    if width == 0 || !width.is_multiple_of(8) || blocks == 0 {
        return Err(wrong("the width is a multiple of 8 and a stage has at least one block"));
    }
    let config = Config::new(width, blocks, activation, mean);
    // Far from where counting the weights would overflow or take long.
    if width > MOST_WEIGHTS.isqrt() || blocks > MOST_WEIGHTS.isqrt() || config.parameters() > MOST_WEIGHTS {
        let most = MOST_WEIGHTS / 1_000_000;
        return Err(wrong(format!(
            "width {width} with {blocks} blocks a stage is too large a network: it has more than {most} million weights"
        )));
    }
    Ok(random_model(config))
}

#[derive(Debug, Args)]
pub(super) struct NetworkArguments {
    /// A checkpoint, instead of random weights
    #[arg(long, value_name = "FILE", conflicts_with_all = ["width", "blocks"])]
    model: Option<PathBuf>,
    #[command(flatten)]
    shape: ShapeArguments,
    /// z → taps [default: as the checkpoint's metadata say, else tanh]
    #[arg(long, value_enum)]
    activation: Option<Activation>,
    /// What the filter subtracts [default: as the checkpoint's metadata say, else global]
    #[arg(long, value_enum)]
    mean: Option<MeanKind>,
}

impl NetworkArguments {
    /// The checkpoint's file, if there is one.
    pub(super) fn file(&self) -> Option<&Path> {
        self.model.as_deref()
    }

    pub(super) fn model(&self) -> Result<Model, Failure> {
        match &self.model {
            Some(path) => Ok(Model::read(path, self.activation, self.mean)?),
            None => self.shape.model(self.activation, self.mean),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_no_memory_holds_are_refused() {
        let random = |width, blocks| random(width, blocks, Activation::default(), MeanKind::default());
        assert_eq!(random(8, 1).map(|model| model.config.width).ok(), Some(8));
        for (width, blocks) in [(0, 1), (7, 1), (8, 0), (100_000_000, 4), (1 << 60, 1), (8, usize::MAX), (4096, 4)] {
            assert!(random(width, blocks).is_err(), "{width} {blocks}");
        }
    }
}

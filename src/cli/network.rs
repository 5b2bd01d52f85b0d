//! The network that `bench` and `profile` time: a checkpoint's, or any shape on random weights.

use super::Failure;
use super::wrong::wrong;
use crate::model::{Activation, Config, MeanKind, Model};
use crate::verify::random::random_model;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct NetworkArguments {
    /// A checkpoint, instead of random weights
    #[arg(long, value_name = "FILE", conflicts_with_all = ["width", "blocks"])]
    model: Option<PathBuf>,
    /// Channels at full resolution
    #[arg(long, default_value_t = 32)]
    width: usize,
    /// Residual blocks a stage
    #[arg(long, default_value_t = 4)]
    blocks: usize,
    /// z → taps
    #[arg(long, value_enum, default_value = "tanh")]
    activation: Activation,
    /// What the filter subtracts
    #[arg(long, value_enum, default_value = "global")]
    mean: MeanKind,
}

impl NetworkArguments {
    /// The checkpoint's file, if there is one.
    pub(super) fn file(&self) -> Option<&Path> {
        self.model.as_deref()
    }

    pub(super) fn model(&self) -> Result<Model, Failure> {
        if let Some(path) = &self.model {
            return Ok(Model::read(path, Some(self.activation), Some(self.mean))?);
        }
        if self.width == 0 || !self.width.is_multiple_of(8) || self.blocks == 0 {
            return Err(wrong("the width is a multiple of 8 and a stage has at least one block"));
        }
        Ok(random_model(Config::new(self.width, self.blocks, self.activation, self.mean)))
    }
}

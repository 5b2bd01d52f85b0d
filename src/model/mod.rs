//! Floor 6: IRNeXt's graph from a config, and the checkpoints that it comes from.

pub mod checkpoint;
pub mod config;
pub mod network;
mod shipped;

pub use config::{Activation, Config, MeanKind};
pub use shipped::{Quality, Shipped, Task, shipped};

use crate::graph::Graph;
use checkpoint::CheckpointError;
use config::ConfigError;
use network::{BuildError, Weights};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A model that can't be had.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The file can't be read as a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// It is a checkpoint, but not of this network.
    #[error("{}: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What doesn't fit.
        source: ConfigError,
    },
    /// Its metadata names an activation or mean that doesn't exist.
    #[error("{}: its metadata says {key} = `{value}`: {reason}; say it with --{key}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// `activation` or `mean`.
        key: &'static str,
        /// What is there.
        value: String,
        /// Why that is wrong.
        reason: String,
    },
    /// No model is shipped for the task, or none of this quality.
    #[error("no {quality} model for `{task}` is shipped; there are: {available}; or give a checkpoint with --model")]
    NotShipped {
        /// The task asked for.
        task: Task,
        /// The quality asked for.
        quality: Quality,
        /// The names of those that are.
        available: String,
    },
}

/// A trained network.
#[derive(Clone, Debug)]
pub struct Model {
    /// What it is called in messages: the shipped name, or the file.
    pub name: String,
    /// Its shape, activation and mean.
    pub config: Config,
    /// Its tensors.
    pub weights: Weights,
}

impl Model {
    /// Reads a checkpoint in any form that is met in the wild. Activation and mean leave no trace in weights: they are
    /// as told, else as the file's metadata has them (files of `irnext convert` do), else tanh and global.
    ///
    /// # Errors
    /// When the file is no whole checkpoint, or not one of this network.
    pub fn read(path: &Path, activation: Option<Activation>, mean: Option<MeanKind>) -> Result<Self, ModelError> {
        let state = checkpoint::read(path)?;
        let noted = |key: &'static str| state.metadata.get(key).map(|value| (key, value.clone()));
        let wrong = |(key, value): (&'static str, String), reason| ModelError::Metadata {
            path: path.to_path_buf(),
            key,
            value,
            reason,
        };
        let activation = match (activation, noted("activation")) {
            (Some(told), _) => told,
            (None, Some((key, value))) => value.parse().map_err(|reason| wrong((key, value), reason))?,
            (None, None) => Activation::default(),
        };
        let mean = match (mean, noted("mean")) {
            (Some(told), _) => told,
            (None, Some((key, value))) => value.parse().map_err(|reason| wrong((key, value), reason))?,
            (None, None) => MeanKind::default(),
        };
        let config = Config::infer(&state, activation, mean)
            .map_err(|source| ModelError::Config { path: path.to_path_buf(), source })?;
        Ok(Self { name: path.display().to_string(), config, weights: network::weights(&state) })
    }

    /// The model that the binary carries for a task.
    ///
    /// # Errors
    /// When there is none.
    pub fn shipped(task: Task, quality: Quality) -> Result<Self, ModelError> {
        let Some(found) = shipped().into_iter().find(|model| model.task == task && model.quality == quality) else {
            let available: Vec<String> = shipped().into_iter().map(|model| model.name).collect();
            return Err(ModelError::NotShipped { task, quality, available: available.join(", ") });
        };
        let path = PathBuf::from(format!("(embedded) {}", found.file));
        let state = checkpoint::parse(found.bytes).map_err(|kind| CheckpointError { path: path.clone(), kind })?;
        let config = Config::infer(&state, found.activation, found.mean)
            .map_err(|source| ModelError::Config { path, source })?;
        Ok(Self { name: found.name, config, weights: network::weights(&state) })
    }

    /// The network as a graph for pictures of `height` × `width`, unfused.
    ///
    /// # Errors
    /// When a side is not a multiple of 32, or less than 64.
    pub fn graph(&self, height: usize, width: usize) -> Result<Graph, BuildError> {
        network::build(&self.config, &self.weights, height, width)
    }
}

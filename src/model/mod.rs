//! Floor 6: IRNeXt's graph from a config, and the checkpoints that it comes from.

pub mod checkpoint;
pub mod config;
pub mod network;
mod random;
mod shipped;

pub use config::{Activation, Config, MeanKind};
pub use random::random_model;
pub use shipped::{Quality, Shipped, Task, shipped};

use crate::graph::Graph;
use checkpoint::{CheckpointError, StateDict};
use config::ConfigError;
use network::{BuildError, Weights};
use std::path::{Path, PathBuf};
use std::str::FromStr;
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

/// A checkpoint's file, found to be one of this network.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Its tensors and metadata.
    pub state: StateDict,
    /// Its shape, activation and mean.
    pub config: Config,
    /// The activation, if it was told or the metadata have it.
    pub activation: Option<Activation>,
    /// The mean, if it was told or the metadata have it.
    pub mean: Option<MeanKind>,
    /// What it was trained for, if the metadata have one of our words for it.
    pub task: Option<Task>,
}

impl Checkpoint {
    /// Reads a checkpoint as [`Model::read`] does.
    ///
    /// # Errors
    /// As [`Model::read`].
    pub fn read(path: &Path, activation: Option<Activation>, mean: Option<MeanKind>) -> Result<Self, ModelError> {
        let state = checkpoint::read(path)?;
        let activation = told_or_noted(path, &state, "activation", activation)?;
        let mean = told_or_noted(path, &state, "mean", mean)?;
        let config = Config::infer(&state, activation.unwrap_or_default(), mean.unwrap_or_default())
            .map_err(|source| ModelError::Config { path: path.to_path_buf(), source })?;
        // Other programs' files may mean something else by it, so another word is no error.
        let task = state.metadata.get("task").and_then(|word| word.parse().ok());
        Ok(Self { state, config, activation, mean, task })
    }
}

/// What was told, else what the metadata say.
fn told_or_noted<T: FromStr<Err = String>>(
    path: &Path,
    state: &StateDict,
    key: &'static str,
    told: Option<T>,
) -> Result<Option<T>, ModelError> {
    match (told, state.metadata.get(key)) {
        (None, Some(value)) => value.parse().map(Some).map_err(|reason| ModelError::Metadata {
            path: path.to_path_buf(),
            key,
            value: value.clone(),
            reason,
        }),
        (told, _) => Ok(told),
    }
}

/// A trained network.
#[derive(Clone, Debug)]
pub struct Model {
    /// What it is called in messages: the shipped name, or the file.
    pub name: String,
    /// What it was trained for, if that is known. It chooses the turns where an average over them is asked for, no more.
    pub task: Option<Task>,
    /// Its shape, activation and mean.
    pub config: Config,
    /// Its tensors.
    pub weights: Weights,
    /// The longest side of pictures that it is good at, in pixels, if its change is smooth: then it sees a copy of at most that
    /// side, and the change is carried over to the picture.
    pub longest_side: Option<usize>,
}

impl Model {
    /// Reads a checkpoint in any form that is met in the wild. Activation and mean leave no trace in weights: they are
    /// as told, else as the file's metadata has them (files of `irnext convert` do), else tanh and global. The task is
    /// the metadata's too.
    ///
    /// # Errors
    /// When the file is no whole checkpoint, or not one of this network.
    pub fn read(path: &Path, activation: Option<Activation>, mean: Option<MeanKind>) -> Result<Self, ModelError> {
        let Checkpoint { state, config, task, .. } = Checkpoint::read(path, activation, mean)?;
        let (name, weights) = (path.display().to_string(), network::weights(&state));
        Ok(Self { name, task, config, weights, longest_side: None })
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
        let (weights, longest_side) = (network::weights(&state), found.longest_side);
        Ok(Self { name: found.name, task: Some(task), config, weights, longest_side })
    }

    /// The network as a graph for pictures of `height` × `width`, unfused.
    ///
    /// # Errors
    /// When a side is not a multiple of 32, or less than 64.
    pub fn graph(&self, height: usize, width: usize) -> Result<Graph, BuildError> {
        network::build(&self.config, &self.weights, height, width)
    }

    /// As [`Model::graph`], without the outputs at quarter and half size, which only training needs.
    ///
    /// # Errors
    /// As [`Model::graph`].
    pub fn picture_graph(&self, height: usize, width: usize) -> Result<Graph, BuildError> {
        let mut graph = self.graph(height, width)?;
        graph.outputs.retain(|output| output.name == "full");
        Ok(graph)
    }
}

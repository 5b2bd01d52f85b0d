//! What of IRNeXt a checkpoint decides (width, blocks) and what it must be told (activation, mean).

use super::checkpoint::StateDict;
use crate::by_name::by_name;
pub use crate::graph::Activation;
use std::fmt;
use thiserror::Error;

/// The mean that the dynamic filter subtracts: it leaves no trace in the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum MeanKind {
    /// Over the whole picture: dehazing.
    #[default]
    Global,
    /// Over a window of 120/256 of each side: motion deblurring.
    Local,
    /// The low band of a 2-D FFT.
    Frequency,
}

by_name!(MeanKind);

/// An instance of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Channels at full resolution, a multiple of 8; 32 in every published model.
    pub width: usize,
    /// Residual blocks per stage.
    pub blocks: usize,
    /// z → taps.
    pub activation: Activation,
    /// What the filter subtracts.
    pub mean: MeanKind,
    /// Groups of channels that share a filter's taps.
    pub groups: usize,
    /// Highest frequency of `mean = frequency`, in cycles per sample.
    pub cutoff: f64,
    /// The window of `mean = local`: this share of each side.
    pub window: (usize, usize),
    /// Whether it has the outputs at quarter and half size too, which only training needs.
    pub side_outputs: bool,
}

/// A checkpoint that is not one of this network.
#[derive(Debug, Error, PartialEq)]
pub enum ConfigError {
    /// The tensor that every IRNeXt has is not there.
    #[error(
        "this is no IRNeXt checkpoint: it has no tensor `{expected}`; it holds {count} tensors, the first of them \
         {found}"
    )]
    OtherNetwork {
        /// What was looked for.
        expected: String,
        /// How many tensors there are.
        count: usize,
        /// Some of their names.
        found: String,
    },
    /// A width that the network can't have.
    #[error(
        "`{tensor}` says that the network is {width} channels wide; the width is a multiple of 8 from 8 to {MAX_WIDTH}"
    )]
    Width {
        /// Where it was read.
        tensor: String,
        /// What was found.
        width: usize,
    },
    /// A tensor of the network is not there.
    #[error(
        "tensor `{name}` is missing; a network of width {width} with {blocks} blocks a stage has it, of shape {shape:?}"
    )]
    Missing {
        /// Its name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The network's width.
        width: usize,
        /// The network's blocks.
        blocks: usize,
    },
    /// A tensor of another shape.
    #[error("tensor `{name}` has shape {found:?}; a network of width {width} has {expected:?} there")]
    Shape {
        /// Its name.
        name: String,
        /// What the network has.
        expected: Vec<usize>,
        /// What the file has.
        found: Vec<usize>,
        /// The network's width.
        width: usize,
    },
    /// A tensor that the network doesn't have.
    #[error(
        "tensor `{name}` is not part of IRNeXt with {blocks} blocks a stage: this is another network, or a variant"
    )]
    Unexpected {
        /// Its name.
        name: String,
        /// The network's blocks.
        blocks: usize,
    },
    /// Weights that would make every picture black.
    #[error("tensor `{name}` holds a value that is not finite ({value}): the training of this checkpoint diverged")]
    NotFinite {
        /// Its name.
        name: String,
        /// The value.
        value: f32,
    },
}

const STEM: &str = "feat_extract.0.main.0.weight";

const SIDE_OUTPUTS: &str = "ConvsOut.";

/// Wider than any network that a device holds.
const MAX_WIDTH: usize = 1 << 16;

impl Config {
    /// The published network of a width and number of blocks.
    pub fn new(width: usize, blocks: usize, activation: Activation, mean: MeanKind) -> Self {
        Self { width, blocks, activation, mean, groups: 8, cutoff: 0.125, window: (120, 256), side_outputs: true }
    }

    /// Reads width, blocks and whether there are side outputs from names and shapes, and checks every tensor.
    ///
    /// # Errors
    /// When the tensors are not those of an IRNeXt, or not all finite.
    pub fn infer(state: &StateDict, activation: Activation, mean: MeanKind) -> Result<Self, ConfigError> {
        let Some(stem) = state.tensors.get(STEM) else {
            let names: Vec<String> = state.tensors.keys().take(3).map(|name| format!("`{name}`")).collect();
            let (count, found) = (state.tensors.len(), names.join(", "));
            return Err(ConfigError::OtherNetwork { expected: STEM.into(), count, found });
        };
        let width = stem.shape().first().copied().unwrap_or(0);
        if width == 0 || !width.is_multiple_of(8) || width > MAX_WIDTH {
            return Err(ConfigError::Width { tensor: STEM.into(), width });
        }
        let has = |block: &usize| state.tensors.contains_key(&format!("Encoder.0.layers.{block}.main.0.main.0.weight"));
        let blocks = (0..).take_while(has).count().max(1);
        let side_outputs = state.tensors.keys().any(|name| name.starts_with(SIDE_OUTPUTS));
        let config = Self { side_outputs, ..Self::new(width, blocks, activation, mean) };
        config.check(state)?;
        Ok(config)
    }

    /// Every tensor of the network and its shape, in the checkpoint's names and PyTorch's layouts.
    pub fn expected_tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut list = Tensors(vec![]);
        let [c1, c2, c4] = [self.width, 2 * self.width, 4 * self.width];
        for (coder, channels) in [("Encoder", [c1, c2, c4]), ("Decoder", [c4, c2, c1])] {
            for (stage, c) in channels.into_iter().enumerate() {
                for block in 0..self.blocks {
                    let prefix = format!("{coder}.{stage}.layers.{block}.main");
                    list.conv(&format!("{prefix}.0.main.0"), c, c, 3);
                    list.conv(&format!("{prefix}.2.main.0"), c, c, 3);
                    if block + 1 == self.blocks {
                        list.multi_scale(&format!("{prefix}.1"), c, self.groups);
                    }
                }
            }
        }
        list.conv("feat_extract.0.main.0", 3, c1, 3);
        list.conv("feat_extract.1.main.0", c1, c2, 3);
        list.conv("feat_extract.2.main.0", c2, c4, 3);
        for (name, inputs, out) in [("feat_extract.3.main.0", c4, c2), ("feat_extract.4.main.0", c2, c1)] {
            list.push(format!("{name}.weight"), &[inputs, out, 4, 4]);
            list.push(format!("{name}.bias"), &[out]);
        }
        list.conv("feat_extract.5.main.0", c1, 3, 3);
        list.conv("Convs.0.main.0", c4, c2, 1);
        list.conv("Convs.1.main.0", c2, c1, 1);
        if self.side_outputs {
            list.conv(&format!("{SIDE_OUTPUTS}0.main.0"), c4, 3, 3);
            list.conv(&format!("{SIDE_OUTPUTS}1.main.0"), c2, 3, 3);
        }
        for (merge, shallow, c) in [("FAM1", "SCM1", c4), ("FAM2", "SCM2", c2)] {
            list.conv(&format!("{merge}.merge.main.0"), 2 * c, c, 3);
            list.conv(&format!("{shallow}.main.0.main.0"), 3, c / 4, 3);
            list.conv(&format!("{shallow}.main.1.main.0"), c / 4, c / 2, 1);
            list.conv(&format!("{shallow}.main.2.main.0"), c / 2, c / 2, 3);
            list.conv(&format!("{shallow}.main.3.main.0"), c / 2, c, 1);
            list.push(format!("{shallow}.main.4.weight"), &[c]);
            list.push(format!("{shallow}.main.4.bias"), &[c]);
        }
        list.0
    }

    /// Whether a checkpoint holds just this network's tensors, all finite. Counters of batches don't matter.
    ///
    /// # Errors
    /// The first tensor that is missing, misshapen, unknown or not finite.
    pub fn check(&self, state: &StateDict) -> Result<(), ConfigError> {
        let expected = self.expected_tensors();
        let (width, blocks) = (self.width, self.blocks);
        for (name, shape) in &expected {
            let Some(tensor) = state.tensors.get(name) else {
                return Err(ConfigError::Missing { name: name.clone(), shape: shape.clone(), width, blocks });
            };
            if tensor.shape() != shape {
                let (expected, found) = (shape.clone(), tensor.shape().to_vec());
                return Err(ConfigError::Shape { name: name.clone(), expected, found, width });
            }
            if let Some(&value) = tensor.data().iter().find(|value| !value.is_finite()) {
                return Err(ConfigError::NotFinite { name: name.clone(), value });
            }
        }
        let known: std::collections::HashSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
        // Batch norms count their batches, and thop leaves its own counts in whatever it has counted.
        let counts = ["num_batches_tracked", "total_ops", "total_params"];
        let counter = |name: &str| counts.iter().any(|count| name.ends_with(count));
        match state.tensors.keys().find(|name| !known.contains(name.as_str()) && !counter(name)) {
            Some(name) => Err(ConfigError::Unexpected { name: name.clone(), blocks }),
            None => Ok(()),
        }
    }

    /// Learnable parameters: all but running statistics. 5.455 M at width 32 with 4 blocks, 13.206 M with 14.
    pub fn parameters(&self) -> usize {
        let learnt = self.expected_tensors().into_iter().filter(|(name, _)| !name.contains("running_"));
        learnt.map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { width, blocks, activation, mean, .. } = self;
        let millions = self.parameters() as f64 / 1e6;
        let without = if self.side_outputs { "" } else { ", no side outputs" };
        write!(
            f,
            "width {width}, {blocks} blocks a stage, activation {activation}, mean {mean}, {millions:.3} M \
             parameters{without}"
        )
    }
}

struct Tensors(Vec<(String, Vec<usize>)>);

impl Tensors {
    fn push(&mut self, name: String, shape: &[usize]) {
        self.0.push((name, shape.to_vec()));
    }

    fn conv(&mut self, name: &str, inputs: usize, out: usize, kernel: usize) {
        self.push(format!("{name}.weight"), &[out, inputs, kernel, kernel]);
        self.push(format!("{name}.bias"), &[out]);
    }

    fn multi_scale(&mut self, prefix: &str, c: usize, groups: usize) {
        for level in 0..3 {
            self.push(format!("{prefix}.convs.{level}.weight"), &[c, c, 3, 3]);
            let filter = format!("{prefix}.dynas.{level}");
            self.push(format!("{filter}.conv.weight"), &[groups * 9, c, 1, 1]);
            for part in ["weight", "bias", "running_mean", "running_var"] {
                self.push(format!("{filter}.bn.{part}"), &[groups * 9]);
            }
            self.push(format!("{filter}.lamb_l"), &[c]);
            self.push(format!("{filter}.lamb_h"), &[c]);
            self.push(format!("{filter}.inside_all"), &[c, 1, 1]);
        }
        self.push(format!("{prefix}.conv_sum.weight"), &[c, c, 3, 3]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_networks_have_the_published_number_of_parameters() {
        let count = |blocks| Config::new(32, blocks, Activation::Tanh, MeanKind::Global).parameters();
        assert_eq!((count(4) as f64 / 1e3).round(), 5455.0);
        assert_eq!((count(14) as f64 / 1e3).round(), 13206.0);
    }

    #[test]
    fn names_are_read_and_written() {
        for text in ["tanh", "softmax", "softmax_tanh"] {
            assert_eq!(text.parse::<Activation>().map(|a| a.to_string()), Ok(text.to_string()));
        }
        assert_eq!("frequency".parse(), Ok(MeanKind::Frequency));
        assert!("mean".parse::<MeanKind>().is_err());
    }
}

//! IRNeXt as a graph, straight from the paper: nothing fused, every activation, sum and normalisation a node of its
//! own, nodes and weights named as in the checkpoint. The passes rewrite it.
//!
//! Source: Cui, Ren, Yang, Cao, Knoll, *IRNeXt: Rethinking Convolutional Network Design for Image Restoration*, ICML
//! 2023, and its public release.

use super::checkpoint::StateDict;
use super::config::{Config, MeanKind};
use crate::graph::{
    Activation, Conv2d, ConvTranspose2d, DynamicFilter, Epilogue, Graph, GraphError, NodeId, Op, WeightId,
};
use crate::tensor::{Shape, Tensor};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use thiserror::Error;

/// Sides of pictures are multiples of this: two halvings and a pooling of 8.
pub const SIDE_MULTIPLE: usize = 32;

/// The shortest side: below it the coarsest map has a side of one pixel, where reflection has nothing to reflect.
pub const SIDE_LEAST: usize = 64;

/// Added to variances, in both normalisations.
const EPS: f64 = 1e-5;

/// Windows of the multi-scale module, coarse to fine.
const POOLS: [usize; 3] = [8, 4, 2];

/// Tensors by name, shared by the graphs of all sizes.
pub type Weights = BTreeMap<String, Arc<Tensor>>;

/// A checkpoint's tensors, to be shared.
pub fn weights(state: &StateDict) -> Weights {
    state.tensors.iter().map(|(name, tensor)| (name.clone(), Arc::new(tensor.clone()))).collect()
}

/// A network that can't be built.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum BuildError {
    /// The state dict lacks a weight.
    #[error("the checkpoint has no tensor `{name}`")]
    MissingWeight {
        /// The name that was looked up.
        name: String,
    },
    /// A weight, or a map made with it, doesn't fit.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A picture that can't be halved and pooled without a remainder, or is too small.
    #[error(
        "the network takes pictures whose sides are multiples of {SIDE_MULTIPLE}, at least {SIDE_LEAST}, not {height}x{width}"
    )]
    Size {
        /// Rows asked for.
        height: usize,
        /// Columns asked for.
        width: usize,
    },
}

/// What the dynamic filter subtracts from its low band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Smooth {
    /// The mean over the whole map.
    Global,
    /// The mean over a window of base/train of each side.
    Box { base: usize, train: usize },
    /// The frequencies up to `cutoff`, in cycles per sample.
    LowBand { cutoff: f64 },
}

/// The parts of a dynamic filter that leave no trace in its weights' names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attention {
    /// Runs of consecutive channels that share taps.
    pub(crate) groups: usize,
    /// Numbers → taps.
    pub(crate) activation: Activation,
    /// What is subtracted.
    pub(crate) smooth: Smooth,
    /// Added to the variance of the batch norm.
    pub(crate) eps: f64,
}

impl Attention {
    /// That of published networks: 8 groups.
    pub(crate) fn new(activation: Activation, smooth: Smooth) -> Self {
        Self { groups: 8, activation, smooth, eps: EPS }
    }
}

/// The network for pictures of `height` × `width`: input `input`, outputs `quarter`, `half` and `full`; without side
/// outputs `full` alone.
///
/// # Errors
/// When a side is no multiple of 32 or less than 64, or the weights are not those of the config.
pub fn build(config: &Config, weights: &Weights, height: usize, width: usize) -> Result<Graph, BuildError> {
    if [height, width].iter().any(|&side| side < SIDE_LEAST || side % SIDE_MULTIPLE != 0) {
        return Err(BuildError::Size { height, width });
    }
    let smooth = match config.mean {
        MeanKind::Global => Smooth::Global,
        MeanKind::Local => Smooth::Box { base: config.window.0, train: config.window.1 },
        MeanKind::Frequency => Smooth::LowBand { cutoff: config.cutoff },
    };
    let attention = Attention { groups: config.groups, ..Attention::new(config.activation, smooth) };
    let Config { blocks, side_outputs, .. } = *config;
    let mut network = Network { build: Builder::new(weights), blocks, attention, side_outputs };
    network.all(height, width)?;
    Ok(network.build.graph)
}

/// The whole of the network: three scales down, three up.
struct Network<'a> {
    build: Builder<'a>,
    blocks: usize,
    attention: Attention,
    side_outputs: bool,
}

impl Network<'_> {
    fn all(&mut self, height: usize, width: usize) -> Result<(), BuildError> {
        let x = self.build.graph.input("input", Shape::new(height, width, 3), true);
        let x2 = self.build.push("half_input", Op::NearestHalf, &[x])?;
        let x4 = self.build.push("quarter_input", Op::NearestHalf, &[x2])?;

        let e1 = self.conv_act("feat_extract.0", x, 1)?;
        let e1 = self.stage("Encoder.0", e1)?;
        let down = self.conv_act("feat_extract.1", e1, 2)?;
        let e2 = self.merge("FAM2", down, "SCM2", x2)?;
        let e2 = self.stage("Encoder.1", e2)?;
        let down = self.conv_act("feat_extract.2", e2, 2)?;
        let e3 = self.merge("FAM1", down, "SCM1", x4)?;
        let e3 = self.stage("Encoder.2", e3)?;

        let d3 = self.stage("Decoder.0", e3)?;
        let d2 = self.rise("feat_extract.3", d3, "Convs.0", e2)?;
        let d2 = self.stage("Decoder.1", d2)?;
        let d1 = self.rise("feat_extract.4", d2, "Convs.1", e1)?;
        let d1 = self.stage("Decoder.2", d1)?;

        let side = [("quarter", "ConvsOut.0", d3, x4), ("half", "ConvsOut.1", d2, x2)];
        let outputs = if self.side_outputs { &side[..] } else { &[] };
        for &(output, name, features, skip) in outputs.iter().chain(&[("full", "feat_extract.5", d1, x)]) {
            let picture = self.conv(name, features, 1)?;
            let picture = self.build.push(format!("{name}.skip"), Op::Add { scale: 1.0 }, &[picture, skip])?;
            self.build.graph.output(output, picture, true);
        }
        Ok(())
    }

    /// A convolution of the release's `BasicConv`, which keeps its layers in `main`.
    fn conv(&mut self, name: &str, x: NodeId, stride: usize) -> Result<NodeId, BuildError> {
        self.build.conv(&format!("{name}.main.0"), x, stride, true)
    }

    fn conv_act(&mut self, name: &str, x: NodeId, stride: usize) -> Result<NodeId, BuildError> {
        let y = self.conv(name, x, stride)?;
        self.build.push(format!("{name}.main.1"), Op::Gelu, &[y])
    }

    /// Residual blocks, the last with the multi-scale module between its convolutions.
    fn stage(&mut self, name: &str, mut x: NodeId) -> Result<NodeId, BuildError> {
        for block in 0..self.blocks {
            let block_name = format!("{name}.layers.{block}");
            let mut y = self.conv_act(&format!("{block_name}.main.0"), x, 1)?;
            if block + 1 == self.blocks {
                y = self.build.multi_scale(&format!("{block_name}.main.1."), y, &self.attention)?;
            }
            y = self.conv(&format!("{block_name}.main.2"), y, 1)?;
            x = self.build.push(format!("{block_name}.skip"), Op::Add { scale: 1.0 }, &[y, x])?;
        }
        Ok(x)
    }

    /// Features of a downscaled picture (SCM), and their merging into the encoder's (FAM).
    fn merge(&mut self, fam: &str, down: NodeId, scm: &str, picture: NodeId) -> Result<NodeId, BuildError> {
        let mut y = picture;
        for layer in 0..3 {
            y = self.conv_act(&format!("{scm}.main.{layer}"), y, 1)?;
        }
        y = self.conv(&format!("{scm}.main.3"), y, 1)?;
        let norm = format!("{scm}.main.4");
        let op = Op::InstanceNorm {
            weight: self.build.weight(&format!("{norm}.weight"))?,
            bias: self.build.weight(&format!("{norm}.bias"))?,
            eps: EPS,
        };
        y = self.build.push(norm, op, &[y])?;
        let both = self.build.push(format!("{fam}.concat"), Op::Concat, &[down, y])?;
        self.conv(&format!("{fam}.merge"), both, 1)
    }

    /// Up to the next scale, and merged there with the encoder's features.
    fn rise(&mut self, up: &str, x: NodeId, merge: &str, skip: NodeId) -> Result<NodeId, BuildError> {
        let y = self.build.conv_transpose(&format!("{up}.main.0"), x)?;
        let y = self.build.push(format!("{up}.main.1"), Op::Gelu, &[y])?;
        let both = self.build.push(format!("{merge}.concat"), Op::Concat, &[y, skip])?;
        self.conv_act(merge, both, 1)
    }
}

/// A graph under construction over named weights.
pub(crate) struct Builder<'a> {
    /// What is built so far.
    pub(crate) graph: Graph,
    tensors: &'a Weights,
    taken: HashMap<String, WeightId>,
}

impl<'a> Builder<'a> {
    /// An empty graph.
    pub(crate) fn new(tensors: &'a Weights) -> Self {
        Self { graph: Graph::new(), tensors, taken: HashMap::new() }
    }

    /// The weight of that name, taken into the graph once.
    pub(crate) fn weight(&mut self, name: &str) -> Result<WeightId, BuildError> {
        if let Some(&id) = self.taken.get(name) {
            return Ok(id);
        }
        let tensor = self.tensors.get(name).ok_or_else(|| BuildError::MissingWeight { name: name.into() })?;
        let id = self.graph.weight(name, tensor.clone());
        self.taken.insert(name.into(), id);
        Ok(id)
    }

    /// An operation.
    pub(crate) fn push(&mut self, name: impl Into<String>, op: Op, inputs: &[NodeId]) -> Result<NodeId, BuildError> {
        Ok(self.graph.push(name, op, inputs)?)
    }

    /// A convolution that keeps the size (at stride 1), its kernel as its weight `{name}.weight` has it.
    pub(crate) fn conv(&mut self, name: &str, x: NodeId, stride: usize, bias: bool) -> Result<NodeId, BuildError> {
        let weight = self.weight(&format!("{name}.weight"))?;
        let kernel = self.graph.tensor(weight).shape().last().copied().unwrap_or(0);
        let bias = if bias { Some(self.weight(&format!("{name}.bias"))?) } else { None };
        let conv = Conv2d { weight, bias, kernel, stride, padding: kernel / 2, epilogue: Epilogue::default() };
        self.push(name, Op::Conv2d(conv), &[x])
    }

    fn conv_transpose(&mut self, name: &str, x: NodeId) -> Result<NodeId, BuildError> {
        let weight = self.weight(&format!("{name}.weight"))?;
        let bias = Some(self.weight(&format!("{name}.bias"))?);
        self.push(name, Op::ConvTranspose2d(ConvTranspose2d { weight, bias, gelu: false }), &[x])
    }

    /// The dynamic filter LAM over x; `prefix` stands before its weights' names, separator included.
    pub(crate) fn local_attention(
        &mut self,
        prefix: &str,
        x: NodeId,
        attention: &Attention,
    ) -> Result<NodeId, BuildError> {
        let named = |name: &str| format!("{prefix}{name}");
        let mean = self.push(named("mean"), Op::GlobalMean, &[x])?;
        let z = self.conv(&named("conv"), mean, 1, false)?;
        let parameters = [
            self.weight(&named("bn.weight"))?,
            self.weight(&named("bn.bias"))?,
            self.weight(&named("bn.running_mean"))?,
            self.weight(&named("bn.running_var"))?,
        ];
        let z = self.push(named("bn"), Op::BatchNorm { parameters, eps: attention.eps }, &[z])?;
        let &Attention { groups, activation, .. } = attention;
        let channels = self.graph.node(x).shape.channels;
        let taps = self.push(named("taps"), Op::TapActivation { groups, channels, activation }, &[z])?;
        let smooth = match attention.smooth {
            Smooth::Global => mean,
            Smooth::Box { base, train } => self.push(named("box_mean"), Op::BoxMean { base, train }, &[x])?,
            Smooth::LowBand { cutoff } => self.push(named("low_band"), Op::LowBand { cutoff }, &[x])?,
        };
        let filter = DynamicFilter {
            inside: self.weight(&named("inside_all"))?,
            lamb_l: self.weight(&named("lamb_l"))?,
            lamb_h: self.weight(&named("lamb_h"))?,
        };
        self.push(named("filter"), Op::DynamicFilter(filter), &[x, taps, smooth])
    }

    /// The multi-scale module over x; `prefix` as in [`Builder::local_attention`].
    ///
    /// Coarse to fine: pool, add the coarser result, convolve, filter; all results upsampled and added to x, then GELU
    /// and a last convolution.
    pub(crate) fn multi_scale(&mut self, prefix: &str, x: NodeId, attention: &Attention) -> Result<NodeId, BuildError> {
        let named = |name: String| format!("{prefix}{name}");
        let Shape { height, width, .. } = self.graph.node(x).shape;
        let (mut total, mut coarser) = (x, None);
        // Side by side, for one kernel makes them all; and no level but the last needs the whole map then.
        let mut pools = [x; POOLS.len()];
        for (level, size) in POOLS.into_iter().enumerate() {
            pools[level] = self.push(named(format!("pool.{level}")), Op::AvgPool { size }, &[x])?;
        }
        for (level, mut y) in pools.into_iter().enumerate() {
            if let Some(coarser) = coarser {
                let Shape { height, width, .. } = self.graph.node(coarser).shape;
                let twice = self.upsample(named(format!("finer.{level}")), coarser, 2 * height, 2 * width)?;
                y = self.push(named(format!("finer_sum.{level}")), Op::Add { scale: 1.0 }, &[y, twice])?;
            }
            y = self.conv(&named(format!("convs.{level}")), y, 1, false)?;
            y = self.local_attention(&named(format!("dynas.{level}.")), y, attention)?;
            let full = self.upsample(named(format!("upsample.{level}")), y, height, width)?;
            total = self.push(named(format!("sum.{level}")), Op::Add { scale: 1.0 }, &[total, full])?;
            coarser = Some(y);
        }
        let total = self.push(named("gelu".into()), Op::Gelu, &[total])?;
        self.conv(&named("conv_sum".into()), total, 1, false)
    }

    fn upsample(&mut self, name: String, x: NodeId, height: usize, width: usize) -> Result<NodeId, BuildError> {
        self.push(name, Op::UpsampleSum { height, width, base: false, gelu: false }, &[x])
    }
}

//! The op set: what IRNeXt is made of, and the fused forms that passes rewrite it to.

use super::WeightId;
use crate::by_name::by_name;

/// What turns the 9 numbers per group into filter taps: it leaves no trace in the weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Activation {
    /// All published weights.
    #[default]
    Tanh,
    /// Softmax over the 9 taps.
    Softmax,
    /// The product of both.
    #[value(alias = "softmax-tanh")]
    SoftmaxTanh,
}

by_name!(Activation);

/// What a convolution does to its sums before it stores them: `y = act(sum + bias) + residual`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Epilogue {
    /// Apply GELU in its exact erf form.
    pub gelu: bool,
    /// Add the node's last input, of the result's shape.
    pub residual: bool,
}

/// A convolution with zero padding over one map or over two whose channels are read one after the other.
#[derive(Clone, Debug)]
pub struct Conv2d {
    /// `[out, in, kernel, kernel]`.
    pub weight: WeightId,
    /// `[out]`.
    pub bias: Option<WeightId>,
    /// Taps on each axis.
    pub kernel: usize,
    /// Step on each axis.
    pub stride: usize,
    /// Zeros on each side.
    pub padding: usize,
    /// What happens to the sums.
    pub epilogue: Epilogue,
}

impl Conv2d {
    /// How many of `inputs` are convolved (the rest is the residual).
    pub fn sources(&self, inputs: usize) -> usize {
        inputs - usize::from(self.epilogue.residual)
    }
}

/// A 4×4 transposed convolution of stride 2 and padding 1: doubles both sides.
#[derive(Clone, Debug)]
pub struct ConvTranspose2d {
    /// `[in, out, 4, 4]`.
    pub weight: WeightId,
    /// `[out]`.
    pub bias: Option<WeightId>,
    /// Apply GELU to the result.
    pub gelu: bool,
}

/// Where a filter's taps come from: `z = weight · mean + bias`, one row a tap of a group.
#[derive(Clone, Debug)]
pub struct TapWeights {
    /// `[groups · 9, channels, 1, 1]`.
    pub weight: WeightId,
    /// `[groups · 9]`.
    pub bias: WeightId,
    /// Groups of consecutive channels that share taps.
    pub groups: usize,
    /// z → taps.
    pub activation: Activation,
}

/// The dynamic filter (paper §3.3, LAM): with `low` the 3×3 correlation of the reflect-padded x with its taps,
/// `low' = low·(inside + 1) − inside·smooth` and `y = low'·lamb_l + x·(lamb_h + 1)`.
#[derive(Clone, Debug)]
pub struct DynamicFilter {
    /// `[channels, 1, 1]`: W, `inside_all` in checkpoints.
    pub inside: WeightId,
    /// `[channels]`: the gain of the low band.
    pub lamb_l: WeightId,
    /// `[channels]`: the gain of the rest, less 1.
    pub lamb_h: WeightId,
}

/// One operation. Inputs are feature maps of one picture, `[height, width, channels]`.
#[derive(Clone, Debug)]
pub enum Op {
    /// What the caller provides: a picture, kept in f32, or a feature map in the plan's precision.
    Input {
        /// Whether it is a picture.
        image: bool,
    },
    /// One or two maps, and the residual if the epilogue has one.
    Conv2d(Conv2d),
    /// One map.
    ConvTranspose2d(ConvTranspose2d),
    /// Two maps of one size, channels one after the other. The pass `two_input_convolutions` removes it.
    Concat,
    /// `(x − mean) / √(var + eps) · weight + bias` with running statistics. The pass `fold_batch_norm` removes it.
    BatchNorm {
        /// weight, bias, running_mean, running_var; each `[channels]`.
        parameters: [WeightId; 4],
        /// Added to the variance.
        eps: f64,
    },
    /// `x·Φ(x)`, exact erf form.
    Gelu,
    /// `a + scale·b` of two maps of one shape.
    Add {
        /// The factor of the second.
        scale: f32,
    },
    /// The mean of `size` × `size` pixels at stride `size`; the remainder is dropped.
    AvgPool {
        /// Side of the window.
        size: usize,
    },
    /// `gelu?(base? + Σ upsample(source))`: bilinear, align_corners = true, to `height` × `width`.
    /// Inputs: the base, if any, then 1 to 3 sources.
    UpsampleSum {
        /// Rows of the result.
        height: usize,
        /// Columns of the result.
        width: usize,
        /// Whether the first input is a map of the result's size that is added.
        base: bool,
        /// Apply GELU to the sum.
        gelu: bool,
    },
    /// Every second pixel, from the top left: `x[0::2, 0::2]`.
    NearestHalf,
    /// `(x − mean) / √(var + eps) · weight + bias` with each channel's own statistics over the picture.
    InstanceNorm {
        /// `[channels]`.
        weight: WeightId,
        /// `[channels]`.
        bias: WeightId,
        /// Added to the (biased) variance.
        eps: f64,
    },
    /// Each channel's mean and biased variance over the picture: `[1, 2, channels]`.
    Moments,
    /// `(x − mean) / √(var + eps) · weight + bias`. Inputs: x, its moments. What is left of an instance norm where a
    /// picture is taken in bands.
    Normalise {
        /// `[channels]`.
        weight: WeightId,
        /// `[channels]`.
        bias: WeightId,
        /// Added to the variance.
        eps: f64,
    },
    /// The mean over all pixels: `[1, 1, channels]`.
    GlobalMean,
    /// The mean over a window of ⌊base·h/train⌋ × ⌊base·w/train⌋, replicated at the borders to the input's size.
    BoxMean {
        /// Numerator of the window's share.
        base: usize,
        /// Denominator of the window's share.
        train: usize,
    },
    /// The part of x at or below `cutoff` cycles per sample on both axes.
    LowBand {
        /// Highest frequency kept.
        cutoff: f64,
    },
    /// The 2-D discrete Fourier transform of each channel: real parts in the first half of the channels, imaginary
    /// parts in the second.
    Fft2,
    /// z `[1, 1, groups·9]` → taps `[1, 9, channels]`. The pass `fuse_taps` merges it with its convolution.
    TapActivation {
        /// Groups of channels.
        groups: usize,
        /// Channels of the map to be filtered.
        channels: usize,
        /// z → taps.
        activation: Activation,
    },
    /// mean `[1, 1, channels]` → taps `[1, 9, channels]`.
    FilterTaps(TapWeights),
    /// x, taps, smooth (of x's shape, or `[1, 1, channels]`).
    DynamicFilter(DynamicFilter),
    /// Pads by reflection (as often as needed), or crops where negative.
    ReflectPad {
        /// Columns added on the left.
        left: isize,
        /// Columns added on the right.
        right: isize,
        /// Rows added above.
        top: isize,
        /// Rows added below.
        bottom: isize,
    },
}

impl Op {
    /// The name in dumps, and of the kernel that computes it.
    pub fn kind(&self) -> &'static str {
        match self {
            Op::Input { .. } => "input",
            Op::Conv2d(_) => "conv2d",
            Op::ConvTranspose2d(_) => "conv_transpose2d",
            Op::Concat => "concat",
            Op::BatchNorm { .. } => "batch_norm",
            Op::Gelu => "gelu",
            Op::Add { .. } => "add",
            Op::AvgPool { .. } => "avg_pool",
            Op::UpsampleSum { .. } => "upsample_sum",
            Op::NearestHalf => "nearest_half",
            Op::InstanceNorm { .. } => "instance_norm",
            Op::Moments => "moments",
            Op::Normalise { .. } => "normalise",
            Op::GlobalMean => "global_mean",
            Op::BoxMean { .. } => "box_mean",
            Op::LowBand { .. } => "low_band",
            Op::Fft2 => "fft2",
            Op::TapActivation { .. } => "tap_activation",
            Op::FilterTaps(_) => "filter_taps",
            Op::DynamicFilter(_) => "dynamic_filter",
            Op::ReflectPad { .. } => "reflect_pad",
        }
    }

    /// The weights it reads.
    pub fn weights(&self) -> Vec<WeightId> {
        match self {
            Op::Conv2d(conv) => std::iter::once(conv.weight).chain(conv.bias).collect(),
            Op::ConvTranspose2d(conv) => std::iter::once(conv.weight).chain(conv.bias).collect(),
            Op::BatchNorm { parameters, .. } => parameters.to_vec(),
            Op::InstanceNorm { weight, bias, .. } | Op::Normalise { weight, bias, .. } => vec![*weight, *bias],
            Op::FilterTaps(taps) => vec![taps.weight, taps.bias],
            Op::DynamicFilter(filter) => vec![filter.inside, filter.lamb_l, filter.lamb_h],
            _ => vec![],
        }
    }
}

//! Shape inference: what shape an op makes of its inputs, or why it can't.

use super::{Graph, NodeId, Op, WeightId};
use crate::tensor::Shape;
use thiserror::Error;

/// An op that doesn't fit its inputs.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{node} ({op}): {reason}")]
pub struct GraphError {
    /// The node's name.
    pub node: String,
    /// The op's kind.
    pub op: &'static str,
    /// What doesn't fit, with the shapes.
    pub reason: String,
}

pub(super) fn infer(graph: &Graph, name: &str, op: &Op, inputs: &[NodeId]) -> Result<Shape, GraphError> {
    let shapes: Vec<Shape> = inputs.iter().map(|&id| graph.node(id).shape).collect();
    let check = Check { graph, shapes: &shapes };
    check.shape(op).map_err(|reason| GraphError { node: name.into(), op: op.kind(), reason })
}

struct Check<'a> {
    graph: &'a Graph,
    shapes: &'a [Shape],
}

impl Check<'_> {
    fn shape(&self, op: &Op) -> Result<Shape, String> {
        match op {
            Op::Input { .. } => Err("an input is added by Graph::input".into()),
            Op::Conv2d(conv) => {
                let sources = self.shapes.len().saturating_sub(usize::from(conv.epilogue.residual));
                require((1..=2).contains(&sources), || format!("convolves 1 or 2 maps, not {sources}"))?;
                let x = self.shapes[0];
                let channels: usize = self.shapes[..sources].iter().map(|s| s.channels).sum();
                for other in &self.shapes[1..sources] {
                    require((other.height, other.width) == (x.height, x.width), || format!("maps {x} and {other}"))?;
                }
                require(conv.kernel > 0 && conv.stride > 0, || "kernel and stride must be at least 1".into())?;
                let weight = self.graph.tensor(conv.weight).shape();
                let out = weight.first().copied().unwrap_or(0);
                self.weight(conv.weight, &[out, channels, conv.kernel, conv.kernel])?;
                conv.bias.map_or(Ok(()), |bias| self.weight(bias, &[out]))?;
                let side = |n: usize| Some((n + 2 * conv.padding).checked_sub(conv.kernel)? / conv.stride + 1);
                let shape = match (side(x.height), side(x.width)) {
                    (Some(height), Some(width)) => Shape::new(height, width, out),
                    _ => return Err(format!("a kernel of {} is larger than {x} with its padding", conv.kernel)),
                };
                if conv.epilogue.residual {
                    let residual = self.shapes[sources];
                    require(residual == shape, || format!("adds {residual} to {shape}"))?;
                }
                Ok(shape)
            }
            Op::ConvTranspose2d(conv) => {
                let [x] = self.arity()?;
                let out = self.graph.tensor(conv.weight).shape().get(1).copied().unwrap_or(0);
                self.weight(conv.weight, &[x.channels, out, 4, 4])?;
                conv.bias.map_or(Ok(()), |bias| self.weight(bias, &[out]))?;
                Ok(Shape::new(2 * x.height, 2 * x.width, out))
            }
            Op::Concat => {
                let [a, b] = self.arity()?;
                require((a.height, a.width) == (b.height, b.width), || format!("maps {a} and {b}"))?;
                Ok(Shape::new(a.height, a.width, a.channels + b.channels))
            }
            Op::BatchNorm { parameters, .. } => {
                let [x] = self.arity()?;
                parameters.iter().try_for_each(|&id| self.weight(id, &[x.channels]))?;
                Ok(x)
            }
            Op::Gelu | Op::BoxMean { .. } | Op::LowBand { .. } => {
                let [x] = self.arity()?;
                if let Op::BoxMean { base, train } = op {
                    require(0 < *base && base <= train, || format!("a window of {base}/{train} of the map"))?;
                }
                Ok(x)
            }
            Op::Add { .. } => {
                let [a, b] = self.arity()?;
                require(a == b, || format!("adds {b} to {a}"))?;
                Ok(a)
            }
            Op::AvgPool { size } => {
                let [x] = self.arity()?;
                require(*size > 0 && x.height >= *size && x.width >= *size, || format!("{x} is smaller than {size}"))?;
                Ok(Shape::new(x.height / size, x.width / size, x.channels))
            }
            Op::UpsampleSum { height, width, base, .. } => {
                let sources = self.shapes.len().saturating_sub(usize::from(*base));
                require((1..=3).contains(&sources), || format!("upsamples 1 to 3 maps, not {sources}"))?;
                let shape = Shape::new(*height, *width, self.shapes[0].channels);
                for other in self.shapes {
                    require(other.channels == shape.channels, || format!("{other} onto {shape}"))?;
                }
                require(!base || self.shapes[0] == shape, || format!("adds {} to {shape}", self.shapes[0]))?;
                Ok(shape)
            }
            Op::NearestHalf => {
                let [x] = self.arity()?;
                Ok(Shape::new(x.height.div_ceil(2), x.width.div_ceil(2), x.channels))
            }
            Op::Moments => {
                let [x] = self.arity()?;
                Ok(Shape::new(1, 2, x.channels))
            }
            Op::Normalise { weight, bias, .. } => {
                let [x, moments] = self.arity()?;
                let expected = Shape::new(1, 2, x.channels);
                require(moments == expected, || format!("moments {moments} of {x}"))?;
                self.weight(*weight, &[x.channels])?;
                self.weight(*bias, &[x.channels])?;
                Ok(x)
            }
            Op::InstanceNorm { weight, bias, .. } => {
                let [x] = self.arity()?;
                self.weight(*weight, &[x.channels])?;
                self.weight(*bias, &[x.channels])?;
                Ok(x)
            }
            Op::GlobalMean => {
                let [x] = self.arity()?;
                Ok(Shape::new(1, 1, x.channels))
            }
            Op::Fft2 => {
                let [x] = self.arity()?;
                Ok(Shape::new(x.height, x.width, 2 * x.channels))
            }
            Op::TapActivation { groups, channels, .. } => {
                let [z] = self.arity()?;
                require(z == Shape::new(1, 1, groups * 9), || {
                    format!("{z} is not 9 taps for each of {groups} groups")
                })?;
                require(*groups > 0 && channels % groups == 0, || format!("{channels} channels in {groups} groups"))?;
                Ok(Shape::new(1, 9, *channels))
            }
            Op::FilterTaps(taps) => {
                let [mean] = self.arity()?;
                let (groups, channels) = (taps.groups, mean.channels);
                require(mean.pixels() == 1, || format!("{mean} is not a mean"))?;
                require(groups > 0 && channels % groups == 0, || format!("{channels} channels in {groups} groups"))?;
                self.weight(taps.weight, &[groups * 9, channels, 1, 1])?;
                self.weight(taps.bias, &[groups * 9])?;
                Ok(Shape::new(1, 9, channels))
            }
            Op::DynamicFilter(filter) => {
                let [x, taps, smooth] = self.arity()?;
                let c = x.channels;
                require(taps == Shape::new(1, 9, c), || format!("taps {taps} for {x}"))?;
                require(smooth == x || smooth == Shape::new(1, 1, c), || format!("means {smooth} for {x}"))?;
                self.weight(filter.inside, &[c, 1, 1])?;
                self.weight(filter.lamb_l, &[c])?;
                self.weight(filter.lamb_h, &[c])?;
                Ok(x)
            }
            Op::ReflectPad { left, right, top, bottom } => {
                let [x] = self.arity()?;
                let side = |n: usize, a: &isize, b: &isize| n.checked_add_signed(a.checked_add(*b)?);
                match (side(x.height, top, bottom), side(x.width, left, right)) {
                    (Some(height), Some(width)) if height > 0 && width > 0 => Ok(Shape::new(height, width, x.channels)),
                    _ => Err(format!("crops more than {x} has")),
                }
            }
        }
    }

    fn arity<const N: usize>(&self) -> Result<[Shape; N], String> {
        self.shapes.try_into().map_err(|_| format!("takes {N} inputs, not {}", self.shapes.len()))
    }

    fn weight(&self, id: WeightId, expected: &[usize]) -> Result<(), String> {
        let found = self.graph.tensor(id).shape();
        require(found == expected, || {
            format!("weight {} has shape {found:?}, expected {expected:?}", self.graph.weights[id.0].name)
        })
    }
}

fn require(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}

//! Golden files: an operator's inputs, weights and outputs as another implementation recorded them, made into graphs.
//!
//! A golden file is a tensor file: tensors `<case>/input`, `<case>/weight`, `<case>/output`, …, and in the metadata
//! under `<case>` a JSON object with `op` and its parameters. Tensors are NCHW.

use super::parameters::Parameters;
use crate::graph::{Conv2d, ConvTranspose2d, Epilogue, Graph, NodeId, Op, WeightId};
use crate::model::network::{Builder, Weights};
use crate::tensor::{FeatureMap, Shape, Tensor, file::TensorFile};
use std::collections::BTreeSet;
use std::sync::Arc;
use thiserror::Error;

/// A case that can't be run, and why.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("golden case `{case}`: {reason}")]
pub struct GoldenError {
    /// The case's name.
    pub case: String,
    /// What was expected of it, and what it has.
    pub reason: String,
}

/// A case made ready: run `graph` on each of `pictures` and compare.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name in the file.
    pub name: String,
    /// The op it is about.
    pub op: String,
    /// One input of the graph a run.
    pub pictures: Vec<FeatureMap<f32>>,
    /// The op, unfused.
    pub graph: Graph,
    /// What was recorded, in the order of the graph's outputs: name and values, NCHW, all pictures.
    pub expected: Vec<(String, Tensor)>,
}

/// Every case of a golden file, in the order of their names: a bad one doesn't hide the others.
pub fn cases(file: &TensorFile) -> Vec<Result<Case, GoldenError>> {
    let mut names: BTreeSet<&str> = file.tensors.keys().filter_map(|name| Some(name.rsplit_once('/')?.0)).collect();
    // Other programs leave notes there too: an entry without tensors is one if it is no object, or a whole one without `op`.
    let is_note = |text: &str| {
        let is_whole = Parameters::parse(text).is_ok_and(|parameters| parameters.optional_text("op") == Ok(None));
        !text.trim_start().starts_with('{') || is_whole
    };
    names.extend(file.metadata.iter().filter(|(_, text)| !is_note(text)).map(|(name, _)| &**name));
    names.into_iter().map(|name| case(file, name)).collect()
}

fn case(file: &TensorFile, name: &str) -> Result<Case, GoldenError> {
    let fail = |reason: String| GoldenError { case: name.into(), reason };
    let text = file.metadata.get(name).ok_or_else(|| fail("the metadata has no entry for it".into()))?;
    let parameters = Parameters::parse(text).map_err(fail)?;
    let op = parameters.text("op").map_err(fail)?.to_string();
    let prefix = format!("{name}/");
    let own = file.tensors.iter().filter(|(tensor, _)| tensor.starts_with(&prefix));
    let tensors: Weights = own.map(|(tensor, values)| (tensor.clone(), Arc::new(values.clone()))).collect();
    let mut recipe = Recipe { prefix, tensors: &tensors, build: Builder::new(&tensors) };
    let pictures = recipe.pictures(&op).map_err(fail)?;
    let outputs = recipe.build(&op, &parameters, pictures[0].shape).map_err(fail)?;
    let mut expected = Vec::new();
    for (output, node) in outputs {
        let shape = recipe.build.graph.node(node).shape;
        let tensor = nchw(recipe.tensor(output).map_err(fail)?, &op).map_err(fail)?;
        let made = [pictures.len(), shape.channels, shape.height, shape.width];
        if tensor.shape() != made {
            return Err(fail(format!("`{output}` has shape {:?}, but this op makes {made:?}", tensor.shape())));
        }
        recipe.build.graph.output(output, node, false);
        expected.push((output.to_string(), tensor));
    }
    Ok(Case { name: name.into(), op, pictures, graph: recipe.build.graph, expected })
}

/// One case on its way to a graph.
struct Recipe<'a> {
    prefix: String,
    tensors: &'a Weights,
    build: Builder<'a>,
}

/// The outputs' names and nodes, or what is wrong.
type Outputs = Result<Vec<(&'static str, NodeId)>, String>;

impl Recipe<'_> {
    fn build(&mut self, op: &str, parameters: &Parameters, shape: Shape) -> Outputs {
        let x = self.build.graph.input("input", shape, false);
        let output = match op {
            "conv2d" => self.conv2d(parameters, x),
            "conv_transpose2d" => self.conv_transpose2d(parameters, x),
            "avg_pool2d" => self.avg_pool2d(parameters, x),
            "upsample_bilinear" => self.upsample(parameters, x),
            "downsample_nearest" => self.downsample(parameters, x),
            "instance_norm" => self.instance_norm(parameters, x),
            "global_mean" => self.push(Op::GlobalMean, &[x]),
            "box_mean" => {
                let (base, train) = parameters.window()?;
                self.push(Op::BoxMean { base, train }, &[x])
            }
            "gelu" => {
                parameters.only_text("approximate", &["none"])?;
                if parameters.optional_text("form")?.is_some_and(|form| form.contains("tanh")) {
                    return Err("`form` names the tanh approximation, expected the exact form".into());
                }
                self.push(Op::Gelu, &[x])
            }
            "reflect_pad" => {
                let side = |name| parameters.integer_or(name, 0);
                let (left, right) = (side("left")?, side("right")?);
                let (top, bottom) = (side("top")?, side("bottom")?);
                self.push(Op::ReflectPad { left, right, top, bottom }, &[x])
            }
            "local_attention" => {
                parameters.only("kernel", 3)?;
                let attention = parameters.attention()?;
                let prefix = self.prefix.clone();
                self.build.local_attention(&prefix, x, &attention).map_err(text)
            }
            "multi_scale" => {
                let attention = parameters.attention()?;
                let prefix = self.prefix.clone();
                self.build.multi_scale(&prefix, x, &attention).map_err(text)
            }
            "fft2" => return self.fft2(parameters, x, shape.channels),
            "frequency_split" => return self.frequency_split(parameters, x),
            _ => Err(format!(
                "op `{op}` is not known; expected one of conv2d, conv_transpose2d, avg_pool2d, upsample_bilinear, \
                 downsample_nearest, instance_norm, global_mean, box_mean, gelu, reflect_pad, fft2, frequency_split, \
                 local_attention, multi_scale"
            )),
        };
        Ok(vec![("output", output?)])
    }

    fn conv2d(&mut self, parameters: &Parameters, x: NodeId) -> Result<NodeId, String> {
        parameters.only("dilation", 1)?;
        parameters.only("groups", 1)?;
        let kernel = parameters.size("kernel")?;
        let stride = parameters.size_or("stride", 1)?;
        let padding = parameters.size_or("padding", 0)?;
        let (weight, bias) = (self.weight("weight")?, self.optional_weight("bias")?);
        let conv = Conv2d { weight, bias, kernel, stride, padding, epilogue: Epilogue::default() };
        let y = self.push(Op::Conv2d(conv), &[x])?;
        self.activate(parameters, y)
    }

    fn conv_transpose2d(&mut self, parameters: &Parameters, x: NodeId) -> Result<NodeId, String> {
        for (name, value) in [("kernel", 4), ("stride", 2), ("padding", 1), ("output_padding", 0), ("groups", 1)] {
            parameters.only(name, value)?;
        }
        let (weight, bias) = (self.weight("weight")?, self.optional_weight("bias")?);
        let y = self.push(Op::ConvTranspose2d(ConvTranspose2d { weight, bias, gelu: false }), &[x])?;
        self.activate(parameters, y)
    }

    fn activate(&mut self, parameters: &Parameters, y: NodeId) -> Result<NodeId, String> {
        match parameters.optional_text("activation")? {
            None | Some("none") => Ok(y),
            Some("gelu") => self.push(Op::Gelu, &[y]),
            Some(other) => Err(format!("activation `{other}` is not known; expected none or gelu")),
        }
    }

    fn avg_pool2d(&mut self, parameters: &Parameters, x: NodeId) -> Result<NodeId, String> {
        let size = parameters.size("kernel")?;
        parameters.only("stride", size)?;
        parameters.only("padding", 0)?;
        self.push(Op::AvgPool { size }, &[x])
    }

    fn upsample(&mut self, parameters: &Parameters, x: NodeId) -> Result<NodeId, String> {
        if !parameters.flag_or("align_corners", false)? {
            return Err("`align_corners` is false or absent, expected true".into());
        }
        let [height, width] = parameters.pair("size")?;
        self.push(Op::UpsampleSum { height, width, base: false, gelu: false }, &[x])
    }

    /// Halved as often as the factor says. PyTorch's `interpolate` rounds odd sides down, a step of 2 rounds them up:
    /// the recorded output tells which was meant.
    fn downsample(&mut self, parameters: &Parameters, x: NodeId) -> Result<NodeId, String> {
        let factor = parameters.size("factor")?;
        if !factor.is_power_of_two() {
            return Err(format!("`factor` is {factor}, expected a power of two"));
        }
        let mut y = x;
        for _ in 0..factor.trailing_zeros() {
            y = self.push(Op::NearestHalf, &[y])?;
        }
        let (made, whole) = (self.build.graph.node(y).shape, self.build.graph.node(x).shape);
        let &[_, _, height, width] = self.tensor("output")?.shape() else { return Ok(y) };
        if (height, width) == (made.height, made.width)
            || (height, width) != (whole.height / factor, whole.width / factor)
        {
            return Ok(y);
        }
        let [right, bottom] =
            [(width, made.width), (height, made.height)].map(|(to, from)| to as isize - from as isize);
        self.push(Op::ReflectPad { left: 0, right, top: 0, bottom }, &[y])
    }

    fn instance_norm(&mut self, parameters: &Parameters, x: NodeId) -> Result<NodeId, String> {
        let eps = parameters.number_or("eps", 1e-5)?;
        let channels = self.build.graph.node(x).shape.channels;
        let mut affine = |name: &str, neutral: f32| match self.optional_weight(name)? {
            Some(weight) => Ok(weight),
            None => Ok::<_, String>(
                self.build.graph.weight(name, Tensor::new([channels], vec![neutral; channels]).map_err(text)?),
            ),
        };
        let (weight, bias) = (affine("weight", 1.0)?, affine("bias", 0.0)?);
        self.push(Op::InstanceNorm { weight, bias, eps }, &[x])
    }

    /// Real and imaginary parts, taken out of the op's channels by 1×1 convolutions that select.
    fn fft2(&mut self, parameters: &Parameters, x: NodeId, channels: usize) -> Outputs {
        parameters.only_text("norm", &["backward"])?;
        let spectrum = self.push(Op::Fft2, &[x])?;
        let mut part = |name: &'static str, first: usize| {
            let mut weight = vec![0.0; channels * 2 * channels];
            (0..channels).for_each(|c| weight[c * 2 * channels + first + c] = 1.0);
            let weight = Tensor::new([channels, 2 * channels, 1, 1], weight).map_err(text)?;
            let weight = self.build.graph.weight(name, weight);
            let conv = Conv2d { weight, bias: None, kernel: 1, stride: 1, padding: 0, epilogue: Epilogue::default() };
            Ok::<_, String>((name, self.push(Op::Conv2d(conv), &[spectrum])?))
        };
        Ok(vec![part("real", 0)?, part("imag", channels)?])
    }

    fn frequency_split(&mut self, parameters: &Parameters, x: NodeId) -> Outputs {
        let cutoff = parameters.cutoff()?;
        let low = self.push(Op::LowBand { cutoff }, &[x])?;
        let high = self.push(Op::Add { scale: -1.0 }, &[x, low])?;
        Ok(vec![("low", low), ("high", high)])
    }

    fn pictures(&self, op: &str) -> Result<Vec<FeatureMap<f32>>, String> {
        let input = nchw(self.tensor("input")?, op)?;
        if input.data().is_empty() {
            return Err(format!("`input` of shape {:?} is empty", input.shape()));
        }
        FeatureMap::from_nchw(&input).map_err(text)
    }

    fn tensor(&self, name: &str) -> Result<&Tensor, String> {
        self.tensors
            .get(&format!("{}{name}", self.prefix))
            .map(|tensor| &**tensor)
            .ok_or_else(|| format!("has no tensor `{name}`"))
    }

    fn weight(&mut self, name: &str) -> Result<WeightId, String> {
        self.build.weight(&format!("{}{name}", self.prefix)).map_err(text)
    }

    fn optional_weight(&mut self, name: &str) -> Result<Option<WeightId>, String> {
        if self.tensor(name).is_err() { Ok(None) } else { self.weight(name).map(Some) }
    }

    fn push(&mut self, op: Op, inputs: &[NodeId]) -> Result<NodeId, String> {
        let name = format!("{}{}", self.prefix, op.kind());
        self.build.push(name, op, inputs).map_err(text)
    }
}

/// A tensor of rank 4. An elementwise op's tensors may have any rank: then they are one row of one channel. Means may
/// come without their two axes of 1.
fn nchw(tensor: &Tensor, op: &str) -> Result<Tensor, String> {
    let shape = match (op, tensor.shape()) {
        (_, shape) if shape.len() == 4 => return Ok(tensor.clone()),
        ("gelu", _) => vec![1, 1, 1, tensor.data().len()],
        ("global_mean", &[pictures, channels]) => vec![pictures, channels, 1, 1],
        (_, shape) => return Err(format!("a tensor of shape {shape:?} is given, expected [N, C, H, W]")),
    };
    Tensor::new(shape, tensor.data().to_vec()).map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

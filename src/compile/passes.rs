//! The passes, in the order in which they run. Each keeps the graph's meaning; tests compare before and after.

use super::rewrite::{Replacement, rewrite};
use crate::graph::{Conv2d, ConvTranspose2d, Epilogue, Graph, GraphError, NodeId, Op, TapWeights};
use crate::tensor::{Element, Tensor};

/// A rewriting of the graph.
pub struct Pass {
    /// Its name in `inspect --stage`.
    pub name: &'static str,
    /// Whether kernels depend on it; the others only make the plan faster.
    pub required: bool,
    /// The rewriting.
    pub run: fn(&Graph) -> Result<Graph, GraphError>,
}

/// All passes, in order.
pub const PASSES: &[Pass] = &[
    Pass { name: "fold_batch_norm", required: true, run: fold_batch_norm },
    Pass { name: "two_input_convolutions", required: true, run: two_input_convolutions },
    Pass { name: "fuse_taps", required: true, run: fuse_taps },
    Pass { name: "fuse_upsample_sums", required: false, run: fuse_upsample_sums },
    Pass { name: "fuse_gelu", required: false, run: fuse_gelu },
    Pass { name: "fuse_residual", required: false, run: fuse_residual },
];

/// All passes.
///
/// # Errors
/// When a pass breaks a shape; no graph is known to make one do so.
pub fn optimise(graph: &Graph) -> Result<Graph, GraphError> {
    PASSES.iter().try_fold(graph.clone(), |graph, pass| (pass.run)(&graph))
}

/// Only the passes that kernels depend on.
///
/// # Errors
/// As [`optimise`].
pub fn required(graph: &Graph) -> Result<Graph, GraphError> {
    PASSES.iter().filter(|pass| pass.required).try_fold(graph.clone(), |graph, pass| (pass.run)(&graph))
}

/// The graph as built and after each pass, with their names.
///
/// # Errors
/// As [`optimise`].
pub fn stages(graph: &Graph, precision: Element) -> Result<Vec<(&'static str, Graph)>, GraphError> {
    let mut all = vec![("build", graph.clone())];
    for pass in PASSES {
        let next = (pass.run)(&all[all.len() - 1].1)?;
        all.push((pass.name, next));
    }
    let mut last = all[all.len() - 1].1.clone();
    assign_elements(&mut last, precision);
    all.push(("assign_elements", last));
    Ok(all)
}

/// Sets what each node's result is stored as: pictures and statistics in f32, all else in `precision`.
pub fn assign_elements(graph: &mut Graph, precision: Element) {
    for index in 0..graph.nodes.len() {
        let node = &graph.nodes[index];
        let element = match node.op {
            Op::Input { image } => {
                if image {
                    Element::F32
                } else {
                    precision
                }
            }
            Op::GlobalMean | Op::Moments | Op::TapActivation { .. } | Op::FilterTaps(_) | Op::Fft2 => Element::F32,
            Op::Conv2d(_) | Op::Concat | Op::BatchNorm { .. } => precision,
            // The rest store what they read; a picture stays one.
            _ => graph.node(node.inputs[0]).element,
        };
        graph.nodes[index].element = element;
    }
    let uses = graph.uses();
    for output in graph.outputs.clone().into_iter().filter(|output| output.image) {
        // The convolution that makes the picture, or the sum of one and of a picture where they are not fused.
        let made_by = match graph.node(output.node).op {
            Op::Add { .. } => graph.node(output.node).inputs.clone(),
            _ => vec![],
        };
        for id in made_by.into_iter().filter(|id| uses[id.0] == 1).chain([output.node]) {
            if matches!(graph.node(id).op, Op::Conv2d(_) | Op::Add { .. }) {
                graph.nodes[id.0].element = Element::F32;
            }
        }
    }
}

/// The convolution that makes a node, if nothing else reads it.
fn sole_conv<'a>(graph: &'a Graph, uses: &[usize], id: NodeId) -> Option<&'a Conv2d> {
    match &graph.node(id).op {
        Op::Conv2d(conv) if uses[id.0] == 1 => Some(conv),
        _ => None,
    }
}

/// Batch norm with running statistics, into the convolution before it: w' = w·s, b' = (b − mean)·s + beta with
/// s = gamma / √(var + eps), in f64.
fn fold_batch_norm(graph: &Graph) -> Result<Graph, GraphError> {
    rewrite(graph, |graph, uses, id, new| {
        let node = graph.node(id);
        let Op::BatchNorm { parameters, eps } = node.op else { return None };
        let before = graph.node(node.inputs[0]);
        let conv = sole_conv(graph, uses, node.inputs[0]).filter(|conv| conv.epilogue == Epilogue::default())?;
        let [gamma, beta, mean, variance] = parameters.map(|id| graph.tensor(id).data());
        let weight = graph.tensor(conv.weight);
        let taps = weight.data().len() / gamma.len().max(1);
        let scale = |o: usize| f64::from(gamma[o]) / (f64::from(variance[o]) + eps).sqrt();
        let old_bias = |o: usize| conv.bias.map_or(0.0, |id| f64::from(graph.tensor(id).data()[o]));
        let folded = weight.data().iter().enumerate().map(|(i, &w)| (f64::from(w) * scale(i / taps)) as f32).collect();
        let bias = (0..gamma.len())
            .map(|o| ((old_bias(o) - f64::from(mean[o])) * scale(o) + f64::from(beta[o])) as f32)
            .collect();
        // The shapes are those of tensors that exist.
        let folded = Tensor::new(weight.shape(), folded).ok()?;
        let bias = Tensor::new([gamma.len()], bias).ok()?;
        let weight = new.weight(format!("{}.weight (folded)", before.name), folded);
        let bias = Some(new.weight(format!("{}.bias (folded)", before.name), bias));
        let op = Op::Conv2d(Conv2d { weight, bias, ..conv.clone() });
        Some(Replacement { name: before.name.clone(), op, inputs: before.inputs.clone() })
    })
}

/// A convolution over a concatenation reads the two maps itself.
fn two_input_convolutions(graph: &Graph) -> Result<Graph, GraphError> {
    rewrite(graph, |graph, _, id, _| {
        let node = graph.node(id);
        let Op::Conv2d(conv) = &node.op else { return None };
        let concat = graph.node(node.inputs[0]);
        if !matches!(concat.op, Op::Concat) || conv.sources(node.inputs.len()) != 1 {
            return None;
        }
        let inputs = concat.inputs.iter().chain(&node.inputs[1..]).copied().collect();
        Some(Replacement { name: node.name.clone(), op: node.op.clone(), inputs })
    })
}

/// The 1×1 convolution of a mean and the activation of its taps are one op.
fn fuse_taps(graph: &Graph) -> Result<Graph, GraphError> {
    rewrite(graph, |graph, uses, id, new| {
        let node = graph.node(id);
        let Op::TapActivation { groups, activation, .. } = node.op else { return None };
        let before = graph.node(node.inputs[0]);
        let conv = sole_conv(graph, uses, node.inputs[0])
            .filter(|conv| conv.kernel == 1 && conv.epilogue == Epilogue::default() && before.inputs.len() == 1)?;
        let rows = graph.tensor(conv.weight).shape()[0];
        let bias = match conv.bias {
            Some(bias) => bias,
            None => new.weight(format!("{} (no bias)", before.name), Tensor::new([rows], vec![0.0; rows]).ok()?),
        };
        let op = Op::FilterTaps(TapWeights { weight: conv.weight, bias, groups, activation });
        Some(Replacement { name: node.name.clone(), op, inputs: before.inputs.clone() })
    })
}

/// A map added to an upsampled one, and further ones to that, are one kernel of up to three sources.
fn fuse_upsample_sums(graph: &Graph) -> Result<Graph, GraphError> {
    let mut graph = graph.clone();
    loop {
        let next = rewrite(&graph, |graph, uses, id, _| {
            let node = graph.node(id);
            // The sources of a node that only this sum reads, and whether their first is a base.
            let sources = |id: NodeId| match graph.node(id).op {
                Op::UpsampleSum { base, gelu: false, .. } if uses[id.0] == 1 => {
                    Some((&graph.node(id).inputs[..], base))
                }
                _ => None,
            };
            let (partial, upsampled) = match (&node.op, &node.inputs[..]) {
                (Op::Add { scale: 1.0 }, &[a, b]) => match (sources(a), sources(b)) {
                    (_, Some((upsampled, false))) => (a, upsampled),
                    (Some((upsampled, false)), _) => (b, upsampled),
                    _ => return None,
                },
                // What an earlier round made of a sum whose base is such a sum too.
                (Op::UpsampleSum { base: true, gelu: false, .. }, [base, upsampled @ ..])
                    if sources(*base).is_some() =>
                {
                    (*base, upsampled)
                }
                _ => return None,
            };
            let base = match sources(partial) {
                Some((inner, true)) if inner.len() - 1 + upsampled.len() <= 3 => inner.to_vec(),
                _ if matches!(node.op, Op::Add { .. }) => vec![partial],
                _ => return None,
            };
            let op = Op::UpsampleSum { height: node.shape.height, width: node.shape.width, base: true, gelu: false };
            let inputs = base.into_iter().chain(upsampled.iter().copied()).collect();
            Some(Replacement { name: node.name.clone(), op, inputs })
        })?;
        if next.nodes.len() == graph.nodes.len() {
            return Ok(next);
        }
        graph = next;
    }
}

/// GELU into the epilogue of what makes its input.
fn fuse_gelu(graph: &Graph) -> Result<Graph, GraphError> {
    rewrite(graph, |graph, uses, id, _| {
        let node = graph.node(id);
        if !matches!(node.op, Op::Gelu) || uses[node.inputs[0].0] != 1 {
            return None;
        }
        let before = graph.node(node.inputs[0]);
        let op = match &before.op {
            Op::Conv2d(conv) if conv.epilogue == Epilogue::default() => {
                Op::Conv2d(Conv2d { epilogue: Epilogue { gelu: true, residual: false }, ..conv.clone() })
            }
            Op::ConvTranspose2d(conv) if !conv.gelu => {
                Op::ConvTranspose2d(ConvTranspose2d { gelu: true, ..conv.clone() })
            }
            &Op::UpsampleSum { height, width, base, gelu: false } => {
                Op::UpsampleSum { height, width, base, gelu: true }
            }
            _ => return None,
        };
        Some(Replacement { name: before.name.clone(), op, inputs: before.inputs.clone() })
    })
}

/// The other half of a sum into the epilogue of a convolution.
fn fuse_residual(graph: &Graph) -> Result<Graph, GraphError> {
    rewrite(graph, |graph, uses, id, _| {
        let node = graph.node(id);
        let Op::Add { scale: 1.0 } = node.op else { return None };
        let [a, b] = node.inputs[..] else { return None };
        let fusible = |id: NodeId| sole_conv(graph, uses, id).filter(|conv| !conv.epilogue.residual);
        let (conv, from, residual) = match (fusible(b), fusible(a)) {
            (Some(conv), _) => (conv, b, a),
            (None, Some(conv)) => (conv, a, b),
            (None, None) => return None,
        };
        let epilogue = Epilogue { residual: true, ..conv.epilogue };
        let before = graph.node(from);
        let inputs = before.inputs.iter().copied().chain([residual]).collect();
        let op = Op::Conv2d(Conv2d { epilogue, ..conv.clone() });
        Some(Replacement { name: before.name.clone(), op, inputs })
    })
}

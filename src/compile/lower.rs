//! Each op to its kernel.

use super::choose::{choose, fused_block};
use crate::graph::{Node, NodeId, Op};
use crate::kernels::{self, CONVOLUTIONS, Candidate, Lowering, TRANSPOSED_CONVOLUTIONS};
use crate::tensor::Element;
use thiserror::Error;

/// A node that no kernel can compute.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{node} ({op}): {reason}")]
pub struct LowerError {
    /// The node's name.
    pub node: String,
    /// The op's kind.
    pub op: &'static str,
    /// Why.
    pub reason: String,
}

fn refusal(node: &Node, reason: String) -> LowerError {
    LowerError { node: node.name.clone(), op: node.op.kind(), reason }
}

/// Records the steps of a convolution by the kernel of a list that is chosen for it.
fn by_choice<C>(lowering: &mut Lowering, id: NodeId, conv: &C, list: &[Candidate<C>]) -> Result<(), LowerError> {
    let kernel = choose(lowering.graph, lowering.element, &lowering.target, id).kernel;
    let Some(candidate) = list.iter().find(|candidate| candidate.name == kernel) else {
        return Err(refusal(lowering.graph.node(id), format!("`{kernel}` is no kernel for it")));
    };
    (candidate.lower)(lowering, id, conv);
    Ok(())
}

/// Records the steps of a node.
pub(super) fn lower(lowering: &mut Lowering, id: NodeId) -> Result<(), LowerError> {
    let graph = lowering.graph;
    let node = graph.node(id);
    let refuse = |reason: String| Err(refusal(node, reason));
    let elements: Vec<Element> = node.inputs.iter().map(|&input| graph.node(input).element).collect();
    let mixture = || refusal(node, format!("inputs of {elements:?} into {}", node.element));
    match &node.op {
        Op::Input { .. } => {
            lowering.map(id);
        }
        Op::Conv2d(conv) => {
            let sources = conv.sources(node.inputs.len());
            let mixed = elements[..sources].iter().any(|&e| e != elements[0])
                || elements[sources..].iter().any(|&e| e != node.element);
            if mixed {
                return Err(mixture());
            }
            if let Some([first, second]) = fused_block(graph, lowering.element, &lowering.target, id) {
                if id == second {
                    kernels::residual_block::lower(lowering, first, second);
                }
                return Ok(());
            }
            by_choice(lowering, id, conv, CONVOLUTIONS)?;
        }
        Op::FilterTaps(taps) if taps.groups > kernels::filter_taps::MAX_GROUPS => {
            return refuse(format!("{} groups; at most {} fit", taps.groups, kernels::filter_taps::MAX_GROUPS));
        }
        Op::FilterTaps(taps) => kernels::filter_taps::lower(lowering, id, taps),
        Op::DynamicFilter(filter) => kernels::dynamic_filter::lower(lowering, id, filter),
        // Made on the way to the taps.
        Op::GlobalMean if !lowering.target.plain && kernels::filter_taps::takes_mean(graph, id) => {}
        Op::GlobalMean => kernels::global_mean::lower(lowering, id),
        Op::Moments => kernels::moments::lower(lowering, id),
        Op::Normalise { weight, bias, eps } => {
            let moments = lowering.input(id, 1);
            kernels::instance_norm::normalise(lowering, id, moments, *weight, *bias, *eps);
        }
        Op::Fft2 => kernels::fft::lower_fft2(lowering, id),
        Op::Concat | Op::BatchNorm { .. } | Op::TapActivation { .. } => {
            return refuse("no kernel: the passes that remove it found no convolution to merge it with".into());
        }
        _ if elements.iter().any(|&element| element != node.element) => {
            return Err(mixture());
        }
        Op::ConvTranspose2d(conv) => {
            by_choice(lowering, id, conv, TRANSPOSED_CONVOLUTIONS)?;
        }
        Op::Gelu => kernels::elementwise::lower_gelu(lowering, id),
        Op::Add { scale } => kernels::elementwise::lower_add(lowering, id, *scale),
        Op::AvgPool { size } => match kernels::pool_pyramid::siblings(graph, id).filter(|_| !lowering.target.plain) {
            Some(all) => kernels::pool_pyramid::lower(lowering, id, all),
            None => kernels::avg_pool::lower(lowering, id, *size),
        },
        Op::UpsampleSum { base, .. } if !kernels::upsample_sum::can_place(lowering, id, *base) => {
            return refuse(format!("{} is too large a map: where a pixel falls is counted in 32 bits", node.shape));
        }
        Op::UpsampleSum { base, gelu, .. } => kernels::upsample_sum::lower(lowering, id, *base, *gelu),
        Op::NearestHalf => kernels::nearest_half::lower(lowering, id),
        Op::InstanceNorm { weight, bias, eps } => kernels::instance_norm::lower(lowering, id, *weight, *bias, *eps),
        Op::BoxMean { base, train }
            if lowering.target.software && !kernels::box_mean::ends_in_time(node.shape, *base, *train) =>
        {
            return refuse(format!("{} is too large a map for this driver, which may stop long loops", node.shape));
        }
        Op::BoxMean { base, train } => kernels::box_mean::lower(lowering, id, *base, *train),
        Op::LowBand { cutoff } => kernels::fft::lower_low_band(lowering, id, *cutoff),
        Op::ReflectPad { left, top, .. } => kernels::reflect_pad::lower(lowering, id, *top, *left),
    }
    Ok(())
}

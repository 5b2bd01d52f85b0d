//! The plain 2-D convolution, with which all others are compared.

use super::convolution::{record, variants_of};
use super::lowering::rows;
use super::{Candidate, Lowering};
use crate::gpu::Variant;
use crate::graph::{Conv2d, NodeId};

const SHADER: &str = "conv2d";

pub(super) const CANDIDATE: Candidate<Conv2d> =
    Candidate { name: SHADER, shader: SHADER, computes: |_| true, suits: |_| true, lower };

/// All variants.
pub fn variants() -> Vec<Variant> {
    variants_of(SHADER, false)
}

/// One dispatch.
fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d) {
    let (variant, mut parts) = record(lowering, node, conv, SHADER);
    parts.workgroups = rows(lowering.graph.node(node).shape);
    lowering.step(node, variant, parts);
}

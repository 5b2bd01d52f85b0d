//! The register-tiled 2-D convolution: 4 pixels × 4, 8 or 16 output channels an invocation.

use super::convolution::{gather, gathering_variants_of, record, variants_of};
use super::{Candidate, Lowering};
use crate::gpu::Variant;
use crate::graph::{Conv2d, NodeId};

const PIXELS: u32 = 4;
const TILES: [(&str, u32); 3] = [("blocks4", 4), ("blocks2", 2), ("blocks1", 1)];

const SHADER: &str = "conv2d_tiled";

pub(super) const CANDIDATE: Candidate<Conv2d> = Candidate {
    name: SHADER,
    shader: SHADER,
    computes: |_| true,
    suits: |case| case.pixels() >= PIXELS as usize,
    lower,
};

/// All variants.
pub fn variants() -> Vec<Variant> {
    let tiled = |variant: Variant| TILES.map(|(feature, _)| variant.clone().with_features(&[(feature, true)]));
    let all = variants_of(SHADER, false).into_iter().chain(gathering_variants_of(SHADER, false));
    all.flat_map(tiled).collect()
}

/// One dispatch.
fn lower(lowering: &mut Lowering, node: NodeId, conv: &Conv2d) {
    let shape = lowering.graph.node(node).shape;
    let blocks = shape.blocks() as u32;
    let (feature, tile) = TILES.into_iter().find(|tile| blocks.is_multiple_of(tile.1)).unwrap_or(TILES[2]);
    // A software driver runs the 8 invocations of a workgroup as the lanes of one vector.
    let (columns, rows) = if lowering.target.software { (8, 1) } else { (8, 8) };
    let mut step = record(lowering, node, conv, SHADER);
    let [across, down] = [(shape.width as u32).div_ceil(PIXELS * columns), (shape.height as u32).div_ceil(rows)];
    gather(lowering, node, &mut step, (across * down) as usize);
    let (variant, mut parts) = step;
    parts.workgroups = [across, down, blocks / tile];
    let variant = variant.with_features(&[(feature, true)]);
    lowering.step(node, variant.with_constant("COLUMNS", columns).with_constant("ROWS", rows), parts);
}

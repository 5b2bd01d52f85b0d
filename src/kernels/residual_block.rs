//! A residual block, two 3×3 convolutions and the sum with what they started from, as one dispatch: what lies between
//! them stays in workgroup memory.

use super::constants::pack_convolution;
use super::{Cost, Lowering, StepParts, combinations};
use crate::gpu::Variant;
use crate::graph::{Conv2d, Epilogue, Graph, NodeId, Op};
use crate::tensor::Element;
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    height: u32,
    width: u32,
    blocks: u32,
    middle_blocks: u32,
}

/// Rows of pixels that a workgroup makes, and columns in half and in single precision.
const ROWS: usize = 8;
const COLUMNS: [usize; 2] = [16, 8];

/// The most blocks of 4 channels between the convolutions for which workgroup memory has room.
const MOST_BLOCKS: usize = 8;

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations("residual_block", &["f32"])
}

/// The first convolution of the block that node `second` ends, if this kernel computes it: both are 3×3 with a bias, the
/// first has GELU, and nothing else reads what it makes. Elements are assigned.
pub fn first_of(graph: &Graph, precision: Element, second: NodeId) -> Option<NodeId> {
    let plain = |conv: &Conv2d| (conv.kernel, conv.stride, conv.padding) == (3, 1, 1) && conv.bias.is_some();
    let end = graph.node(second);
    let Op::Conv2d(conv) = &end.op else { return None };
    let &[first, x] = &end.inputs[..] else { return None };
    let start = graph.node(first);
    let Op::Conv2d(before) = &start.op else { return None };
    let fits = plain(conv)
        && plain(before)
        && conv.epilogue == Epilogue { gelu: false, residual: true }
        && before.epilogue == Epilogue { gelu: true, residual: false }
        && start.inputs == [x]
        && start.shape.blocks() <= MOST_BLOCKS
        && [graph.node(x), start, end].iter().all(|node| node.element == precision);
    (fits && graph.uses()[first.0] == 1).then_some(first)
}

/// One dispatch for both, recorded with the second.
pub fn lower(lowering: &mut Lowering, first: NodeId, second: NodeId) {
    let graph = lowering.graph;
    let (start, end) = (graph.node(first), graph.node(second));
    let (Op::Conv2d(before), Op::Conv2d(conv)) = (&start.op, &end.op) else { return };
    let element = lowering.element;
    let mut weight = |conv: &Conv2d, channels: usize| {
        let sources = [channels];
        lowering.packed(conv.weight, &format!("conv {sources:?} {element}"), |weight| {
            pack_convolution(weight, &sources, false, element)
        })
    };
    let weights = [weight(before, end.shape.channels), weight(conv, start.shape.channels)];
    let params = Params {
        height: end.shape.height as u32,
        width: end.shape.width as u32,
        blocks: end.shape.blocks() as u32,
        middle_blocks: start.shape.blocks() as u32,
    };
    let mut bindings =
        vec![(1, lowering.input(first, 0)), (2, weights[0]), (4, weights[1]), (6, lowering.output(second))];
    for (binding, conv) in [(3, before), (5, conv)] {
        bindings.extend(conv.bias.map(|bias| (binding, lowering.channels(bias))));
    }
    let values: u64 = [before, conv].iter().map(|conv| graph.tensor(conv.weight).data().len() as u64).sum();
    let single = element == Element::F32;
    let step = StepParts {
        params: bytemuck::bytes_of(&params).to_vec(),
        bindings,
        workgroups: [
            end.shape.width.div_ceil(COLUMNS[usize::from(single)]) as u32,
            end.shape.height.div_ceil(ROWS) as u32,
            1,
        ],
        cost: Cost {
            flops: 2 * values * end.shape.pixels() as u64,
            bytes: 2 * lowering.map_bytes(second) + values * element.bytes(),
        },
    };
    lowering.step(second, Variant::new("residual_block", &[("f32", single)]), step);
}

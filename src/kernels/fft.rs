//! The real 2-D FFT of mixed radix, and the frequency split built on it.

use super::lowering::rows;
use super::{Cost, Lowering, Operand, StepParts, combinations, fft_unpack};
use crate::gpu::Variant;
use crate::graph::NodeId;
use crate::graph::extent::highest_kept;
use crate::tensor::{Element, Shape};
use bytemuck::{Pod, Zeroable};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    height: u32,
    width: u32,
    blocks: u32,
    n: u32,
    radix: u32,
    done: u32,
    highest: u32,
    scale: f32,
    sign: f32,
}

/// All variants.
pub fn variants() -> Vec<Variant> {
    combinations("fft", &["columns", "input_f32", "output_f32"])
}

/// Factors of `n`, the passes of its transform: fours before a two, then odd primes. One pass of radix 1 for n = 1.
pub fn radices(mut n: usize) -> Vec<usize> {
    let mut found = vec![];
    for radix in std::iter::once(4).chain(2..) {
        while n > 1 && n.is_multiple_of(radix) {
            found.push(radix);
            n /= radix;
        }
        if n <= 1 {
            break;
        }
        // What is left has no factor up to its root: it is prime.
        if radix > 4 && radix * radix > n {
            found.push(n);
            break;
        }
    }
    if found.is_empty() {
        found.push(1);
    }
    found
}

/// One pass of a transform, all but its place in the plan.
struct Pass {
    columns: bool,
    inverse: bool,
    radix: usize,
    done: usize,
    highest: usize,
    scale: f32,
}

/// The passes of one transform along rows or columns; the first keeps frequencies up to `highest` of its input.
fn transform(length: usize, columns: bool, inverse: bool, highest: usize) -> Vec<Pass> {
    let radices = radices(length);
    let last = radices.len() - 1;
    let mut done = 1;
    let pass = |(index, radix)| {
        let pass = Pass {
            columns,
            inverse,
            radix,
            done,
            highest: if index == 0 { highest } else { length },
            scale: if inverse && index == last { 1.0 / length as f32 } else { 1.0 },
        };
        done *= radix;
        pass
    };
    radices.into_iter().enumerate().map(pass).collect()
}

/// The part at or below `cutoff` on both axes. The mask is a product of one for rows and one for columns, so each
/// axis is transformed, cut and transformed back by itself.
pub fn lower_low_band(lowering: &mut Lowering, node: NodeId, cutoff: f64) {
    let shape = lowering.graph.node(node).shape;
    let along = |length: usize, columns: bool| {
        let forward = transform(length, columns, false, length);
        forward.into_iter().chain(transform(length, columns, true, highest_kept(length, cutoff)))
    };
    let passes: Vec<Pass> = along(shape.width, false).chain(along(shape.height, true)).collect();
    let output = lowering.output(node);
    record(lowering, node, shape, &passes, output, lowering.graph.node(node).element);
}

/// The 2-D transform of every channel, unpacked into real and imaginary parts.
pub fn lower_fft2(lowering: &mut Lowering, node: NodeId) {
    let graph = lowering.graph;
    let shape = graph.node(graph.node(node).inputs[0]).shape;
    let rows = transform(shape.width, false, false, shape.width);
    let passes: Vec<Pass> = rows.into_iter().chain(transform(shape.height, true, false, shape.height)).collect();
    let name = format!("{} (spectra of pairs)", graph.node(node).name);
    let pairs = Operand::Buffer(lowering.buffer(name, shape.stored_values() as u64 * Element::F32.bytes()));
    record(lowering, node, shape, &passes, pairs, Element::F32);
    fft_unpack::lower(lowering, node, pairs);
}

fn record(lowering: &mut Lowering, node: NodeId, shape: Shape, passes: &[Pass], output: Operand, element: Element) {
    let graph = lowering.graph;
    let name = graph.node(node).name.clone();
    let mut from = (lowering.input(node, 0), graph.node(graph.node(node).inputs[0]).element);
    for (index, pass) in passes.iter().enumerate() {
        let to = if index + 1 == passes.len() {
            (output, element)
        } else {
            let bytes = shape.stored_values() as u64 * Element::F32.bytes();
            (Operand::Buffer(lowering.buffer(format!("{name} (pass {index})"), bytes)), Element::F32)
        };
        let n = if pass.columns { shape.height } else { shape.width };
        let roots = lowering.constants.get(&format!("roots of unity {n}"), || roots(n));
        let params = Params {
            height: shape.height as u32,
            width: shape.width as u32,
            blocks: shape.blocks() as u32,
            n: n as u32,
            radix: pass.radix as u32,
            done: pass.done as u32,
            highest: pass.highest as u32,
            scale: pass.scale,
            sign: if pass.inverse { 1.0 } else { -1.0 },
        };
        let variant = Variant::new(
            "fft",
            &[("columns", pass.columns), ("input_f32", from.1 == Element::F32), ("output_f32", to.1 == Element::F32)],
        );
        let values = shape.stored_values() as u64;
        let parts = StepParts {
            params: bytemuck::bytes_of(&params).to_vec(),
            bindings: vec![(1, from.0), (2, roots), (3, to.0)],
            workgroups: rows(shape),
            cost: Cost { flops: 4 * values * pass.radix as u64, bytes: values * (from.1.bytes() + to.1.bytes()) },
        };
        lowering.step(node, variant, parts);
        from = to;
    }
}

/// (cos, sin) of 2πk/n for k below n, made in f64.
fn roots(n: usize) -> Vec<u8> {
    let root = |k: usize| {
        let angle = std::f64::consts::TAU * k as f64 / n as f64;
        [angle.cos() as f32, angle.sin() as f32]
    };
    let pairs: Vec<[f32; 2]> = (0..n).map(root).collect();
    bytemuck::cast_slice(&pairs).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radices_multiply_to_the_length_and_are_small_where_it_is_smooth() {
        for n in 1..2000usize {
            assert_eq!(radices(n).iter().product::<usize>(), n, "{n}");
        }
        assert_eq!(radices(360), [4, 2, 3, 3, 5]);
        assert_eq!(radices(2), [2]);
        assert_eq!(radices(49), [7, 7]);
        assert_eq!(radices(1009), [1009]);
        assert_eq!(radices(1), [1]);
    }
}

//! All that a plan's kernels read and never write: packed weights, tables. One buffer, filled once.

use super::{Operand, storage};
use crate::tensor::{Element, Tensor};
use std::collections::HashMap;
use std::ops::Deref;

/// Bindings start at multiples of this, the largest alignment that WebGPU lets an adapter ask for.
pub(crate) const ALIGNMENT: u64 = 256;

/// The bytes of a plan's constants, each item aligned for binding and kept once.
#[derive(Debug, Default)]
pub struct Constants {
    /// The buffer's content.
    pub bytes: Vec<u8>,
    kept: HashMap<String, Operand>,
}

impl Constants {
    /// The constant of a name, made by `make` if it is new. The name says all that its bytes depend on.
    pub fn get<B>(&mut self, name: &str, make: impl FnOnce() -> B) -> Operand
    where
        B: Deref<Target: AsRef<[u8]>>,
    {
        if let Some(&operand) = self.kept.get(name) {
            return operand;
        }
        let offset = self.bytes.len() as u64;
        let made = make();
        let bytes = made.as_ref();
        let size = bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT as usize), 0);
        let operand = Operand::Constant { offset, size };
        self.kept.insert(name.into(), operand);
        operand
    }
}

/// Convolution weights `[out, in, k, k]` (or `[in, out, k, k]` if `transposed`) as the kernels read them:
/// `[tap][input block][output block][4 inputs][4 outputs]`, the channels of each of `sources` padded to whole blocks.
pub(crate) fn pack_convolution(weight: &Tensor, sources: &[usize], transposed: bool, element: Element) -> Vec<u8> {
    storage::encode_values(element, &in_blocks(weight, sources, transposed))
}

/// The same before it is stored: 16 values for each tap, input block and output block.
pub(crate) fn in_blocks(weight: &Tensor, sources: &[usize], transposed: bool) -> Vec<f32> {
    let &[first, second, height, width] = weight.shape() else { return vec![] };
    let (out, inputs) = if transposed { (second, first) } else { (first, second) };
    let taps = height * width;
    let out_stored = out.next_multiple_of(4);
    let in_stored: usize = sources.iter().map(|c| c.next_multiple_of(4)).sum();
    let mut packed = vec![0.0f32; taps * in_stored * out_stored];
    // Where each input channel stands once every source is padded.
    let places = sources.iter().scan(0, |start, &channels| {
        let from = *start;
        *start += channels.next_multiple_of(4);
        Some(from..from + channels)
    });
    for (i, place) in places.flatten().enumerate() {
        for o in 0..out {
            let from = if transposed { i * out + o } else { o * inputs + i } * taps;
            for tap in 0..taps {
                let block = (tap * in_stored / 4 + place / 4) * (out_stored / 4) + o / 4;
                packed[block * 16 + place % 4 * 4 + o % 4] = weight.data()[from + tap];
            }
        }
    }
    packed
}

/// The weights `[in, out, 4, 4]` of a transposed convolution as `[out, in, 4, 4]`, whose 16 taps are those of four 2×2
/// convolutions: `[parity][j][i]`, where parity `2·dy + dx` takes tap (3−dy−2j, 3−dx−2i).
pub(crate) fn by_parity(weight: &Tensor) -> Tensor {
    let &[inputs, out, ..] = weight.shape() else { unreachable!("weights have four axes") };
    let place = |at: usize| {
        let (dy, dx, j, i) = (at / 8, at / 4 % 2, at / 2 % 2, at % 2);
        (3 - dy - 2 * j) * 4 + 3 - dx - 2 * i
    };
    let kernels = (0..out).flat_map(|o| (0..inputs).map(move |i| (i * out + o) * 16));
    let data = kernels.flat_map(|start| (0..16).map(move |at| weight.data()[start + place(at)])).collect();
    Tensor::new([out, inputs, 4, 4], data).unwrap_or_else(|_| unreachable!("as many values as before"))
}

/// A vector of channels in f32, padded with zeros to whole `vec4`s.
pub(crate) fn pack_channels(values: &[f32]) -> Vec<u8> {
    let mut padded = values.to_vec();
    padded.resize(values.len().next_multiple_of(4), 0.0);
    bytemuck::cast_slice(&padded).to_vec()
}

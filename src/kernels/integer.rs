//! Weights as 16-bit integers, as `shaders/shared/integer.wgsl` reads them, and what they are multiplied by.
//!
//! Where a channel's weights are of like size, as after a Winograd transform, an integer is closer to its value than half
//! precision is, and a CPU unpacks it in half the instructions.

use super::{ALIGNMENT, Operand};

/// What the shader makes of an integer 1: it leaves them in the upper half of a word.
const UNIT: f32 = 65536.0;

/// Bytes of weights and, after them, of their scales. `values` are `[part][any][output block][4 inputs][4 outputs]`, of
/// `part` values each; scales `[part][output block][4 outputs]` in f32, so that each part and channel uses all its bits.
pub(super) fn pack(values: &[f32], part: usize, out_blocks: usize) -> Vec<u8> {
    let channel = |at: usize| at / 16 % out_blocks * 4 + at % 4;
    let mut bytes = Vec::with_capacity(values.len() * 2 + ALIGNMENT as usize);
    let mut scales = vec![];
    for part in values.chunks(part.max(1)) {
        let mut largest = vec![0.0f32; out_blocks * 4];
        for (at, value) in part.iter().enumerate() {
            let most = &mut largest[channel(at)];
            // Not `max`, which prefers a number to NaN: a weight that is none must show in the scale.
            *most = if most.is_nan() || value.is_nan() { f32::NAN } else { most.max(value.abs()) };
        }
        // Channels of zeros, such as those that pad a block, stay zero.
        let steps = |most: f32| if most > 0.0 { f32::from(i16::MAX) / most } else { 0.0 };
        let factors: Vec<f32> = largest.iter().map(|&most| steps(most)).collect();
        for (at, value) in part.iter().enumerate() {
            bytes.extend_from_slice(&((value * factors[channel(at)]).round() as i16).to_le_bytes());
        }
        scales.extend(largest.iter().map(|most| most / f32::from(i16::MAX) / UNIT));
    }
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT as usize), 0);
    bytes.extend_from_slice(bytemuck::cast_slice(&scales));
    bytes
}

/// The two operands in a constant that [`pack`] made of `count` weights: weights, scales.
pub(super) fn split(packed: Operand, count: usize) -> [Operand; 2] {
    match packed {
        Operand::Constant { offset, size } => {
            let weights = 2 * count as u64;
            let before = weights.next_multiple_of(ALIGNMENT);
            [
                Operand::Constant { offset, size: weights },
                Operand::Constant { offset: offset + before, size: size.saturating_sub(before) },
            ]
        }
        Operand::Buffer(_) => unreachable!("weights are constants"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two parts of one input and two output blocks, at most half a step of each channel's largest from their values.
    #[test]
    fn weights_are_kept_to_half_a_step() {
        let values: Vec<f32> = (0..64u8).map(|at| f32::from(at.wrapping_mul(37)) / 100.0 - 1.0).collect();
        let packed = pack(&values, 32, 2);
        assert_eq!(packed.len(), 256 + 2 * 8 * 4, "weights, aligned, then scales");
        let scale = |at: usize| {
            let from = 256 + (at / 32 * 8 + at / 16 % 2 * 4 + at % 4) * 4;
            f32::from_le_bytes([packed[from], packed[from + 1], packed[from + 2], packed[from + 3]])
        };
        for (at, value) in values.iter().enumerate() {
            let integer = i16::from_le_bytes([packed[2 * at], packed[2 * at + 1]]);
            let step = scale(at) * UNIT;
            assert!((f32::from(integer) * step - value).abs() <= 0.501 * step, "{at}: {integer} of {step} for {value}");
        }
        assert!((0..64).any(|at| i16::from_le_bytes([packed[2 * at], packed[2 * at + 1]]).abs() == i16::MAX));
    }

    /// Zeros stay zeros; what is no number makes no number.
    #[test]
    fn nan_shows() {
        let mut values = vec![0.0f32; 16];
        values[1] = f32::NAN;
        values[5] = 1.0;
        let packed = pack(&values, 16, 1);
        let scales: Vec<f32> =
            packed[256..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        assert!(scales[1].is_nan() && [0, 2, 3].iter().all(|&at| scales[at] == 0.0), "{scales:?}");
        assert!(packed[..32].iter().all(|&byte| byte == 0));
    }
}

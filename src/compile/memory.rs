//! Where buffers lie in the arena: two share bytes only if no step needs both.

/// A buffer's size and the steps it must last for, both ends included.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// Bytes, a multiple of the alignment.
    pub bytes: u64,
    /// First step.
    pub first: usize,
    /// Last step.
    pub last: usize,
}

/// The result of planning.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Each buffer's first byte.
    pub offsets: Vec<u64>,
    /// Bytes of the arena.
    pub bytes: u64,
    /// The largest sum of buffers alive at one step: no arena can be smaller.
    pub lower_bound: u64,
}

/// Places buffers, the largest first, each at the lowest gap among those it shares a step with.
/// (Greedy by size: Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020.)
pub fn place(buffers: &[Lifetime]) -> Placement {
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(buffers[index].bytes), buffers[index].first));
    let mut offsets = vec![0; buffers.len()];
    let mut placed: Vec<usize> = Vec::new();
    for index in order {
        let buffer = buffers[index];
        let mut taken: Vec<(u64, u64)> = placed
            .iter()
            .filter(|&&other| buffers[other].first <= buffer.last && buffer.first <= buffers[other].last)
            .map(|&other| (offsets[other], offsets[other] + buffers[other].bytes))
            .collect();
        taken.sort_unstable();
        let mut offset = 0;
        for (start, end) in taken {
            if offset + buffer.bytes <= start {
                break;
            }
            offset = offset.max(end);
        }
        offsets[index] = offset;
        placed.push(index);
    }
    let bytes = buffers.iter().zip(&offsets).map(|(buffer, offset)| offset + buffer.bytes).max().unwrap_or(0);
    let steps = buffers.iter().map(|buffer| buffer.last + 1).max().unwrap_or(0);
    let alive = |step: usize| buffers.iter().filter(|b| b.first <= step && step <= b.last).map(|b| b.bytes).sum();
    Placement { offsets, bytes, lower_bound: (0..steps).map(alive).max().unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn buffers_alive_together_never_share_a_byte(
            raw in prop::collection::vec((1u64..64, 0usize..20, 0usize..6), 1..40)
        ) {
            let buffers: Vec<Lifetime> = raw
                .iter()
                .map(|&(size, first, length)| Lifetime { bytes: size * 256, first, last: first + length })
                .collect();
            let placement = place(&buffers);
            for (i, a) in buffers.iter().enumerate() {
                prop_assert!(placement.offsets[i] + a.bytes <= placement.bytes);
                for (j, b) in buffers.iter().enumerate().skip(i + 1) {
                    let together = a.first <= b.last && b.first <= a.last;
                    let (x, y) = (placement.offsets[i], placement.offsets[j]);
                    let apart = x + a.bytes <= y || y + b.bytes <= x;
                    prop_assert!(!together || apart, "{i} and {j} share bytes");
                }
            }
            prop_assert!(placement.bytes >= placement.lower_bound);
        }
    }
}

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

/// Turns of the search, each some tenths of a millisecond for a network.
const TURNS: usize = 96;

/// Places buffers one after the other, each at the lowest gap among those it shares a step with: the largest first
/// (Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020). Where that leaves the arena above
/// its lower bound, the buffer that ends highest goes before all others, again and again, and the best order is kept.
pub fn place(buffers: &[Lifetime]) -> Placement {
    let steps = buffers.iter().map(|buffer| buffer.last + 1).max().unwrap_or(0);
    let alive = |step: usize| buffers.iter().filter(|b| b.first <= step && step <= b.last).map(|b| b.bytes).sum();
    let lower_bound = (0..steps).map(alive).max().unwrap_or(0);
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(buffers[index].bytes), buffers[index].first));
    let mut offsets = in_order(buffers, &order);
    let mut best = Placement { bytes: top(buffers, &offsets).1, offsets: offsets.clone(), lower_bound };
    for _ in 0..TURNS {
        if best.bytes <= lower_bound {
            break;
        }
        let highest = top(buffers, &offsets).0;
        if let Some(place) = order.iter().position(|&index| index == highest) {
            order[..=place].rotate_right(1);
        }
        offsets = in_order(buffers, &order);
        let bytes = top(buffers, &offsets).1;
        if bytes < best.bytes {
            best = Placement { bytes, offsets: offsets.clone(), lower_bound };
        }
    }
    best
}

/// The buffer that ends highest, and where.
fn top(buffers: &[Lifetime], offsets: &[u64]) -> (usize, u64) {
    let ends = buffers.iter().zip(offsets).map(|(buffer, offset)| offset + buffer.bytes);
    ends.enumerate().max_by_key(|&(_, end)| end).unwrap_or_default()
}

/// Offsets of buffers that are placed in an order.
fn in_order(buffers: &[Lifetime], order: &[usize]) -> Vec<u64> {
    let mut offsets = vec![0; buffers.len()];
    for (count, &index) in order.iter().enumerate() {
        let buffer = buffers[index];
        let mut taken: Vec<(u64, u64)> = order[..count]
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
    }
    offsets
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

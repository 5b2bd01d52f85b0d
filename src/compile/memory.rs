//! Where buffers lie in the arena: two share bytes only if no step needs both. The arena is one block of the device's memory,
//! or several where a device makes no block so large.

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
    /// Each buffer's first byte, counted over blocks of `most` bytes.
    offsets: Vec<u64>,
    /// Bytes that a block has at most.
    most: u64,
    /// Bytes of each block of the arena.
    pub blocks: Vec<u64>,
    /// The largest sum of buffers alive at one step: no arena can be smaller.
    pub lower_bound: u64,
}

impl Placement {
    /// The block that a buffer lies in, and its first byte there.
    pub fn place(&self, buffer: usize) -> (usize, u64) {
        let offset = self.offsets[buffer];
        ((offset / self.most) as usize, offset % self.most)
    }

    /// Bytes of the arena.
    pub fn bytes(&self) -> u64 {
        self.blocks.iter().sum()
    }

    fn new(buffers: &[Lifetime], offsets: Vec<u64>, most: u64, lower_bound: u64) -> Self {
        let mut placement = Self { offsets, most, blocks: vec![], lower_bound };
        for (index, buffer) in buffers.iter().enumerate() {
            let (block, offset) = placement.place(index);
            placement.blocks.resize(placement.blocks.len().max(block + 1), 0);
            placement.blocks[block] = placement.blocks[block].max(offset + buffer.bytes);
        }
        placement
    }
}

/// Turns of the search, each some tenths of a millisecond for a network.
const TURNS: usize = 96;

/// Places buffers one after the other, each at the lowest gap among those it shares a step with: the largest first
/// (Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020). Where that leaves the arena above
/// its lower bound, the buffer that ends highest goes before all others, again and again, and the best order is kept. Blocks
/// have `most` bytes at most, and no buffer lies in two; one that is larger gets a block of its own.
pub fn place(buffers: &[Lifetime], most: u64) -> Placement {
    let steps = buffers.iter().map(|buffer| buffer.last + 1).max().unwrap_or(0);
    let alive = |step: usize| buffers.iter().filter(|b| b.first <= step && step <= b.last).map(|b| b.bytes).sum();
    let lower_bound = (0..steps).map(alive).max().unwrap_or(0);
    let largest = buffers.iter().map(|buffer| buffer.bytes).max().unwrap_or(0);
    let most = most.max(largest).max(1);
    let placed = |order: &[usize]| Placement::new(buffers, in_order(buffers, order, most), most, lower_bound);
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_key(|&index| (std::cmp::Reverse(buffers[index].bytes), buffers[index].first));
    let mut last = placed(&order);
    let mut best = last.clone();
    for _ in 0..TURNS {
        if best.bytes() <= lower_bound {
            break;
        }
        let highest = (0..buffers.len()).max_by_key(|&index| last.offsets[index] + buffers[index].bytes);
        if let Some(place) = order.iter().position(|&index| Some(index) == highest) {
            order[..=place].rotate_right(1);
        }
        last = placed(&order);
        if last.bytes() < best.bytes() {
            best = last.clone();
        }
    }
    best
}

/// Offsets of buffers that are placed in an order.
fn in_order(buffers: &[Lifetime], order: &[usize], most: u64) -> Vec<u64> {
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
            offset = in_one_block(offset, buffer.bytes, most);
            if offset + buffer.bytes <= start {
                break;
            }
            offset = offset.max(end);
        }
        offsets[index] = in_one_block(offset, buffer.bytes, most);
    }
    offsets
}

/// The first offset from `offset` on where so many bytes lie in one block.
fn in_one_block(offset: u64, bytes: u64, most: u64) -> u64 {
    if offset % most + bytes > most { offset.next_multiple_of(most) } else { offset }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn buffers_alive_together_never_share_a_byte(
            raw in prop::collection::vec((1u64..64, 0usize..20, 0usize..6), 1..40),
            most in prop::sample::select(vec![u64::MAX, 256 << 10, 64 << 8, 7 << 8])
        ) {
            let buffers: Vec<Lifetime> = raw
                .iter()
                .map(|&(size, first, length)| Lifetime { bytes: size * 256, first, last: first + length })
                .collect();
            let placement = place(&buffers, most);
            let largest = buffers.iter().map(|buffer| buffer.bytes).max().unwrap_or(0);
            prop_assert!(placement.blocks.iter().all(|&bytes| bytes <= most.max(largest)));
            for (i, a) in buffers.iter().enumerate() {
                let (block, x) = placement.place(i);
                prop_assert!(x + a.bytes <= placement.blocks[block]);
                for (j, b) in buffers.iter().enumerate().skip(i + 1) {
                    let together = a.first <= b.last && b.first <= a.last;
                    let (other, y) = placement.place(j);
                    let apart = block != other || x + a.bytes <= y || y + b.bytes <= x;
                    prop_assert!(!together || apart, "{i} and {j} share bytes");
                }
            }
            prop_assert!(placement.bytes() >= placement.lower_bound);
        }
    }
}

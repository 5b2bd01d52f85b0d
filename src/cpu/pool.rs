//! Buffers of maps that are dead, for maps to come: new memory costs a page fault every 4 KiB.

use crate::tensor::{FeatureMap, Shape};

/// Buffers that no map uses.
#[derive(Default)]
pub(super) struct Pool {
    idle: Vec<Vec<f32>>,
}

impl Pool {
    /// A map of `shape`, whose values are left over from another.
    pub(super) fn take(&mut self, shape: Shape) -> FeatureMap<f32> {
        let length = shape.values();
        let fits = |(at, buffer): (usize, &Vec<f32>)| (buffer.capacity() >= length).then_some((buffer.capacity(), at));
        let best = self.idle.iter().enumerate().filter_map(fits).min();
        let mut data = match best {
            Some((_, at)) => self.idle.swap_remove(at),
            None => Vec::new(),
        };
        data.resize(length, 0.0);
        FeatureMap { shape, data }
    }

    /// Takes back a dead map's buffer.
    pub(super) fn give(&mut self, map: FeatureMap<f32>) {
        self.idle.push(map.data);
    }
}

//! The plans that are kept from picture to picture: that of the last size, and that of this size turned by a quarter,
//! which a folder's upright pictures have beside the others, and `--tta` makes of each.

use crate::kernels::Raster;

/// At most two plans, by the pictures that they are for.
#[derive(Debug)]
pub(super) struct Plans<T>(Vec<(Raster, T)>);

impl<T> Default for Plans<T> {
    fn default() -> Self {
        Self(Vec::with_capacity(2))
    }
}

impl<T> Plans<T> {
    pub fn get(&self, raster: Raster) -> Option<&T> {
        self.0.iter().find(|(of, _)| *of == raster).map(|(_, plan)| plan)
    }

    /// Makes room for a plan for `raster`: all go but that for its turned one, if `may_stay`.
    pub fn make_room(&mut self, raster: Raster, may_stay: impl Fn(&T) -> bool) {
        let turned = Raster { height: raster.width, width: raster.height, ..raster };
        self.0.retain(|(of, plan)| *of == turned && *of != raster && may_stay(plan));
    }

    /// Keeps a plan beside those that are there, for which there was room made.
    pub fn keep(&mut self, raster: Raster, plan: T) -> &T {
        self.0.push((raster, plan));
        &self.0[self.0.len() - 1].1
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, plan)| plan)
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_and_its_turned_one_stay() {
        let raster = |height, width| Raster { height, width, sixteen: false };
        let mut plans = Plans::default();
        let mut wanted = |size: Raster, may_stay: bool| {
            if plans.get(size).is_none() {
                plans.make_room(size, |_| may_stay);
                plans.keep(size, size.height);
            }
            assert_eq!(plans.get(size), Some(&size.height));
            plans.iter().count()
        };
        assert_eq!([wanted(raster(2, 3), true), wanted(raster(3, 2), true), wanted(raster(2, 3), true)], [1, 2, 2]);
        assert_eq!([wanted(raster(4, 4), true), wanted(raster(4, 4), true)], [1, 1]);
        assert_eq!([wanted(raster(2, 3), true), wanted(raster(3, 2), false), wanted(raster(2, 3), true)], [1, 1, 2]);
        assert_eq!(wanted(Raster { sixteen: true, ..raster(3, 2) }, true), 1);
    }
}

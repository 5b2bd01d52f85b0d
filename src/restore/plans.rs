//! The plans that are kept from picture to picture: that of the last size, and that of this size turned by a quarter,
//! which a folder's upright pictures have beside the others, and `--tta` makes of each.

use crate::compile::Frame;

/// At most two plans, by the pictures that they are for.
#[derive(Debug)]
pub(super) struct Plans<T>(Vec<(Frame, T)>);

impl<T> Default for Plans<T> {
    fn default() -> Self {
        Self(Vec::with_capacity(2))
    }
}

impl<T> Plans<T> {
    pub fn get(&self, frame: Frame) -> Option<&T> {
        self.0.iter().find(|(of, _)| *of == frame).map(|(_, plan)| plan)
    }

    /// Makes room for a plan for `frame`: all go but that for its turned one, if `may_stay`.
    pub fn make_room(&mut self, frame: Frame, may_stay: impl Fn(&T) -> bool) {
        let turned = Frame { height: frame.width, width: frame.height, ..frame };
        self.0.retain(|(of, plan)| *of == turned && *of != frame && may_stay(plan));
    }

    /// Keeps a plan beside those that are there, for which there was room made.
    pub fn keep(&mut self, frame: Frame, plan: T) -> &T {
        self.0.push((frame, plan));
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
        let frame = |height, width| Frame { height, width, sixteen: false };
        let mut plans = Plans::default();
        let mut wanted = |size: Frame, may_stay: bool| {
            if plans.get(size).is_none() {
                plans.make_room(size, |_| may_stay);
                plans.keep(size, size.height);
            }
            assert_eq!(plans.get(size), Some(&size.height));
            plans.iter().count()
        };
        assert_eq!([wanted(frame(2, 3), true), wanted(frame(3, 2), true), wanted(frame(2, 3), true)], [1, 2, 2]);
        assert_eq!([wanted(frame(4, 4), true), wanted(frame(4, 4), true)], [1, 1]);
        assert_eq!([wanted(frame(2, 3), true), wanted(frame(3, 2), false), wanted(frame(2, 3), true)], [1, 1, 2]);
        assert_eq!(wanted(Frame { sixteen: true, ..frame(3, 2) }, true), 1);
    }
}

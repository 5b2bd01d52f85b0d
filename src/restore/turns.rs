//! The eight ways to turn and mirror a picture.

/// One of them: mirrored across, mirrored down, then rows for columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    across: bool,
    down: bool,
    transposed: bool,
}

impl Turn {
    /// All eight, those that keep the size first, so that a plan for either size is made once.
    pub const ALL: [Turn; 8] = {
        let mut all = [Turn { across: false, down: false, transposed: false }; 8];
        let mut index = 0;
        while index < 8 {
            all[index] = Turn { across: index & 1 != 0, down: index & 2 != 0, transposed: index & 4 != 0 };
            index += 1;
        }
        all
    };

    /// Width and height of a turned picture.
    pub fn size(self, width: usize, height: usize) -> (usize, usize) {
        if self.transposed { (height, width) } else { (width, height) }
    }

    /// Where in a picture of this width and height the pixel is that the turned picture has at `at`.
    pub fn source(self, width: usize, height: usize, at: usize) -> usize {
        let turned_width = self.size(width, height).0;
        let (x, y) = (at % turned_width, at / turned_width);
        let (x, y) = if self.transposed { (y, x) } else { (x, y) };
        let x = if self.across { width - 1 - x } else { x };
        let y = if self.down { height - 1 - y } else { y };
        y * width + x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn eight_different_permutations() {
        let (width, height) = (5, 3);
        let pictures: HashSet<Vec<usize>> = Turn::ALL
            .iter()
            .map(|turn| (0..width * height).map(|at| turn.source(width, height, at)).collect())
            .collect();
        assert_eq!(pictures.len(), 8);
        for picture in pictures {
            assert_eq!(picture.iter().collect::<HashSet<_>>().len(), width * height);
        }
        // Mirrored down, then rows for columns: a quarter turn.
        let quarter = Turn { across: false, down: true, transposed: true };
        let turned: Vec<usize> = (0..6).map(|at| quarter.source(3, 2, at)).collect();
        assert_eq!((quarter.size(3, 2), turned), ((2, 3), vec![3, 0, 4, 1, 5, 2]));
    }
}

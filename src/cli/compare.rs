//! Before and after in one picture.

use crate::photo::{Photo, Pixels};
use clap::ValueEnum;

/// How the two are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Comparison {
    /// The left half before, the right half after, a white line between
    Split,
    /// Both whole, side by side
    Side,
}

impl Comparison {
    /// The two photos, of one size and depth, in one.
    pub fn of(self, before: &Photo, after: &Photo) -> Photo {
        let width = match self {
            Comparison::Split => after.width,
            Comparison::Side => 2 * after.width,
        };
        let pixels = match (&before.pixels, &after.pixels) {
            (Pixels::Eight(before), Pixels::Eight(after)) => {
                Pixels::Eight(self.put(before, after, width, [u8::MAX; 4]))
            }
            _ => {
                Pixels::Sixteen(self.put(&before.pixels.to_sixteen(), &after.pixels.to_sixteen(), width, [u16::MAX; 4]))
            }
        };
        Photo { pixels, width, height: after.height, ..after.clone() }
    }

    fn put<T: Copy>(self, before: &[[T; 4]], after: &[[T; 4]], width: usize, line: [T; 4]) -> Vec<[T; 4]> {
        match self {
            Comparison::Side => {
                let single = (width / 2).max(1);
                before.chunks(single).zip(after.chunks(single)).flat_map(|(b, a)| [b, a].concat()).collect()
            }
            Comparison::Split => {
                // A two-hundredth of the picture, one pixel at least; a picture too narrow for three parts has no line.
                let (middle, thickness) = (width / 2, if width < 8 { 0 } else { (width / 200).max(1) });
                let at = |(index, (b, a)): (usize, (&[T; 4], &[T; 4]))| match index % width {
                    x if x < middle - thickness / 2 => *b,
                    x if x < middle - thickness / 2 + thickness => line,
                    _ => *a,
                };
                before.iter().zip(after).enumerate().map(at).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_is_before_and_right_is_after() {
        let photo = |level: u8| {
            let photo = Photo::from(image::DynamicImage::new_rgb8(9, 2));
            photo.with(Pixels::Eight(vec![[level, level, level, 255]; 18]))
        };
        let row = |comparison: Comparison| {
            let both = comparison.of(&photo(1), &photo(2));
            assert_eq!((both.height, both.pixels.len()), (2, 2 * both.width));
            let Pixels::Eight(pixels) = both.pixels else { panic!() };
            pixels[both.width..].iter().map(|pixel| pixel[0]).collect::<Vec<_>>()
        };
        assert_eq!(row(Comparison::Split), [1, 1, 1, 1, 255, 2, 2, 2, 2]);
        assert_eq!(row(Comparison::Side), [[1; 9], [2; 9]].concat());
    }
}

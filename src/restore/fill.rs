//! Colours for pixels that nobody sees. What a file has under full transparency is arbitrary, often black; the network
//! would take its borders for edges of the picture and spread it into its means.

/// Gives every fully transparent pixel the colour of the visible ones around it, smoothly: each halving of the picture
/// averages what is visible, and where nothing is, the next coarser picture shows. Without a visible pixel nothing
/// happens.
pub(super) fn fill_transparent(pixels: &mut [[u16; 4]], width: usize) {
    if width == 0 || pixels.iter().all(|pixel| pixel[3] > 0) {
        return;
    }
    let level = Level {
        width,
        height: pixels.len() / width,
        colours: pixels.iter().map(|&[r, g, b, a]| (a > 0).then(|| [r, g, b].map(f32::from))).collect(),
    };
    for (pixel, colour) in pixels.iter_mut().zip(level.filled().colours) {
        if let (0, Some(colour)) = (pixel[3], colour) {
            pixel[..3].copy_from_slice(&colour.map(|value| value.round() as u16));
        }
    }
}

/// A picture with holes.
struct Level {
    width: usize,
    height: usize,
    colours: Vec<Option<[f32; 3]>>,
}

impl Level {
    fn filled(mut self) -> Self {
        if (self.width == 1 && self.height == 1) || self.colours.iter().all(Option::is_some) {
            return self;
        }
        let coarse = self.half().filled();
        for (at, colour) in self.colours.iter_mut().enumerate().filter(|(_, colour)| colour.is_none()) {
            *colour = coarse.between(at % self.width, at / self.width);
        }
        self
    }

    /// Each pixel the mean of the visible ones among the up to four it stands for.
    fn half(&self) -> Self {
        let [width, height] = [self.width, self.height].map(|side| side.div_ceil(2));
        let mean = |at: usize| {
            let (x, y) = (at % width * 2, at / width * 2);
            let four = [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)];
            average(
                four.into_iter().filter(|&(x, y)| x < self.width && y < self.height).map(|(x, y)| (1.0, self.at(x, y))),
            )
        };
        Self { width, height, colours: (0..width * height).map(mean).collect() }
    }

    /// The colour that a pixel of the next finer level has here, between the four that are nearest.
    fn between(&self, x: usize, y: usize) -> Option<[f32; 3]> {
        let near = |fine: usize, side: usize| {
            let (near, odd) = (fine / 2, fine % 2);
            [(near, 0.75), (if odd == 1 { near + 1 } else { near.saturating_sub(1) }.min(side - 1), 0.25)]
        };
        let columns = near(x, self.width);
        average(near(y, self.height).into_iter().flat_map(|(y, wy)| columns.map(|(x, wx)| (wx * wy, self.at(x, y)))))
    }

    fn at(&self, x: usize, y: usize) -> Option<[f32; 3]> {
        self.colours[y * self.width + x]
    }
}

/// The weighted mean of those that are there; None if none is.
fn average(colours: impl Iterator<Item = (f32, Option<[f32; 3]>)>) -> Option<[f32; 3]> {
    let (mut sum, mut total) = ([0.0; 3], 0.0);
    for (weight, colour) in colours.filter_map(|(weight, colour)| Some((weight, colour?))) {
        total += weight;
        sum.iter_mut().zip(colour).for_each(|(sum, value)| *sum += weight * value);
    }
    (total > 0.0).then(|| sum.map(|value| value / total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_take_the_colours_around_them() {
        let (width, height) = (37, 23);
        let seen = |x: usize, y: usize| !(5..20).contains(&x) || !(4..18).contains(&y);
        let mut pixels: Vec<[u16; 4]> = (0..width * height)
            .map(|at| if seen(at % width, at / width) { [10_000, 40_000, 60_000, 1] } else { [0; 4] })
            .collect();
        fill_transparent(&mut pixels, width);
        for (at, &[r, g, b, a]) in pixels.iter().enumerate() {
            assert_eq!([r, g, b], [10_000, 40_000, 60_000]);
            assert_eq!(a > 0, seen(at % width, at / width));
        }
    }

    #[test]
    fn a_hole_between_two_colours_is_between_them() {
        let mut pixels: Vec<[u16; 4]> = (0..64).map(|x| [x * 1000, 0, 0, u16::from(!(8..56).contains(&x))]).collect();
        fill_transparent(&mut pixels, 64);
        assert!(pixels.iter().all(|pixel| pixel[0] <= 63_000));
        assert!(pixels[10][0] < 20_000 && pixels[53][0] > 43_000, "{:?} {:?}", pixels[10], pixels[53]);
    }

    #[test]
    fn nothing_visible_is_left_alone() {
        let mut pixels = vec![[1, 2, 3, 0]; 12];
        fill_transparent(&mut pixels, 4);
        assert_eq!(pixels, vec![[1, 2, 3, 0]; 12]);
        fill_transparent(&mut [], 0);
    }
}

//! A video's frames, evened out: what a network makes of a frame hangs on its noise and on where its borders lie, so that
//! the same wall comes out a little lighter in one frame than in the next, which flickers.
//!
//! A smooth change, as haze's is, is nearly a [`LinearChange`] of the frame's colours. The mean over the frames so far takes its
//! place where the picture stays. Where it moves or cuts, or where the network comes to see it otherwise, the frame's own change
//! stays; what changes slowly lags by a few levels of 8 bits.

use super::carry::{copy, copy_size};
use super::linear_change::{LinearChange, means};
use super::pixels::colours;
use crate::kernels::Raster;
use crate::photo::{Photo, Pixels};
use crate::tensor::{FeatureMap, Shape};

/// A frame's share of the mean, where nothing moves, is one part of so many. Fewer flicker more, more lag more.
const FRAMES: f32 = 8.0;

/// The squared difference, of colours from 0 to 1, at which half of what the mean would hold back is let through. More evens
/// out more and lags more.
const MOVED: f32 = (6.0 / 255.0) * (6.0 / 255.0);

/// The longest side of the grid that frames are compared on: coarse, so that the noise of a frame of some hundred pixels is no
/// motion.
const GRID: usize = 80;

/// The frames so far, which come in order.
#[derive(Default)]
pub struct Steady(Option<Past>);

struct Past {
    /// The frame before, on the grid.
    frame: Pixels,
    grid: Raster,
    change: LinearChange,
}

impl Steady {
    /// What an opaque `frame` was restored to, less what flickers. The first one is left as it is, to the bit, and so is one that
    /// is like all before it.
    ///
    /// # Panics
    ///
    /// If both aren't of one size.
    pub fn even(&mut self, frame: &Photo, mut restored: Photo) -> Photo {
        assert!((frame.width, frame.height) == (restored.width, restored.height), "restored to another size");
        let sixteen = matches!(frame.pixels, Pixels::Sixteen(_));
        let raster = Raster { height: frame.height, width: frame.width, sixteen };
        let (width, height) = copy_size(frame.width, frame.height, GRID.min(frame.width.max(frame.height)));
        let grid = Raster { height, width, sixteen: true };
        let seen = copy(raster, &frame.pixels, (width, height));
        let own = LinearChange::between(grid, &seen, &copy(raster, &restored.pixels, (width, height)));
        let change = match self.0.take().filter(|past| past.grid == grid) {
            Some(past) => {
                let shares = shares(&past, &seen, &own);
                let change = past.change.towards(&own, &shares);
                change.minus(&own).add(raster, &frame.pixels, &mut restored.pixels);
                change
            }
            None => own,
        };
        self.0 = Some(Past { frame: seen, grid, change });
        restored
    }
}

/// `[height, width, 1]`: how far the mean goes to a frame's `own` change, 0 to 1. All the way where the frame is another one
/// than that before, or where what the two changes make of it is: more than flickers then.
fn shares(past: &Past, frame: &Pixels, own: &LinearChange) -> FeatureMap<f32> {
    let square = |a: [f32; 3], b: [f32; 3]| (0..3).map(|c| (a[c] - b[c]).powi(2)).sum::<f32>() / 3.0;
    let difference = FeatureMap::<f32>::from_fn(Shape::new(past.grid.height, past.grid.width, 1), |y, x, value| {
        let at = y * past.grid.width + x;
        let (before, now) = (colours(&past.frame, at), colours(frame, at));
        value[0] = square(before, now) + square(past.change.of(at, now), own.of(at, now));
    });
    let mut shares = means(&difference);
    for share in &mut shares.data {
        let moved = *share / (*share + MOVED);
        *share = (1.0 - moved) / FRAMES + moved;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photo::Layout;

    const SIZE: (usize, usize) = (96, 64);

    /// A frame whose colours are those of `value` at each row and column.
    fn frame(value: impl Fn(usize, usize) -> f32) -> Photo {
        let (width, height) = SIZE;
        let level = |at: usize| (value(at / width, at % width).clamp(0.0, 1.0) * 65535.0) as u16;
        let pixels = (0..width * height).map(|at| [level(at), level(at), level(at), u16::MAX]).collect();
        Photo::new(width, height, Pixels::Sixteen(pixels), Layout::Rgb)
    }

    fn texture(y: usize, x: usize) -> f32 {
        0.3 + 0.2 * ((y * 31 + x * 17) % 23) as f32 / 23.0
    }

    fn mean(photo: &Photo) -> f32 {
        let pixels = photo.width * photo.height;
        (0..pixels).map(|at| colours(&photo.pixels, at)[0]).sum::<f32>() / pixels as f32
    }

    #[test]
    fn the_first_frame_and_those_like_it_stay_to_the_bit() {
        let (before, after) = (frame(texture), frame(|y, x| texture(y, x) * 1.3 - 0.1));
        let mut steady = Steady::default();
        for _ in 0..4 {
            assert!(steady.even(&before, after.clone()).pixels == after.pixels);
        }
    }

    #[test]
    fn what_flickers_is_evened_out() {
        let before = frame(texture);
        let after = |n: usize| frame(|y, x| texture(y, x) * 1.3 + if n.is_multiple_of(2) { 0.008 } else { -0.008 });
        let mut steady = Steady::default();
        let means: Vec<f32> = (0..40).map(|n| mean(&steady.even(&before, after(n)))).collect();
        let largest = means[20..].windows(2).map(|pair| (pair[0] - pair[1]).abs()).fold(0.0, f32::max);
        assert!(largest < 0.016 / 5.0, "{largest}, where each by itself jumps by 0.016");
        let expected = (mean(&after(0)) + mean(&after(1))) / 2.0;
        assert!((means[39] - expected).abs() < 0.002, "{} {expected}", means[39]);
    }

    /// After a cut the change is the new frame's own, but for a fortieth of what it differs from that before.
    #[test]
    fn a_cut_holds_nothing_back() {
        let mut steady = Steady::default();
        for _ in 0..10 {
            steady.even(&frame(texture), frame(|y, x| texture(y, x) + 0.2));
        }
        let dark = |y: usize, x: usize| 0.5 * texture(y, x);
        let (before, after) = (frame(dark), frame(|y, x| dark(y, x) - 0.1));
        let even = steady.even(&before, after.clone());
        for at in 0..SIZE.0 * SIZE.1 {
            let (found, own) = (colours(&even.pixels, at)[0], colours(&after.pixels, at)[0]);
            assert!((found - own).abs() < 0.3 / 40.0, "{at}: {found} {own}");
        }
    }

    /// Where one half moves, the other is still evened out, and the moving one isn't.
    #[test]
    fn what_moves_keeps_its_own_change() {
        let before = |n: usize| frame(|y, x| if x < 48 { texture(y, x) } else { texture(y, x + 7 * n) * 1.6 });
        let change = |n: usize| if n.is_multiple_of(2) { 0.008 } else { -0.008 };
        let mut steady = Steady::default();
        let mut jumps = [0.0_f32; 2];
        let mut last = [0.0; 2];
        for n in 0..30 {
            let frame = before(n);
            let Pixels::Sixteen(pixels) = &frame.pixels else { panic!("16 bits") };
            let lighter = |value: u16| (f32::from(value) + change(n) * 65535.0) as u16;
            let after = pixels.iter().map(|p| [lighter(p[0]), lighter(p[1]), lighter(p[2]), p[3]]).collect();
            let even = steady.even(&frame, Photo::new(SIZE.0, SIZE.1, Pixels::Sixteen(after), Layout::Rgb));
            let made = |columns: std::ops::Range<usize>| {
                let at = |x: usize| (0..SIZE.1).map(move |y| y * SIZE.0 + x);
                let all = columns.clone().flat_map(at);
                let sum: f32 = all.map(|at| colours(&even.pixels, at)[0] - colours(&frame.pixels, at)[0]).sum();
                sum / (columns.len() * SIZE.1) as f32
            };
            let now = [made(0..32), made(64..96)];
            if n > 15 {
                (0..2).for_each(|side| jumps[side] = jumps[side].max((now[side] - last[side]).abs()));
            }
            last = now;
        }
        assert!(jumps[0] < 0.005 && jumps[1] > 0.012, "{jumps:?}");
    }

    /// What the network comes to see otherwise leaves no trail, though the frame be the same.
    #[test]
    fn another_change_is_followed() {
        let mut steady = Steady::default();
        for _ in 0..10 {
            steady.even(&frame(texture), frame(|y, x| texture(y, x) + 0.2));
        }
        let found = mean(&steady.even(&frame(texture), frame(texture)));
        assert!((found - mean(&frame(texture))).abs() < 0.2 / 40.0, "{found}");
    }

    /// A level more with each frame: the mean lags, but not far.
    #[test]
    fn what_changes_slowly_lags_by_a_few_levels() {
        let mut steady = Steady::default();
        for n in 0..60 {
            let after = frame(|y, x| texture(y, x) + n as f32 / 255.0);
            let lag = mean(&after) - mean(&steady.even(&frame(texture), after.clone()));
            assert!((-0.1 / 255.0..3.5 / 255.0).contains(&lag), "{n}: {lag}");
        }
    }

    #[test]
    fn frames_of_one_pixel_and_of_another_size() {
        let mut steady = Steady::default();
        let sizes = [(1, 1), (1, 1), (1, 500), (500, 1), (500, 1), (3, 2)];
        for (n, (width, height)) in sizes.into_iter().enumerate() {
            let of =
                |value| Photo::new(width, height, Pixels::Eight(vec![[value, 5, 7, 255]; width * height]), Layout::Rgb);
            let after = of(40 + 2 * n as u8);
            let even = steady.even(&of(90), after.clone());
            // One of another size than that before is a first one.
            let first = n == 0 || sizes[n - 1] != (width, height);
            assert_eq!(even.pixels == after.pixels, first, "{n}");
            assert!(colours(&even.pixels, 0)[0] < 60.0 / 255.0, "{n}");
        }
    }
}

//! Frames of video as photos and back: limited and full range, BT.601 and BT.709, chroma on coarser lattices that lie
//! in different places.
//!
//! A photo is made for the network to look at; what comes back into the frame is the photo's *change*, converted:
//! samples beyond black and white, chroma that was never filtered to the full lattice, and frames the network leaves
//! alone all stay as they are, to the bit.

use super::{Layout, Photo, Pixels};
use rayon::prelude::*;

/// How the samples of a frame lie and what they mean.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Pixels per row.
    pub width: usize,
    /// Rows of pixels.
    pub height: usize,
    /// The lattice of chroma.
    pub chroma: Chroma,
    /// Bits per sample, 8 to 16; above 8 a sample takes two bytes, the lower first.
    pub bits: u32,
    /// Which numbers are black and white.
    pub range: Range,
    /// The shares of red and blue in luma.
    pub matrix: Matrix,
}

/// The lattice of chroma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chroma {
    /// No chroma: grey.
    None,
    /// Chroma at every pixel (4:4:4).
    Whole,
    /// Chroma at every second pixel of a row (4:2:2).
    Half,
    /// Chroma at every second pixel of every second row (4:2:0).
    Quarter(Siting),
}

/// Where a sample of 4:2:0 lies among its four pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Siting {
    /// In the middle, as in JPEG and MPEG-1.
    Centre,
    /// On the left column, between the rows, as in MPEG-2 and later.
    Left,
    /// On the upper left pixel, as in DV.
    TopLeft,
}

/// Which numbers are black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Luma of 16 to 235, chroma of 16 to 240, in 8 bits.
    Limited,
    /// All numbers that the bits hold.
    Full,
}

/// The shares of red and blue in luma; green has the rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matrix {
    red: f32,
    blue: f32,
}

impl Matrix {
    /// The matrix of BT.601, for standard definition.
    pub const BT601: Matrix = Matrix { red: 0.299, blue: 0.114 };
    /// The matrix of BT.709, for high definition.
    pub const BT709: Matrix = Matrix { red: 0.2126, blue: 0.0722 };

    /// The matrix that is usual at this size, which is all a Y4M stream tells.
    pub fn usual(width: u32, height: u32) -> Self {
        if width >= 1280 || height > 576 { Self::BT709 } else { Self::BT601 }
    }

    /// Luma and the two chroma samples to red, green and blue; luma and colours 0..1, chroma -0.5..0.5.
    fn to_rgb(self, [y, cb, cr]: [f32; 3]) -> [f32; 3] {
        let (r, b) = (y + 2.0 * (1.0 - self.red) * cr, y + 2.0 * (1.0 - self.blue) * cb);
        [r, (y - self.red * r - self.blue * b) / (1.0 - self.red - self.blue), b]
    }

    /// Red, green and blue to luma and the two chroma samples, as [`Matrix::to_rgb`] the other way.
    fn of_rgb(self, [r, g, b]: [f32; 3]) -> [f32; 3] {
        let y = self.red * r + (1.0 - self.red - self.blue) * g + self.blue * b;
        [y, (b - y) / (2.0 * (1.0 - self.blue)), (r - y) / (2.0 * (1.0 - self.red))]
    }
}

/// A frame of video.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The line that opens the frame, without its end.
    pub(super) line: String,
    /// The planes one after another: luma, blue-difference, red-difference.
    pub(super) samples: Vec<u16>,
}

impl Sampling {
    /// Bytes of a frame.
    pub fn bytes(&self) -> usize {
        self.samples() * if self.bits > 8 { 2 } else { 1 }
    }

    /// Samples of a frame, in all planes.
    fn samples(&self) -> usize {
        let (width, height) = self.chroma_size();
        self.width * self.height + 2 * width * height
    }

    /// Width and height of a plane of chroma, in samples.
    fn chroma_size(&self) -> (usize, usize) {
        match self.chroma {
            Chroma::None => (0, 0),
            Chroma::Whole => (self.width, self.height),
            Chroma::Half => (self.width.div_ceil(2), self.height),
            Chroma::Quarter(_) => (self.width.div_ceil(2), self.height.div_ceil(2)),
        }
    }

    /// The samples that a frame's bytes hold.
    pub(super) fn unpack(&self, bytes: &[u8]) -> Vec<u16> {
        if self.bits > 8 {
            bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
        } else {
            bytes.iter().map(|&byte| byte.into()).collect()
        }
    }

    /// Appends the bytes of a frame's samples.
    pub(super) fn pack(&self, samples: &[u16], bytes: &mut Vec<u8>) {
        if self.bits > 8 {
            bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        } else {
            bytes.extend(samples.iter().map(|&sample| sample as u8));
        }
    }

    /// Numbers of a sample: black, the way from it to white, no colour, and the span of chroma.
    fn scale(&self) -> [f32; 4] {
        let unit = (1_u32 << (self.bits - 8)) as f32;
        let top = ((1_u32 << self.bits) - 1) as f32;
        match self.range {
            Range::Limited => [16.0 * unit, 219.0 * unit, 128.0 * unit, 224.0 * unit],
            Range::Full => [0.0, top, 128.0 * unit, top],
        }
    }

    /// The frame as the network sees it: RGB of 16 bits, or grey where there is no chroma.
    pub fn to_photo(&self, frame: &Frame) -> Photo {
        let [black, step, neutral, chroma_step] = self.scale();
        let (luma, chroma) = frame.samples.split_at(self.width * self.height);
        let level = |value: f32| (value.clamp(0.0, 1.0) * 65535.0).round() as u16;
        let luma = luma.par_iter().map(|&sample| (f32::from(sample) - black) / step);
        let pixels: Vec<[u16; 4]> = if self.chroma == Chroma::None {
            luma.map(|y| [level(y), level(y), level(y), u16::MAX]).collect()
        } else {
            let (blue, red) = chroma.split_at(chroma.len() / 2);
            let [blue, red] = [blue, red].map(|plane| {
                self.raise(&plane.iter().map(|&sample| (f32::from(sample) - neutral) / chroma_step).collect::<Vec<_>>())
            });
            luma.zip(blue.into_par_iter().zip(red))
                .map(|(y, (cb, cr))| {
                    let [r, g, b] = self.matrix.to_rgb([y, cb, cr]).map(level);
                    [r, g, b, u16::MAX]
                })
                .collect()
        };
        let layout = if self.chroma == Chroma::None { Layout::Grey } else { Layout::Rgb };
        Photo::new(self.width, self.height, Pixels::Sixteen(pixels), layout)
    }

    /// The frame with the change from its photo `before` to the restored one, `after`, added to it.
    ///
    /// # Panics
    ///
    /// If the photos are not of the frame's size.
    pub fn with_change(&self, frame: &Frame, before: &Photo, after: &Photo) -> Frame {
        let (before, after) = (before.pixels.to_sixteen(), after.pixels.to_sixteen());
        assert!(before.len() == self.width * self.height && after.len() == before.len(), "photos of another size");
        let [_, step, _, chroma_step] = self.scale();
        let changes: Vec<[f32; 3]> = before
            .par_iter()
            .zip(&*after)
            .map(|(before, after)| {
                let change = [0, 1, 2].map(|c| (f32::from(after[c]) - f32::from(before[c])) / 65535.0);
                self.matrix.of_rgb(change)
            })
            .collect();
        let top = ((1_u32 << self.bits) - 1) as f32;
        let add = |sample: u16, change: f32| (f32::from(sample) + change).round().clamp(0.0, top) as u16;
        let (luma, chroma) = frame.samples.split_at(before.len());
        let mut samples: Vec<u16> =
            luma.par_iter().zip(&changes).map(|(&sample, [y, ..])| add(sample, y * step)).collect();
        let (blue, red) = chroma.split_at(chroma.len() / 2);
        for (plane, channel) in [(blue, 1), (red, 2)] {
            if !plane.is_empty() {
                let lowered = self.lower(&changes.par_iter().map(|change| change[channel]).collect::<Vec<_>>());
                samples.extend(plane.iter().zip(lowered).map(|(&sample, change)| add(sample, change * chroma_step)));
            }
        }
        Frame { line: frame.line.clone(), samples }
    }

    /// Brings a plane of chroma from its lattice to every pixel, between the nearest samples.
    fn raise(&self, plane: &[f32]) -> Vec<f32> {
        let ((width, height), [across, down]) = (self.chroma_size(), self.axes());
        let between = |axis: Axis, at: usize, side: usize| match axis {
            Axis::Whole => [(at, 1.0), (at, 0.0)],
            // Even pixels are on a sample, odd ones between two.
            Axis::On if at.is_multiple_of(2) => [(at / 2, 1.0), (at / 2, 0.0)],
            Axis::On => [(at / 2, 0.5), ((at / 2 + 1).min(side - 1), 0.5)],
            // Every pixel is a quarter from the nearer one.
            Axis::Between if at.is_multiple_of(2) => [(at / 2, 0.75), ((at / 2).saturating_sub(1), 0.25)],
            Axis::Between => [(at / 2, 0.75), ((at / 2 + 1).min(side - 1), 0.25)],
        };
        let rows = |y| between(down, y, height);
        weighted(plane, width, (self.width, self.height), rows, |x| between(across, x, width))
    }

    /// Brings a plane of chroma from every pixel to its lattice, as a mean around each sample.
    fn lower(&self, plane: &[f32]) -> Vec<f32> {
        let ((width, height), [across, down]) = (self.chroma_size(), self.axes());
        let around = |axis: Axis, at: usize, side: usize| match axis {
            Axis::Whole => [(at, 1.0), (at, 0.0), (at, 0.0)],
            Axis::On => [((2 * at).saturating_sub(1), 0.25), (2 * at, 0.5), ((2 * at + 1).min(side - 1), 0.25)],
            Axis::Between => [(2 * at, 0.5), ((2 * at + 1).min(side - 1), 0.5), (2 * at, 0.0)],
        };
        let rows = |y| around(down, y, self.height);
        weighted(plane, self.width, (width, height), rows, |x| around(across, x, self.width))
    }

    /// How chroma lies across a row and down a column.
    fn axes(&self) -> [Axis; 2] {
        match self.chroma {
            Chroma::None | Chroma::Whole => [Axis::Whole, Axis::Whole],
            Chroma::Half => [Axis::On, Axis::Whole],
            Chroma::Quarter(Siting::Centre) => [Axis::Between, Axis::Between],
            Chroma::Quarter(Siting::Left) => [Axis::On, Axis::Between],
            Chroma::Quarter(Siting::TopLeft) => [Axis::On, Axis::On],
        }
    }
}

/// A plane of this width and height whose samples are weighted sums of those of another one, `stride` of them a row: of
/// which rows and columns, and by which weights, `rows` and `columns` tell.
fn weighted<const N: usize>(
    plane: &[f32],
    stride: usize,
    (width, height): (usize, usize),
    rows: impl Fn(usize) -> [(usize, f32); N] + Sync,
    columns: impl Fn(usize) -> [(usize, f32); N],
) -> Vec<f32> {
    let columns: Vec<_> = (0..width).map(columns).collect();
    let mut sums = vec![0.0; width * height];
    sums.par_chunks_mut(width).enumerate().for_each(|(y, sums)| {
        let rows = rows(y);
        for (sum, columns) in sums.iter_mut().zip(&columns) {
            let of_row = |(y, weight): (usize, f32)| -> f32 {
                columns.iter().map(|&(x, share)| weight * share * plane[y * stride + x]).sum()
            };
            *sum = rows.map(of_row).iter().sum();
        }
    });
    sums
}

/// How samples of chroma lie along an axis of pixels.
#[derive(Clone, Copy)]
enum Axis {
    /// A sample at every pixel.
    Whole,
    /// A sample for two pixels, on the first of them.
    On,
    /// A sample for two pixels, between them.
    Between,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(chroma: Chroma, bits: u32, range: Range) -> Sampling {
        Sampling { width: 13, height: 9, chroma, bits, range, matrix: Matrix::BT601 }
    }

    const LATTICES: [Chroma; 6] = [
        Chroma::None,
        Chroma::Whole,
        Chroma::Half,
        Chroma::Quarter(Siting::Centre),
        Chroma::Quarter(Siting::Left),
        Chroma::Quarter(Siting::TopLeft),
    ];

    /// The numbers of BT.601 and BT.709: red, and white, in limited range of 8 bits.
    #[test]
    fn colours_are_the_standards() {
        for (matrix, colour, expected) in [
            (Matrix::BT601, [81, 90, 240], [65535, 0, 0]),
            (Matrix::BT709, [63, 102, 240], [65535, 0, 0]),
            (Matrix::BT709, [173, 42, 26], [0, 65535, 0]),
            (Matrix::BT601, [235, 128, 128], [65535; 3]),
            (Matrix::BT601, [16, 128, 128], [0; 3]),
        ] {
            let one = Sampling { width: 1, height: 1, matrix, ..sampling(Chroma::Whole, 8, Range::Limited) };
            let photo = one.to_photo(&Frame { line: "FRAME".into(), samples: colour.to_vec() });
            let Pixels::Sixteen(pixels) = photo.pixels else { panic!() };
            for channel in 0..3 {
                let error = i32::from(pixels[0][channel]) - expected[channel];
                assert!(error.abs() < 500, "{colour:?}: {pixels:?}");
            }
        }
    }

    #[test]
    fn a_photo_that_stays_leaves_the_frame_to_the_bit() {
        for chroma in LATTICES {
            for (bits, range) in [(8, Range::Limited), (8, Range::Full), (10, Range::Limited), (16, Range::Full)] {
                let sampling = sampling(chroma, bits, range);
                let mask = ((1_u32 << bits) - 1) as u16;
                let samples = (0..sampling.samples()).map(|i| (i * 40503) as u16 & mask).collect();
                let frame = Frame { line: "FRAME".into(), samples };
                let photo = sampling.to_photo(&frame);
                assert_eq!(sampling.with_change(&frame, &photo, &photo), frame, "{chroma:?} {bits} {range:?}");
                let mut bytes = Vec::new();
                sampling.pack(&frame.samples, &mut bytes);
                assert_eq!(bytes.len(), sampling.bytes());
                assert_eq!(sampling.unpack(&bytes), frame.samples);
            }
        }
    }

    /// A ramp of chroma is the same ramp on every lattice, wherever its samples lie: the siting is right.
    #[test]
    fn a_ramp_keeps_its_place_on_every_lattice() {
        for chroma in &LATTICES[1..] {
            let sampling = Sampling { width: 40, height: 32, ..sampling(*chroma, 8, Range::Full) };
            let ramp: Vec<f32> = (0..40 * 32).map(|at| (at % 40) as f32 + 2.0 * (at / 40) as f32).collect();
            let raised = sampling.raise(&sampling.lower(&ramp));
            for (at, (raised, ramp)) in raised.iter().zip(&ramp).enumerate() {
                let inner = (3..36).contains(&(at % 40)) && (3..28).contains(&(at / 40));
                assert!(!inner || (raised - ramp).abs() < 1e-4, "{chroma:?} {at}: {raised} {ramp}");
            }
        }
    }

    #[test]
    fn a_change_of_colour_arrives() {
        for chroma in LATTICES {
            let sampling = sampling(chroma, 10, Range::Limited);
            let frame = Frame { line: "FRAME".into(), samples: vec![512; sampling.samples()] };
            let before = sampling.to_photo(&frame);
            let Pixels::Sixteen(pixels) = &before.pixels else { panic!() };
            let grey = chroma == Chroma::None;
            let moved =
                pixels.iter().map(|&[r, g, b, a]| if grey { [r + 6554; 4] } else { [r + 6554, g, b - 6554, a] });
            let after = before.with(Pixels::Sixteen(moved.collect()));
            let changed = sampling.with_change(&frame, &before, &after);
            let photo = sampling.to_photo(&changed);
            for (again, after) in photo.pixels.to_sixteen().iter().zip(after.pixels.to_sixteen().iter()) {
                assert!((0..3).all(|c| again[c].abs_diff(after[c]) < 150), "{chroma:?}: {again:?} {after:?}");
            }
        }
    }
}

//! Floor 7: pictures in and out of files. A [`Photo`] is what a file showed, upright, as RGBA of 8 or 16 bits; what the
//! file had besides (its layout, colour profile, EXIF, texts) travels along, so that the restored picture is the same kind
//! of file as the one that came in.
//!
//! Nothing is lost in silence: half a file is an error, and what a file or a format cannot keep is a [`Warning`].
//!
//! ```
//! use irnext::photo::{Format, Limits, Photo, Pixels};
//!
//! let photo = Photo::from(image::DynamicImage::new_rgb8(2, 2));
//! let file = photo.encode(Format::Png, 95)?;
//! let again = Photo::decode(&file, &Limits::default())?;
//! assert_eq!(again.pixels, Pixels::Eight(vec![[0, 0, 0, 255]; 4]));
//! # Ok::<(), irnext::photo::PhotoError>(())
//! ```

mod bmp;
mod chunks;
mod colour;
mod decode;
mod dynamic;
mod encode;
mod error;
mod exif;
mod format;
mod icc;
mod notes;
mod tiff;
mod whole;
mod write;
mod xmp;
mod y4m;
pub mod ycbcr;

pub use colour::ColourSpace;
pub(crate) use dynamic::luma;
pub use encode::FILE_QUALITY;
pub use error::{PhotoError, Warning};
pub use format::Format;
pub use notes::{Notes, Resolution, Text, Unit};
pub(crate) use write::{Staged, stage};
pub use write::{create_parent, same_file, write_atomic, write_new};
pub use y4m::{Header, VideoError, VideoReader, VideoWriter};

use std::borrow::Cow;

/// A picture in memory, upright.
#[derive(Clone, Debug, PartialEq)]
pub struct Photo {
    /// Pixels per row.
    pub width: usize,
    /// Rows of pixels.
    pub height: usize,
    /// `width * height` pixels, row by row from the top left.
    pub pixels: Pixels,
    /// The channels the file had, which are the ones written again.
    pub layout: Layout,
    /// The format it was read from, if it came from a file.
    pub format: Option<Format>,
    /// The colour profile that gives the numbers their meaning. None means sRGB.
    pub icc: Option<Vec<u8>>,
    /// The EXIF block, a TIFF structure, without an orientation to be applied and without its thumbnail.
    pub exif: Option<Vec<u8>>,
    /// The XMP packet, UTF-8, without an orientation to be applied.
    pub xmp: Option<Vec<u8>>,
    /// Resolution and texts, where PNG and JPEG have places of their own for them.
    pub notes: Notes,
    /// What was noticed while the file was read.
    pub warnings: Vec<Warning>,
}

/// RGBA samples at the file's own depth, the full range meaning 0..1. Alpha is full where the file has none, and the
/// colours are not multiplied by it.
#[derive(Clone, Debug, PartialEq)]
pub enum Pixels {
    /// 8 bits per sample.
    Eight(Vec<[u8; 4]>),
    /// 16 bits per sample, in the machine's byte order.
    Sixteen(Vec<[u16; 4]>),
}

impl Pixels {
    /// The number of pixels.
    pub fn len(&self) -> usize {
        match self {
            Pixels::Eight(pixels) => pixels.len(),
            Pixels::Sixteen(pixels) => pixels.len(),
        }
    }

    /// Whether there are no pixels.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bits per sample: 8 or 16.
    pub fn bits(&self) -> u32 {
        match self {
            Pixels::Eight(_) => 8,
            Pixels::Sixteen(_) => 16,
        }
    }

    /// The pixels in 8 bits, rounded to the nearest.
    pub fn to_eight(&self) -> Vec<[u8; 4]> {
        match self {
            Pixels::Eight(pixels) => pixels.clone(),
            Pixels::Sixteen(pixels) => pixels.iter().map(|pixel| pixel.map(round_to_eight)).collect(),
        }
    }

    /// The pixels in 16 bits.
    pub fn to_sixteen(&self) -> Cow<'_, [[u16; 4]]> {
        match self {
            Pixels::Eight(pixels) => pixels.iter().map(|pixel| pixel.map(|sample| u16::from(sample) * 257)).collect(),
            Pixels::Sixteen(pixels) => pixels.into(),
        }
    }

    /// These pixels, rounded to 8 bits if the others have 8.
    pub fn in_depth_of(self, others: &Pixels) -> Self {
        match (&self, others) {
            (Pixels::Sixteen(_), Pixels::Eight(_)) => Pixels::Eight(self.to_eight()),
            _ => self,
        }
    }

    /// Whether any pixel is fully transparent.
    pub fn has_transparent(&self) -> bool {
        match self {
            Pixels::Eight(pixels) => pixels.iter().any(|p| p[3] == 0),
            Pixels::Sixteen(pixels) => pixels.iter().any(|p| p[3] == 0),
        }
    }

    /// Whether every pixel is fully opaque.
    pub fn opaque(&self) -> bool {
        match self {
            Pixels::Eight(pixels) => pixels.iter().all(|p| p[3] == u8::MAX),
            Pixels::Sixteen(pixels) => pixels.iter().all(|p| p[3] == u16::MAX),
        }
    }
}

/// Which channels a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Lightness only.
    Grey,
    /// Lightness and alpha.
    GreyAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue and alpha.
    Rgba,
}

impl Layout {
    /// Whether alpha is one of the channels.
    pub fn has_alpha(self) -> bool {
        matches!(self, Layout::GreyAlpha | Layout::Rgba)
    }

    /// Whether colours are among the channels.
    pub fn has_colour(self) -> bool {
        matches!(self, Layout::Rgb | Layout::Rgba)
    }
}

/// How large a picture may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest width times height. Checked against the header, before any pixel is unpacked.
    pub max_pixels: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_pixels: 200_000_000 }
    }
}

impl Photo {
    /// A photo that comes from no file: `width * height` pixels, row by row, in sRGB, with no metadata.
    pub fn new(width: usize, height: usize, pixels: Pixels, layout: Layout) -> Self {
        let (notes, warnings) = (Notes::default(), Vec::new());
        Photo { width, height, pixels, layout, format: None, icc: None, exif: None, xmp: None, notes, warnings }
    }

    /// The colour space of the samples, if that is not sRGB and the profile can be used.
    pub fn colour_space(&self) -> Option<ColourSpace> {
        match colour::meaning(self.icc.as_deref()?, self.layout) {
            colour::Meaning::Other(space) => Some(space),
            colour::Meaning::Srgb | colour::Meaning::Unusable => None,
        }
    }

    /// This photo with other pixels, the restored ones, and all else as it was. They may be of another depth.
    ///
    /// # Panics
    ///
    /// If the number of pixels differs.
    pub fn with(&self, pixels: Pixels) -> Self {
        assert_eq!(pixels.len(), self.pixels.len(), "the restored picture has another size");
        Photo {
            format: self.format,
            icc: self.icc.clone(),
            exif: self.exif.clone(),
            xmp: self.xmp.clone(),
            notes: self.notes.clone(),
            warnings: self.warnings.clone(),
            ..Photo::new(self.width, self.height, pixels, self.layout)
        }
    }
}

/// A sample of 16 bits rounded to 8, to the nearest: both ends of the range stay where they are.
fn round_to_eight(sample: u16) -> u8 {
    ((u32::from(sample) + 128) / 257) as u8
}

//! What PNG and JPEG files say of their picture outside of EXIF and XMP: the size it is to be printed at, and texts.

use super::{Format, chunks::png_chunks, format::PNG_XMP};
use image::codecs::jpeg::{PixelDensity, PixelDensityUnit};
use image::metadata::Orientation;
use std::io::Cursor;

/// What the texts of a file may take together, unpacked, in bytes.
const MOST_TEXT: usize = 1 << 20;
/// How many texts a file may have.
const MOST_TEXTS: usize = 1 << 10;
/// What other programs hide in texts, of the file as it was: profiles, EXIF with its orientation, thumbnails.
const HIDDEN: [&str; 3] = ["Raw profile type", "Thumb::", PNG_XMP];
/// What an XMP packet may take, unpacked, in bytes.
const MOST_XMP: usize = 16 << 20;
/// The keyword of a text that has none: JPEG's comments.
const COMMENT: &str = "Comment";

/// How large a picture is to be printed: pixels per unit of length, across and down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Pixels per unit, along a row.
    pub across: u32,
    /// Pixels per unit, along a column.
    pub down: u32,
    /// The unit of length.
    pub unit: Unit,
}

/// The unit of length that a resolution refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// No unit: the two numbers only say what shape a pixel has.
    Unknown,
    /// An inch, as JPEG has it.
    Inch,
    /// A centimetre, as JPEG has it.
    Centimetre,
    /// A metre, as PNG has it.
    Metre,
}

/// A text under its keyword: `Title`, `Author`, `Comment`, `Software`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The keyword, 1 to 79 characters of Latin 1.
    pub keyword: String,
    /// The text itself, of any length.
    pub text: String,
}

/// Resolution and texts of a PNG or JPEG.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// How large the picture is to be printed, if the file says so.
    pub resolution: Option<Resolution>,
    /// Texts of Latin 1, then packed ones, then those of Unicode; each kind in the file's order.
    pub texts: Vec<Text>,
}

/// What was found in a file.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub notes: Notes,
    /// A text was left out, as it is damaged or too long. That is no reason to refuse a picture.
    pub lost: bool,
    /// A PNG's XMP packet, which its decoder doesn't find behind the picture.
    pub xmp: Option<Vec<u8>>,
}

impl Notes {
    /// Reads the notes of a file that is all there.
    pub(super) fn of(format: Format, bytes: &[u8]) -> Found {
        match format {
            Format::Png => png(bytes),
            Format::Jpeg => jpeg(bytes),
            Format::WebP | Format::Tiff | Format::Bmp | Format::Avif => Default::default(),
        }
    }

    /// Bytes that further texts may take.
    fn room(&self) -> usize {
        let taken: usize = self.texts.iter().map(|text| text.text.len()).sum();
        if self.texts.len() < MOST_TEXTS { MOST_TEXT.saturating_sub(taken) } else { 0 }
    }

    /// Adds a text to the others. False if it couldn't be read or there is no room for it.
    fn add(&mut self, keyword: &str, text: Option<String>) -> bool {
        let Some(text) = text.filter(|text| text.len() <= self.room()) else { return false };
        if !text.is_empty() {
            self.texts.push(Text { keyword: keyword.to_owned(), text });
        }
        true
    }

    /// The notes of the picture once it is set upright by this orientation.
    pub(super) fn turned(mut self, orientation: Orientation) -> Self {
        use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        if matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH) {
            self.resolution = self.resolution.map(|r| Resolution { across: r.down, down: r.across, ..r });
        }
        self
    }

    /// Whether a file of this format would lose texts.
    pub(super) fn is_lost_in(&self, format: Format) -> bool {
        match format {
            Format::Png => false,
            Format::Jpeg => self.texts.iter().any(|text| text.for_jpeg().is_none()),
            Format::WebP | Format::Tiff | Format::Bmp | Format::Avif => !self.texts.is_empty(),
        }
    }

    /// Puts the notes into the header that a PNG is written with.
    pub(super) fn write_png(&self, info: &mut png::Info<'_>) {
        info.pixel_dims = self.resolution.map(Resolution::for_png);
        for Text { keyword, text } in &self.texts {
            let text = &text.replace('\0', " "); // PNG ends a text there
            if text.chars().all(|c| u32::from(c) < 256) {
                info.uncompressed_latin1_text.push(png::text_metadata::TEXtChunk::new(keyword, text));
            } else {
                info.utf8_text.push(png::text_metadata::ITXtChunk::new(keyword, text));
            }
        }
    }

    /// The contents of the comment segments that a JPEG is written with. Texts too long for one are left out.
    pub(super) fn jpeg_comments(&self) -> impl Iterator<Item = Vec<u8>> {
        self.texts.iter().filter_map(Text::for_jpeg)
    }
}

impl Text {
    /// The text as a JPEG comment, with its keyword in front unless it came as one. None if it is too long for a
    /// segment.
    fn for_jpeg(&self) -> Option<Vec<u8>> {
        let comment = match self.keyword.as_str() {
            COMMENT => self.text.clone(),
            keyword => format!("{keyword}: {}", self.text),
        };
        (comment.len() <= 65535 - 2).then(|| comment.into_bytes())
    }
}

impl Resolution {
    /// The resolution in PNG's units.
    fn for_png(self) -> png::PixelDimensions {
        let (by, unit) = match self.unit {
            Unit::Unknown => (1.0, png::Unit::Unspecified),
            Unit::Inch => (1.0 / 0.0254, png::Unit::Meter),
            Unit::Centimetre => (100.0, png::Unit::Meter),
            Unit::Metre => (1.0, png::Unit::Meter),
        };
        let [xppu, yppu] = [self.across, self.down].map(|n| (f64::from(n) * by).round() as u32);
        png::PixelDimensions { xppu, yppu, unit }
    }

    /// The resolution in JPEG's units. None if it doesn't fit in 16 bits.
    pub(super) fn for_jpeg(self) -> Option<PixelDensity> {
        let (by, unit) = match self.unit {
            Unit::Unknown => (1.0, PixelDensityUnit::PixelAspectRatio),
            Unit::Inch => (1.0, PixelDensityUnit::Inches),
            Unit::Centimetre => (1.0, PixelDensityUnit::Centimeters),
            Unit::Metre => (0.0254, PixelDensityUnit::Inches),
        };
        let number = |n: u32| u16::try_from((f64::from(n) * by).round() as u64).ok().filter(|&n| n > 0);
        Some(PixelDensity { density: (number(self.across)?, number(self.down)?), unit })
    }
}

/// Reads a PNG's notes, by the `png` crate. It stops at the picture's data, so it is given the chunks in question from
/// wherever they stand.
fn png(bytes: &[u8]) -> Found {
    const HEADER: usize = 8 + 25;
    let mut before = bytes[..bytes.len().min(HEADER)].to_vec();
    for chunk in png_chunks(bytes).filter(|chunk| matches!(chunk.kind, b"pHYs" | b"tEXt" | b"zTXt" | b"iTXt")) {
        before.extend(chunk.bytes);
    }
    before.extend(b"\0\0\0\0IDAT");
    let mut decoder = png::Decoder::new(Cursor::new(before));
    decoder.set_ignore_text_chunk(false);
    let Ok(reader) = decoder.read_info() else { return Found { lost: true, ..Found::default() } };
    let info = reader.info();
    let resolution = info.pixel_dims.map(|dims| Resolution {
        across: dims.xppu,
        down: dims.yppu,
        unit: if dims.unit == png::Unit::Meter { Unit::Metre } else { Unit::Unknown },
    });
    let mut notes = Notes { resolution, texts: Vec::new() };
    // Up to the first that is lost: what comes behind it might be without end.
    let whole = info
        .uncompressed_latin1_text
        .iter()
        .all(|chunk| is_hidden(&chunk.keyword) || notes.add(&chunk.keyword, Some(chunk.text.clone())))
        && info.compressed_latin1_text.iter().all(|chunk| {
            let (mut own, room) = (chunk.clone(), notes.room());
            let mut text = || own.decompress_text_with_limit(room).and_then(|()| own.get_text()).ok();
            is_hidden(&chunk.keyword) || notes.add(&chunk.keyword, text())
        })
        && info.utf8_text.iter().all(|chunk| {
            let (mut own, room) = (chunk.clone(), notes.room());
            let mut text = || own.decompress_text_with_limit(room).and_then(|()| own.get_text()).ok();
            is_hidden(&chunk.keyword) || notes.add(&chunk.keyword, text())
        });
    let packet = info.utf8_text.iter().find(|chunk| chunk.keyword == PNG_XMP).and_then(|chunk| {
        let mut own = chunk.clone();
        own.decompress_text_with_limit(MOST_XMP).and_then(|()| own.get_text()).ok()
    });
    Found { notes, lost: !whole, xmp: packet.map(String::into_bytes) }
}

/// Whether a text of this keyword is one that programs hide, of those in [`HIDDEN`].
fn is_hidden(keyword: &str) -> bool {
    HIDDEN.iter().any(|hidden| keyword.starts_with(hidden))
}

/// Reads a JPEG's notes: the JFIF header's density, and the comments before the picture.
fn jpeg(bytes: &[u8]) -> Found {
    const SOS: u8 = 0xda;
    const APP0: u8 = 0xe0;
    const COM: u8 = 0xfe;
    let (mut notes, mut lost) = (Notes::default(), false);
    // Not as `whole` walks, which takes a damaged marker and its content for stray bytes: its length may still be
    // right.
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        match *rest {
            [0xff, 0xff, ..] => rest = &rest[1..], // fill
            [0xff, marker, high, low, ..] if marker != SOS => {
                let length = usize::from(u16::from_be_bytes([high, low])).max(2);
                let Some(segment) = rest.get(4..2 + length) else { break };
                rest = &rest[2 + length..];
                match (marker, segment) {
                    (APP0, &[b'J', b'F', b'I', b'F', 0, _, _, unit, a, b, c, d, ..]) => {
                        let unit = match unit {
                            1 => Unit::Inch,
                            2 => Unit::Centimetre,
                            _ => Unit::Unknown,
                        };
                        let [across, down] = [[a, b], [c, d]].map(|n| u32::from(u16::from_be_bytes(n)));
                        notes.resolution = (across > 0 && down > 0).then_some(Resolution { across, down, unit });
                    }
                    (COM, comment) => {
                        // UTF-8, or else what Latin 1 makes of it.
                        let text = String::from_utf8(comment.to_vec())
                            .unwrap_or_else(|_| comment.iter().map(|&byte| char::from(byte)).collect());
                        let text = text.trim_end_matches('\0').replace('\0', " ");
                        lost = lost || !notes.add(COMMENT, Some(text));
                    }
                    _ => (),
                }
            }
            _ => break,
        }
    }
    Found { notes, lost, xmp: None }
}

//! The file formats, told by content when reading and by extension when writing.

use super::PhotoError;
use std::fmt;
use std::path::Path;

/// What opens the JPEG segment of an XMP packet.
pub(super) const JPEG_XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// The keyword of the PNG text that is an XMP packet.
pub(super) const PNG_XMP: &str = "XML:com.adobe.xmp";

/// A file format. All are written, all but AVIF are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Lossless, 8 or 16 bits per sample.
    Png,
    /// Lossy, 8 bits per sample, no alpha.
    Jpeg,
    /// 8 bits per sample; written losslessly.
    WebP,
    /// 8 or 16 bits per sample; written uncompressed.
    Tiff,
    /// 8 bits per sample; written uncompressed, without alpha.
    Bmp,
    /// Lossy, 8 bits per sample; written only.
    Avif,
}

impl Format {
    /// The formats that are read.
    pub const READ: [Format; 5] = [Format::Png, Format::Jpeg, Format::WebP, Format::Tiff, Format::Bmp];

    /// Whether pixels are written with a loss, so that a quality means something.
    pub fn is_lossy(self) -> bool {
        matches!(self, Format::Jpeg | Format::Avif)
    }

    /// The format a file of this name is written in, by its extension in either case.
    pub fn from_path(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "png" => Some(Format::Png),
            "jpg" | "jpeg" | "jpe" | "jfif" => Some(Format::Jpeg),
            "webp" => Some(Format::WebP),
            "tif" | "tiff" => Some(Format::Tiff),
            "bmp" | "dib" => Some(Format::Bmp),
            "avif" => Some(Format::Avif),
            _ => None,
        }
    }

    /// The format of a file with this content.
    ///
    /// # Errors
    ///
    /// [`PhotoError::Empty`], or [`PhotoError::UnknownFormat`] with a guess at what it is.
    pub fn of_content(bytes: &[u8]) -> Result<Self, PhotoError> {
        if bytes.is_empty() {
            return Err(PhotoError::Empty);
        }
        let found = match image::guess_format(bytes) {
            Ok(image::ImageFormat::Png) => return Ok(Format::Png),
            Ok(image::ImageFormat::Jpeg) => return Ok(Format::Jpeg),
            Ok(image::ImageFormat::WebP) => return Ok(Format::WebP),
            Ok(image::ImageFormat::Tiff) => return Ok(Format::Tiff),
            Ok(image::ImageFormat::Bmp) => return Ok(Format::Bmp),
            // BigTIFF, which `image` reads and does not recognise.
            Err(_) if bytes.starts_with(b"II+\0\x08\0") || bytes.starts_with(b"MM\0+\0\x08") => {
                return Ok(Format::Tiff);
            }
            Ok(other) => format!("{} data", format!("{other:?}").to_uppercase()),
            Err(_) if matches!(bytes.get(4..12), Some(b"ftypheic" | b"ftypheix" | b"ftypmif1" | b"ftypmsf1")) => {
                "HEIC data".to_owned()
            }
            Err(_) if bytes.starts_with(b"\xff\x0a") || bytes.starts_with(b"\0\0\0\x0cJXL ") => {
                "JPEG XL data".to_owned()
            }
            Err(_) => "no picture format known here".to_owned(),
        };
        Err(PhotoError::UnknownFormat { found })
    }

    /// Whether files of this format are read.
    pub fn is_read(self) -> bool {
        Self::READ.contains(&self)
    }

    /// The usual extension, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Png => "png",
            Format::Jpeg => "jpg",
            Format::WebP => "webp",
            Format::Tiff => "tif",
            Format::Bmp => "bmp",
            Format::Avif => "avif",
        }
    }

    /// Whether 16 bits per sample can be written.
    pub fn keeps_sixteen_bits(self) -> bool {
        matches!(self, Format::Png | Format::Tiff)
    }

    /// Whether alpha can be written. BMP has a field for it which many readers ignore, so it counts as not.
    pub fn keeps_alpha(self) -> bool {
        !matches!(self, Format::Jpeg | Format::Bmp)
    }

    /// Whether a colour profile is written. Into a format without, colours are converted to sRGB.
    pub fn keeps_profile(self) -> bool {
        !matches!(self, Format::Bmp | Format::Avif)
    }

    /// The longest EXIF block that can be written, in bytes; 0 where none can.
    pub fn longest_exif(self) -> usize {
        match self {
            Format::Png | Format::WebP | Format::Tiff | Format::Avif => i32::MAX as usize,
            // One segment with its length and its prefix.
            Format::Jpeg => 65535 - 2 - 6,
            Format::Bmp => 0,
        }
    }

    /// The longest XMP packet that can be written, in bytes; 0 where none can.
    pub fn longest_xmp(self) -> usize {
        match self {
            Format::Jpeg => 65535 - 2 - JPEG_XMP.len(),
            // Its encoder has no way for one.
            Format::Avif => 0,
            _ => self.longest_exif(),
        }
    }

    /// The longest side of a picture that can be written, in pixels.
    pub fn longest_side(self) -> usize {
        match self {
            // Of BMP that is what readers take, `image` for one.
            Format::Jpeg | Format::Avif | Format::Bmp => 65535,
            // Readers, libwebp for one, take 14 bits at their word.
            Format::WebP => 16383,
            Format::Png | Format::Tiff => i32::MAX as usize,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Png => "PNG",
            Format::Jpeg => "JPEG",
            Format::WebP => "WebP",
            Format::Tiff => "TIFF",
            Format::Bmp => "BMP",
            Format::Avif => "AVIF",
        })
    }
}

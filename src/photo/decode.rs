//! From the bytes of a file to an upright photo.

use super::{
    Format, Limits, Notes, Photo, PhotoError, Warning, bmp, colour, colour::Meaning, exif, icc, notes::Found, tiff,
    tiff::FirstPage, whole, whole::Whole, xmp,
};
use image::codecs::{bmp::BmpDecoder, jpeg::JpegDecoder, png::PngDecoder, tiff::TiffDecoder, webp::WebPDecoder};
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, RgbImage, Rgba};
use std::borrow::Cow;
use std::io::Cursor;
use std::path::Path;
use zune_jpeg::zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};

/// Memory that decoders may take besides the picture itself, in bytes: rows, strips, unpacked profiles.
const WORKING_MEMORY: u64 = 512 << 20;

impl Photo {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// Those of [`Photo::decode`], or [`PhotoError::Read`]; with the path.
    pub fn open(path: impl AsRef<Path>, limits: &Limits) -> Result<Self, PhotoError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| PhotoError::Read(error).at(path))?;
        Photo::decode(&bytes, limits).map_err(|error| error.at(path))
    }

    /// Reads a file's content, whose format shows by itself. The picture comes out upright.
    ///
    /// # Errors
    ///
    /// [`PhotoError`] for anything but one whole still picture of a kind known here, within the limits.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, PhotoError> {
        let format = Format::of_content(bytes)?;
        let failed = |error| refused(format, error);
        let mut warnings = Vec::new();
        if format == Format::Png {
            // Before its decoder makes room for a row.
            check_size(png_size(bytes).unwrap_or((1, 1)), limits)?;
        }
        let page =
            if format == Format::Tiff { tiff::first_page(bytes).unwrap_or_default() } else { FirstPage::default() };
        let mut decoder = open_header(format, bytes, page, &mut warnings).map_err(|error| match error {
            Refusal::Decoder(error) => refused(format, error),
            Refusal::Known(error) => error,
        })?;
        check_size(decoder.dimensions(), limits)?;
        let mut whole = whole::check(format, bytes)?;
        warnings.append(&mut whole.warnings);
        let colour = decoder.color_type();
        if matches!(colour, ColorType::Rgb32F | ColorType::Rgba32F) {
            let what = "its samples have 32 bits, of unknown range; convert it to 16 bits first".to_owned();
            return Err(PhotoError::Unsupported { format, what });
        }
        let headers = if format == Format::Bmp { bmp::headers(bytes) } else { bmp::Headers::default() };
        let profile = decoder.icc_profile().map_err(failed)?.or(headers.profile);
        if profile.is_none() {
            warnings.extend(whole.profile.then_some(Warning::ProfileDropped));
            warnings.append(&mut whole.coding);
        }
        let Metadata { orientation, exif, xmp, notes } =
            metadata(format, bytes, &mut *decoder, whole.late_exif, &mut warnings).map_err(failed)?;

        let mut picture = if format == Format::Jpeg {
            jpeg(bytes, &whole, &*decoder)?
        } else {
            let mut memory = image::Limits::no_limits();
            memory.max_alloc = Some(decoder.total_bytes().saturating_mul(3).saturating_add(WORKING_MEMORY));
            decoder.set_limits(memory).map_err(failed)?;
            DynamicImage::from_decoder(decoder).map_err(failed)?
        };
        if headers.grey && profile.is_none() {
            picture = picture.grayscale();
        }
        if page.associated {
            divide_by_alpha(&mut picture);
        }
        picture.apply_orientation(orientation);

        let photo = Photo { format: Some(format), exif, xmp, warnings, notes, ..Photo::from(picture) };
        Ok(photo.with_profile(profile))
    }

    /// The photo with its file's profile, unless that is for other samples. Where there is none, EXIF may name one.
    fn with_profile(mut self, profile: Option<Vec<u8>>) -> Self {
        if let Some(profile) = profile.filter(|profile| !profile.is_empty()) {
            if !icc::fits(&profile, self.layout) {
                self.warnings.push(Warning::ProfileDropped);
            } else {
                if matches!(colour::meaning(&profile, self.layout), Meaning::Unusable) {
                    self.warnings.push(Warning::UnusableProfile);
                }
                self.icc = Some(profile);
            }
        } else if self.layout.has_colour() && self.exif.as_deref().is_some_and(exif::is_adobe_rgb) {
            self.icc = colour::adobe_rgb();
            self.warnings.push(Warning::AdobeRgb);
        }
        self
    }
}

/// What a file says of its picture besides how its samples are stored.
struct Metadata {
    /// How the pixels are to be turned.
    orientation: Orientation,
    /// The EXIF block, upright.
    exif: Option<Vec<u8>>,
    /// The XMP packet, upright.
    xmp: Option<Vec<u8>>,
    /// Resolution and texts, of the upright picture.
    notes: Notes,
}

/// Reads the metadata; `late_exif` is a block that the decoder doesn't find. What is damaged is left out, with a
/// warning.
fn metadata(
    format: Format,
    bytes: &[u8],
    decoder: &mut dyn ImageDecoder,
    late_exif: Option<&[u8]>,
    warnings: &mut Vec<Warning>,
) -> Result<Metadata, ImageError> {
    let block = match format {
        Format::Tiff => exif::of_tiff(bytes),
        _ => decoder.exif_metadata()?,
    };
    let block = block.or_else(|| late_exif.map(<[u8]>::to_vec));
    let (mut orientation, exif) = match block {
        None => (None, None),
        Some(block) => match exif::settle(block) {
            Some((orientation, block)) => (orientation, Some(block)),
            None => {
                warnings.push(Warning::ExifDropped);
                (None, None)
            }
        },
    };
    if format == Format::Tiff {
        orientation = Some(decoder.orientation()?);
    }
    let Found { notes, lost, xmp: late_xmp } = Notes::of(format, bytes);
    if lost {
        warnings.push(Warning::TextDropped);
    }
    let mut xmp = decoder.xmp_metadata()?.or(late_xmp);
    if let Some(packet) = &mut xmp {
        let found = xmp::settle(packet);
        // EXIF's word comes first, as it does for viewers.
        orientation = orientation.or(found);
    }
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    Ok(Metadata { orientation, exif, xmp, notes: notes.turned(orientation) })
}

/// Why a header was refused.
enum Refusal {
    /// By the decoder.
    Decoder(ImageError),
    /// By a rule of our own.
    Known(PhotoError),
}

impl From<ImageError> for Refusal {
    fn from(error: ImageError) -> Self {
        Refusal::Decoder(error)
    }
}

/// The decoder with the header read and no pixel yet, with each format's own traps looked at.
fn open_header<'a>(
    format: Format,
    bytes: &'a [u8],
    page: FirstPage,
    warnings: &mut Vec<Warning>,
) -> Result<Box<dyn ImageDecoder + 'a>, Refusal> {
    let reader = Cursor::new(bytes);
    match format {
        Format::Png => {
            let mut memory = image::Limits::no_limits();
            memory.max_alloc = Some(WORKING_MEMORY);
            let decoder = PngDecoder::with_limits(reader, memory)?;
            if decoder.is_apng()? {
                return Err(Refusal::Known(PhotoError::Animated { format }));
            }
            Ok(Box::new(decoder))
        }
        Format::Jpeg => Ok(Box::new(JpegDecoder::new(reader)?)),
        Format::WebP => {
            let decoder = WebPDecoder::new(reader)?;
            if decoder.has_animation() {
                return Err(Refusal::Known(PhotoError::Animated { format }));
            }
            Ok(Box::new(decoder))
        }
        Format::Tiff => {
            if page.thumbnail {
                let what =
                    "it begins with a thumbnail, as camera raws do; develop it to a 16-bit TIFF first".to_owned();
                return Err(Refusal::Known(PhotoError::Unsupported { format, what }));
            }
            if page.cut {
                return Err(Refusal::Known(PhotoError::Truncated { format, missing: "the picture does" }));
            }
            if page.more {
                warnings.push(Warning::FirstPageOnly);
            }
            Ok(Box::new(TiffDecoder::new(reader)?))
        }
        Format::Bmp => Ok(Box::new(BmpDecoder::new(reader)?)),
        Format::Avif => Err(Refusal::Known(PhotoError::UnknownFormat { found: "AVIF data".to_owned() })),
    }
}

/// The width and height in a PNG's header.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    (bytes.get(12..16)? == b"IHDR").then_some((number(16)?, number(20)?))
}

/// Whether a picture has pixels, and no more than the limits allow.
fn check_size((width, height): (u32, u32), limits: &Limits) -> Result<(), PhotoError> {
    let (width, height) = (u64::from(width), u64::from(height));
    if width == 0 || height == 0 {
        return Err(PhotoError::NoPixels { width, height });
    }
    if width * height > limits.max_pixels {
        return Err(PhotoError::TooLarge { width, height, limit: limits.max_pixels });
    }
    Ok(())
}

/// Divides colours by the alpha that they were multiplied by. Where that is 0 they are lost.
fn divide_by_alpha(picture: &mut DynamicImage) {
    let divided = |sample: u64, alpha: u64, full: u64| match alpha {
        0 => sample,
        alpha => ((sample * full + alpha / 2) / alpha).min(full),
    };
    match picture {
        DynamicImage::ImageRgba8(image) => image.pixels_mut().for_each(|Rgba([colours @ .., alpha])| {
            colours.iter_mut().for_each(|c| *c = divided((*c).into(), (*alpha).into(), u8::MAX.into()) as u8);
        }),
        DynamicImage::ImageRgba16(image) => image.pixels_mut().for_each(|Rgba([colours @ .., alpha])| {
            colours.iter_mut().for_each(|c| *c = divided((*c).into(), (*alpha).into(), u16::MAX.into()) as u16);
        }),
        _ => (),
    }
}

/// Decodes a JPEG's pixels. `image` asks the same decoder to be lenient and to fill what it cannot read with grey;
/// strictly, that is an error. An end mark that comes too early it still takes for the end of a whole picture, with
/// nothing but zeros to follow. Without the mark it runs out of bytes, and says so: zeros in the mark's place cover no
/// more than what it reads ahead.
fn jpeg(bytes: &[u8], whole: &Whole, header: &dyn ImageDecoder) -> Result<DynamicImage, PhotoError> {
    const READ_AHEAD: [u8; 8] = [0; 8];
    let format = Format::Jpeg;
    if whole.apart {
        let what = "its colours are subsampled and lie in scans of their own; save it anew as PNG first".to_owned();
        return Err(PhotoError::Unsupported { format, what });
    }
    let grey = !header.color_type().has_color();
    let (width, height) = header.dimensions();
    let strict = !whole.stray_bytes;
    let options = DecoderOptions::default()
        .set_strict_mode(strict)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(if grey { ColorSpace::Luma } else { ColorSpace::RGB });
    let bytes = match whole.scan_end.filter(|_| strict) {
        Some(end) => Cow::Owned([&bytes[..end], &READ_AHEAD].concat()),
        None => Cow::Borrowed(bytes),
    };
    let samples = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(&bytes[..]), options)
        .decode()
        .map_err(|error| PhotoError::Corrupt { format, reason: error.to_string() })?;
    let picture = if grey {
        image::GrayImage::from_raw(width, height, samples).map(DynamicImage::ImageLuma8)
    } else {
        RgbImage::from_raw(width, height, samples).map(DynamicImage::ImageRgb8)
    };
    picture.ok_or(PhotoError::Corrupt { format, reason: "it decodes to another size than it claims".to_owned() })
}

/// The decoder's error in our words.
fn refused(format: Format, error: ImageError) -> PhotoError {
    match error {
        ImageError::Limits(_) => PhotoError::OutOfMemory,
        ImageError::Unsupported(error) => {
            PhotoError::Unsupported { format, what: format!("{error}; convert it to plain 8 or 16-bit RGB first") }
        }
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            PhotoError::Truncated { format, missing: "the picture does" }
        }
        error => PhotoError::Corrupt { format, reason: error.to_string() },
    }
}

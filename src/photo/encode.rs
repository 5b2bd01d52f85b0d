//! From a photo to the bytes of a file.

use super::colour::{self, Meaning};
use super::format::{JPEG_XMP, PNG_XMP};
use super::{Format, Layout, Photo, PhotoError, Pixels, Resolution, Warning, exif};
use image::codecs::{bmp::BmpEncoder, jpeg::JpegEncoder};
use image::{DynamicImage, ImageEncoder, ImageError};
use std::borrow::Cow;
use std::io::Cursor;
use tiff::TiffResult;
use tiff::encoder::{TiffEncoder, TiffValue, colortype};
use tiff::tags::Tag;

/// The quality of JPEG and AVIF, 1 to 100, when none is asked for: at 95, without chroma subsampling, the loss is below
/// what the network restores.
pub const FILE_QUALITY: u8 = 95;

/// How fast AVIF is written, 1 to 10: slower settings gain little in size.
const AVIF_SPEED: u8 = 8;

/// TIFF's number for an alpha by which the colours are not multiplied.
const STRAIGHT_ALPHA: u16 = 2;

/// TIFF's number for an XMP packet.
const XMP: u16 = 700;

impl Photo {
    /// What this format would not keep of the photo. Worth asking before the work, not after it.
    ///
    /// # Errors
    ///
    /// [`PhotoError::NoPixels`], [`PhotoError::NoAlpha`] or [`PhotoError::TooLong`] if the photo cannot be written at
    /// all.
    pub fn losses(&self, format: Format) -> Result<Vec<Warning>, PhotoError> {
        let (width, height) = (self.width, self.height);
        if width == 0 || height == 0 {
            return Err(PhotoError::NoPixels { width: width as u64, height: height as u64 });
        }
        if width.max(height) > format.longest_side() {
            return Err(PhotoError::TooLong { format, most: format.longest_side(), width, height });
        }
        if self.layout.has_alpha() && !format.keeps_alpha() && !self.pixels.opaque() {
            return Err(PhotoError::NoAlpha { format });
        }
        let mut losses = Vec::new();
        if self.pixels.bits() == 16 && !format.keeps_sixteen_bits() {
            losses.push(Warning::Rounded(format));
        }
        if let Some(icc) = self.icc.as_ref().filter(|_| !format.keeps_profile()) {
            match colour::meaning(icc, self.layout) {
                Meaning::Srgb => (),
                Meaning::Other(_) => losses.push(Warning::Converted(format)),
                Meaning::Unusable => losses.push(Warning::ProfileLost(format)),
            }
        }
        if self.exif.as_ref().is_some_and(|exif| exif.len() > format.longest_exif()) {
            losses.push(Warning::ExifLost(format));
        }
        if self.xmp.as_ref().is_some_and(|xmp| xmp.len() > format.longest_xmp()) {
            losses.push(Warning::XmpLost(format));
        }
        if self.notes.is_lost_in(format) {
            losses.push(Warning::TextLost(format));
        }
        Ok(losses)
    }

    /// The bytes of a file of this format: the photo in its own layout where the format has it, else in the next wider
    /// one, with its profile, EXIF, XMP, resolution and texts. In a format without profiles the colours become sRGB.
    /// `quality`, 1 to 100, is for JPEG and AVIF; the others are lossless.
    ///
    /// # Errors
    ///
    /// Those of [`Photo::losses`], or [`PhotoError::Encode`].
    pub fn encode(&self, format: Format, quality: u8) -> Result<Vec<u8>, PhotoError> {
        self.losses(format)?;
        let photo = self.shaped_for(format);
        let picture = photo.to_dynamic_image();
        let mut bytes = Cursor::new(Vec::new());
        let refused = |reason: String| PhotoError::Encode { format, reason };
        match format {
            Format::Png => write_png(&photo, &picture, &mut bytes).map_err(|error| refused(error.to_string())),
            Format::Jpeg => {
                // Without chroma subsampling, whatever its documentation says.
                let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100));
                if let Some(density) = photo.notes.resolution.and_then(Resolution::for_jpeg) {
                    encoder.set_pixel_density(density);
                }
                write_jpeg(&photo, &picture, encoder).map_err(|error| refused(error.to_string()))?;
                let xmp = photo.xmp.as_ref().filter(|xmp| xmp.len() <= format.longest_xmp());
                let mut segments = xmp.map_or(Vec::new(), |xmp| segment(0xe1, &[JPEG_XMP, xmp].concat()));
                photo.notes.jpeg_comments().for_each(|comment| segments.extend(segment(0xfe, &comment)));
                insert(bytes.get_mut(), segments);
                Ok(())
            }
            Format::WebP => write_webp(&photo, &picture, &mut bytes).map_err(|error| refused(error.to_string())),
            Format::Tiff => write_tiff(&photo, &picture, &mut bytes).map_err(|error| refused(error.to_string())),
            Format::Bmp => {
                picture.write_with_encoder(BmpEncoder::new(&mut bytes)).map_err(|error| refused(error.to_string()))
            }
            Format::Avif => return avif(&photo, quality).map_err(|error| refused(error.to_string())),
        }?;
        Ok(bytes.into_inner())
    }

    /// The photo in the layout and depth that the format can hold.
    fn shaped_for(&self, format: Format) -> Cow<'_, Photo> {
        let layout = match (format, self.layout) {
            (Format::Jpeg | Format::Bmp, Layout::GreyAlpha) => Layout::Grey,
            (Format::Jpeg | Format::Bmp, Layout::Rgba) => Layout::Rgb,
            (Format::Tiff, Layout::GreyAlpha) => Layout::Rgba,
            (_, layout) => layout,
        };
        let space = if format.keeps_profile() { None } else { self.colour_space() };
        let converted = space.and_then(|space| space.to_srgb(&self.pixels.to_sixteen())).map(Pixels::Sixteen);
        let pixels = match (converted, &self.pixels) {
            (Some(pixels), own) if format.keeps_sixteen_bits() => Some(pixels.in_depth_of(own)),
            (Some(pixels), _) => Some(Pixels::Eight(pixels.to_eight())),
            (None, own @ Pixels::Sixteen(_)) if !format.keeps_sixteen_bits() => Some(Pixels::Eight(own.to_eight())),
            (None, _) => None,
        };
        if pixels.is_none() && layout == self.layout {
            return Cow::Borrowed(self);
        }
        // A grey profile does not describe the colours that grey was widened to.
        let icc = self.icc.clone().filter(|_| layout.has_colour() == self.layout.has_colour());
        Cow::Owned(Photo { layout, pixels: pixels.unwrap_or_else(|| self.pixels.clone()), icc, ..self.clone() })
    }
}

fn write_png(photo: &Photo, picture: &DynamicImage, file: &mut Cursor<Vec<u8>>) -> Result<(), png::EncodingError> {
    let mut info = png::Info::with_size(picture.width(), picture.height());
    info.icc_profile = photo.icc.as_deref().map(Cow::Borrowed);
    info.exif_metadata = photo.exif.as_deref().map(Cow::Borrowed);
    photo.notes.write_png(&mut info);
    // A packet that is not UTF-8 is none.
    if let Some(text) = photo.xmp.as_deref().and_then(|xmp| std::str::from_utf8(xmp).ok()) {
        info.utf8_text.push(png::text_metadata::ITXtChunk::new(PNG_XMP, text));
    }
    let mut encoder = png::Encoder::with_info(file, info)?;
    encoder.set_color(match (photo.layout.has_colour(), photo.layout.has_alpha()) {
        (false, false) => png::ColorType::Grayscale,
        (false, true) => png::ColorType::GrayscaleAlpha,
        (true, false) => png::ColorType::Rgb,
        (true, true) => png::ColorType::Rgba,
    });
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Adaptive);
    let sixteen = photo.pixels.bits() == 16;
    encoder.set_depth(if sixteen { png::BitDepth::Sixteen } else { png::BitDepth::Eight });
    let mut writer = encoder.write_header()?;
    if sixteen {
        let samples: &[u16] = bytemuck::cast_slice(picture.as_bytes());
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_be_bytes()).collect();
        writer.write_image_data(&bytes)?;
    } else {
        writer.write_image_data(picture.as_bytes())?;
    }
    writer.finish()
}

fn write_jpeg(photo: &Photo, picture: &DynamicImage, mut encoder: impl ImageEncoder) -> Result<(), ImageError> {
    // The encoder takes both; `losses` has told of a block that is too long.
    if let Some(icc) = &photo.icc {
        let _ = encoder.set_icc_profile(icc.clone());
    }
    if let Some(exif) = photo.exif.as_ref().filter(|exif| exif.len() <= Format::Jpeg.longest_exif()) {
        let _ = encoder.set_exif_metadata(exif.clone());
    }
    picture.write_with_encoder(encoder)
}

/// A JPEG segment of this content, at most 65533 bytes.
fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = (2 + content.len()) as u16;
    [&[0xff, marker], &length.to_be_bytes()[..], content].concat()
}

/// Puts segments behind those that open a JPEG.
fn insert(jpeg: &mut Vec<u8>, segments: Vec<u8>) {
    let mut at = 2;
    while let [0xff, 0xe0 | 0xe1, high, low, ..] = jpeg[at..] {
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
    jpeg.splice(at..at, segments);
}

fn avif(photo: &Photo, quality: u8) -> Result<Vec<u8>, ravif::Error> {
    let pixels = photo.pixels.to_eight();
    let pixels: Vec<ravif::RGBA8> = pixels.into_iter().map(|[r, g, b, a]| ravif::RGBA8 { r, g, b, a }).collect();
    let quality = f32::from(quality.clamp(1, 100));
    let mut encoder = ravif::Encoder::new().with_quality(quality).with_alpha_quality(100.0).with_speed(AVIF_SPEED);
    // Colours under transparent pixels are kept.
    encoder = encoder.with_alpha_color_mode(ravif::AlphaColorMode::UnassociatedDirty);
    if let Some(exif) = &photo.exif {
        encoder = encoder.with_exif(&exif[..]);
    }
    Ok(encoder.encode_rgba(ravif::Img::new(&pixels, photo.width, photo.height))?.avif_file)
}

fn write_webp(
    photo: &Photo,
    picture: &DynamicImage,
    file: &mut Cursor<Vec<u8>>,
) -> Result<(), image_webp::EncodingError> {
    let mut encoder = image_webp::WebPEncoder::new(file);
    // What is absent is empty there.
    encoder.set_icc_profile(photo.icc.clone().unwrap_or_default());
    encoder.set_exif_metadata(photo.exif.clone().unwrap_or_default());
    encoder.set_xmp_metadata(photo.xmp.clone().unwrap_or_default());
    let colour = match (photo.layout.has_colour(), photo.layout.has_alpha()) {
        (false, false) => image_webp::ColorType::L8,
        (false, true) => image_webp::ColorType::La8,
        (true, false) => image_webp::ColorType::Rgb8,
        (true, true) => image_webp::ColorType::Rgba8,
    };
    encoder.encode(picture.as_bytes(), picture.width(), picture.height(), colour)
}

fn write_tiff(photo: &Photo, picture: &DynamicImage, file: &mut Cursor<Vec<u8>>) -> TiffResult<()> {
    match picture {
        DynamicImage::ImageLuma8(image) => write_tiff_of::<colortype::Gray8>(photo, image.as_raw(), file),
        DynamicImage::ImageLuma16(image) => write_tiff_of::<colortype::Gray16>(photo, image.as_raw(), file),
        DynamicImage::ImageRgb8(image) => write_tiff_of::<colortype::RGB8>(photo, image.as_raw(), file),
        DynamicImage::ImageRgb16(image) => write_tiff_of::<colortype::RGB16>(photo, image.as_raw(), file),
        DynamicImage::ImageRgba16(image) => write_tiff_of::<colortype::RGBA16>(photo, image.as_raw(), file),
        picture => write_tiff_of::<colortype::RGBA8>(photo, picture.to_rgba8().as_raw(), file),
    }
}

fn write_tiff_of<C: colortype::ColorType>(
    photo: &Photo,
    samples: &[C::Inner],
    file: &mut Cursor<Vec<u8>>,
) -> TiffResult<()>
where
    [C::Inner]: TiffValue,
{
    let mut encoder = TiffEncoder::new(file)?;
    let directories = photo.exif.as_deref().and_then(exif::Directories::read);
    let links = directories.as_ref().map_or(Ok(Vec::new()), |directories| directories.write_linked(&mut encoder))?;
    let mut image = encoder.new_image::<C>(photo.width as u32, photo.height as u32)?;
    // Before the photograph's own tags, which may know a resolution that replaces the encoder's.
    if let Some(directories) = &directories {
        directories.write_main(image.encoder(), &links)?;
    }
    if photo.layout.has_alpha() {
        image.encoder().write_tag(Tag::ExtraSamples, STRAIGHT_ALPHA)?;
    }
    if let Some(icc) = &photo.icc {
        image.encoder().write_tag(Tag::IccProfile, &icc[..])?;
    }
    if let Some(xmp) = &photo.xmp {
        image.encoder().write_tag(Tag::Unknown(XMP), &xmp[..])?;
    }
    image.write_data(samples)
}

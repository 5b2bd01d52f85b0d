//! From a photo to the bytes of a file.

use super::{Format, Layout, Photo, PhotoError, Pixels, Warning};
use image::codecs::{bmp::BmpEncoder, jpeg::JpegEncoder, png::PngEncoder, tiff::TiffEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageEncoder, ImageError};
use std::borrow::Cow;
use std::io::Cursor;

/// The JPEG quality used when none is asked for: at 95, without chroma subsampling, the loss is below what the network
/// restores.
pub const JPEG_QUALITY: u8 = 95;

impl Photo {
    /// What this format would not keep of the photo. Worth asking before the work, not after.
    ///
    /// # Errors
    ///
    /// [`PhotoError::NoPixels`], [`PhotoError::NoAlpha`] or [`PhotoError::TooLong`]: it cannot be written at all.
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
        if self.icc.is_some() && !format.keeps_profile() {
            losses.push(Warning::ProfileLost(format));
        }
        if self.exif.as_ref().is_some_and(|exif| exif.len() > format.longest_exif()) {
            losses.push(Warning::ExifLost(format));
        }
        Ok(losses)
    }

    /// The photo as a file of this format: its own layout where the format has it, else the next wider one, and its
    /// profile and EXIF. `quality`, 1 to 100, is for JPEG; the others are lossless.
    ///
    /// # Errors
    ///
    /// As [`Photo::losses`], or [`PhotoError::Encode`].
    pub fn encode(&self, format: Format, quality: u8) -> Result<Vec<u8>, PhotoError> {
        self.losses(format)?;
        let photo = self.shaped_for(format);
        let mut bytes = Cursor::new(Vec::new());
        match format {
            Format::Png => photo.feed(format, PngEncoder::new(&mut bytes)),
            // Without chroma subsampling, whatever its documentation says.
            Format::Jpeg => photo.feed(format, JpegEncoder::new_with_quality(&mut bytes, quality.clamp(1, 100))),
            Format::WebP => photo.feed(format, WebPEncoder::new_lossless(&mut bytes)),
            Format::Tiff => photo.feed(format, TiffEncoder::new(&mut bytes)),
            Format::Bmp => photo.feed(format, BmpEncoder::new(&mut bytes)),
        }
        .map_err(|error| PhotoError::Encode { format, reason: error.to_string() })?;
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
        let pixels = match &self.pixels {
            Pixels::Sixteen(pixels) if !format.keeps_sixteen_bits() => {
                Some(Pixels::Eight(pixels.iter().map(|p| p.map(round_to_eight)).collect()))
            }
            _ => None,
        };
        if pixels.is_none() && layout == self.layout {
            return Cow::Borrowed(self);
        }
        // A grey profile does not describe the colours that grey was widened to.
        let icc = self.icc.clone().filter(|_| layout.has_colour() == self.layout.has_colour());
        Cow::Owned(Photo { layout, pixels: pixels.unwrap_or_else(|| self.pixels.clone()), icc, ..self.clone() })
    }

    fn feed(&self, format: Format, mut encoder: impl ImageEncoder) -> Result<(), ImageError> {
        // An encoder that keeps neither says so here; `losses` has told.
        if let Some(icc) = &self.icc {
            let _ = encoder.set_icc_profile(icc.clone());
        }
        if let Some(exif) = self.exif.as_ref().filter(|exif| exif.len() <= format.longest_exif()) {
            let _ = encoder.set_exif_metadata(exif.clone());
        }
        let picture = self.to_dynamic_image();
        let colour = ExtendedColorType::from(picture.color());
        encoder.write_image(picture.as_bytes(), picture.width(), picture.height(), colour)
    }
}

/// 16 bits to 8, to the nearest: both ends of the range stay where they are.
fn round_to_eight(sample: u16) -> u8 {
    ((u32::from(sample) + 128) / 257) as u8
}

//! Between a photo and the `image` crate's pictures.

use super::{Layout, Photo, Pixels};
use image::{DynamicImage, ImageBuffer};

impl From<DynamicImage> for Photo {
    /// The picture as a photo. Floating-point samples become 16 bits, clamped to 0..1.
    fn from(picture: DynamicImage) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let colour = picture.color();
        let layout = match (colour.has_color(), colour.has_alpha()) {
            (false, false) => Layout::Grey,
            (false, true) => Layout::GreyAlpha,
            (true, false) => Layout::Rgb,
            (true, true) => Layout::Rgba,
        };
        let eight = colour.bytes_per_pixel() == colour.channel_count();
        let pixels = if eight {
            Pixels::Eight(picture.into_rgba8().pixels().map(|p| p.0).collect())
        } else {
            Pixels::Sixteen(picture.into_rgba16().pixels().map(|p| p.0).collect())
        };
        Photo::new(width, height, pixels, layout)
    }
}

impl From<&Photo> for DynamicImage {
    fn from(photo: &Photo) -> Self {
        photo.to_dynamic_image()
    }
}

impl Photo {
    /// The pixels in the photo's own layout and depth. Grey is the luma of the colours that the network made of it.
    ///
    /// # Panics
    ///
    /// If there are not `width * height` pixels.
    pub fn to_dynamic_image(&self) -> DynamicImage {
        let (w, h) = (self.width, self.height);
        match (&self.pixels, self.layout) {
            (Pixels::Eight(p), Layout::Grey) => DynamicImage::ImageLuma8(pack(w, h, p, |p| [luma(p)])),
            (Pixels::Eight(p), Layout::GreyAlpha) => DynamicImage::ImageLumaA8(pack(w, h, p, |p| [luma(p), p[3]])),
            (Pixels::Eight(p), Layout::Rgb) => DynamicImage::ImageRgb8(pack(w, h, p, |p| [p[0], p[1], p[2]])),
            (Pixels::Eight(p), Layout::Rgba) => DynamicImage::ImageRgba8(pack(w, h, p, |p| p)),
            (Pixels::Sixteen(p), Layout::Grey) => DynamicImage::ImageLuma16(pack(w, h, p, |p| [luma(p)])),
            (Pixels::Sixteen(p), Layout::GreyAlpha) => DynamicImage::ImageLumaA16(pack(w, h, p, |p| [luma(p), p[3]])),
            (Pixels::Sixteen(p), Layout::Rgb) => DynamicImage::ImageRgb16(pack(w, h, p, |p| [p[0], p[1], p[2]])),
            (Pixels::Sixteen(p), Layout::Rgba) => DynamicImage::ImageRgba16(pack(w, h, p, |p| p)),
        }
    }
}

/// An image buffer of `N` channels out of RGBA pixels.
fn pack<P, S, const N: usize>(
    width: usize,
    height: usize,
    pixels: &[[S; 4]],
    channels: impl Fn([S; 4]) -> [S; N],
) -> ImageBuffer<P, Vec<S>>
where
    P: image::Pixel<Subpixel = S>,
    S: image::Primitive,
{
    let samples = pixels.iter().flat_map(|&p| channels(p)).collect();
    ImageBuffer::from_raw(width as u32, height as u32, samples).expect("a photo has width * height pixels")
}

/// Rec. 709 luma with weights that sum to one exactly, so that grey stays the grey it was.
pub(crate) fn luma<S: Copy + Into<u32> + TryFrom<u32>>([r, g, b, _]: [S; 4]) -> S {
    let sum = 2126 * r.into() + 7152 * g.into() + 722 * b.into();
    S::try_from((sum + 5000) / 10000).unwrap_or(g)
}

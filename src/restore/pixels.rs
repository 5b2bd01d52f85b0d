//! A picture's pixels as the network's values and back, on the host: the twin of `pixels_in` and `pixels_out`.

use crate::kernels::Raster;
use crate::photo::Pixels;
use crate::reference::reflect;

/// The red, green and blue of row `y` and column `x`, 0 to 1; beyond the picture's borders it is mirrored.
pub(crate) fn rgb(raster: Raster, pixels: &Pixels, y: usize, x: usize) -> [f32; 3] {
    colours(pixels, reflect(y as isize, raster.height) * raster.width + reflect(x as isize, raster.width))
}

/// Red, green and blue of the pixel at `at`, 0 to 1.
pub(super) fn colours(pixels: &Pixels, at: usize) -> [f32; 3] {
    match pixels {
        Pixels::Eight(pixels) => [0, 1, 2].map(|c| f32::from(pixels[at][c]) / 255.0),
        Pixels::Sixteen(pixels) => [0, 1, 2].map(|c| f32::from(pixels[at][c]) / 65535.0),
    }
}

/// Where results become pixels again.
pub(crate) struct Restored {
    raster: Raster,
    /// The picture, restored where rows were put; alpha as it was.
    pub pixels: Pixels,
    /// How many of its pixels were not finite.
    pub not_finite: u64,
}

impl Restored {
    /// Nothing restored yet.
    pub fn new(raster: Raster, original: &Pixels) -> Self {
        Self { raster, pixels: original.clone(), not_finite: 0 }
    }

    /// Puts a row of the network's result, `stride` values a pixel; what lies beyond the picture is cut off.
    pub fn put_row(&mut self, y: usize, values: &[f32], stride: usize) {
        let Raster { height, width, .. } = self.raster;
        if y >= height {
            return;
        }
        for (x, value) in values.chunks_exact(stride).take(width).enumerate() {
            self.not_finite += u64::from(value[..3].iter().any(|value| !value.is_finite()));
            let level = |c: usize, top: f32| (value[c].clamp(0.0, 1.0) * top + 0.5).floor();
            let at = y * width + x;
            for c in 0..3 {
                match &mut self.pixels {
                    Pixels::Eight(pixels) => pixels[at][c] = level(c, 255.0) as u8,
                    Pixels::Sixteen(pixels) => pixels[at][c] = level(c, 65535.0) as u16,
                }
            }
        }
    }
}

/// The pixels as the device takes them.
pub(crate) fn bytes(pixels: &Pixels) -> &[u8] {
    match pixels {
        Pixels::Eight(pixels) => bytemuck::cast_slice(pixels),
        Pixels::Sixteen(pixels) => bytemuck::cast_slice(pixels),
    }
}

/// The pixels that a plan of a whole picture has made of `pixels`, and how many are not finite.
pub(crate) fn whole(pixels: &Pixels, results: &[Vec<u8>]) -> (Pixels, u64) {
    let count = results[1].first_chunk().map_or(0, |word| u64::from(u32::from_le_bytes(*word)));
    let restored = &results[0][..bytes(pixels).len()];
    let restored = match pixels {
        Pixels::Eight(_) => Pixels::Eight(bytemuck::pod_collect_to_vec(restored)),
        Pixels::Sixteen(_) => Pixels::Sixteen(bytemuck::pod_collect_to_vec(restored)),
    };
    (restored, count)
}

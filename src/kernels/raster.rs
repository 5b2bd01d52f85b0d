//! A picture file's pixels, as `pixels_in` and `pixels_out` take them.

/// The size and depth of a picture file's pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Raster {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 16 bits a channel, not 8.
    pub sixteen: bool,
}

impl Raster {
    /// Pixels of all rows.
    pub fn pixels(self) -> usize {
        self.height * self.width
    }

    /// Bytes of its RGBA pixels.
    pub fn bytes(self) -> u64 {
        self.pixels() as u64 * if self.sixteen { 8 } else { 4 }
    }
}

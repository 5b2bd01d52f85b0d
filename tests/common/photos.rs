//! What the tests of pictures share.

use irnext::photo::{Layout, Limits, Photo, PhotoError, Pixels};

/// A picture whose pixels all differ, smooth enough for JPEG, with what its layout lacks left out.
pub fn sample(width: usize, height: usize, layout: Layout, bits: u32) -> Photo {
    let pixels = (0..width * height).map(|i| {
        let (x, y) = (i % width, i / width);
        let [r, g, b] = [x * 60000 / width + 97, y * 60000 / height + 13, (x + y) * 30000 / (width + height) + 11];
        let [r, g, b] = if layout.has_colour() { [r, g, b] } else { [r; 3] };
        let alpha = if layout.has_alpha() { 65535 - 257 * (i % 200) } else { 65535 };
        [r as u16, g as u16, b as u16, alpha as u16]
    });
    let pixels = match bits {
        8 => Pixels::Eight(pixels.map(|p| p.map(|s| (s >> 8) as u8)).collect()),
        _ => Pixels::Sixteen(pixels.collect()),
    };
    Photo::new(width, height, pixels, layout)
}

pub fn decode(bytes: &[u8]) -> Result<Photo, PhotoError> {
    Photo::decode(bytes, &Limits::default())
}

/// An EXIF block with an orientation, a second entry, and a link to a thumbnail's directory.
pub fn exif(orientation: u16, big_endian: bool) -> Vec<u8> {
    let two = |n: u16| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
    let four = |n: u32| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
    let mut block = if big_endian { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
    block.extend(four(8));
    block.extend(two(2));
    block.extend([&two(0x0112)[..], &two(3), &four(1), &two(orientation), &two(0)].concat());
    block.extend([&two(0x0128)[..], &two(3), &four(1), &two(2), &two(0)].concat());
    block.extend(four(38));
    block.extend(two(0));
    block.extend(four(0));
    block
}

pub fn crc(bytes: &[u8]) -> [u8; 4] {
    let crc = bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    (!crc).to_be_bytes()
}

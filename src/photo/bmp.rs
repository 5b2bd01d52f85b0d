//! What a BMP's headers say that its decoder does not tell: whether its palette is grey, and its colour profile.

/// Bytes of the file's header, behind which the picture's header begins.
const FILE_HEADER: usize = 14;

/// What a BMP's headers say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Headers {
    /// There is a palette, and all of its colours are grey.
    pub grey: bool,
    /// The embedded colour profile.
    pub profile: Option<Vec<u8>>,
}

/// Reads a BMP's headers; what can't be made out is the decoder's to report.
pub(super) fn headers(bytes: &[u8]) -> Headers {
    Headers { grey: grey_palette(bytes).unwrap_or(false), profile: profile(bytes).map(<[u8]>::to_vec) }
}

/// The number of four bytes that stands `at` bytes into the picture's header.
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*bytes.get(FILE_HEADER + at..)?.first_chunk()?)).ok()
}

/// Whether the palette has no colour but grey. None if it can't be made out.
fn grey_palette(bytes: &[u8]) -> Option<bool> {
    const OS2: usize = 12;
    let length = number(bytes, 0)?;
    let (bits_at, colour) = if length == OS2 { (10, 3) } else { (14, 4) };
    let bits = number(bytes, bits_at)? & 0xffff;
    let stated = if length == OS2 { 0 } else { number(bytes, 32)? };
    let colours = if stated == 0 { 1 << bits.min(8) } else { stated };
    let start = FILE_HEADER.checked_add(length)?;
    let palette = bytes.get(start..start.checked_add(colours.min(256) * colour)?)?;
    let grey = |colour: &[u8]| colour[0] == colour[1] && colour[1] == colour[2];
    Some(matches!(bits, 1 | 2 | 4 | 8) && palette.chunks_exact(colour).all(grey))
}

/// A profile that a header of version 5 says is in the file.
fn profile(bytes: &[u8]) -> Option<&[u8]> {
    const VERSION_5: usize = 124;
    const EMBEDDED: usize = u32::from_be_bytes(*b"MBED") as usize;
    if number(bytes, 0)? < VERSION_5 || number(bytes, 56)? != EMBEDDED {
        return None;
    }
    let start = FILE_HEADER.checked_add(number(bytes, 112)?)?;
    bytes.get(start..start.checked_add(number(bytes, 116)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_palette_and_a_profile() {
        let mut file = vec![0; FILE_HEADER + 124 + 8 + 5];
        let mut put = |at: usize, bytes: &[u8]| file[FILE_HEADER + at..][..bytes.len()].copy_from_slice(bytes);
        put(0, &124u32.to_le_bytes());
        put(14, &1u16.to_le_bytes());
        put(32, &2u32.to_le_bytes());
        put(56, b"DEBM");
        put(112, &132u32.to_le_bytes());
        put(116, &5u32.to_le_bytes());
        put(124, &[9, 9, 9, 0, 200, 200, 200, 0]);
        put(132, b"icc..");
        assert_eq!(headers(&file), Headers { grey: true, profile: Some(b"icc..".to_vec()) });
        file[FILE_HEADER + 124] = 8;
        file.pop();
        assert_eq!(headers(&file), Headers::default(), "tinted, and cut");
        assert_eq!(headers(b"BM"), Headers::default());
    }
}

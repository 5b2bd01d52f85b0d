//! The chunks that a PNG is made of: each is there as a whole or isn't told of.

use std::iter;

/// The bytes that open a PNG.
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A chunk of a PNG.
#[derive(Debug)]
pub(super) struct Chunk<'a> {
    /// The four letters that say what it is, such as `IHDR`.
    pub kind: &'a [u8],
    /// The data within.
    pub content: &'a [u8],
    /// The whole chunk: length, letters, data, check sum.
    pub bytes: &'a [u8],
}

/// The chunks of a PNG: the last is IEND, unless the bytes run out. Check sums are not looked at.
pub(super) fn png_chunks(file: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = file.get(SIGNATURE.len()..).unwrap_or_default();
    iter::from_fn(move || {
        let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let (bytes, behind) = rest.split_at_checked(length.checked_add(12)?)?;
        let (kind, content) = (&bytes[4..8], &bytes[8..8 + length]);
        rest = if kind == b"IEND" { &[] } else { behind };
        Some(Chunk { kind, content, bytes })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32).to_be_bytes()[..], kind, content, b"sum!"].concat()
    }

    #[test]
    fn chunks_up_to_iend_or_to_where_the_bytes_run_out() {
        let chunks = [chunk(b"IHDR", b"13 bytes here"), chunk(b"IDAT", b""), chunk(b"IEND", b""), chunk(b"tEXt", b"a")];
        let file = [SIGNATURE, &chunks.concat()].concat();
        let kinds = |file: &[u8]| png_chunks(file).map(|chunk| chunk.kind.to_vec()).collect::<Vec<_>>().concat();
        assert_eq!(kinds(&file), b"IHDRIDATIEND", "and none behind it");
        let first = png_chunks(&file).next().unwrap();
        assert_eq!((first.content, first.bytes), (&b"13 bytes here"[..], &chunks[0][..]));
        for length in 0..file.len() {
            let whole = [33, 45, 57].into_iter().filter(|&end| end <= length).count();
            assert_eq!(png_chunks(&file[..length]).count(), whole, "{length}");
        }
        let endless = [SIGNATURE, &[0xff; 4], b"IDAT", &[0; 99]].concat();
        assert_eq!(kinds(&endless), b"");
    }
}

//! A look at a TIFF's first directory, for what the decoder does not tell: camera raws wear TIFF's clothes and show a
//! thumbnail first, and pages after the first would be dropped in silence.

/// What the first directory says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FirstPage {
    /// It is a smaller copy of another picture in the file, or the file is a camera raw.
    pub thumbnail: bool,
    /// Another directory follows.
    pub more: bool,
}

/// Reads the first directory of a TIFF or BigTIFF; None if it can't be made out, which is the decoder's to report.
pub(super) fn first_page(bytes: &[u8]) -> Option<FirstPage> {
    const NEW_SUBFILE_TYPE: u64 = 254;
    const DNG_VERSION: u64 = 50706;
    let big_endian = bytes.starts_with(b"MM");
    let number = |at: usize, length: usize| -> Option<u64> {
        let field = bytes.get(at..at.checked_add(length)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if big_endian { field.iter().fold(0, add) } else { field.iter().rev().fold(0, add) })
    };
    // BigTIFF has the same parts with wider fields: where the directory is, its count, an entry, an entry's value.
    let (start, offset, count, entry) = match number(2, 2)? {
        42 => (4, 4, 2, 12),
        43 => (8, 8, 8, 20),
        _ => return None,
    };
    let mut page = FirstPage { thumbnail: bytes.get(8..10) == Some(b"CR"), more: false };
    let directory = usize::try_from(number(start, offset)?).ok()?;
    let first = directory.checked_add(count)?;
    let end = first.checked_add(usize::try_from(number(directory, count)?).ok()?.checked_mul(entry)?)?;
    for at in (first..end).step_by(entry) {
        match number(at, 2)? {
            NEW_SUBFILE_TYPE => page.thumbnail |= number(at + entry - offset, 4)? & 1 != 0,
            DNG_VERSION => page.thumbnail = true,
            _ => (),
        }
    }
    page.more = number(end, offset)? != 0;
    Some(page)
}

//! The TIFF structure, of files and of blocks within other files, and what it says that decoders do not tell: camera
//! raws wear TIFF's clothes and show a thumbnail first, pages after the first would be dropped in silence, and so would
//! what alpha means.

/// What the first directory of a TIFF says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FirstPage {
    /// The first picture is a smaller copy of another one in the file, or the file is a camera raw.
    pub thumbnail: bool,
    /// Another directory follows, of a further picture.
    pub more: bool,
    /// The picture's colours are multiplied by its alpha.
    pub associated: bool,
    /// The pixels are JPEG data, some of which lie behind the file's end: their decoder makes up what is missing.
    pub cut: bool,
}

/// Reads the first directory of a TIFF or BigTIFF; None if it can't be made out, which is the decoder's to report.
pub(super) fn first_page(bytes: &[u8]) -> Option<FirstPage> {
    const NEW_SUBFILE_TYPE: u64 = 254;
    const COMPRESSION: u64 = 259;
    const STRIP_OFFSETS: u64 = 273;
    const STRIP_BYTES: u64 = 279;
    const TILE_OFFSETS: u64 = 324;
    const TILE_BYTES: u64 = 325;
    const EXTRA_SAMPLES: u64 = 338;
    const DNG_VERSION: u64 = 50706;
    const JPEG: u64 = 7;
    const ASSOCIATED_ALPHA: u64 = 1;
    let tiff = Tiff::of(bytes)?;
    let mut page = FirstPage { thumbnail: bytes.get(8..10) == Some(b"CR"), ..FirstPage::default() };
    let directory = tiff.directory()?;
    let first = directory.checked_add(tiff.count)?;
    let length = tiff.place(directory, tiff.count)?.checked_mul(tiff.entry)?;
    let end = first.checked_add(length)?;
    let (mut compression, mut places, mut sizes) = (0, None, None);
    for at in (first..end).step_by(tiff.entry) {
        let one = || tiff.values(at).and_then(|mut values| values.next()).unwrap_or_default();
        match tiff.number(at, 2)? {
            NEW_SUBFILE_TYPE => page.thumbnail |= one() & 1 != 0,
            DNG_VERSION => page.thumbnail = true,
            EXTRA_SAMPLES => page.associated = one() == ASSOCIATED_ALPHA,
            COMPRESSION => compression = one(),
            STRIP_OFFSETS | TILE_OFFSETS => places = Some(at),
            STRIP_BYTES | TILE_BYTES => sizes = Some(at),
            _ => (),
        }
    }
    if compression == JPEG {
        let [places, sizes] = [places, sizes].map(|at| at.and_then(|at| tiff.values(at)).into_iter().flatten());
        page.cut = places.zip(sizes).any(|(place, size)| place.saturating_add(size) > bytes.len() as u64);
    }
    page.more = tiff.number(end, tiff.offset)? != 0;
    Some(page)
}

/// A structure's bytes, and how it counts. BigTIFF has the same parts as TIFF with wider fields.
pub(super) struct Tiff<'a> {
    /// All of the file or block, which places are counted from.
    pub bytes: &'a [u8],
    /// Numbers begin with their highest byte.
    pub big_endian: bool,
    /// Where the place of the first directory stands.
    start: usize,
    /// Bytes of a place in the file.
    offset: usize,
    /// Bytes of a directory's count.
    count: usize,
    /// Bytes of a directory's entry.
    entry: usize,
}

impl<'a> Tiff<'a> {
    /// Reads the header; None if there is none.
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let small = Self { bytes, big_endian: bytes.starts_with(b"MM"), start: 4, offset: 4, count: 2, entry: 12 };
        match small.number(2, 2)? {
            42 => Some(small),
            43 => Some(Self { start: 8, offset: 8, count: 8, entry: 20, ..small }),
            _ => None,
        }
    }

    /// The number at `at`, of `length` bytes, 8 at most. None behind the end.
    pub fn number(&self, at: usize, length: usize) -> Option<u64> {
        self.bytes.get(at..at.checked_add(length)?).map(|field| self.number_in(field))
    }

    /// The number that a field of 8 bytes at most holds.
    fn number_in(&self, field: &[u8]) -> u64 {
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        if self.big_endian { field.iter().fold(0, add) } else { field.iter().rev().fold(0, add) }
    }

    /// The number at `at`, of `length` bytes, as a place or a count in memory. None behind the end.
    pub fn place(&self, at: usize, length: usize) -> Option<usize> {
        usize::try_from(self.number(at, length)?).ok()
    }

    /// Where the first directory is said to be.
    pub fn directory(&self) -> Option<usize> {
        self.place(self.start, self.offset)
    }

    /// The whole numbers of the entry at `at`. None if it has others, or lies behind the end.
    fn values(&self, at: usize) -> Option<impl Iterator<Item = u64>> {
        let size = match self.number(at + 2, 2)? {
            3 => 2,
            4 | 13 => 4,
            16 | 18 => 8,
            _ => return None,
        };
        Some(self.content(at, size)?.chunks_exact(size).map(|field| self.number_in(field)))
    }

    /// The bytes of the values of the entry at `at`, `size` bytes each: in it if they fit, else where it says. None if
    /// they lie behind the end.
    pub fn content(&self, at: usize, size: usize) -> Option<&'a [u8]> {
        let length = self.place(at + 4, self.offset)?.checked_mul(size)?;
        let field = at + self.entry - self.offset;
        let begin = if length <= self.offset { field } else { self.place(field, self.offset)? };
        self.bytes.get(begin..begin.checked_add(length)?)
    }
}

/// Whether a JPEG's MPF block, a TIFF structure, lists further pictures that are no thumbnails of the first: another
/// eye's, the brighter parts of an HDR picture. None if it can't be made out.
pub(super) fn lists_further_pictures(bytes: &[u8]) -> Option<bool> {
    const ENTRIES: u64 = 0xb002;
    const ENTRY: usize = 16;
    const THUMBNAILS: [u64; 2] = [0x01_0001, 0x01_0002];
    let tiff = Tiff::of(bytes)?;
    let directory = tiff.directory()?;
    let count = tiff.place(directory, tiff.count)?.min(64);
    let entries = (0..count).map(|index| directory + tiff.count + index * tiff.entry);
    let list = entries.into_iter().find(|&at| tiff.number(at, 2) == Some(ENTRIES))?;
    let (pictures, _) = tiff.content(list, 1)?.as_chunks::<ENTRY>();
    let mut kinds = pictures.iter().skip(1).map(|picture| tiff.number_in(&picture[..4]) & 0xff_ffff);
    Some(kinds.any(|kind| !THUMBNAILS.contains(&kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_is_no_further_picture() {
        let list = |kind: [u8; 4]| {
            let entries = [[0, 0, 3, 0], kind].map(|kind| [&kind[..], &[0; 12]].concat()).concat();
            let directory = b"II*\0\x08\0\0\0\x01\0\x02\xb0\x07\0\x20\0\0\0\x16\0\0\0";
            [&directory[..], &entries].concat()
        };
        assert_eq!(lists_further_pictures(&list([2, 0, 1, 0])), Some(false));
        assert_eq!(lists_further_pictures(&list([0, 0, 0, 0])), Some(true));
        assert_eq!(lists_further_pictures(&list([2, 0, 1, 0])[..40]), None);
    }

    #[test]
    fn both_byte_orders_and_widths() {
        // Three entries: ExtraSamples 1, JPEG, and a strip of 9 bytes at the file's end.
        let entries: [(u16, u16, u32); 4] = [(338, 3, 1), (259, 3, 7), (273, 4, 100), (279, 4, 9)];
        for big in [false, true] {
            for wide in [false, true] {
                let two = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
                let four = |n: u32| if big { n.to_be_bytes() } else { n.to_le_bytes() };
                let place = |n: u32| match (wide, big) {
                    (false, _) => four(n).to_vec(),
                    (true, false) => u64::from(n).to_le_bytes().to_vec(),
                    (true, true) => u64::from(n).to_be_bytes().to_vec(),
                };
                let mut file = if big { b"MM".to_vec() } else { b"II".to_vec() };
                file.extend(if wide { [two(43), two(8), two(0)].concat() } else { two(42).to_vec() });
                file.extend(place(if wide { 16 } else { 8 }));
                file.extend(if wide { place(4) } else { two(4).to_vec() });
                for (tag, kind, value) in entries {
                    file.extend([&two(tag)[..], &two(kind), &place(1)].concat());
                    let mut field = if kind == 3 { two(value as u16).to_vec() } else { four(value).to_vec() };
                    field.resize(if wide { 8 } else { 4 }, 0);
                    file.extend(field);
                }
                file.extend(place(0));
                let page = FirstPage { associated: true, cut: true, ..FirstPage::default() };
                file.resize(108.max(file.len()), 0);
                let short = file.len() < 109;
                assert_eq!(first_page(&file), Some(FirstPage { cut: short, ..page }), "{big} {wide}");
                file.resize(109.max(file.len()), 0);
                assert_eq!(first_page(&file), Some(FirstPage { cut: false, ..page }), "{big} {wide}");
            }
        }
    }
}

//! The EXIF block: a small TIFF structure whose orientation has to be applied once and then forgotten. A TIFF file has
//! the same entries among its own, so there they are picked out, and put back.

use super::tiff::Tiff;
use image::metadata::Orientation;
use std::io::Cursor;
use tiff::encoder::{DirectoryEncoder, TiffEncoder, TiffKindStandard};
use tiff::tags::{Tag, Type};
use tiff::{Directory, TiffResult};

/// Reads a block's orientation and sets it to upright, strips the prefix some writers leave, and unlinks the thumbnail,
/// which shows the picture unrestored. Returns the orientation and the block; None if it is no EXIF.
pub(super) fn settle(mut exif: Vec<u8>) -> Option<(Option<Orientation>, Vec<u8>)> {
    if exif.starts_with(b"Exif\0\0") {
        exif.drain(..6);
    }
    let link = link_to_second(&structure(&exif)?);
    // First the orientation: a link into the middle of the entries, in a damaged block, must not change it.
    let orientation = Orientation::remove_from_exif_chunk(&mut exif);
    if let Some(link) = link {
        exif[link..link + 4].fill(0);
    }
    Some((orientation, exif))
}

/// The entries of a TIFF file that describe the photograph, as a block. None if there are none, or they can't be made
/// out.
pub(super) fn of_tiff(bytes: &[u8]) -> Option<Vec<u8>> {
    let directories = Directories::read(bytes)?;
    if directories.is_empty() {
        return None;
    }
    let mut block = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut block).ok()?;
    let links = directories.write_linked(&mut encoder).ok()?;
    let mut main = encoder.image_directory().ok()?;
    directories.write_main(&mut main, &links).ok()?;
    main.finish().ok()?;
    Some(block.into_inner())
}

/// Whether a camera marks the samples as Adobe RGB, as the DCF standard has it: "uncalibrated" and the
/// interoperability rule R03; some write a colour space of 2 instead.
pub(super) fn is_adobe_rgb(block: &[u8]) -> bool {
    let marked = || {
        let tiff = structure(block)?;
        let exif = entries(&tiff, number_of(&entries(&tiff, tiff.directory()?), EXIF)?);
        match number_of(&exif, COLOUR_SPACE)? {
            2 => Some(true),
            0xffff => {
                let rules = entries(&tiff, number_of(&exif, INTEROPERABILITY)?);
                Some(rules.iter().any(|entry| entry.tag == 1 && entry.bytes.starts_with(b"R03")))
            }
            _ => None,
        }
    };
    marked().unwrap_or(false)
}

/// The entry that leads to the directory of the exposure.
const EXIF: u16 = 0x8769;
/// The entry that leads to the directory of the place.
const GPS: u16 = 0x8825;
/// The entry, of the exposure's directory, that leads to the one that names a set of rules.
const INTEROPERABILITY: u16 = 0xa005;
/// The entry, of the exposure's directory, that says what the samples mean.
const COLOUR_SPACE: u16 = 0xa001;
/// What the first directory says of the photograph, and not of how its samples are stored: description, make, model,
/// resolution, software, date, artist, host, rating, copyright.
const OF_THE_PHOTOGRAPH: [u16; 14] =
    [0x010e, 0x010f, 0x0110, 0x011a, 0x011b, 0x0128, 0x0131, 0x0132, 0x013b, 0x013c, 0x4746, 0x4749, 0x8298, 0x9c9b];

/// The entries of a block, sorted out of its first directory and the two below it.
#[derive(Debug, Default)]
pub(super) struct Directories {
    main: Vec<Entry>,
    exif: Vec<Entry>,
    gps: Vec<Entry>,
}

/// An entry of a directory: its number, its type, its values in the machine's byte order.
#[derive(Debug)]
struct Entry {
    tag: u16,
    kind: Type,
    bytes: Vec<u8>,
}

impl Directories {
    /// Reads a block or a TIFF file. None if it is neither; what is damaged in it is left out.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let tiff = structure(bytes)?;
        let main = entries(&tiff, tiff.directory()?);
        let below = |tag: u16| Some(entries(&tiff, number_of(&main, tag)?));
        let (mut exif, gps) = (below(EXIF).unwrap_or_default(), below(GPS).unwrap_or_default());
        exif.retain(|entry| entry.tag != INTEROPERABILITY);
        let main = main.into_iter().filter(|entry| OF_THE_PHOTOGRAPH.contains(&entry.tag)).collect();
        Some(Self { main, exif, gps })
    }

    fn is_empty(&self) -> bool {
        self.main.is_empty() && self.exif.is_empty() && self.gps.is_empty()
    }

    /// Writes the directories below the first, and returns the entries that lead to them.
    pub fn write_linked<W: std::io::Write + std::io::Seek>(
        &self,
        encoder: &mut TiffEncoder<W, TiffKindStandard>,
    ) -> TiffResult<Vec<(u16, u32)>> {
        let mut links = Vec::new();
        for (tag, entries) in [(EXIF, &self.exif), (GPS, &self.gps)] {
            if !entries.is_empty() {
                let mut directory = encoder.extra_directory()?;
                write(entries, &mut directory)?;
                links.push((tag, directory.finish_with_offsets()?.offset));
            }
        }
        Ok(links)
    }

    /// Writes the first directory's entries, and those that lead to the others.
    pub fn write_main<W: std::io::Write + std::io::Seek>(
        &self,
        directory: &mut DirectoryEncoder<'_, W, TiffKindStandard>,
        links: &[(u16, u32)],
    ) -> TiffResult<()> {
        write(&self.main, directory)?;
        links.iter().try_for_each(|&(tag, offset)| directory.write_tag(Tag::from_u16_exhaustive(tag), offset))
    }
}

/// Writes entries into a directory.
fn write<W: std::io::Write + std::io::Seek>(
    entries: &[Entry],
    directory: &mut DirectoryEncoder<'_, W, TiffKindStandard>,
) -> TiffResult<()> {
    for Entry { tag, kind, bytes } in entries {
        let written = directory.write_entry_bytes(*kind, bytes)?;
        let mut one = Directory::empty();
        one.extend([(Tag::from_u16_exhaustive(*tag), written)]);
        directory.extend_from(&one);
    }
    Ok(())
}

/// The structure of a block or a TIFF file. None for anything else, BigTIFF included, in which no EXIF is looked for.
fn structure(bytes: &[u8]) -> Option<Tiff<'_>> {
    Tiff::of(bytes).filter(|_| bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*"))
}

/// Where the link from the first directory to the second, the thumbnail's, stands.
fn link_to_second(tiff: &Tiff) -> Option<usize> {
    let directory = tiff.directory()?;
    let link = directory.checked_add(2 + 12 * tiff.place(directory, 2)?)?;
    (directory >= 8 && link.checked_add(4)? <= tiff.bytes.len()).then_some(link)
}

/// The entries of the directory at `at` that can be read, each of a number once, as writers demand.
fn entries(tiff: &Tiff, at: usize) -> Vec<Entry> {
    let count = tiff.place(at, 2).unwrap_or(0);
    let mut entries: Vec<Entry> =
        (0..count).map_while(|index| at.checked_add(2 + 12 * index)).filter_map(|at| entry(tiff, at)).collect();
    entries.sort_by_key(|entry| entry.tag);
    entries.dedup_by_key(|entry| entry.tag);
    entries
}

/// The entry at `at`. None if it is damaged.
fn entry(tiff: &Tiff, at: usize) -> Option<Entry> {
    let tag = tiff.number(at, 2)? as u16;
    let kind = Type::from_u16(tiff.number(at + 2, 2)? as u16)?;
    let size = bytes_of(kind)?;
    let mut bytes = tiff.content(at, size)?.to_vec();
    if tiff.big_endian != cfg!(target_endian = "big") {
        // A fraction is two numbers.
        let number = if matches!(kind, Type::RATIONAL | Type::SRATIONAL) { 4 } else { size };
        bytes.chunks_exact_mut(number).for_each(<[u8]>::reverse);
    }
    Some(Entry { tag, kind, bytes })
}

/// The number in the entry `tag` if it is there and of two bytes or four.
fn number_of(entries: &[Entry], tag: u16) -> Option<usize> {
    let entry = entries.iter().find(|entry| entry.tag == tag)?;
    match entry.bytes[..] {
        [a, b] => Some(usize::from(u16::from_ne_bytes([a, b]))),
        [a, b, c, d] => Some(u32::from_ne_bytes([a, b, c, d]) as usize),
        _ => None,
    }
}

/// Bytes of one value of this type. None for types of BigTIFF, which have no place here.
fn bytes_of(kind: Type) -> Option<usize> {
    match kind {
        Type::BYTE | Type::SBYTE | Type::ASCII | Type::UNDEFINED => Some(1),
        Type::SHORT | Type::SSHORT => Some(2),
        Type::LONG | Type::SLONG | Type::FLOAT | Type::IFD => Some(4),
        Type::RATIONAL | Type::SRATIONAL | Type::DOUBLE => Some(8),
        _ => None,
    }
}

//! The EXIF block: a small TIFF structure whose orientation has to be applied once and then forgotten.

use image::metadata::Orientation;

/// Reads the orientation and sets it to upright, strips the prefix some writers leave, and unlinks the thumbnail, which
/// shows the picture unrestored. None if it is no EXIF.
pub(super) fn settle(mut exif: Vec<u8>) -> Option<(Orientation, Vec<u8>)> {
    if exif.starts_with(b"Exif\0\0") {
        exif.drain(..6);
    }
    let big_endian = match exif.first_chunk::<4>()? {
        b"II*\0" => false,
        b"MM\0*" => true,
        _ => return None,
    };
    // First the orientation: a link into the middle of the entries, in a damaged block, must not change it.
    let orientation = Orientation::remove_from_exif_chunk(&mut exif).unwrap_or(Orientation::NoTransforms);
    if let Some(link) = link_to_second(&exif, big_endian) {
        exif[link..link + 4].fill(0);
    }
    Some((orientation, exif))
}

/// Where the link from the first directory to the second, the thumbnail's, stands.
fn link_to_second(exif: &[u8], big_endian: bool) -> Option<usize> {
    let directory = *exif.get(4..)?.first_chunk()?;
    let directory = if big_endian { u32::from_be_bytes(directory) } else { u32::from_le_bytes(directory) } as usize;
    let entries = *exif.get(directory..)?.first_chunk()?;
    let entries = if big_endian { u16::from_be_bytes(entries) } else { u16::from_le_bytes(entries) };
    let link = directory.checked_add(2 + 12 * usize::from(entries))?;
    (directory >= 8 && link.checked_add(4)? <= exif.len()).then_some(link)
}

//! Whether a file is all there. Decoders for the web show what they have of a broken file, the rest grey; a restored
//! half-grey picture is worse than an error, so the containers are walked to their end marks first.

use super::{Format, PhotoError};

/// What the walk through a whole file saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Whole {
    /// A JPEG with bytes between its segments, which a strict decoder refuses.
    pub stray_bytes: bool,
    /// A JPEG whose picture is one sequential scan, as cameras write it: where that scan ends.
    pub scan_end: Option<usize>,
    /// A progressive JPEG without its last scans: the picture is all there, but coarse.
    pub coarse: bool,
    /// A PNG whose colours are named by code points (cICP), and not as sRGB.
    pub other_colours: bool,
}

/// Walks the container to its end mark.
///
/// # Errors
///
/// [`PhotoError::Truncated`] if there is none. BMP and TIFF have none: their decoders find out by themselves.
pub(super) fn check(format: Format, bytes: &[u8]) -> Result<Whole, PhotoError> {
    let (whole, missing) = match format {
        Format::Jpeg => (jpeg(bytes), "its end marker"),
        Format::Png => (png(bytes), "its IEND chunk"),
        Format::WebP => (webp(bytes), "the length in its header"),
        Format::Tiff | Format::Bmp | Format::Avif => return Ok(Whole::default()),
    };
    whole.ok_or(PhotoError::Truncated { format, missing })
}

/// From segment to segment up to EOI; None if the bytes run out. What follows EOI (more pictures, a trailer of the
/// camera's) is of no concern.
fn jpeg(bytes: &[u8]) -> Option<Whole> {
    const SOF_PROGRESSIVE: u8 = 0xc2;
    const SOI: u8 = 0xd8;
    const EOI: u8 = 0xd9;
    const SOS: u8 = 0xda;
    let mut whole = Whole::default();
    let mut at = 0;
    let (mut scans, mut in_scan, mut refinement) = (0, false, None);
    loop {
        let skipped = bytes.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        whole.stray_bytes |= skipped > 0 && !in_scan;
        at += skipped + 1;
        match *bytes.get(at)? {
            0xff => (), // fill: the marker is still to come
            // A stuffed 0xff within a scan, and restarts: the scan goes on.
            0x00 | 0xd0..=0xd7 => {
                whole.stray_bytes |= !in_scan;
                at += 1;
            }
            EOI => {
                whole.scan_end = (refinement.is_none() && scans == 1 && in_scan).then_some(at - 1);
                whole.coarse = refinement.is_some_and(|refinement: Refinement| !refinement.complete());
                return Some(whole);
            }
            SOI | 0x01 => at += 1,
            marker => {
                let length = u16::from_be_bytes(*bytes.get(at + 1..)?.first_chunk()?);
                let next = at + 1 + usize::from(length).max(2);
                let segment = bytes.get(at + 3..next)?;
                at = next;
                in_scan = marker == SOS;
                scans += usize::from(in_scan);
                if marker == SOF_PROGRESSIVE {
                    refinement = Refinement::of_frame(segment);
                } else if let Some(refinement) = refinement.as_mut().filter(|_| in_scan) {
                    refinement.note_scan(segment);
                }
            }
        }
    }
}

/// How many low bits of each coefficient a progressive JPEG's scans have left out so far.
struct Refinement(Vec<(u8, [u8; 64])>);

impl Refinement {
    /// From the frame header, which lists the components: nothing has come yet.
    fn of_frame(segment: &[u8]) -> Option<Self> {
        Some(Refinement(segment.get(6..)?.chunks_exact(3).map(|component| (component[0], [u8::MAX; 64])).collect()))
    }

    /// A scan header: its components, the band of coefficients, and the lowest bit that it brings.
    fn note_scan(&mut self, segment: &[u8]) {
        let Some((&count, rest)) = segment.split_first() else { return };
        let Some((components, &[first, last, bits, ..])) = rest.split_at_checked(2 * usize::from(count)) else {
            return;
        };
        for (id, left_out) in &mut self.0 {
            if components.chunks_exact(2).any(|component| component[0] == *id)
                && let Some(band) = left_out.get_mut(usize::from(first)..=usize::from(last))
            {
                band.fill(bits & 15);
            }
        }
    }

    fn complete(&self) -> bool {
        self.0.iter().all(|(_, left_out)| left_out.iter().all(|&bits| bits == 0))
    }
}

/// From chunk to chunk up to IEND with its check sum.
fn png(bytes: &[u8]) -> Option<Whole> {
    let mut rest = bytes.get(8..)?;
    let mut whole = Whole::default();
    loop {
        let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let is_end = rest.get(4..8)? == b"IEND";
        // BT.709's primaries (1) and sRGB's curve (13), or none named (2).
        whole.other_colours |= rest.get(4..8)? == b"cICP" && !matches!(rest.get(8..10)?, [1 | 2, 13 | 2]);
        rest = rest.get(length.checked_add(12)?..)?;
        if is_end {
            return Some(whole);
        }
    }
}

/// The RIFF header's length against the file's.
fn webp(bytes: &[u8]) -> Option<Whole> {
    let length = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?) as usize;
    bytes.get(8..length.checked_add(8)?)?;
    Some(Whole::default())
}

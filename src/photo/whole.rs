//! Whether a file is all there. Decoders for the web show what they have of a broken file, the rest grey; a restored
//! half-grey picture is worse than an error, so the containers are walked to their end marks first.

use super::{Format, PhotoError, Warning, chunks::png_chunks, tiff};

/// What the walk through a whole file saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Whole<'a> {
    /// A JPEG with bytes between its segments, which a strict decoder refuses.
    pub stray_bytes: bool,
    /// Bytes up to the end of the last scan, in a JPEG whose picture is sequential, as cameras write it.
    pub scan_end: Option<usize>,
    /// A sequential JPEG of subsampled colours in several scans, of which its decoder leaves out the most.
    pub apart: bool,
    /// Parts of a colour profile were met. The decoder has it if they make a whole.
    pub profile: bool,
    /// How colours are coded, which counts where no profile says it.
    pub coding: Vec<Warning>,
    /// A PNG's EXIF block where its decoder doesn't look, behind the picture.
    pub late_exif: Option<&'a [u8]>,
    /// What of the file is not kept.
    pub warnings: Vec<Warning>,
}

/// Walks a file's container to its end mark.
///
/// # Errors
///
/// [`PhotoError::Truncated`] if there is no end mark, or if a JPEG lacks a component. BMP and TIFF have no end mark:
/// their decoders find out by themselves.
pub(super) fn check(format: Format, bytes: &[u8]) -> Result<Whole<'_>, PhotoError> {
    let (whole, missing) = match format {
        Format::Jpeg => (jpeg(bytes), "its end marker, or one of its components"),
        Format::Png => (png(bytes), "its IEND chunk"),
        Format::WebP => (webp(bytes), "the length in its header"),
        Format::Tiff | Format::Bmp | Format::Avif => return Ok(Whole::default()),
    };
    whole.ok_or(PhotoError::Truncated { format, missing })
}

/// Walks a JPEG from segment to segment up to EOI; None if the bytes run out, or a component is nowhere. What follows
/// EOI (more pictures, a trailer of the camera's) is of no concern.
fn jpeg(bytes: &[u8]) -> Option<Whole<'_>> {
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
                let refinement: Refinement = refinement?;
                if !refinement.begun() {
                    return None;
                }
                whole.scan_end = (in_scan && !refinement.progressive).then_some(at - 1);
                whole.apart = !refinement.progressive && refinement.tall && scans > 1;
                if whole.stray_bytes {
                    whole.warnings.push(Warning::StrayBytes);
                }
                if !refinement.complete() {
                    whole.warnings.push(Warning::Coarse);
                }
                return Some(whole);
            }
            SOI | 0x01 => at += 1,
            marker => {
                let length = u16::from_be_bytes(*bytes.get(at + 1..)?.first_chunk()?);
                let next = at + 1 + usize::from(length).max(2);
                let segment = bytes.get(at + 3..next)?;
                at = next;
                in_scan = marker == SOS;
                match marker {
                    // Start of a frame; between the kinds stand tables.
                    0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                        refinement = refinement.or_else(|| Refinement::of_frame(marker, segment));
                    }
                    SOS => {
                        scans += 1;
                        refinement.iter_mut().for_each(|refinement| refinement.note_scan(segment));
                    }
                    _ => note_application(marker, segment, &mut whole),
                }
            }
        }
    }
}

/// Notes what applications have put into a segment of their own, and is not kept.
fn note_application(marker: u8, segment: &[u8], whole: &mut Whole) {
    let lost = match marker {
        0xe1 if segment.starts_with(b"http://ns.adobe.com/xmp/extension/\0") => Warning::XmpCut,
        0xe2 if segment.starts_with(b"MPF\0") && tiff::lists_further_pictures(&segment[4..]).unwrap_or(true) => {
            Warning::FirstPageOnly
        }
        0xed if segment.starts_with(b"Photoshop 3.0\0") && segment.windows(6).any(|w| w == b"8BIM\x04\x04") => {
            Warning::IptcDropped
        }
        0xe2 if segment.starts_with(b"ICC_PROFILE\0") => {
            whole.profile = true;
            return;
        }
        _ => return,
    };
    if !whole.warnings.contains(&lost) {
        whole.warnings.push(lost);
    }
}

/// How many low bits of each coefficient of each component a JPEG's scans have left out so far.
struct Refinement {
    progressive: bool,
    /// A component has more rows than another one.
    tall: bool,
    components: Vec<(u8, [u8; 64])>,
}

/// How many bits a coefficient lacks of which nothing has come.
const ALL_BITS: u8 = u8::MAX;

impl Refinement {
    /// The state after the frame header, which lists the components: nothing of them has come yet.
    fn of_frame(marker: u8, segment: &[u8]) -> Option<Self> {
        const SOF_PROGRESSIVE: u8 = 0xc2;
        let listed = || segment.get(6..).into_iter().flat_map(|rest| rest.chunks_exact(3));
        let components = listed().map(|component| (component[0], [ALL_BITS; 64])).collect();
        let tall = listed().any(|component| component[1] & 15 > 1);
        (listed().count() > 0).then_some(Refinement { progressive: marker == SOF_PROGRESSIVE, tall, components })
    }

    /// Notes what a scan brings by its header: its components, the band of coefficients, and the lowest bit. A
    /// sequential scan brings all of its components.
    fn note_scan(&mut self, segment: &[u8]) {
        let Some((&count, rest)) = segment.split_first() else { return };
        let Some((components, &[first, last, bits, ..])) = rest.split_at_checked(2 * usize::from(count)) else {
            return;
        };
        let (band, bits) = if self.progressive { (first..=last, bits & 15) } else { (0..=63, 0) };
        for (id, left_out) in &mut self.components {
            if components.chunks_exact(2).any(|component| component[0] == *id)
                && let Some(band) = left_out.get_mut(usize::from(*band.start())..=usize::from(*band.end()))
            {
                band.fill(bits);
            }
        }
    }

    /// Whether there is something of each component: the mean of each block, at least.
    fn begun(&self) -> bool {
        self.components.iter().all(|(_, left_out)| left_out[0] != ALL_BITS)
    }

    /// Whether all bits of all components have come.
    fn complete(&self) -> bool {
        self.components.iter().all(|(_, left_out)| left_out.iter().all(|&bits| bits == 0))
    }
}

/// Walks a PNG from chunk to chunk; None if the bytes run out before the end of IEND.
fn png(bytes: &[u8]) -> Option<Whole<'_>> {
    let mut whole = Whole::default();
    let (mut settled, mut gamma, mut primaries) = (false, None, false);
    let (mut behind, mut ended) = (false, false);
    for chunk in png_chunks(bytes) {
        match (chunk.kind, chunk.content) {
            (b"IDAT", _) => behind = true,
            (b"sRGB", _) => settled = true,
            (b"iCCP", _) => whole.profile = true,
            (b"gAMA", content) => gamma = content.first_chunk().map(|gamma| u32::from_be_bytes(*gamma)),
            (b"cHRM", content) => primaries = !is_srgb(content),
            // BT.709's primaries (1) and sRGB's curve (13), or none named (2).
            (b"cICP", content) if !matches!(content, [1 | 2, 13 | 2, ..]) => whole.warnings.push(Warning::CodePoints),
            (b"eXIf", content) if behind => whole.late_exif = Some(content),
            (b"IEND", _) => ended = true,
            _ => (),
        }
    }
    if !settled {
        // In units of 1/100,000.
        let gamma = gamma.map(|gamma| f64::from(gamma) / 1e5).filter(|gamma| (gamma - 1.0 / 2.2).abs() > 0.01);
        whole.coding.extend(gamma.map(|gamma| Warning::Gamma(format!("{gamma:.3}"))));
        whole.coding.extend(primaries.then_some(Warning::Primaries));
    }
    ended.then_some(whole)
}

/// Whether a cHRM chunk has the white point and primaries of sRGB, about.
fn is_srgb(content: &[u8]) -> bool {
    const SRGB: [u32; 8] = [31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000];
    let (numbers, _) = content.as_chunks::<4>();
    numbers.iter().zip(SRGB).all(|(number, own)| u32::from_be_bytes(*number).abs_diff(own) < 500)
}

/// Compares a WebP's length by its RIFF header with the file's; None if bytes are missing.
fn webp(bytes: &[u8]) -> Option<Whole<'_>> {
    let length = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?) as usize;
    bytes.get(8..length.checked_add(8)?)?;
    Some(Whole::default())
}

//! What can go wrong with a picture file, and what to do about it.

use super::Format;
use std::path::{Path, PathBuf};

/// Why a picture could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PhotoError {
    /// The error, and the file it happened to.
    #[error("{}: {error}", path.display())]
    At {
        /// The file.
        path: PathBuf,
        /// What happened.
        error: Box<PhotoError>,
    },
    /// The system would not hand the bytes over.
    #[error("cannot be read: {0}")]
    Read(std::io::Error),
    /// The system would not take the bytes. No partial file is left.
    #[error("cannot be written: {0}{remedy}; nothing was left behind", remedy = remedy(.0))]
    Write(std::io::Error),
    /// A file stands where a folder is to be made.
    #[error("cannot be made a folder: there is a file in its way; move that or choose another place with -o")]
    NotAFolder,
    /// No file there to read a picture from: no bytes.
    #[error("is empty (0 bytes); fetch or copy the file again")]
    Empty,
    /// The content is not one of the formats read here.
    #[error("is {found}; PNG, JPEG, WebP, TIFF and BMP are read: convert it to one of them, losslessly if it can be")]
    UnknownFormat {
        /// What it seems to be.
        found: String,
    },
    /// A format read here, in a variety that is not.
    #[error("is {format} of a kind that is not read here: {what}")]
    Unsupported {
        /// The format.
        format: Format,
        /// What is not supported, and what to do.
        what: String,
    },
    /// More than one frame.
    #[error("is an animated {format}, and only still pictures are restored: split it into frames first")]
    Animated {
        /// The format.
        format: Format,
    },
    /// The header claims more pixels than the limit.
    #[error(
        "claims {width} x {height} pixels, over the limit of {limit} in all: a decompression bomb, or a picture that \
         needs a higher limit (--max-pixels)"
    )]
    TooLarge {
        /// Claimed width.
        width: u64,
        /// Claimed height.
        height: u64,
        /// The limit in force.
        limit: u64,
    },
    /// A side of no pixels.
    #[error("has no pixels ({width} x {height})")]
    NoPixels {
        /// Width.
        width: u64,
        /// Height.
        height: u64,
    },
    /// The file ends before the picture does.
    #[error("is cut short: {format} data ends before {missing}; fetch or copy the file again")]
    Truncated {
        /// The format.
        format: Format,
        /// What was not reached.
        missing: &'static str,
    },
    /// The data contradict themselves.
    #[error("is damaged: {format} decoding failed: {reason}; fetch or copy the file again")]
    Corrupt {
        /// The format.
        format: Format,
        /// The decoder's words.
        reason: String,
    },
    /// Memory ran out.
    #[error("needs more memory than there is: close other programs, or restore a smaller picture")]
    OutOfMemory,
    /// Transparency into a format that has none.
    #[error("{format} holds no transparency and the picture has some: write .png, .webp or .tif, and nothing is lost")]
    NoAlpha {
        /// The format asked for.
        format: Format,
    },
    /// A side longer than the format's field for it.
    #[error("{format} holds at most {most} pixels a side and the picture is {width} x {height}: write .png or .tif")]
    TooLong {
        /// The format asked for.
        format: Format,
        /// Its limit.
        most: usize,
        /// Width.
        width: usize,
        /// Height.
        height: usize,
    },
    /// The encoder refused.
    #[error("{format} encoding failed: {reason}")]
    Encode {
        /// The format asked for.
        format: Format,
        /// The encoder's words.
        reason: String,
    },
}

/// What to do about a file that can't be written.
fn remedy(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; make room there or choose another place with -o",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "; choose a place that you may write to with -o",
        ErrorKind::AlreadyExists => "; use --overwrite to replace it or --skip-existing to leave it",
        _ => "",
    }
}

impl PhotoError {
    /// Says which file it happened to. An error that already knows is left as it is.
    pub fn at(self, path: &Path) -> Self {
        match self {
            PhotoError::At { .. } => self,
            error => PhotoError::At { path: path.to_owned(), error: Box::new(error) },
        }
    }
}

/// Something to tell the user that does not stop the work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// A profile that can't be read, or that goes one way only. The network then takes the samples for sRGB.
    #[error("its colour profile can't be converted to sRGB and back: the network takes its colours for sRGB")]
    UnusableProfile,
    /// For instance a CMYK profile, after conversion to RGB.
    #[error("its colour profile is damaged or for another colour space than its pixels' and is not kept")]
    ProfileDropped,
    /// A camera's mark with no profile.
    #[error("has no colour profile, and its EXIF data say Adobe RGB: it is read as that and gets its profile")]
    AdobeRgb,
    /// A gamma with no profile.
    #[error("its samples are coded with a gamma of {0}: treated as sRGB, and the note is not kept")]
    Gamma(String),
    /// Primaries with no profile.
    #[error("its colours are of other primaries (cHRM) than sRGB's: treated as sRGB, and the note is not kept")]
    Primaries,
    /// Code points in a PNG, for HDR or a wide gamut.
    #[error("its colours are named by code points (cICP) other than sRGB's: treated as sRGB, and the note is not kept")]
    CodePoints,
    /// No TIFF structure could be found in it.
    #[error("its EXIF data are damaged and not kept")]
    ExifDropped,
    /// The captions that news agencies and Photoshop put into a JPEG.
    #[error("its IPTC data (caption, keywords, author) are not kept")]
    IptcDropped,
    /// What of a JPEG's XMP data has no room in one segment.
    #[error("its XMP data are longer than one JPEG segment: what is behind the first is not kept")]
    XmpCut,
    /// Texts that can't be unpacked, or more than a file's own are likely to be.
    #[error("some of its texts (comments, titles) are damaged or longer than 1 MiB together, and are not kept")]
    TextDropped,
    /// Bytes between the segments of a JPEG, so that the decoder had to be lenient.
    #[error("has stray bytes between its JPEG segments: decoded, but damage might go unnoticed")]
    StrayBytes,
    /// A progressive JPEG without its last scans.
    #[error("is a progressive JPEG that stops before its full quality: the rest of the file may be lost")]
    Coarse,
    /// Pages beyond the first.
    #[error("holds several pictures; only the first is restored")]
    FirstPageOnly,
    /// 16 bits into a format of 8.
    #[error("{0} holds 8 bits a sample: 16 were rounded to 8; write .png or .tif to keep them")]
    Rounded(Format),
    /// Colours of another space into a format without a profile.
    #[error("{0} holds no colour profile: colours are converted to sRGB; write .png, .jpg, .webp or .tif to keep them")]
    Converted(Format),
    /// A profile that can't be used into a format without.
    #[error("{0} is written without the colour profile: write .png, .jpg, .webp or .tif to keep the colours")]
    ProfileLost(Format),
    /// EXIF into a format without, or longer than it can hold.
    #[error("{0} is written without the EXIF data: write .png, .webp or .tif to keep them")]
    ExifLost(Format),
    /// XMP into a format without, or longer than it can hold.
    #[error("{0} is written without the XMP data: write .png, .webp or .tif to keep them")]
    XmpLost(Format),
    /// Texts into a format without, or longer than it can hold.
    #[error("{0} is written without the file's texts (comment, title, author): write .png to keep them")]
    TextLost(Format),
}

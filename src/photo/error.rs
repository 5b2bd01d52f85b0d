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
    /// The file has no bytes.
    #[error("is empty (0 bytes); fetch or copy the file again")]
    Empty,
    /// The content is not one of the formats read here.
    #[error("is {found}; PNG, JPEG, WebP, TIFF and BMP are read: convert it to one of them, losslessly if it can be")]
    UnknownFormat {
        /// What it seems to be.
        found: String,
    },
    /// The format is read here, but not this variety of it.
    #[error("is {format} of a kind that is not read here: {what}")]
    Unsupported {
        /// The format.
        format: Format,
        /// What is not supported, and what to do.
        what: String,
    },
    /// The file holds more than one frame.
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
        /// The width that the header claims, in pixels.
        width: u64,
        /// The height that the header claims, in pixels.
        height: u64,
        /// The limit in force, in pixels.
        limit: u64,
    },
    /// The picture has a side of no pixels.
    #[error("has no pixels ({width} x {height})")]
    NoPixels {
        /// The picture's width, in pixels.
        width: u64,
        /// The picture's height, in pixels.
        height: u64,
    },
    /// The file ends before the picture does.
    #[error("is cut short: {format} data ends before {missing}; fetch or copy the file again")]
    Truncated {
        /// The format.
        format: Format,
        /// What of the file was not reached.
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
    /// The picture has transparency and the format has none.
    #[error("{format} holds no transparency and the picture has some: write .png, .webp or .tif, and nothing is lost")]
    NoAlpha {
        /// The format asked for.
        format: Format,
    },
    /// A side of the picture is longer than the format can say.
    #[error("{format} holds at most {most} pixels a side and the picture is {width} x {height}: write .png or .tif")]
    TooLong {
        /// The format asked for.
        format: Format,
        /// The longest side that the format holds, in pixels.
        most: usize,
        /// The picture's width, in pixels.
        width: usize,
        /// The picture's height, in pixels.
        height: usize,
    },
    /// The encoder refused the picture.
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
    /// The error with the file that it happened to. One that knows its file is left as it is.
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
    /// The colour profile can't be read, or goes one way only. The network then takes the samples for sRGB.
    #[error("its colour profile can't be converted to sRGB and back: the network takes its colours for sRGB")]
    UnusableProfile,
    /// The colour profile is damaged or does not describe the pixels: a CMYK profile, for instance, once they are RGB.
    #[error("its colour profile is damaged or for another colour space than its pixels' and is not kept")]
    ProfileDropped,
    /// A camera marked the samples as Adobe RGB, and there is no profile.
    #[error("has no colour profile, and its EXIF data say Adobe RGB: it is read as that and gets its profile")]
    AdobeRgb,
    /// A PNG names another gamma than sRGB's, and there is no profile.
    #[error("its samples are coded with a gamma of {0}: treated as sRGB, and the note is not kept")]
    Gamma(String),
    /// A PNG names other primaries than sRGB's, and there is no profile.
    #[error("its colours are of other primaries (cHRM) than sRGB's: treated as sRGB, and the note is not kept")]
    Primaries,
    /// A PNG names another colour space by code points, for HDR or a wide gamut.
    #[error("its colours are named by code points (cICP) other than sRGB's: treated as sRGB, and the note is not kept")]
    CodePoints,
    /// No TIFF structure could be found in the EXIF block.
    #[error("its EXIF data are damaged and not kept")]
    ExifDropped,
    /// A JPEG has captions of the kind that news agencies and Photoshop write.
    #[error("its IPTC data (caption, keywords, author) are not kept")]
    IptcDropped,
    /// A JPEG's XMP data take more than one segment, of which the first is kept.
    #[error("its XMP data are longer than one JPEG segment: what is behind the first is not kept")]
    XmpCut,
    /// Some texts can't be unpacked, or are more than a photograph's are likely to be.
    #[error("some of its texts (comments, titles) are damaged or longer than 1 MiB together, and are not kept")]
    TextDropped,
    /// There are bytes between the segments of a JPEG, so that the decoder had to be lenient.
    #[error("has stray bytes between its JPEG segments: decoded, but damage might go unnoticed")]
    StrayBytes,
    /// A progressive JPEG lacks its last scans.
    #[error("is a progressive JPEG that stops before its full quality: the rest of the file may be lost")]
    Coarse,
    /// The file has pages beyond the first.
    #[error("holds several pictures; only the first is restored")]
    FirstPageOnly,
    /// The photo has 16 bits per sample and the format 8.
    #[error("{0} holds 8 bits a sample: 16 were rounded to 8; write .png or .tif to keep them")]
    Rounded(Format),
    /// The photo is in another colour space than sRGB and the format keeps no profile.
    #[error("{0} holds no colour profile: colours are converted to sRGB; write .png, .jpg, .webp or .tif to keep them")]
    Converted(Format),
    /// The photo has a profile that can't be used and the format keeps none.
    #[error("{0} is written without the colour profile: write .png, .jpg, .webp or .tif to keep the colours")]
    ProfileLost(Format),
    /// The format has no place for EXIF, or not for so much.
    #[error("{0} is written without the EXIF data: write .png, .webp or .tif to keep them")]
    ExifLost(Format),
    /// The format has no place for XMP, or not for so much.
    #[error("{0} is written without the XMP data: write .png, .webp or .tif to keep them")]
    XmpLost(Format),
    /// The format has no place for texts, or not for so long ones.
    #[error("{0} is written without the file's texts (comment, title, author): write .png to keep them")]
    TextLost(Format),
}

//! Raw video as `ffmpeg -f yuv4mpegpipe` writes and reads it: a header line, then frames, each a line and its planes.
//! Both lines are kept as they came, whatever parameters they hold. (The `y4m` crate drops some of them, and takes a
//! stream cut within a frame for one that ended.)

use super::PhotoError;
use super::ycbcr::{Chroma, Frame, Matrix, Range, Sampling, Siting};
use std::io::{self, Read, Write};
use thiserror::Error;

/// Bytes of the longest line that is taken for a header.
const LONGEST_LINE: usize = 4096;

/// Why a stream can't be read or written.
#[derive(Debug, Error)]
pub enum VideoError {
    /// The stream does not begin with `YUV4MPEG2`.
    #[error(
        "standard input is no Y4M stream: make one with `ffmpeg -i in.mp4 -f yuv4mpegpipe -pix_fmt yuv444p -`, and see \
         what it says"
    )]
    NoStream,
    /// A parameter of the header is missing or makes no sense.
    #[error("the Y4M header has no sensible {what} (`{header}`)")]
    Header {
        /// The parameter that was looked for.
        what: &'static str,
        /// The header line.
        header: String,
    },
    /// The colour space isn't read here.
    #[error(
        "Y4M colour space `{0}` is not read here: convert it with ffmpeg's `-pix_fmt yuv444p`, yuv422p, yuv420p, gray or \
         yuv444p10"
    )]
    ColourSpace(String),
    /// Frames have more pixels than the limit.
    #[error(transparent)]
    Size(#[from] PhotoError),
    /// The stream ends within a frame, or something other than a frame follows.
    #[error("the video ends within frame {frame}: {reason}; the {} before it are done", .frame - 1)]
    Truncated {
        /// The frame that is cut or missing, counted from 1.
        frame: u64,
        /// What is there instead of it.
        reason: String,
    },
    /// The system would not hand over or take the bytes.
    #[error("{stream}: {error}")]
    Io {
        /// Which stream: standard input or output.
        stream: &'static str,
        /// The system's word.
        error: io::Error,
    },
}

/// What the header says of every frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The header line, without its end.
    line: String,
    /// How the samples of a frame lie and what they mean.
    pub sampling: Sampling,
    /// Whether the two fields of a frame are of different moments.
    pub interlaced: bool,
}

impl Header {
    fn parse(line: &str, max_pixels: u64) -> Result<Self, VideoError> {
        let mut parameters = line.split(' ');
        if parameters.next() != Some("YUV4MPEG2") {
            return Err(VideoError::NoStream);
        }
        let (mut width, mut height, mut colour, mut range, mut interlaced) = (None, None, "420", Range::Limited, false);
        for parameter in parameters.filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_at(parameter.chars().next().map_or(0, char::len_utf8));
            match (name, value) {
                ("W", value) => width = value.parse::<u32>().ok(),
                ("H", value) => height = value.parse::<u32>().ok(),
                ("C", value) => colour = value,
                ("I", value) => interlaced = !matches!(value, "p" | "?"),
                ("X", "COLORRANGE=FULL") => range = Range::Full,
                _ => (),
            }
        }
        let side = |side: Option<u32>, what| {
            let header = line.to_owned();
            side.filter(|&side| side > 0).ok_or(VideoError::Header { what, header })
        };
        let (width, height) = (side(width, "width")?, side(height, "height")?);
        if u64::from(width) * u64::from(height) > max_pixels {
            let (width, height) = (width.into(), height.into());
            return Err(PhotoError::TooLarge { width, height, limit: max_pixels }.into());
        }
        let (chroma, bits) = colour_space(colour).ok_or_else(|| VideoError::ColourSpace(colour.to_owned()))?;
        let matrix = Matrix::usual(width, height);
        let sampling = Sampling { width: width as usize, height: height as usize, chroma, bits, range, matrix };
        Ok(Self { line: line.to_owned(), sampling, interlaced })
    }
}

/// The chroma's lattice and the bits per sample that a name stands for: `420jpeg`, `422p10`, `mono`, … None if it isn't
/// read here.
fn colour_space(name: &str) -> Option<(Chroma, u32)> {
    let (lattice, bits) = match name.strip_prefix("mono") {
        Some("") => ("mono", 8),
        Some(bits) => ("mono", bits.parse().ok()?),
        None => match name.rsplit_once('p') {
            Some((lattice, bits)) if bits.bytes().all(|digit| digit.is_ascii_digit()) && !bits.is_empty() => {
                (lattice, bits.parse().ok()?)
            }
            _ => (name, 8),
        },
    };
    let chroma = match (lattice, bits) {
        ("mono", _) => Chroma::None,
        // Without a word on the siting, ffmpeg means MPEG-1's; in more than 8 bits nothing but MPEG-2's is met.
        ("420jpeg" | "420", 8) => Chroma::Quarter(Siting::Centre),
        ("420mpeg2", 8) | ("420", _) => Chroma::Quarter(Siting::Left),
        ("420paldv", 8) => Chroma::Quarter(Siting::TopLeft),
        ("422", _) => Chroma::Half,
        ("444", _) => Chroma::Whole,
        _ => return None,
    };
    (8..=16).contains(&bits).then_some((chroma, bits))
}

/// Reads frames of a Y4M stream.
pub struct VideoReader<R> {
    reader: R,
    header: Header,
    frames: u64,
}

impl<R: Read> VideoReader<R> {
    /// Reads the stream's header.
    ///
    /// # Errors
    /// [`VideoError`] if it is no Y4M header, or one of frames that can't be read.
    pub fn new(mut reader: R, max_pixels: u64) -> Result<Self, VideoError> {
        let line = read_line(&mut reader).map_err(unread)?.ok_or(VideoError::NoStream)?;
        let header = Header::parse(&line, max_pixels)?;
        Ok(Self { reader, header, frames: 0 })
    }

    /// The stream's header, which holds for every frame.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next frame; None at the stream's end.
    ///
    /// # Errors
    /// [`VideoError::Truncated`] if the stream ends within the frame, [`VideoError::Io`] if it can't be read.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, VideoError> {
        self.frames += 1;
        let frame = self.frames;
        let truncated = |reason: String| VideoError::Truncated { frame, reason };
        let line = match read_line(&mut self.reader) {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(truncated(error.to_string())),
            Err(error) => return Err(unread(error)),
        };
        if line != "FRAME" && !line.starts_with("FRAME ") {
            return Err(truncated("something else begins".to_owned()));
        }
        let sampling = &self.header.sampling;
        let expected = sampling.bytes();
        let mut bytes = Vec::new();
        (&mut self.reader).take(expected as u64).read_to_end(&mut bytes).map_err(unread)?;
        if bytes.len() < expected {
            return Err(truncated(format!("{} of {expected} bytes are there", bytes.len())));
        }
        Ok(Some(Frame { line, samples: sampling.unpack(&bytes) }))
    }
}

/// Reads a line, without its end; None where the stream ends. The error for a line that doesn't end is of the kind
/// `InvalidData`.
fn read_line(reader: &mut impl Read) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match reader.read(&mut byte) {
            Ok(0) if line.is_empty() => return Ok(None),
            Ok(0) => return Err(io::Error::new(io::ErrorKind::InvalidData, "it is cut off in its first line")),
            Ok(_) if byte[0] == b'\n' => return Ok(Some(String::from_utf8_lossy(&line).into_owned())),
            Ok(_) if line.len() == LONGEST_LINE => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "its first line doesn't end"));
            }
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
}

/// The error of a stream that was to be read.
fn unread(error: io::Error) -> VideoError {
    match error.kind() {
        io::ErrorKind::InvalidData => VideoError::NoStream,
        _ => VideoError::Io { stream: "standard input", error },
    }
}

/// Writes frames to a Y4M stream.
pub struct VideoWriter<W> {
    writer: W,
    sampling: Sampling,
}

impl<W: Write> VideoWriter<W> {
    /// Writes the header, as it was read.
    ///
    /// # Errors
    /// [`VideoError::Io`] if the system doesn't take it.
    pub fn new(mut writer: W, header: &Header) -> Result<Self, VideoError> {
        writeln!(writer, "{}", header.line).map_err(unwritten)?;
        Ok(Self { writer, sampling: header.sampling.clone() })
    }

    /// Writes a frame, and waits until it is handed on.
    ///
    /// # Errors
    /// [`VideoError::Io`] if the system doesn't take it.
    pub fn write(&mut self, frame: &Frame) -> Result<(), VideoError> {
        let mut bytes = Vec::with_capacity(frame.line.len() + 1 + self.sampling.bytes());
        bytes.extend(frame.line.as_bytes());
        bytes.push(b'\n');
        self.sampling.pack(&frame.samples, &mut bytes);
        self.writer.write_all(&bytes).and_then(|()| self.writer.flush()).map_err(unwritten)
    }
}

/// The error of a stream that was to be written.
fn unwritten(error: io::Error) -> VideoError {
    VideoError::Io { stream: "standard output", error }
}

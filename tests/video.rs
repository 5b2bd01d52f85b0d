//! Raw video through the program, with ffmpeg at both ends.

#[path = "common/ffmpeg.rs"]
mod ffmpeg;
#[path = "common/program.rs"]
mod program;

use ffmpeg::{feed, ffmpeg};
use program::{command, said};
use std::process::{Command, Output};

fn restore(arguments: &[&str], input: &[u8]) -> Output {
    feed(command(), &[&["restore", "-", "--video"][..], arguments].concat(), input)
}

/// A test picture that moves, as Y4M.
fn video(size: &str, frames: u32, format: &str) -> Vec<u8> {
    let source = format!("testsrc=size={size}:rate=10");
    let frames = frames.to_string();
    let arguments = ["-f", "lavfi", "-i", &source, "-frames:v", &frames, "-pix_fmt", format, "-strict", "-1"];
    ffmpeg(&[&arguments[..], &["-f", "yuv4mpegpipe", "-"]].concat(), b"")
}

#[test]
fn a_frame_left_alone_comes_out_to_the_bit_in_every_format() {
    for format in ["yuv420p", "yuv422p", "yuv444p", "gray", "yuv420p10le", "yuv444p12le", "yuvj420p"] {
        let stream = video("70x66", 2, format);
        let done = restore(&["--strength", "0"], &stream);
        assert!(done.status.success(), "{format}: {}", said(&done));
        assert!(done.stdout == stream, "{format}: another stream of {} bytes", done.stdout.len());
    }
}

/// What a frame becomes is what the same frame becomes as a picture, where nothing is evened out.
#[test]
fn a_frame_is_restored_as_a_picture_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let stream = video("96x64", 3, "yuv444p");
    let full = ["--longest-side", "full"];
    let done = restore(&full, &stream);
    assert!(done.status.success(), "{}", said(&done));
    assert!(said(&done).contains("3 frames"), "{}", said(&done));
    let third = |stream: &[u8]| {
        let arguments = ["-f", "yuv4mpegpipe", "-i", "-", "-vf", "select=eq(n\\,2)", "-f", "rawvideo"];
        ffmpeg(
            &[&arguments[..], &["-pix_fmt", "rgb24", "-sws_flags", "accurate_rnd+full_chroma_int", "-"]].concat(),
            stream,
        )
    };
    let (before, after) = (third(&stream), third(&done.stdout));
    let picture = image::RgbImage::from_raw(96, 64, before.clone()).expect("one frame");
    let (input, output) = (folder.path().join("in.png"), folder.path().join("out.png"));
    picture.save(&input).expect("is written");
    let done = command().arg("restore").arg(&input).arg("-o").arg(&output).args(full).output().expect("runs");
    assert!(done.status.success(), "{}", said(&done));
    let expected = image::open(&output).expect("opens").to_rgb8();
    let mean =
        |a: &[u8], b: &[u8]| a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64;
    assert!(mean(&after, expected.as_raw()) < 1.5, "{}", mean(&after, expected.as_raw()));
    assert!(mean(&before, &after) > 2.0, "something was restored: {}", mean(&before, &after));
}

/// A wall in haze that stands still, in a noise that doesn't: restored frame by frame its squares flicker, and less so as the
/// program does it by itself.
#[test]
fn what_flickers_is_evened_out() {
    const WIDTH: usize = 128;
    const HEIGHT: usize = 96;
    const FRAMES: usize = 16;
    let mut rng = fastrand::Rng::with_seed(7);
    let header = format!("YUV4MPEG2 W{WIDTH} H{HEIGHT} F25:1 Cmono\n").into_bytes();
    let frames: [Vec<u8>; FRAMES] = std::array::from_fn(|_| {
        let pixels = (0..WIDTH * HEIGHT).map(|at| {
            let (x, y) = (at % WIDTH, at / WIDTH);
            let wall = if (x / 16 + y / 12) % 2 == 0 { 130 } else { 150 } + (x * 7 + y * 13) as u8 % 5 + (y / 3) as u8;
            wall + rng.u8(0..16)
        });
        b"FRAME\n".iter().copied().chain(pixels).collect()
    });
    let restored = |frames: &[Vec<u8>]| {
        let done = restore(&[], &[header.clone(), frames.concat()].concat());
        assert!(done.status.success(), "{}", said(&done));
        done.stdout[header.len()..].to_vec()
    };
    // The mean step of a square of 32 pixels from one frame to the next, once the mean has some frames to go by.
    let flicker = |frames: &[u8]| {
        let frames: Vec<&[u8]> = frames.chunks_exact(6 + WIDTH * HEIGHT).map(|frame| &frame[6..]).collect();
        assert_eq!(frames.len(), FRAMES);
        let square = |frame: &[u8], left: usize, top: usize| {
            let rows = (top..top + 32).map(|y| &frame[y * WIDTH + left..][..32]);
            rows.flatten().map(|&value| f64::from(value)).sum::<f64>() / 1024.0
        };
        let squares = (0..12).map(|at| (at % 4 * 32, at / 4 * 32));
        let steps = frames[6..].windows(2).flat_map(|pair| {
            squares.clone().map(|(left, top)| (square(pair[1], left, top) - square(pair[0], left, top)).abs())
        });
        steps.sum::<f64>() / (12 * (FRAMES - 7)) as f64
    };
    // The first frame of a film has none before it.
    let by_frame: Vec<u8> = frames.chunks(1).flat_map(restored).collect();
    let [by_frame, evened] = [flicker(&by_frame), flicker(&restored(&frames))];
    assert!(evened < 0.6 * by_frame, "{evened} levels a frame, and {by_frame} frame by frame");
}

/// The line of the README, with ffmpeg at both ends.
#[test]
fn ffmpeg_to_ffmpeg() {
    let folder = tempfile::tempdir().expect("a folder");
    let (input, output) = (folder.path().join("in.mp4"), folder.path().join("out.mp4"));
    let [input, output] = [&input, &output].map(|path| path.to_str().expect("is text"));
    ffmpeg(&["-f", "lavfi", "-i", "testsrc=size=64x64:rate=5", "-frames:v", "4", input], b"");
    let line = format!(
        "ffmpeg -v error -nostdin -i {input} -f yuv4mpegpipe -pix_fmt yuv444p - | {} restore - --video --device cpu \
         | ffmpeg -v error -i - {output}",
        env!("CARGO_BIN_EXE_irnext")
    );
    let done = Command::new("bash").args(["-o", "pipefail", "-c", &line]).output().expect("runs");
    assert!(done.status.success(), "{}", said(&done));
    let frames = ffmpeg(&["-i", output, "-f", "rawvideo", "-pix_fmt", "gray", "-"], b"");
    assert_eq!(frames.len(), 4 * 64 * 64);
}

#[test]
fn a_stream_cut_short_is_an_error_after_its_whole_frames() {
    let stream = video("66x64", 3, "yuv420p");
    let header = stream.iter().position(|&byte| byte == b'\n').expect("a header") + 1;
    let frame = (stream.len() - header) / 3;
    for cut in [header + 2 * frame + frame / 2, header + 2 * frame + 3] {
        let done = restore(&["--strength", "0"], &stream[..cut]);
        assert_eq!(done.status.code(), Some(1));
        assert!(said(&done).contains("within frame 3"), "{}", said(&done));
        assert!(done.stdout == stream[..header + 2 * frame]);
    }
    for nonsense in [&b""[..], b"RIFF", b"YUV4MPEG2 W0 H5\n", b"YUV4MPEG2 H5\n", b"YUV4MPEG2 W9 H9 C411\n"] {
        let done = restore(&[], nonsense);
        assert_eq!((done.status.code(), done.stdout.len()), (Some(1), 0), "{}", said(&done));
    }
    let done = restore(&["--max-pixels", "4000"], &stream);
    assert!(done.status.code() == Some(1) && said(&done).contains("--max-pixels"), "{}", said(&done));
}

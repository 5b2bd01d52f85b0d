//! AVIF, which is written and not read: ffmpeg shows what is in it.

#[path = "common/ffmpeg.rs"]
mod ffmpeg;
#[path = "common/program.rs"]
mod program;

use ffmpeg::{feed, ffmpeg};
use irnext::photo::{FILE_QUALITY, Format, Layout, Photo, Pixels, Warning};
use program::{command, said};
use std::path::Path;

/// A smooth picture in all colours.
fn sample(width: usize, height: usize, layout: Layout) -> Photo {
    let pixels = (0..width * height).map(|at| {
        let (x, y) = (at % width, at / width);
        let alpha = if layout.has_alpha() { (x * 255 / width) as u8 } else { 255 };
        let [r, g, b] = [x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)];
        let [r, g, b] = if layout.has_colour() { [r, g, b] } else { [r; 3] };
        [r as u8, g as u8, b as u8, alpha]
    });
    let pixels = Pixels::Eight(pixels.collect());
    Photo::new(width, height, pixels, layout)
}

/// The colours that ffmpeg sees.
fn seen(file: &Path) -> Vec<u8> {
    ffmpeg(&["-i", file.to_str().expect("Unicode"), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], b"")
}

/// The mean difference of colours, in steps of 8 bits.
fn error(photo: &Photo, seen: &[u8]) -> f64 {
    let Pixels::Eight(pixels) = &photo.pixels else { panic!("8 bits") };
    assert_eq!(seen.len(), 3 * pixels.len());
    let colours = pixels.iter().flat_map(|pixel| &pixel[..3]);
    colours.zip(seen).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / seen.len() as f64
}

#[test]
fn another_reader_sees_the_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("picture.avif");
    for (width, height, layout) in [
        (64, 48, Layout::Rgb),
        (37, 21, Layout::Rgb),
        (1, 1, Layout::Rgb),
        (1, 300, Layout::Rgb),
        (50, 33, Layout::Grey),
        (64, 48, Layout::Rgba),
    ] {
        let photo = sample(width, height, layout);
        let bytes = photo.encode(Format::Avif, FILE_QUALITY).expect("encodes");
        std::fs::write(&file, &bytes).expect("writes");
        let error = error(&photo, &seen(&file));
        assert!(error < 2.0, "{width}x{height} {layout:?}: {error}");
        let alpha = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha";
        assert_eq!(bytes.windows(alpha.len()).any(|part| part == alpha), layout.has_alpha(), "{layout:?}");
    }
}

#[test]
fn what_it_keeps_and_what_it_does_not() {
    let exif = b"II*\0\x08\0\0\0\x01\0\x28\x01\x03\0\x01\0\0\0\x02\0\0\0\0\0\0\0".to_vec();
    let photo = Photo { exif: Some(exif.clone()), xmp: Some(b"<x/>".to_vec()), ..sample(32, 32, Layout::Rgb) };
    assert_eq!(photo.losses(Format::Avif).expect("can be written"), [Warning::XmpLost(Format::Avif)]);
    let bytes = photo.encode(Format::Avif, FILE_QUALITY).expect("encodes");
    assert!(bytes.windows(exif.len()).any(|part| part == exif));
    let sixteen = Photo { pixels: Pixels::Sixteen(photo.pixels.to_sixteen().into_owned()), xmp: None, ..photo };
    assert_eq!(sixteen.losses(Format::Avif).expect("can be written"), [Warning::Rounded(Format::Avif)]);
}

/// `--quality` with a number, for both formats that lose something: less is smaller and farther off.
#[test]
fn quality_is_size_and_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let photo = sample(128, 96, Layout::Rgb);
    let source = folder.path().join("source.png");
    std::fs::write(&source, photo.encode(Format::Png, FILE_QUALITY).expect("encodes")).expect("writes");
    for extension in ["avif", "jpg"] {
        let written = ["20", "98"].map(|quality| {
            let file = folder.path().join(format!("{quality}.{extension}"));
            let [input, output] = [&source, &file].map(|path| path.to_str().expect("Unicode"));
            let arguments =
                ["restore", input, "-o", output, "--strength", "0", "--device", "cpu", "--quality", quality];
            let done = feed(command(), &arguments, b"");
            assert!(done.status.success(), "{}", said(&done));
            (std::fs::metadata(&file).expect("is there").len(), error(&photo, &seen(&file)))
        });
        let [(low_size, low_error), (high_size, high_error)] = written;
        assert!(low_size < high_size && low_error > high_error, "{extension}: {written:?}");
    }
}

#[test]
fn it_is_refused_as_an_input_and_left_out_of_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    let photo = sample(32, 32, Layout::Rgb);
    let file = folder.path().join("a.avif");
    std::fs::write(&file, photo.encode(Format::Avif, FILE_QUALITY).expect("encodes")).expect("writes");
    let restore = |input: &Path| {
        let input = input.to_str().expect("Unicode");
        feed(command(), &["restore", input, "-o", "never.png", "--device", "cpu"], b"")
    };
    let done = restore(&file);
    assert_eq!(done.status.code(), Some(1));
    assert!(said(&done).contains("is AVIF data"), "{}", said(&done));
    let done = restore(folder.path());
    assert_ne!(done.status.code(), Some(0), "{}", said(&done));
}

//! Resolution and texts of PNG and JPEG, from file to file.

use irnext::photo::{Format, Layout, Limits, Notes, Photo, Pixels, Resolution, Text, Unit, Warning};

/// EXIF that only says: turn me by 90 degrees.
const TURNED: &[u8] = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";

fn sample() -> Photo {
    Photo::new(9, 7, Pixels::Eight((0..63).map(|n| [n, 2 * n, 3 * n, 255]).collect()), Layout::Rgb)
}

fn open(bytes: &[u8]) -> Photo {
    Photo::decode(bytes, &Limits::default()).unwrap()
}

fn text(keyword: &str, text: &str) -> Text {
    Text { keyword: keyword.to_owned(), text: text.to_owned() }
}

#[test]
fn resolution_and_texts_travel_along() {
    let resolution = |across, down, unit| Some(Resolution { across, down, unit });
    let notes = Notes {
        resolution: resolution(300, 150, Unit::Inch),
        texts: vec![text("Comment", "a wall"), text("Title", "Gr\u{fc}n"), text("Author", "\u{5c71}")],
    };
    let photo = Photo { notes: notes.clone(), ..sample() };
    let through = |photo: &Photo, format| open(&photo.encode(format, 95).unwrap());
    for format in [Format::Png, Format::Jpeg] {
        assert_eq!(photo.losses(format).unwrap(), [], "{format}");
    }
    let png = through(&photo, Format::Png);
    assert_eq!(png.notes.resolution, resolution(11811, 5906, Unit::Metre));
    assert_eq!(png.notes.texts, notes.texts);
    // An inch comes back from a metre; texts other than comments carry their keyword along.
    let jpeg = through(&png, Format::Jpeg);
    assert_eq!(jpeg.notes.resolution, notes.resolution);
    let comments = ["a wall", "Title: Gr\u{fc}n", "Author: \u{5c71}"].map(|comment| text("Comment", comment));
    assert_eq!(jpeg.notes.texts, comments);
    assert_eq!(through(&jpeg, Format::Jpeg).notes, jpeg.notes);
    for unit in [Unit::Unknown, Unit::Centimetre, Unit::Inch] {
        let photo = Photo { notes: Notes { resolution: resolution(3, 2, unit), texts: vec![] }, ..photo.clone() };
        assert_eq!(through(&photo, Format::Jpeg).notes, photo.notes);
    }
    let wide =
        Photo { notes: Notes { resolution: resolution(7_000_000, 1, Unit::Unknown), texts: vec![] }, ..photo.clone() };
    assert_eq!(through(&wide, Format::Png).notes, wide.notes);
    assert_eq!(
        through(&wide, Format::Jpeg).notes.resolution,
        resolution(1, 1, Unit::Unknown),
        "no room for the numbers"
    );
    for format in [Format::WebP, Format::Tiff, Format::Bmp, Format::Avif] {
        assert_eq!(photo.losses(format).unwrap(), [Warning::TextLost(format)]);
    }
    let long = Notes { resolution: None, texts: vec![text("Comment", &"x".repeat(65_534))] };
    let long = Photo { notes: long, ..photo.clone() };
    assert_eq!(long.losses(Format::Jpeg).unwrap(), [Warning::TextLost(Format::Jpeg)]);
    assert_eq!(through(&long, Format::Jpeg).notes.texts, []);
    assert_eq!(through(&long, Format::Png).notes, long.notes);
    // A picture that is turned has its resolution turned, and its pixels as always.
    let turned = Photo { exif: Some(TURNED.to_vec()), ..photo.clone() };
    let turned = through(&turned, Format::Jpeg);
    assert_eq!((turned.width, turned.notes.resolution), (7, resolution(150, 300, Unit::Inch)));
    assert_eq!(photo.with(photo.pixels.clone()), photo);
}

#[test]
fn texts_packed_behind_the_picture_are_read_and_other_programs_secrets_are_not() {
    let file = sample().encode(Format::Png, 95).unwrap();
    let mut info = png::Info::with_size(1, 1);
    let hidden = "Raw profile type exif";
    for (keyword, said) in [("Title", "packed"), (hidden, "\nexif\n 4\n00\n"), ("Thumb::URI", "file:///x")] {
        info.compressed_latin1_text.push(png::text_metadata::ZTXtChunk::new(keyword, said));
    }
    let mut other = Vec::new();
    let mut writer = png::Encoder::with_info(&mut other, info).unwrap().write_header().unwrap();
    writer.write_image_data(&[0]).unwrap();
    writer.finish().unwrap();
    let texts = other.windows(4).position(|name| name == b"zTXt").unwrap() - 4;
    let picture = other.windows(4).position(|name| name == b"IDAT").unwrap() - 4;
    let end = file.len() - 12;
    let texts = &other[texts..picture];
    // What follows the end, chunk or not, is no part of the picture.
    let photo = open(&[&file[..end], texts, &file[end..], texts, b"hello"].concat());
    assert_eq!((photo.notes.texts, photo.warnings), (vec![text("Title", "packed")], vec![]));
}

/// A file of a few bytes that unpacks to much, and one of very many texts: some are kept, and the loss is told.
#[test]
fn texts_without_measure_are_left_out() {
    let zeros = "x".repeat(700_000);
    let mut info = png::Info::with_size(1, 1);
    for _ in 0..50 {
        info.compressed_latin1_text.push(png::text_metadata::ZTXtChunk::new("Comment", &zeros));
    }
    let mut file = Vec::new();
    let mut writer = png::Encoder::with_info(&mut file, info).unwrap().write_header().unwrap();
    writer.write_image_data(&[0]).unwrap();
    writer.finish().unwrap();
    let photo = open(&file);
    assert_eq!((photo.notes.texts.len(), photo.warnings), (1, vec![Warning::TextDropped]));
    let jpeg = sample().encode(Format::Jpeg, 95).unwrap();
    let comments = |comment: &[u8], count| [&jpeg[..2], &comment.repeat(count), &jpeg[2..]].concat();
    let many = open(&comments(b"\xff\xfe\0\x03a", 5000));
    assert_eq!((many.notes.texts.len(), many.warnings.as_slice()), (1024, &[Warning::TextDropped][..]));
    // Bytes of fill before a marker, and comments of nothing.
    let filled = open(&comments(b"\xff\xff\xff\xfe\0\x04hi\xff\xfe\0\x02", 1));
    assert_eq!(filled.notes.texts, [text("Comment", "hi")]);
}

//! Pictures that are cut, damaged, or none: said to be so, or read as what they are, and never a panic.

#[path = "common/photos.rs"]
mod photos;

use image::DynamicImage;
use irnext::photo::{Format, Layout, Limits, Photo, PhotoError, Warning};
use photos::{crc, decode, exif, sample};
use proptest::prelude::*;
use std::path::Path;

#[test]
fn no_part_of_a_file_passes_for_the_whole() {
    for format in Format::READ {
        for bits in [8, 16] {
            let bytes = sample(40, 40, Layout::Rgb, bits).encode(format, 95).unwrap();
            for length in 0..bytes.len() {
                assert!(decode(&bytes[..length]).is_err(), "{format}: {length} of {} bytes passed", bytes.len());
            }
        }
    }
}

/// A hole in the middle leaves the end mark in place; what the decoder meets there must be an error or a picture of
/// the right size, and for JPEG with its data gone an error.
#[test]
fn a_jpeg_with_a_hole_is_an_error() {
    let bytes = sample(160, 160, Layout::Rgb, 8).encode(Format::Jpeg, 95).unwrap();
    let gone = [&bytes[..bytes.len() / 2], &bytes[bytes.len() - 2..]].concat();
    assert!(matches!(decode(&gone), Err(PhotoError::Corrupt { .. })));
}

/// A 16 x 16 grey progressive JPEG, which `image` cannot write.
const PROGRESSIVE: &str = "\
    ffd8ffe000104a46494600010100000100010000ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f13201513121213271c1e17\
    202e2931302e292d2c333a4a3e333646372c2d405741464c4e525352323e5a615a50604a51524fffc2000b08001000100101\
    1100ffc40017000003010000000000000000000000000003040506ffda000801010000000197a00abfffc400181001010101\
    0100000000000000000000000300020111ffda00080101000105021c438bc30e23235fffc4001e1000000407000000000000\
    00000000000000010212031021234151b1ffda0008010100063f0295c3aeb2190c988e8fffc4001b10010002020300000000\
    000000000000000100112171415181ffda0008010100013f216c46c46f84a5872bc81a952939dfad4fffda00080101000000\
    100fffc400191001010003010000000000000000000000011100214151ffda0008010100013f10e339c6703ac4374c9e1895\
    85ee320f6b24bd4d24d3d45473ffd9\
";

/// A WebP of two frames, red and blue.
const ANIMATED: &str = "\
    524946468400000057454250565038580a00000002000000030000030000414e494d06000000000000000000414e4d462800\
    0000000000000000030000030000640000025650384c0f0000002f03c000000710fd8ffe0722a2ff0100414e4d4628000000\
    000000000000030000030000640000005650384c0f0000002f03c000000710d1fffe0722a2ff0100\
";

fn bytes_of(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks_exact(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

#[test]
fn a_progressive_jpeg_without_its_last_scans_is_told() {
    let bytes = bytes_of(PROGRESSIVE);
    let photo = decode(&bytes).unwrap();
    assert_eq!((photo.width, photo.layout, photo.warnings.as_slice()), (16, Layout::Grey, &[][..]));
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length]).is_err(), "{length} bytes passed");
    }
    // Up to the last scan, with an end mark put on.
    let scan = bytes.windows(2).rposition(|marker| marker == [0xff, 0xda]).unwrap();
    let coarse = [&bytes[..scan], &[0xff, 0xd9]].concat();
    assert_eq!(decode(&coarse).unwrap().warnings, [Warning::Coarse]);
}

/// Three components in the frame, and one in its scans: green, if it were shown.
#[test]
fn a_jpeg_without_one_of_its_components_is_an_error() {
    let bytes = sample(40, 40, Layout::Rgb, 8).encode(Format::Jpeg, 95).unwrap();
    let scan = bytes.windows(4).position(|header| header == [0xff, 0xda, 0, 12]).unwrap();
    let one = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0];
    let lightness = [&bytes[..scan], &one, &bytes[scan + 14..]].concat();
    assert!(matches!(decode(&lightness), Err(PhotoError::Truncated { format: Format::Jpeg, .. })));
    // All three, each in a scan of its own, two of them with half the rows: more than the decoder reads.
    let frame = bytes.windows(4).position(|header| header == [0xff, 0xc0, 0, 17]).unwrap();
    let scans = [1, 2, 3].map(|component| [0xff, 0xda, 0, 8, 1, component, 0, 0, 63, 0]);
    let mut apart = [&bytes[..scan], &scans.concat(), &bytes[scan + 14..]].concat();
    apart[frame + 11] = 0x22;
    assert!(
        matches!(decode(&apart), Err(PhotoError::Unsupported { format: Format::Jpeg, .. })),
        "{:?}",
        decode(&apart)
    );
}

#[test]
fn what_jpegs_hold_besides_is_told() {
    let bytes = sample(16, 16, Layout::Rgb, 8).encode(Format::Jpeg, 95).unwrap();
    let with = |marker: u8, content: &[u8]| {
        let segment = [&[0xff, marker][..], &(content.len() as u16 + 2).to_be_bytes(), content].concat();
        decode(&[&bytes[..2], &segment[..], &segment, &bytes[2..]].concat()).unwrap().warnings
    };
    assert_eq!(
        with(0xe1, b"http://ns.adobe.com/xmp/extension/\x000123456789abcdef0123456789abcdef\0\0\0\x02\0\0\0\0<>"),
        [Warning::XmpCut]
    );
    assert_eq!(with(0xe2, b"MPF\0II*\0"), [Warning::FirstPageOnly]);
    assert_eq!(with(0xed, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\0"), [Warning::IptcDropped]);
    assert_eq!(with(0xed, b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\0"), []);
    // The second of three parts.
    assert_eq!(with(0xe2, b"ICC_PROFILE\0\x02\x03..."), [Warning::ProfileDropped]);
}

#[test]
fn stray_bytes_in_a_jpeg_are_told() {
    let bytes = sample(16, 16, Layout::Rgb, 8).encode(Format::Jpeg, 95).unwrap();
    let stray = [&bytes[..20], &[0; 9], &bytes[20..]].concat();
    assert_eq!(decode(&stray).unwrap().warnings, [Warning::StrayBytes]);
    let trailer = [&bytes[..], b"a trailer of the camera's"].concat();
    assert_eq!(decode(&trailer).unwrap().warnings, []);
}

#[test]
fn bombs_are_refused_by_name_before_unpacking() {
    let mut bytes = sample(40, 40, Layout::Rgb, 8).encode(Format::Bmp, 95).unwrap();
    bytes[18..22].copy_from_slice(&60_000i32.to_le_bytes());
    bytes[22..26].copy_from_slice(&60_000i32.to_le_bytes());
    assert!(matches!(decode(&bytes), Err(PhotoError::TooLarge { width: 60_000, height: 60_000, .. })));
    let bytes = sample(40, 40, Layout::Rgb, 8).encode(Format::Png, 95).unwrap();
    let error = Photo::decode(&bytes, &Limits { max_pixels: 1599 }).unwrap_err();
    assert!(error.to_string().contains("40 x 40"), "{error}");
    assert!(Photo::decode(&bytes, &Limits { max_pixels: 1600 }).is_ok());
    // Larger than any row there is room for.
    let mut bytes = bytes;
    bytes[16..20].copy_from_slice(&i32::MAX.to_be_bytes());
    let sum = crc(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum);
    assert!(matches!(decode(&bytes), Err(PhotoError::TooLarge { height: 40, .. })));
}

#[test]
fn what_is_no_still_picture_is_said_to_be_something_else() {
    let told = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
    assert!(told(b"").contains("empty"));
    assert!(told(b"hello, world, this is text").contains("no picture format"));
    assert!(told(b"GIF89a\x01\0\x01\0\0\0\0;").contains("GIF"));
    assert!(told(b"\0\0\0\x18ftypheic\0\0\0\0").contains("HEIC"));
    let png = sample(4, 4, Layout::Rgb, 8).encode(Format::Png, 95).unwrap();
    // acTL after IHDR makes it an APNG; its check sum was computed with CRC-32.
    let actl =
        [&8u32.to_be_bytes()[..], b"acTL", &2u32.to_be_bytes(), &0u32.to_be_bytes(), &crc(b"acTL\0\0\0\x02\0\0\0\0")];
    let apng = [&png[..33], &actl.concat(), &png[33..]].concat();
    assert!(matches!(decode(&apng), Err(PhotoError::Animated { format: Format::Png })), "{:?}", decode(&apng));
    assert!(matches!(decode(&bytes_of(ANIMATED)), Err(PhotoError::Animated { format: Format::WebP })));
    let float = DynamicImage::new_rgb32f(4, 4);
    let mut tiff = std::io::Cursor::new(Vec::new());
    float.write_to(&mut tiff, image::ImageFormat::Tiff).unwrap();
    assert!(told(tiff.get_ref()).contains("32 bits"));
    let path = Path::new("no/such/picture.png");
    assert!(Photo::open(path, &Limits::default()).unwrap_err().to_string().starts_with("no/such/picture.png: "));
}

#[test]
fn sizes_a_format_cannot_hold_are_refused() {
    let photo = Photo::from(DynamicImage::new_luma8(70_000, 1));
    assert!(matches!(photo.encode(Format::Jpeg, 95), Err(PhotoError::TooLong { most: 65535, .. })));
    assert!(matches!(photo.encode(Format::WebP, 95), Err(PhotoError::TooLong { .. })));
    assert!(matches!(photo.encode(Format::Bmp, 95), Err(PhotoError::TooLong { most: 65535, .. })));
    assert_eq!(decode(&photo.encode(Format::Png, 95).unwrap()).unwrap().width, 70_000);
    let photo = Photo::from(DynamicImage::new_luma8(16_383, 1));
    assert_eq!(decode(&photo.encode(Format::WebP, 95).unwrap()).unwrap().width, 16_383);
    let photo = Photo::from(DynamicImage::new_luma8(0, 5));
    assert!(matches!(photo.encode(Format::Png, 95), Err(PhotoError::NoPixels { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Bytes turned over anywhere: an error or a picture, never a panic.
    #[test]
    fn damage_does_not_panic(
        format in prop::sample::select(Format::READ.to_vec()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let photo = Photo { exif: Some(exif(6, true)), ..sample(19, 13, Layout::Rgb, 8) };
        let mut bytes = photo.encode(format, 90).unwrap();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(photo) = Photo::decode(&bytes, &Limits { max_pixels: 1 << 20 }) {
            prop_assert_eq!(photo.pixels.len(), photo.width * photo.height);
        }
    }

    /// Bytes that begin like a picture and go on like nothing.
    #[test]
    fn noise_does_not_panic(
        magic in prop::sample::select(vec![
            &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], b"\xff\xd8\xff\xe0", b"RIFF\x40\0\0\0WEBPVP8 ", b"II*\0\x08\0\0\0", b"MM\0*",
            b"II+\0\x08\0\0\0", b"BM",
        ]),
        noise in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let _ = Photo::decode(&[magic, &noise].concat(), &Limits { max_pixels: 1 << 20 });
    }
}

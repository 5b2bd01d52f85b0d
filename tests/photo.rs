//! Pictures through files and back: what must stay does.

#[path = "common/photos.rs"]
mod photos;

use irnext::photo::{
    FILE_QUALITY, Format, Layout, Photo, PhotoError, Pixels, Warning, create_parent, same_file, write_atomic, write_new,
};
use photos::{crc, decode, exif, sample};
use std::fs;
use std::path::Path;

const LAYOUTS: [Layout; 4] = [Layout::Grey, Layout::GreyAlpha, Layout::Rgb, Layout::Rgba];

/// The smallest thing that passes for a colour profile.
fn profile(space: &[u8; 4], name: &[u8]) -> Vec<u8> {
    let mut profile = vec![0; 128];
    profile[16..20].copy_from_slice(space);
    profile[36..40].copy_from_slice(b"acsp");
    profile.extend(name);
    let length = profile.len() as u32;
    profile[..4].copy_from_slice(&length.to_be_bytes());
    profile
}

fn mean_error(a: &Photo, b: &Photo) -> f64 {
    let (Pixels::Eight(a), Pixels::Eight(b)) = (&a.pixels, &b.pixels) else { panic!("8 bits expected") };
    let error: u64 = a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    error as f64 / (4 * a.len()) as f64
}

#[test]
fn every_format_depth_and_layout_comes_back() {
    for format in Format::READ {
        for layout in LAYOUTS {
            for bits in [8, 16] {
                let photo = sample(37, 21, layout, bits);
                let case = format!("{format} {layout:?} {bits}");
                let bytes = match photo.encode(format, FILE_QUALITY) {
                    Ok(bytes) => bytes,
                    Err(PhotoError::NoAlpha { .. }) => {
                        assert!(layout.has_alpha() && !format.keeps_alpha(), "{case}");
                        continue;
                    }
                    Err(error) => panic!("{case}: {error}"),
                };
                let again = decode(&bytes).unwrap_or_else(|error| panic!("{case}: {error}"));
                assert_eq!((again.width, again.height, again.format), (37, 21, Some(format)), "{case}");
                assert!(again.warnings.is_empty(), "{case}: {:?}", again.warnings);
                let losses = photo.losses(format).unwrap();
                if bits == 16 && !format.keeps_sixteen_bits() {
                    assert_eq!(losses, [Warning::Rounded(format)], "{case}");
                    assert_eq!(again.pixels.bits(), 8, "{case}");
                } else if format == Format::Jpeg {
                    assert!(mean_error(&photo, &again) < 1.5, "{case}: {}", mean_error(&photo, &again));
                } else {
                    assert!(losses.is_empty(), "{case}");
                    assert_eq!(again.pixels, photo.pixels, "{case}");
                }
                let kept = match (format, layout) {
                    (Format::WebP, Layout::Grey) => Layout::Rgb,
                    (Format::WebP | Format::Tiff, Layout::GreyAlpha) => Layout::Rgba,
                    (_, layout) => layout,
                };
                assert_eq!(again.layout, kept, "{case}");
            }
        }
    }
}

#[test]
fn rounding_to_eight_bits_is_to_the_nearest() {
    let mut photo = sample(256, 256, Layout::Rgb, 16);
    photo.pixels = Pixels::Sixteen((0..=u16::MAX).map(|v| [v, v, v, u16::MAX]).collect());
    let Pixels::Eight(rounded) = decode(&photo.encode(Format::Bmp, 95).unwrap()).unwrap().pixels else { panic!() };
    for (v, p) in rounded.iter().enumerate() {
        assert_eq!(p[0], (v as f64 / 257.0).round() as u8, "{v}");
    }
}

#[test]
fn all_eight_orientations_are_applied_once() {
    let upright = sample(5, 3, Layout::Rgb, 8);
    let Pixels::Eight(pixels) = &upright.pixels else { panic!() };
    // Where in the file each orientation shows the pixel that the viewer sees at (x, y), in a file of w by h.
    type Seen = fn(usize, usize, usize, usize) -> (usize, usize);
    let seen: [Seen; 8] = [
        |x, y, _, _| (x, y),
        |x, y, w, _| (w - 1 - x, y),
        |x, y, w, h| (w - 1 - x, h - 1 - y),
        |x, y, _, h| (x, h - 1 - y),
        |x, y, _, _| (y, x),
        |x, y, _, h| (y, h - 1 - x),
        |x, y, w, h| (w - 1 - y, h - 1 - x),
        |x, y, w, _| (w - 1 - y, x),
    ];
    for (i, seen) in seen.iter().enumerate() {
        for (format, big_endian) in [(Format::Png, true), (Format::Png, false), (Format::WebP, false)] {
            let file = Photo { exif: Some(exif(i as u16 + 1, big_endian)), ..upright.clone() };
            let photo = decode(&file.encode(format, 95).unwrap()).unwrap();
            let (w, h) = if i < 4 { (5, 3) } else { (3, 5) };
            assert_eq!((photo.width, photo.height), (w, h), "orientation {}", i + 1);
            let expected = (0..w * h).map(|at| {
                let (x, y) = seen(at % w, at / w, 5, 3);
                pixels[y * 5 + x]
            });
            assert_eq!(photo.pixels, Pixels::Eight(expected.collect()), "orientation {}", i + 1);
            // Written out and read again it is not turned a second time, and the thumbnail is out of sight.
            let mut settled = exif(1, big_endian);
            settled[34..38].fill(0);
            assert_eq!(photo.exif.as_ref(), Some(&settled), "orientation {}", i + 1);
            assert_eq!(decode(&photo.encode(format, 95).unwrap()).unwrap().pixels, photo.pixels);
        }
    }
    let turned = Photo { exif: Some(exif(6, true)), ..sample(40, 24, Layout::Rgb, 8) };
    let turned = decode(&turned.encode(Format::Jpeg, 95).unwrap()).unwrap();
    assert_eq!((turned.width, turned.height), (24, 40));
}

/// EXIF as cameras write it: make and resolution, exposure below it, a place below that.
fn camera_exif() -> Vec<u8> {
    use tiff::encoder::{Rational, TiffEncoder};
    use tiff::tags::Tag;
    let mut block = std::io::Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut block).unwrap();
    let mut exposure = encoder.extra_directory().unwrap();
    exposure.write_tag(Tag::Unknown(0x829a), Rational { n: 1, d: 250 }).unwrap();
    exposure.write_tag(Tag::Unknown(0x8827), 400_u16).unwrap();
    exposure.write_tag(Tag::Unknown(0x9003), "2024:05:06 07:08:09").unwrap();
    let exposure = exposure.finish_with_offsets().unwrap().offset;
    let mut place = encoder.extra_directory().unwrap();
    place.write_tag(Tag::Unknown(1), "N").unwrap();
    let place = place.finish_with_offsets().unwrap().offset;
    let mut main = encoder.image_directory().unwrap();
    main.write_tag(Tag::Make, "A camera").unwrap();
    main.write_tag(Tag::Orientation, 6_u16).unwrap();
    main.write_tag(Tag::XResolution, Rational { n: 300, d: 1 }).unwrap();
    main.write_tag(Tag::ExifDirectory, exposure).unwrap();
    main.write_tag(Tag::GpsDirectory, place).unwrap();
    main.finish().unwrap();
    block.into_inner()
}

const XMP: &str =
    "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:Description tiff:Orientation=\"6\" dc:title=\"Gr\u{fc}n\"/></x:xmpmeta>";

#[test]
fn exif_and_xmp_travel_through_every_format() {
    let upright = XMP.replace("tiff:Orientation=\"6\"", "tiff:Orientation=\"1\"").into_bytes();
    for format in [Format::Png, Format::Jpeg, Format::WebP, Format::Tiff] {
        for next in [Format::Png, Format::Jpeg, Format::WebP, Format::Tiff] {
            let icc = Some(profile(b"RGB ", b"sRGB"));
            let photo =
                Photo { exif: Some(camera_exif()), xmp: Some(XMP.into()), icc, ..sample(20, 16, Layout::Rgb, 8) };
            assert_eq!(photo.losses(format).unwrap(), []);
            // TIFF keeps its orientation in its own directory, which is written upright.
            let size = if format == Format::Tiff { (20, 16) } else { (16, 20) };
            let first = decode(&photo.encode(format, 95).unwrap()).unwrap();
            assert_eq!((first.width, first.height), size, "{format}");
            let second = decode(&first.encode(next, 95).unwrap()).unwrap();
            assert_eq!((second.width, second.height), size, "{format} {next}");
            assert_eq!(second.xmp.as_deref(), Some(&upright[..]), "{format} {next}");
            assert_eq!(second.icc, photo.icc);
            let block = second.exif.unwrap_or_else(|| panic!("{format} to {next} loses EXIF"));
            for part in [&b"A camera\0"[..], b"2024:05:06 07:08:09\0", b"N\0"] {
                assert!(block.windows(part.len()).any(|window| window == part), "{format} {next}");
            }
            let exposure: Vec<u8> = [1_u32, 250].iter().flat_map(|number| number.to_ne_bytes()).collect();
            assert!(block.windows(8).any(|window| window == exposure), "{format} {next}");
        }
    }
    let photo = Photo { xmp: Some(XMP.into()), ..sample(20, 16, Layout::Rgb, 8) };
    assert_eq!(photo.losses(Format::Bmp).unwrap(), [Warning::XmpLost(Format::Bmp)]);
    // The packet alone turns a picture too, once.
    let turned = decode(&photo.encode(Format::Png, 95).unwrap()).unwrap();
    assert_eq!((turned.width, turned.xmp.as_deref()), (16, Some(&upright[..])));
    assert_eq!(decode(&turned.encode(Format::Png, 95).unwrap()).unwrap().width, 16);
    let long = Photo { xmp: Some(vec![b' '; 70_000]), ..sample(20, 16, Layout::Rgb, 8) };
    assert_eq!(long.losses(Format::Jpeg).unwrap(), [Warning::XmpLost(Format::Jpeg)]);
    assert_eq!(decode(&long.encode(Format::Jpeg, 95).unwrap()).unwrap().xmp, None);
}

#[test]
fn an_exif_block_with_a_prefix_or_without_sense() {
    let mut prefixed = b"Exif\0\0".to_vec();
    prefixed.extend(exif(6, false));
    let photo = Photo { exif: Some(prefixed), ..sample(5, 3, Layout::Rgb, 8) };
    let photo = decode(&photo.encode(Format::WebP, 95).unwrap()).unwrap();
    assert_eq!((photo.width, photo.height), (3, 5));
    let photo = Photo { exif: Some(b"nonsense".to_vec()), ..sample(5, 3, Layout::Rgb, 8) };
    let photo = decode(&photo.encode(Format::Png, 95).unwrap()).unwrap();
    assert_eq!((photo.exif, photo.warnings), (None, vec![Warning::ExifDropped]));
    // Longer than a JPEG segment: left out and told, not written as garbage.
    let photo = Photo { exif: Some([exif(1, true), vec![0; 70_000]].concat()), ..sample(5, 3, Layout::Rgb, 8) };
    assert_eq!(photo.losses(Format::Jpeg).unwrap(), [Warning::ExifLost(Format::Jpeg)]);
    assert_eq!(decode(&photo.encode(Format::Jpeg, 95).unwrap()).unwrap().exif, None);
}

#[test]
fn colour_profiles_travel_along() {
    for format in [Format::Png, Format::Jpeg, Format::WebP, Format::Tiff] {
        for (name, warnings) in [
            (b"sRGB IEC61966-2.1".as_slice(), vec![]),
            (b"\0s\0R\0G\0B".as_slice(), vec![]),
            (b"Display P3".as_slice(), vec![Warning::UnusableProfile]),
        ] {
            let icc = profile(b"RGB ", name);
            let photo = Photo { icc: Some(icc.clone()), ..sample(16, 16, Layout::Rgb, 8) };
            let again = decode(&photo.encode(format, 95).unwrap()).unwrap();
            assert_eq!((again.icc, again.warnings), (Some(icc), warnings), "{format}");
        }
        let photo = Photo { icc: Some(profile(b"CMYK", b"SWOP")), ..sample(16, 16, Layout::Rgb, 8) };
        let again = decode(&photo.encode(format, 95).unwrap()).unwrap();
        assert_eq!((again.icc, again.warnings), (None, vec![Warning::ProfileDropped]), "{format}");
    }
    let unusable = Photo { icc: Some(profile(b"RGB ", b"Display P3")), ..sample(16, 16, Layout::Rgb, 8) };
    assert_eq!(
        unusable.losses(Format::Bmp).map_err(|error| error.to_string()),
        Ok(vec![Warning::ProfileLost(Format::Bmp)])
    );
    let photo = Photo { icc: Some(profile(b"GRAY", b"sRGB")), ..sample(16, 16, Layout::GreyAlpha, 8) };
    let grey = decode(&photo.encode(Format::Png, 95).unwrap()).unwrap();
    assert_eq!((&grey.icc, grey.warnings.len()), (&photo.icc, 0));
    // Widened to RGBA in TIFF, where a grey profile would be a lie.
    assert_eq!(decode(&photo.encode(Format::Tiff, 95).unwrap()).unwrap().icc, None);
}

/// Cameras mark Adobe RGB in EXIF and leave the profile out; taken for sRGB it would lose its colours.
#[test]
fn a_camera_s_adobe_rgb_is_known() {
    // Main directory -> EXIF -> interoperability, little-endian.
    let marked = |space: u16, rule: &[u8; 4]| {
        let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
            [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value].concat()
        };
        let directory =
            |entries: &[Vec<u8>]| [&(entries.len() as u16).to_le_bytes()[..], &entries.concat(), &[0; 4]].concat();
        let long = |value: u32| value.to_le_bytes();
        let (exif, rules) = (8 + 18, 8 + 18 + 30);
        let [low, high] = space.to_le_bytes();
        [
            b"II*\0\x08\0\0\0".to_vec(),
            directory(&[entry(0x8769, 4, 1, long(exif))]),
            directory(&[entry(0xa001, 3, 1, [low, high, 0, 0]), entry(0xa005, 4, 1, long(rules))]),
            directory(&[entry(1, 2, 4, *rule)]),
        ]
        .concat()
    };
    for (space, rule, adobe) in
        [(0xffff, b"R03\0", true), (2, b"R98\0", true), (0xffff, b"R98\0", false), (1, b"R03\0", false)]
    {
        for layout in [Layout::Rgb, Layout::Grey] {
            let photo = Photo { exif: Some(marked(space, rule)), ..sample(16, 16, layout, 8) };
            let again = decode(&photo.encode(Format::Jpeg, 95).unwrap()).unwrap();
            let adobe = adobe && layout == Layout::Rgb;
            assert_eq!(again.colour_space().is_some(), adobe, "{space} {layout:?}");
            assert_eq!(again.warnings, if adobe { vec![Warning::AdobeRgb] } else { vec![] }, "{space} {layout:?}");
        }
        // A profile has the last word.
        let icc = Some(profile(b"RGB ", b"sRGB IEC61966-2.1"));
        let photo = Photo { exif: Some(marked(space, rule)), icc: icc.clone(), ..sample(16, 16, Layout::Rgb, 8) };
        assert_eq!(decode(&photo.encode(Format::Jpeg, 95).unwrap()).unwrap().icc, icc);
    }
}

#[test]
fn opaque_alpha_is_no_obstacle() {
    let photo = Photo { layout: Layout::Rgba, ..sample(16, 16, Layout::Rgb, 8) };
    assert_eq!(decode(&photo.encode(Format::Jpeg, 95).unwrap()).unwrap().layout, Layout::Rgb);
    let photo = sample(16, 16, Layout::Rgba, 8);
    assert!(matches!(photo.encode(Format::Jpeg, 95), Err(PhotoError::NoAlpha { .. })));
}

/// The strict way through a JPEG shows what the lenient one shows, down to pictures of a few bytes.
#[test]
fn jpegs_decode_as_elsewhere() {
    for layout in [Layout::Grey, Layout::Rgb] {
        for (width, height) in (1..36).map(|n| (n, 37 - n)) {
            for quality in [1, 50, 100] {
                let mut photo = sample(width, height, layout, 8);
                if quality == 50 {
                    photo.pixels = Pixels::Eight(vec![[128, 128, 128, 255]; width * height]);
                }
                let bytes = photo.encode(Format::Jpeg, quality).unwrap();
                let elsewhere = Photo::from(image::load_from_memory(&bytes).unwrap());
                assert_eq!(decode(&bytes).unwrap().pixels, elsewhere.pixels, "{width} x {height}");
            }
        }
    }
}

#[test]
fn small_palettes_and_bits_are_widened() {
    // One-bit grey, 8 by 1, black and white by turns, in one stored deflate block.
    let header = [&8u32.to_be_bytes()[..], &1u32.to_be_bytes(), &[1, 0, 0, 0, 0]].concat();
    let data = [&[0x78, 1, 1, 2, 0, 0xfd, 0xff, 0, 0xaa][..], &0x00ac_00abu32.to_be_bytes()].concat();
    let png =
        [b"\x89PNG\r\n\x1a\n", &chunk(b"IHDR", &header)[..], &chunk(b"IDAT", &data), &chunk(b"IEND", b"")].concat();
    let photo = decode(&png).unwrap();
    let black_and_white = [[255; 4], [0, 0, 0, 255]].repeat(4);
    assert_eq!((photo.layout, photo.pixels), (Layout::Grey, Pixels::Eight(black_and_white)));
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files_are_whole_or_not_there() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.png");
    write_atomic(&path, b"one").unwrap();
    write_atomic(&path, b"two").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert!(write_new(&path, b"three").is_err());
    assert_eq!(fs::read(&path).unwrap(), b"two");
    // A folder of the name, and no folder to write in: errors that leave nothing behind.
    fs::create_dir(root.path().join("b.png")).unwrap();
    assert!(write_atomic(&root.path().join("b.png"), b"x").is_err());
    assert!(write_atomic(&root.path().join("none/c.png"), b"x").is_err());
    assert_eq!(names(root.path()), ["a.png", "b.png"]);
    let deep = root.path().join("d/e/f.png");
    create_parent(&deep).unwrap();
    write_new(&deep, b"x").unwrap();
    assert_eq!(names(deep.parent().unwrap()), ["f.png"]);
    assert!(same_file(&path, &root.path().join("d/../a.png")));
    assert!(same_file(&root.path().join("new.png"), &root.path().join("d/../new.png")));
    assert!(!same_file(&path, &deep));
}

#[cfg(unix)]
#[test]
fn permissions_are_an_ordinary_files() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let root = tempfile::tempdir().unwrap();
    let ordinary = root.path().join("ordinary");
    fs::write(&ordinary, b"").unwrap();
    let path = root.path().join("a.png");
    write_atomic(&path, b"one").unwrap();
    assert_eq!(mode(&path), mode(&ordinary));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    write_atomic(&path, b"two").unwrap();
    assert_eq!(mode(&path), 0o640);
    // Through a link the file is written, and the link stays one.
    let link = root.path().join("link.png");
    symlink(&path, &link).unwrap();
    write_atomic(&link, b"three").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"three");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    // One that leads to nothing, or round in a circle, is refused and stays.
    for (name, leads_to) in [("ahead.png", "new.png"), ("round.png", "round.png")] {
        let link = root.path().join(name);
        symlink(leads_to, &link).unwrap();
        let error = write_atomic(&link, b"four").unwrap_err().to_string();
        assert!(error.contains("leads to nothing"), "{error}");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        fs::remove_file(link).unwrap();
    }
    assert_eq!(names(root.path()), ["a.png", "link.png", "ordinary"]);
}

/// TIFF says whether colours are multiplied by alpha; those that are come out as they were before.
#[test]
fn a_tiff_s_alpha_means_what_it_says() {
    for bits in [8, 16] {
        let photo = sample(20, 20, Layout::Rgba, bits);
        let mut bytes = photo.encode(Format::Tiff, 95).unwrap();
        // ExtraSamples, one short: straight alpha.
        let tag = bytes.windows(10).position(|entry| entry == [0x52, 1, 3, 0, 1, 0, 0, 0, 2, 0]).expect("is written");
        assert_eq!(decode(&bytes).unwrap().pixels, photo.pixels);
        bytes[tag + 8] = 1;
        let (found, own) = (decode(&bytes).unwrap().pixels.to_eight(), photo.pixels.to_eight());
        for (found, own) in found.iter().zip(own) {
            let alpha = u32::from(own[3]);
            for (found, own) in found[..3].iter().zip(own) {
                let wanted = (u32::from(own) * 255).checked_div(alpha).unwrap_or(0).min(255);
                // The eighth bit of 16 moves it by half a step of alpha.
                assert!(alpha < 64 || u32::from(*found).abs_diff(wanted) <= 4, "{found} {wanted} {alpha}");
            }
            assert_eq!(found[3], own[3]);
        }
    }
}

#[test]
fn a_grey_bmp_stays_grey() {
    let photo = sample(20, 20, Layout::Grey, 8);
    let again = decode(&photo.encode(Format::Bmp, 95).unwrap()).unwrap();
    assert_eq!((again.layout, again.pixels), (Layout::Grey, photo.pixels));
    assert_eq!(decode(&sample(20, 20, Layout::Rgb, 8).encode(Format::Bmp, 95).unwrap()).unwrap().layout, Layout::Rgb);
}

/// A chunk with its length and check sum.
fn chunk(name: &[u8], data: &[u8]) -> Vec<u8> {
    let body = [name, data].concat();
    [&(data.len() as u32).to_be_bytes()[..], &body, &crc(&body)].concat()
}

#[test]
fn exif_and_xmp_behind_the_picture_are_kept() {
    let photo = sample(9, 7, Layout::Rgb, 8);
    let file = photo.encode(Format::Png, 95).unwrap();
    let end = file.len() - 12;
    let xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>";
    let packet = chunk(b"iTXt", &[b"XML:com.adobe.xmp\0\0\0\0\0", &xmp[..]].concat());
    let found = decode(&[&file[..end], &chunk(b"eXIf", &exif(6, true))[..], &packet, &file[end..]].concat()).unwrap();
    assert_eq!((found.width, found.height), (photo.height, photo.width), "turned");
    assert_eq!((found.xmp.as_deref(), found.warnings.as_slice()), (Some(&xmp[..]), &[][..]));
    assert!(found.exif.is_some());
}

#[test]
fn how_colours_are_coded_is_told_where_it_is_not_heeded() {
    let file = sample(9, 7, Layout::Rgb, 8).encode(Format::Png, 95).unwrap();
    let with = |chunks: &[Vec<u8>]| decode(&[&file[..33], &chunks.concat(), &file[33..]].concat()).unwrap().warnings;
    let gamma = |gamma: u32| chunk(b"gAMA", &gamma.to_be_bytes());
    let primaries = |numbers: [u32; 8]| chunk(b"cHRM", &numbers.map(u32::to_be_bytes).concat());
    let srgb = [31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000];
    let adobe = [31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000];
    assert_eq!(with(&[gamma(45455), primaries(srgb)]), []);
    assert_eq!(with(&[gamma(100_000)]), [Warning::Gamma("1.000".into())]);
    assert_eq!(with(&[primaries(adobe)]), [Warning::Primaries]);
    assert_eq!(with(&[gamma(100_000), primaries(adobe), chunk(b"sRGB", &[0])]), [], "which is said to count");
}

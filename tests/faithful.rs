//! Photographs through a network whose answer is known: what lies around the network must shift nothing. On the CPU
//! executor, so that it runs everywhere.

use irnext::gpu::AdapterChoice;
use irnext::model::{Model, Quality, Task};
use irnext::photo::{ColourSpace, Format, Layout, Limits, Photo, Pixels, Warning};
use irnext::restore::{Adjustments, Options, Restorer};
use irnext::tensor::Tensor;
use moxcms::ColorProfile;
use std::path::Path;
use std::sync::Arc;

fn on_cpu(model: Model) -> Restorer {
    Restorer::new(model, &Options { device: AdapterChoice::Cpu, ..Options::default() }).expect("opens")
}

/// A network that adds the same to every pixel: its last convolution has no weights but its bias.
fn adding(bias: [f32; 3]) -> Restorer {
    let mut model = Model::shipped(Task::Dehaze, Quality::Small).expect("is shipped");
    let name = "feat_extract.5.main.0";
    let shape = model.weights[&format!("{name}.weight")].shape().to_vec();
    let zeros = vec![0.0; shape.iter().product()];
    model.weights.insert(format!("{name}.weight"), Arc::new(Tensor::new(shape, zeros).unwrap()));
    model.weights.insert(format!("{name}.bias"), Arc::new(Tensor::new([3], bias.to_vec()).unwrap()));
    on_cpu(model)
}

/// Colours all over the range, the corners and greys among them.
fn photo(layout: Layout, bits: u32, icc: Option<Vec<u8>>) -> Photo {
    let (width, height) = (48, 40);
    let pixels = (0..width * height).map(|at| {
        let (x, y) = (at % width, at / width);
        let level = |step: usize| (step * 13107).min(65535) as u16;
        let [r, g, b] = [level(x / 8), level(y / 7), level((x + y) % 6)];
        let [r, g, b] = if layout.has_colour() { [r, g, b] } else { [r; 3] };
        let alpha = if layout.has_alpha() { [0, 65535, 32896, 257][(x / 5) % 4] } else { 65535 };
        [r, g, b, alpha]
    });
    let pixels = match bits {
        8 => Pixels::Eight(pixels.map(|p| p.map(|sample| (sample / 257) as u8)).collect()),
        _ => Pixels::Sixteen(pixels.map(|p| p.map(|sample| sample ^ 5)).collect()),
    };
    Photo { icc, ..Photo::new(width, height, pixels, layout) }
}

fn profiles() -> Vec<(&'static str, Vec<u8>)> {
    [
        ("Display P3", ColorProfile::new_display_p3()),
        ("Adobe RGB", ColorProfile::new_adobe_rgb()),
        ("ProPhoto", ColorProfile::new_pro_photo_rgb()),
        ("BT.2020", ColorProfile::new_bt2020()),
    ]
    .into_iter()
    .map(|(name, profile)| (name, profile.encode().expect("encodes")))
    .collect()
}

fn sixteen(photo: &Photo) -> Vec<[u16; 4]> {
    photo.pixels.to_sixteen().into_owned()
}

#[test]
fn a_network_that_changes_nothing_changes_nothing_in_any_space() {
    let restorer = adding([0.0; 3]);
    let grey = ColorProfile::new_gray_with_gamma(1.8).encode().unwrap();
    let spaces: Vec<_> =
        profiles().into_iter().map(|(name, profile)| (name, Some(profile))).chain([("sRGB", None)]).collect();
    for layout in [Layout::Rgb, Layout::Rgba, Layout::Grey, Layout::GreyAlpha] {
        for bits in [8, 16] {
            for (name, icc) in &spaces {
                let icc = if layout.has_colour() { icc.clone() } else { icc.as_ref().map(|_| grey.clone()) };
                let photo = photo(layout, bits, icc);
                assert_eq!(photo.colour_space().is_some(), photo.icc.is_some(), "{name}");
                let restored = restorer.restore(&photo).expect("restores");
                assert_eq!(restored.pixels, photo.pixels, "{name} {layout:?} {bits}");
                assert_eq!(restored, photo, "{name} {layout:?} {bits}");
            }
        }
    }
}

#[test]
fn the_same_picture_in_two_spaces_is_restored_to_the_same() {
    let restorer = on_cpu(Model::shipped(Task::Dehaze, Quality::Small).expect("is shipped"));
    let hazy = Photo::open("tests/data/photos/hazy.png", &Limits::default()).expect("opens");
    let (width, height) = (96, 64);
    let cut: Vec<_> = (0..width * height).map(|at| sixteen(&hazy)[at / width * hazy.width + at % width]).collect();
    let srgb = Photo { width, height, pixels: Pixels::Sixteen(cut), ..hazy };
    let expected = sixteen(&restorer.restore(&srgb).expect("restores"));
    for (name, profile) in profiles() {
        let bare = Photo { icc: Some(profile), ..srgb.clone() };
        let space: ColourSpace = bare.colour_space().expect("has a space of its own");
        let own = bare.with(Pixels::Sixteen(space.from_srgb(&sixteen(&srgb)).expect("converts")));
        let restored = restorer.restore(&own).expect("restores");
        assert_eq!(restored.icc, own.icc);
        let back = space.to_srgb(&sixteen(&restored)).expect("converts");
        let furthest = back.iter().flatten().zip(expected.iter().flatten()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(furthest < Some(257), "{name}: {furthest:?} of 65535");
        let untouched = sixteen(&restored).iter().zip(&expected).filter(|(own, srgb)| own == srgb).count();
        assert!(untouched < expected.len() / 2, "{name}: the numbers of another space are other numbers");
    }
}

/// BMP and AVIF say nothing of colours, so readers take them for sRGB: they get sRGB.
#[test]
fn a_format_without_a_profile_gets_srgb() {
    for (name, profile) in profiles() {
        for bits in [8, 16] {
            let photo = photo(Layout::Rgb, bits, Some(profile.clone()));
            let losses = photo.losses(Format::Bmp).unwrap();
            assert!(losses.contains(&Warning::Converted(Format::Bmp)), "{name}: {losses:?}");
            let written = Photo::decode(&photo.encode(Format::Bmp, 95).unwrap(), &Limits::default()).unwrap();
            let wanted = photo.colour_space().unwrap().to_srgb(&sixteen(&photo)).unwrap();
            assert_eq!(written.pixels, Pixels::Eight(Pixels::Sixteen(wanted).to_eight()), "{name}, {bits} bits");
        }
    }
    // What is sRGB anyway loses nothing.
    let photo = photo(Layout::Rgb, 8, Some(ColorProfile::new_srgb().encode().unwrap()));
    assert_eq!(photo.losses(Format::Bmp).unwrap(), []);
    let written = Photo::decode(&photo.encode(Format::Bmp, 95).unwrap(), &Limits::default()).unwrap();
    assert_eq!(written.pixels, photo.pixels);
}

/// sRGB knows no green like P3's. It goes through the network as sRGB's own, and keeps what it has beyond.
#[test]
fn colours_outside_of_srgb_keep_their_excess() {
    let profile = ColorProfile::new_display_p3().encode().unwrap();
    let green = [0, 65535, 0, 65535];
    let muted = Photo { icc: Some(profile), ..photo(Layout::Rgb, 16, None) };
    let vivid = muted.with(Pixels::Sixteen(vec![green; muted.pixels.len()]));
    let space = vivid.colour_space().unwrap();
    let [seen] = space.to_srgb(&[green]).unwrap()[..] else { panic!() };
    let restored = sixteen(&adding([0.0, -0.25, 0.0]).restore(&vivid).expect("restores"));
    let darker = [seen[0], seen[1] - 16384, seen[2], 65535];
    let own = space.from_srgb(&[seen, darker]).unwrap();
    let clipped = own[1];
    let middle = restored[restored.len() / 2];
    // Its red, which is negative in sRGB, stays below that of the clipped colour.
    assert!(middle[0] < clipped[0], "{middle:?} {clipped:?}");
    for channel in 0..3 {
        let change = i32::from(own[1][channel]) - i32::from(own[0][channel]);
        let expected = (i32::from(green[channel]) + change).clamp(0, 65535);
        assert!((i32::from(middle[channel]) - expected).abs() < 40, "{middle:?}, {expected} in channel {channel}");
    }
}

#[test]
fn profiles_that_cannot_be_used_are_told_and_leave_the_numbers_alone() {
    let restorer = adding([0.125; 3]);
    let plain = photo(Layout::Rgb, 8, None);
    let expected = restorer.restore(&plain).expect("restores");
    let whole = ColorProfile::new_display_p3().encode().unwrap();
    for broken in [whole[..whole.len() / 2].to_vec(), {
        let mut zeroed = whole.clone();
        zeroed[132..].fill(0);
        zeroed
    }] {
        let photo = Photo { icc: Some(broken.clone()), ..plain.clone() };
        assert!(photo.colour_space().is_none());
        let restored = restorer.restore(&photo).expect("restores");
        assert_eq!((restored.pixels, restored.icc), (expected.pixels.clone(), Some(broken)));
    }
    // A curve that makes nearly everything black, or white, or falls, can't be inverted.
    for curve in [vec![0, 0, 0, 0, 65535], vec![0, 65535, 65535, 65535], vec![65535, 0], vec![65535; 7]] {
        let mut flat = ColorProfile::new_display_p3();
        flat.cicp = None;
        flat.green_trc = Some(moxcms::ToneReprCurve::Lut(curve));
        let photo = Photo { icc: Some(flat.encode().unwrap()), ..plain.clone() };
        assert!(photo.colour_space().is_none());
    }
    // sRGB by another name is sRGB: the plain way, to the bit.
    let srgb = ColorProfile::new_srgb().encode().unwrap();
    let photo = Photo { icc: Some(srgb), ..plain.clone() };
    assert!(photo.colour_space().is_none());
    assert_eq!(restorer.restore(&photo).expect("restores").pixels, expected.pixels);
}

#[test]
fn what_transparency_hides_stays_and_does_not_show() {
    let restorer = on_cpu(Model::shipped(Task::Dehaze, Quality::Small).expect("is shipped"));
    let base = photo(Layout::Rgba, 8, None);
    let hidden = |colour: [u8; 3]| {
        let Pixels::Eight(pixels) = &base.pixels else { panic!() };
        let pixels = pixels.iter().map(|&[r, g, b, a]| match (a, colour) {
            (0, [r, g, b]) => [r, g, b, 0],
            _ => [r, g, b, a],
        });
        base.with(Pixels::Eight(pixels.collect()))
    };
    let results = [[0, 0, 0], [255, 0, 255]].map(|colour| {
        let photo = hidden(colour);
        let restored = restorer.restore(&photo).expect("restores");
        let (Pixels::Eight(before), Pixels::Eight(after)) = (&photo.pixels, &restored.pixels) else { panic!() };
        assert!(before.iter().zip(after).all(|(before, after)| before[3] == after[3]));
        assert!(before.iter().zip(after).filter(|(before, _)| before[3] == 0).all(|(before, after)| before == after));
        after.iter().filter(|pixel| pixel[3] > 0).copied().collect::<Vec<_>>()
    });
    assert_eq!(results[0], results[1], "what is hidden makes no difference to what is seen");
}

#[test]
fn strength_blends_and_turns_average() {
    let restorer = on_cpu(Model::shipped(Task::Dehaze, Quality::Small).expect("is shipped"));
    let photo = photo(Layout::Rgb, 8, None);
    let with = |over_turns, strength| {
        let adjustments = Adjustments { over_turns, strength };
        restorer.restore_adjusted(&photo, &adjustments, &mut |_| ()).expect("restores")
    };
    assert_eq!(with(false, 0.0).pixels, photo.pixels);
    assert_eq!(with(false, 1.0).pixels, restorer.restore(&photo).unwrap().pixels);
    let (whole, half) = (sixteen(&with(false, 1.0)), sixteen(&with(false, 0.5)));
    for ((whole, half), original) in whole.iter().zip(&half).zip(sixteen(&photo)) {
        for channel in 0..3 {
            let expected = (f32::from(whole[channel]) + f32::from(original[channel])) / 2.0;
            assert!((f32::from(half[channel]) - expected).abs() <= 257.0);
        }
    }
    // Turning the photo first makes no difference to the mean over the four quarters.
    let (width, height) = (photo.width, photo.height);
    let quarter = |pixels: &[[u16; 4]], width: usize, height: usize| -> Vec<[u16; 4]> {
        (0..width * height).map(|at| pixels[(height - 1 - at % height) * width + at / height]).collect()
    };
    let turned =
        Photo { width: height, height: width, ..photo.with(Pixels::Sixteen(quarter(&sixteen(&photo), width, height))) };
    let deep = photo.with(Pixels::Sixteen(sixteen(&photo)));
    let over_turns = Adjustments { over_turns: true, strength: 1.0 };
    let mut seen = Vec::new();
    let upright = restorer.restore_adjusted(&deep, &over_turns, &mut |share| seen.push(share)).expect("restores");
    let turned = restorer.restore_adjusted(&turned, &over_turns, &mut |_| ()).expect("restores");
    let expected = quarter(&sixteen(&upright), width, height);
    let furthest = sixteen(&turned).iter().flatten().zip(expected.iter().flatten()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(furthest < Some(64), "{furthest:?} of 65535");
    assert_ne!(upright.pixels, restorer.restore(&deep).unwrap().pixels);
    assert!(seen.is_sorted() && seen.last() > Some(&0.99));
}

/// Rain falls, so a model for it gets mirrors and no quarter turns, and so does one that doesn't tell what it is for.
#[test]
fn the_model_s_task_chooses_the_turns() {
    let read = |path: &str| Model::read(Path::new(path), None, None).expect("reads");
    assert_eq!(read("weights/derain-small.safetensors").task, Some(Task::Derain));
    assert_eq!(read("weights/desnow-small.safetensors").task, Some(Task::Desnow));
    assert_eq!(read("tests/data/models/tiny.pkl").task, None);
    let photo = photo(Layout::Rgb, 8, None);
    let over_turns = Adjustments { over_turns: true, strength: 1.0 };
    let [rain, unknown, snow] = [Some(Task::Derain), None, Some(Task::Desnow)].map(|task| {
        let model = Model { task, ..read("weights/desnow-small.safetensors") };
        on_cpu(model).restore_adjusted(&photo, &over_turns, &mut |_| ()).expect("restores")
    });
    assert_eq!(rain.pixels, unknown.pixels);
    assert_ne!(rain.pixels, snow.pixels);
}

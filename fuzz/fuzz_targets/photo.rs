//! Any bytes as a picture: an error or a photo. A photo goes to sRGB and back if it has a space of its own, into every
//! format, and comes out of it as it was.
#![no_main]

use irnext::photo::{Format, Limits, Photo};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let photo = match Photo::decode(bytes, &Limits { max_pixels: 1 << 14 }) {
        Ok(photo) => photo,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    assert_eq!(photo.pixels.len(), photo.width * photo.height);
    if let Some(space) = photo.colour_space() {
        let pixels = photo.pixels.to_sixteen();
        let there = space.to_srgb(&pixels).and_then(|pixels| space.from_srgb(&pixels));
        assert!(there.is_none_or(|pixels| pixels.len() == photo.pixels.len()));
    }
    for format in Format::READ {
        let Ok(losses) = photo.losses(format) else { continue };
        let file = photo.encode(format, 90).expect("what can be written is");
        let again = Photo::decode(&file, &Limits::default()).expect("what was written can be read");
        assert_eq!((again.width, again.height), (photo.width, photo.height));
        if format != Format::Jpeg && losses.is_empty() && photo.layout.has_colour() {
            assert!(again.pixels == photo.pixels, "{format} changes the pixels");
        }
    }
});

//! Any bytes as a video: frames, and at some point an end or an error. A frame that stays is written as it was read.
#![no_main]

use irnext::photo::{VideoReader, VideoWriter};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = VideoReader::new(bytes, 1 << 12) else { return };
    let header = reader.header().clone();
    let mut written = Vec::new();
    let mut writer = VideoWriter::new(&mut written, &header).expect("memory takes it");
    while let Ok(Some(frame)) = reader.next_frame() {
        let photo = header.sampling.to_photo(&frame);
        let same = header.sampling.with_change(&frame, &photo, &photo);
        assert!(same == frame || header.sampling.bits % 8 != 0);
        writer.write(&same).expect("memory takes it");
    }
});

//! `irnext restore - --video`: a stream of frames on standard input, restored, on standard output.

use super::interrupt::{on_interrupt, writing};
use super::output::say;
use super::progress::FrameCount;
use super::wrong::wrong;
use super::{Failure, pipeline, restore};
use crate::photo::{VideoReader, VideoWriter};
use std::io::{BufReader, stdin, stdout};
use std::ops::ControlFlow;
use std::process::ExitCode;

/// Bytes read at once.
const BUFFER: usize = 1 << 20;

pub(super) fn run(arguments: &restore::Arguments) -> Result<ExitCode, Failure> {
    if !arguments.is_filter() {
        return Err(wrong("--video goes from standard input to standard output: irnext restore - --video"));
    }
    if let Some(number) = arguments.file_quality() {
        return Err(wrong(format!(
            "--quality {number} is a file's compression, and raw video has none; give it to ffmpeg"
        )));
    }
    let reader = BufReader::with_capacity(BUFFER, stdin());
    let mut reader = VideoReader::new(reader, arguments.limits().max_pixels)?;
    let header = reader.header().clone();
    if header.interlaced {
        say!("irnext: the video is interlaced, and frames are restored whole: put ffmpeg's `-vf yadif` before it");
    }
    let quiet = arguments.quiet();
    let restorer = arguments.restorer()?.with_notice(move |line| {
        if !quiet {
            say!("irnext: {line}");
        }
    });
    let mut writer = VideoWriter::new(stdout(), &header)?;
    let count = FrameCount::new(arguments.quiet());
    let counted = count.clone();
    on_interrupt(move || counted.finish("interrupted after"));

    let mut failed: Option<Failure> = None;
    let adjustments = arguments.adjustments();
    let mut steady = restorer.steady();
    let (evens, sampling) = (steady.is_some(), &header.sampling);
    pipeline::run(
        std::iter::from_fn(|| {
            let frame = reader.next_frame().transpose()?;
            Some(frame.map(|frame| (header.sampling.to_photo(&frame), frame)))
        }),
        restorer.lanes(),
        |read| -> Result<_, Failure> {
            let (photo, frame) = read?;
            let restored = restorer.restore_adjusted(&photo, &adjustments, &mut |_| ())?;
            // What needs no order is done in the lanes.
            Ok(match evens {
                true => (frame, Some((photo, restored))),
                false => (sampling.with_change(&frame, &photo, &restored), None),
            })
        },
        |done| {
            let changed = done.map(|(frame, photos)| match (photos, &mut steady) {
                (Some((photo, restored)), Some(steady)) => {
                    sampling.with_change(&frame, &photo, &steady.even(&photo, restored))
                }
                _ => frame,
            });
            // The stream ends with a whole frame, whenever it ends.
            let _whole = writing();
            match changed.and_then(|frame| Ok(writer.write(&frame)?)) {
                Ok(()) => {
                    count.add();
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        },
    );
    match failed {
        Some(error) => {
            count.finish("stopped after");
            Err(error)
        }
        None => {
            count.finish("restored");
            Ok(ExitCode::SUCCESS)
        }
    }
}

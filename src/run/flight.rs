//! A picture on its way through a session: all its work is handed to the device at once, and its results are awaited
//! later. So one picture's upload and another's download go on while a third is computed, each on a thread of its own.

use super::{RunError, Session};
use crate::gpu::{Buffer, Gpu, GpuError};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Condvar, Mutex, PoisonError};
use wgpu::{BufferAsyncError, BufferUsages, CommandEncoder, MapMode, SubmissionIndex};

/// How many pictures are on their way at once: what comes back of one is read while the next is computed.
const MOST: usize = 2;

/// The buffers that results are brought back in: one, and a second if it is wanted and there is room.
pub(super) struct Stagings {
    bytes: u64,
    idle: Mutex<Idle>,
    landed: Condvar,
}

struct Idle {
    buffers: Vec<Buffer>,
    made: usize,
}

impl Stagings {
    pub fn new(gpu: &Gpu, bytes: u64) -> Result<Self, GpuError> {
        let idle = Mutex::new(Idle { buffers: vec![make(gpu, bytes)?], made: 1 });
        Ok(Self { bytes, idle, landed: Condvar::new() })
    }

    /// An idle buffer; waits for one if all are in use.
    fn take(&self, gpu: &Gpu) -> Buffer {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(buffer) = idle.buffers.pop() {
                return buffer;
            }
            if idle.made < MOST {
                // Once refused, it isn't asked for again.
                idle.made = MOST;
                if let Ok(buffer) = make(gpu, self.bytes) {
                    return buffer;
                }
            }
            idle = self.landed.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, buffer: Buffer) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).buffers.push(buffer);
        self.landed.notify_one();
    }
}

fn make(gpu: &Gpu, bytes: u64) -> Result<Buffer, GpuError> {
    gpu.allocate("staging", bytes, BufferUsages::MAP_READ | BufferUsages::COPY_DST)
}

/// Bytes of a mark.
const MARK: u64 = 8;

/// What tells that every submission came to its end: each writes the picture's number as the last thing it does. Metal counts
/// work that it gave up, for want of memory or of time, as done; what comes back then is another picture's, or black.
pub(super) struct Marks {
    number: Buffer,
    count: usize,
    pictures: AtomicU64,
}

impl Marks {
    /// A mark for each of `count` submissions.
    pub fn new(gpu: &Gpu, count: usize) -> Result<Self, GpuError> {
        let number = gpu.allocate("mark", MARK, BufferUsages::COPY_SRC | BufferUsages::COPY_DST)?;
        Ok(Self { number, count, pictures: AtomicU64::new(1) })
    }

    /// Bytes that the marks of a picture take.
    pub fn bytes(&self) -> u64 {
        MARK * self.count as u64
    }

    /// The next picture's number, for its submissions to write.
    fn next(&self, gpu: &Gpu) -> u64 {
        let number = self.pictures.fetch_add(1, Ordering::Relaxed);
        gpu.queue.write_buffer(&self.number, 0, &number.to_le_bytes());
        number
    }
}

/// Whether all submissions of a picture wrote its number.
fn all_marked(marks: &[u8], number: u64) -> bool {
    marks.chunks(MARK as usize).all(|mark| mark == number.to_le_bytes())
}

/// A picture on its way.
pub struct Flight<'a> {
    session: &'a Session,
    staging: Option<Buffer>,
    /// Where each output lies in the staging buffer.
    places: Vec<Range<usize>>,
    /// The picture's number, and where in the staging buffer its submissions write it.
    number: u64,
    marks: Range<usize>,
    /// The picture's submissions, and how many operations are done after each.
    portions: Vec<(SubmissionIndex, u64)>,
    mapped: Receiver<Result<(), BufferAsyncError>>,
}

impl Session {
    /// Uploads the inputs' bytes, runs every step, brings the outputs' bytes back.
    ///
    /// # Errors
    /// When an input has another size than the plan's, or the device fails.
    pub fn run(&self, inputs: &[&[u8]]) -> Result<Vec<Vec<u8>>, RunError> {
        self.launch(inputs)?.land(&mut |_| ())
    }

    /// Hands a picture to the device, behind those that are on their way. Where two are (one where memory is short), it
    /// waits until another thread has landed one.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn launch(&self, inputs: &[&[u8]]) -> Result<Flight<'_>, RunError> {
        let staging = self.stagings.take(&self.gpu);
        let (sender, mapped) = channel();
        let (number, marks) = (0, 0..0);
        let mut flight =
            Flight { session: self, staging: None, places: vec![], number, marks, portions: vec![], mapped };
        let launched = self.gpu.guarded(|| {
            self.upload(inputs)?;
            flight.number = self.marks.next(&self.gpu);
            let first = self.stagings.bytes - self.marks.bytes();
            let mark = |encoder: &mut CommandEncoder, index: usize| {
                encoder.copy_buffer_to_buffer(&self.marks.number, 0, &staging, first + MARK * index as u64, MARK);
            };
            let mut done = 0;
            for (index, portion) in self.portions.iter().enumerate() {
                let (submission, flops) = self.submit_portion(portion, |encoder| mark(encoder, index));
                done += flops;
                flight.portions.push((submission, done));
            }
            let mut encoder = self.encoder();
            let mut at = 0;
            for port in &self.plan.outputs {
                let (block, range) = self.place(port.buffer);
                let bytes = range.end - range.start;
                encoder.copy_buffer_to_buffer(block, range.start, &staging, at, bytes);
                flight.places.push(at as usize..(at + bytes) as usize);
                at += super::session::aligned(bytes);
            }
            mark(&mut encoder, self.portions.len());
            flight.marks = first as usize..self.stagings.bytes as usize;
            flight.portions.push((self.gpu.queue.submit([encoder.finish()]), self.plan.flops()));
            Ok::<_, RunError>(())
        });
        if let Err(error) = launched {
            self.stagings.give_back(staging);
            return Err(error);
        }
        staging.map_async(MapMode::Read, .., move |result| {
            // The receiver is gone only if the flight was given up.
            let _ = sender.send(result);
        });
        flight.staging = Some(staging);
        Ok(flight)
    }
}

impl Flight<'_> {
    /// Waits for the results, telling `progress` the share of the work that is done, 0 to 1.
    ///
    /// # Errors
    /// When the device fails.
    pub fn land(self, progress: &mut dyn FnMut(f64)) -> Result<Vec<Vec<u8>>, RunError> {
        let gpu = &self.session.gpu;
        gpu.guarded(|| {
            let total = self.session.plan.flops().max(1) as f64;
            for (submission, done) in &self.portions {
                gpu.wait_for(submission)?;
                progress(*done as f64 / total);
            }
            let Some(staging) = &self.staging else { return Ok(vec![]) };
            let mapped = self.mapped.recv().map_err(|error| gpu.failed(error.to_string()))?;
            mapped.map_err(|error| gpu.failed(error.to_string()))?;
            let view = staging.get_mapped_range(..).map_err(|error| gpu.failed(error.to_string()))?;
            if !all_marked(&view[self.marks.clone()], self.number) {
                return Err(gpu.failed("it gave up a part of the work, for want of memory or of time").into());
            }
            Ok(self.places.iter().map(|place| view[place.clone()].to_vec()).collect())
        })
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if let Some(staging) = self.staging.take() {
            staging.unmap();
            self.session.stagings.give_back(staging);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::all_marked;

    #[test]
    fn a_submission_that_left_no_mark_is_seen() {
        let marks = |numbers: [u64; 3]| numbers.map(u64::to_le_bytes).concat();
        assert!(all_marked(&marks([7, 7, 7]), 7));
        // The picture before it, or nothing at all.
        assert!(!all_marked(&marks([7, 6, 7]), 7) && !all_marked(&marks([7, 7, 0]), 7));
    }
}

//! A pipeline of threads: while some items are computed, the next is read and the last is written, in order. Items are
//! handed over, not queued: with `lanes` of them computed at once there are never more than `lanes + 2`, however many
//! come.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Takes items from `source` through `compute`, on `lanes` threads, to `sink`, in order. `sink` may end it.
pub(super) fn run<A: Send, B: Send>(
    source: impl Iterator<Item = A> + Send,
    lanes: usize,
    compute: impl Fn(A) -> B + Sync,
    mut sink: impl FnMut(B) -> ControlFlow<()>,
) {
    thread::scope(|scope| {
        let (to_lanes, from_source) = sync_channel::<(A, SyncSender<B>)>(0);
        // What becomes of each item, in order, before it is computed. The bound is what keeps the source back.
        let (to_sink, promises) = sync_channel::<Receiver<B>>(lanes);
        scope.spawn(move || {
            for item in source {
                let (give, take) = sync_channel(1);
                // A channel closes when its other end goes, and with it the stage before.
                if to_sink.send(take).is_err() || to_lanes.send((item, give)).is_err() {
                    break;
                }
            }
        });
        let (from_source, compute) = (Arc::new(Mutex::new(from_source)), &compute);
        for _ in 0..lanes {
            let from_source = Arc::clone(&from_source);
            scope.spawn(move || {
                loop {
                    let next = from_source.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((item, give)) = next else { break };
                    // Nobody takes it if the sink has ended the work.
                    let _ = give.send(compute(item));
                }
            });
        }
        drop(from_source);
        for promise in promises {
            // A lane that broke down gives nothing; its panic goes on when the scope ends.
            let Ok(item) = promise.recv() else { break };
            if sink(item).is_break() {
                break;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn in_order_and_never_more_than_lanes_and_two() {
        for lanes in [1, 2, 3] {
            in_order(lanes);
        }
    }

    fn in_order(lanes: usize) {
        let (alive, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut written = Vec::new();
        let source = (0..500).inspect(|_| {
            most.fetch_max(alive.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        });
        run(
            source,
            lanes,
            |item| {
                // Later ones are done sooner.
                thread::sleep(std::time::Duration::from_micros(100 * (3 - item % 3)));
                item * 2
            },
            |item| {
                written.push(item);
                alive.fetch_sub(1, Ordering::SeqCst);
                ControlFlow::Continue(())
            },
        );
        assert_eq!(written, (0..500).map(|item| item * 2).collect::<Vec<_>>());
        assert!(most.into_inner() <= lanes + 2);
    }

    #[test]
    fn the_sink_may_end_an_endless_source() {
        let mut written = 0;
        run(
            0..,
            2,
            |item: u64| item,
            |item| {
                written = item;
                if item == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        assert_eq!(written, 7);
    }
}

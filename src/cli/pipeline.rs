//! Three stages on three threads: while one item is computed, the next is read and the last is written. Items are
//! handed over, not queued: there are never more than three at once, however many come.

use std::ops::ControlFlow;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Takes items from `source` through `compute`, on the calling thread, to `sink`, in order. `sink` may end it.
pub(super) fn run<A: Send, B: Send>(
    source: impl Iterator<Item = A> + Send,
    mut compute: impl FnMut(A) -> B,
    mut sink: impl FnMut(B) -> ControlFlow<()> + Send,
) {
    thread::scope(|scope| {
        let (to_compute, from_source) = sync_channel(0);
        let (to_sink, from_compute) = sync_channel(0);
        // A channel closes when its other end goes, and with it the stage before.
        scope.spawn(move || source.into_iter().try_for_each(|item| to_compute.send(item)));
        scope.spawn(move || from_compute.into_iter().try_for_each(&mut sink));
        let _ = from_source.into_iter().try_for_each(|item| to_sink.send(compute(item)));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn in_order_and_never_more_than_three() {
        let (alive, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut written = Vec::new();
        let source = (0..500).inspect(|_| {
            most.fetch_max(alive.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        });
        run(
            source,
            |item| item * 2,
            |item| {
                written.push(item);
                alive.fetch_sub(1, Ordering::SeqCst);
                ControlFlow::Continue(())
            },
        );
        assert_eq!(written, (0..500).map(|item| item * 2).collect::<Vec<_>>());
        assert!(most.into_inner() <= 3);
    }

    #[test]
    fn the_sink_may_end_an_endless_source() {
        let mut written = 0;
        run(
            0..,
            |item: u64| item,
            |item| {
                written = item;
                if item == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        assert_eq!(written, 7);
    }
}

//! A buffer for each thread, kept from task to task: new memory costs a page fault every 4 KiB.

use std::cell::RefCell;

thread_local! {
    static BUFFER: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Lends this thread's buffer; what it holds is left over from the last use. Tasks don't wait for others while they
/// hold it, so no thread borrows it twice.
pub(super) fn with<R>(task: impl FnOnce(&mut Vec<f32>) -> R) -> R {
    BUFFER.with_borrow_mut(task)
}

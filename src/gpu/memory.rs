//! A device's memory: every buffer is counted from its making to its dropping, and a budget holds for all of them.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the buffers of a device take, and may take.
#[derive(Debug)]
pub struct Ledger {
    budget: AtomicU64,
    bytes: AtomicU64,
    peak: AtomicU64,
    buffers: AtomicU64,
}

impl Default for Ledger {
    fn default() -> Self {
        let [bytes, peak, buffers] = [0; 3].map(AtomicU64::new);
        Self { budget: AtomicU64::new(u64::MAX), bytes, peak, buffers }
    }
}

impl Ledger {
    /// Refuses buffers that would bring the sum above `bytes`. Those that are there stay.
    pub fn set_budget(&self, bytes: u64) {
        self.budget.store(bytes, Ordering::Relaxed);
    }

    /// Whether there is a budget.
    pub fn is_limited(&self) -> bool {
        self.budget.load(Ordering::Relaxed) != u64::MAX
    }

    /// Bytes of all live buffers.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The most bytes that were live at once.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// How many buffers are live.
    pub fn buffers(&self) -> u64 {
        self.buffers.load(Ordering::Relaxed)
    }

    /// Takes `bytes` for a new buffer.
    ///
    /// # Errors
    /// The bytes that the budget has left, if they are fewer.
    pub(super) fn take(&self, bytes: u64) -> Result<(), u64> {
        let budget = self.budget.load(Ordering::Relaxed);
        let within = |live: u64| live.checked_add(bytes).filter(|&sum| sum <= budget);
        match self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within) {
            Ok(before) => {
                self.peak.fetch_max(before + bytes, Ordering::Relaxed);
                self.buffers.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(live) => Err(budget.saturating_sub(live)),
        }
    }

    fn give_back(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.buffers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A buffer of a device, counted in its ledger.
#[derive(Debug)]
pub struct Buffer {
    raw: wgpu::Buffer,
    taken: Taken,
}

/// Bytes taken from a ledger, given back when dropped.
#[derive(Debug)]
pub(super) struct Taken {
    bytes: u64,
    ledger: Arc<Ledger>,
}

impl Taken {
    pub(super) fn new(ledger: &Arc<Ledger>, bytes: u64) -> Result<Self, u64> {
        ledger.take(bytes)?;
        Ok(Self { bytes, ledger: Arc::clone(ledger) })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.ledger.give_back(self.bytes);
    }
}

impl Buffer {
    pub(super) fn new(raw: wgpu::Buffer, taken: Taken) -> Self {
        Self { raw, taken }
    }

    /// Its size.
    pub fn bytes(&self) -> u64 {
        self.taken.bytes
    }
}

impl Deref for Buffer {
    type Target = wgpu::Buffer;

    fn deref(&self) -> &wgpu::Buffer {
        &self.raw
    }
}

impl Drop for Buffer {
    /// At once, not when the last bind group that names it is gone.
    fn drop(&mut self) {
        self.raw.destroy();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_the_budget_holds() {
        let ledger = Arc::new(Ledger::default());
        ledger.set_budget(100);
        let first = Taken::new(&ledger, 60).expect("fits");
        assert_eq!(Taken::new(&ledger, 41).expect_err("too much"), 40);
        drop(first);
        let second = Taken::new(&ledger, 100).expect("fits");
        assert_eq!((ledger.bytes(), ledger.peak(), ledger.buffers()), (100, 100, 1));
        drop(second);
        assert_eq!((ledger.bytes(), ledger.peak(), ledger.buffers()), (0, 100, 0));
    }
}

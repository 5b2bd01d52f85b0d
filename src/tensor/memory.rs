//! Bytes of memory: what the host has left, and how many are told of to people.

use std::fmt;

/// A number of bytes, displayed to three digits or so: `17.6 MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let mebibytes = self.0 as f64 / f64::from(1 << 20);
        match mebibytes {
            1024.0.. => write!(formatter, "{:.2} GiB", mebibytes / 1024.0),
            0.1.. => write!(formatter, "{mebibytes:.1} MiB"),
            _ => write!(formatter, "{:.1} KiB", mebibytes * 1024.0),
        }
    }
}

/// Whether the host has so many bytes left: asked before work that takes them, since running out of them in its midst may
/// end the program.
pub fn is_free(bytes: u64) -> bool {
    // What is granted is given back at once.
    let is_granted = usize::try_from(bytes).is_ok_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok());
    is_granted && left().is_none_or(|left| bytes <= left)
}

/// Bytes that this program may still take, the machine's swap among them. Linux grants more than it has, and ends the program that uses
/// it, so it is asked; and so is the container that the program runs in. None where nothing is known: other systems refuse
/// what they don't have.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn left() -> Option<u64> {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    if system.total_memory() == 0 {
        return None;
    }
    let machine = system.available_memory().saturating_add(system.free_swap());
    // What a container may take of the machine's swap isn't known, so none. Its `free_memory` counts the pages of files that
    // were read as taken; they are given up on demand.
    let container = system.cgroup_limits().filter(|limits| limits.total_memory < system.total_memory());
    let container = container.map(|limits| limits.total_memory.saturating_sub(limits.rss));
    Some(machine.min(container.unwrap_or(u64::MAX)))
}

/// See the other form.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn left() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_free_and_more_is_not() {
        assert!(is_free(1 << 20));
        assert!(!is_free(1 << 60));
        // Other programs take and give memory meanwhile.
        if let Some(left) = left() {
            assert!(is_free(left / 2));
            assert!(!is_free(left + (4 << 30)));
        }
    }
}

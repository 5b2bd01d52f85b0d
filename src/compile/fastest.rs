//! The shipped table: the fastest kernels of adapters that were measured, one file per adapter under `fastest/`.
//!
//! A file has the form in which `irnext tune` keeps what it found, and tells where (`benches/gpu.sh` copies it beside its
//! results). To ship it: cut `adapter` to the start that names of its kind share, keep the entries where the heuristic is
//! measurably slower, and add it to the list.

use crate::gpu::Preferences;
use std::sync::LazyLock;

const FILES: &[&str] =
    &[include_str!("fastest/llvmpipe-mesa-22.3.json"), include_str!("fastest/llvmpipe-mesa-26.1.json")];

static TABLES: LazyLock<Vec<Preferences>> = LazyLock::new(|| {
    let read =
        |text: &&str| serde_json::from_str(text).unwrap_or_else(|error| unreachable!("a shipped table: {error}"));
    FILES.iter().map(read).collect()
});

/// The fastest kernel of an adapter for a key, if the program carries a figure of it.
pub fn shipped(adapter: &str, key: &str) -> Option<&'static str> {
    let table = TABLES.iter().find(|table| adapter.starts_with(&table.adapter))?;
    table.fastest.get(key).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::{TABLES, shipped};
    use crate::compile::CHOICES;

    #[test]
    fn tables_name_kernels_that_there_are() {
        for table in TABLES.iter() {
            assert!(!table.adapter.is_empty() && !table.fastest.is_empty(), "{table:?}");
            for (key, kernel) in &table.fastest {
                assert!(CHOICES.contains(&kernel.as_str()), "{key}: {kernel}");
                assert_eq!(shipped(&table.adapter, key), Some(kernel.as_str()));
            }
        }
        assert_eq!(shipped("another adapter", "3x3/1 32>32 2^12 f16"), None);
    }
}

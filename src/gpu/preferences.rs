//! What measuring an adapter has shown: which kernel is fastest for what, and which ones compute what they should. Kept
//! in the user's cache folder, one file for an adapter, its driver and a set of shaders.

use super::Dialect;
use super::LearningLock;
use crate::tensor::{folder_of, write_whole};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use wgpu::Backend;

/// Kernels by what was measured of them. Keys and names are the compiler's; here they are text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Preferences {
    /// The adapter and its driver, for who reads the file.
    pub adapter: String,
    /// The fastest kernel for each key that was timed.
    pub fastest: BTreeMap<String, String>,
    /// Each kernel that was compared with the CPU reference: whether they agree; not where the driver refuses it.
    pub agrees: BTreeMap<String, bool>,
    /// Kernels whose first run here has begun, and how often one did: what is left over ended the program, or the machine.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub begun: BTreeMap<String, u32>,
    /// Those that had one in this start of the program.
    #[serde(skip)]
    pub ran: BTreeSet<String>,
    /// Floating-point operations a second, by the convolution that came to most of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flops_per_second: Option<f64>,
}

impl Preferences {
    /// Whether a kernel was found to disagree with the CPU reference, or refused.
    pub fn demoted(&self, kernel: &str) -> bool {
        self.agrees.get(kernel) == Some(&false)
    }

    /// What either knows: what `other` does where both do. `begun` stays as it is in `self`, the file's.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.fastest.extend(other.fastest.clone());
        self.agrees.extend(other.agrees.clone());
        self.ran.extend(other.ran.clone());
        self.flops_per_second = [self.flops_per_second, other.flops_per_second].into_iter().flatten().reduce(f64::max);
        self
    }

    /// What a file holds; nothing if there is none.
    ///
    /// # Errors
    /// Why a file that exists can't be used.
    pub fn load(path: &Path) -> Result<Self, String> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// Keeps what was asked of a device once. Not where another program is at it for too long, or the file can't be read or
    /// written, which `run::prepare` says: then it is asked again.
    pub fn keep_answer(path: &Path, adapter: &str, question: &str, answer: bool) {
        let lock = LearningLock::take(Some(path));
        let Ok(mut kept) = Self::load(path) else { return };
        if lock.is_held() {
            adapter.clone_into(&mut kept.adapter);
            kept.agrees.insert(question.into(), answer);
            let _ = kept.save(path);
        }
    }

    /// Writes the file beside its place and renames it into it.
    ///
    /// # Errors
    /// The system's.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        keep(path, &text)
    }
}

/// Writes a file beside its place, whose folder is made if need be, and renames it into it.
pub(super) fn keep(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder_of(path))?;
    write_whole(path, true, |file| file.write_all(bytes))
}

/// Where what is known of devices is kept: in `IRNEXT_CACHE`, else in the user's cache folder; nowhere if there is none.
pub(super) fn folder() -> Option<PathBuf> {
    // Set to nothing it is as good as not set; an empty path would be the current folder.
    match std::env::var_os("IRNEXT_CACHE").filter(|folder| !folder.is_empty()) {
        Some(folder) => Some(PathBuf::from(folder)),
        None => Some(dirs::cache_dir()?.join("irnext")),
    }
}

/// Where the preferences of an adapter with these shaders are kept, as this version of the program translates them and as
/// this system's compiler does.
pub(super) fn place(adapter: &str, backend: Backend, dialect: Dialect, shaders: u64) -> Option<PathBuf> {
    let mut text = format!("{adapter} {dialect:?} {}", env!("CARGO_PKG_VERSION")).into_bytes();
    if backend == Backend::Metal {
        // Its compiler comes with the system, and tells no version.
        text.extend(std::fs::read("/System/Library/CoreServices/SystemVersion.plist").unwrap_or_default());
    }
    Some(folder()?.join(format!("{:016x}-{shaders:016x}.json", fingerprint(text))))
}

/// FNV-1a, the same in every build.
pub(super) fn fingerprint(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::Preferences;

    #[test]
    fn a_file_is_read_back_and_a_broken_one_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep").join("file.json");
        assert_eq!(Preferences::load(&path), Ok(Preferences::default()));
        let mut preferences = Preferences { adapter: "an adapter".into(), ..Preferences::default() };
        preferences.fastest.insert("key".into(), "kernel".into());
        preferences.agrees.insert("kernel".into(), false);
        preferences.save(&path).expect("writes");
        assert_eq!(Preferences::load(&path), Ok(preferences.clone()));
        assert!(preferences.demoted("kernel") && !preferences.demoted("key"));
        std::fs::write(&path, b"{\"adapter\": 3").expect("writes");
        let error = Preferences::load(&path).expect_err("is broken");
        assert!(error.contains("file.json"), "{error}");
    }

    #[test]
    fn what_several_programs_learnt_is_kept_together() {
        let of = |kernel: &str, pace| {
            let agrees = [(kernel.to_string(), true)].into();
            Preferences { agrees, flops_per_second: pace, ..Preferences::default() }
        };
        let both = of("a", Some(2.0)).with(&of("b", Some(1.0)));
        assert_eq!((both.agrees.len(), both.flops_per_second), (2, Some(2.0)));
        assert_eq!(of("a", None).with(&of("a", Some(1.0))).flops_per_second, Some(1.0));
    }
}

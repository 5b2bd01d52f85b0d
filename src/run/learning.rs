//! What is being learnt of a device's kernels, and what it is learnt by.

use crate::compile::{check_key, is_plain};
use crate::gpu::{Gpu, Preferences};
use crate::tensor::Element;
use std::sync::Arc;

/// A device whose kernels are tried, and what is known of them so far.
pub struct Learning<'a> {
    /// The device.
    pub gpu: &'a Arc<Gpu>,
    /// How activations are stored.
    pub precision: Element,
    /// Whether anything is written to disk, the start of a first run included.
    pub kept: bool,
    /// What is known, to which is added what is found.
    pub known: &'a mut Preferences,
}

impl Learning<'_> {
    /// What a kernel's check goes by.
    pub(super) fn key(&self, kernel: &str) -> String {
        check_key(kernel, self.precision)
    }

    /// Whether a kernel was found wrong on the device, refused by its driver, or the end of it.
    pub fn is_out_of_use(&self, kernel: &str) -> bool {
        self.known.demoted(&self.key(kernel))
    }

    /// Notes whether a kernel computes what it should; one that doesn't is out of use, unless nothing takes its place.
    pub(super) fn note(&mut self, kernel: &str, agrees: bool) {
        self.known.agrees.insert(self.key(kernel), agrees);
    }

    /// What is said of a kernel that is put out of use.
    pub(super) fn unused(&self, kernel: &str, objection: &str) -> String {
        let so = if is_plain(kernel) { "and nothing can take its place" } else { "so it is not used" };
        format!("{}: `{kernel}` in {} {objection}, {so}", self.gpu.name, self.precision)
    }

    /// From now on kernels are chosen by what is known.
    pub(super) fn apply(&self) {
        self.gpu.prefer(self.known.clone());
    }
}

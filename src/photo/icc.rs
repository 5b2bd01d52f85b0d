//! What needs to be known of a colour profile: whether it speaks of these pixels at all, and what it calls itself.

use super::Layout;

/// Whether the profile is whole and describes samples of this layout. A CMYK file's does not once its pixels are RGB.
pub(super) fn fits(profile: &[u8], layout: Layout) -> bool {
    let space: &[u8] = if layout.has_colour() { b"RGB " } else { b"GRAY" };
    profile.get(36..40) == Some(b"acsp") && profile.get(16..20) == Some(space)
}

/// Whether the profile calls itself sRGB, in ASCII (version 2) or UTF-16 (version 4).
pub(super) fn names_srgb(profile: &[u8]) -> bool {
    [b"sRGB".as_slice(), b"\0s\0R\0G\0B", b"s\0R\0G\0B\0"]
        .iter()
        .any(|name| profile.windows(name.len()).any(|window| window == *name))
}

//! A photo's own colour space and the way between it and sRGB, the space that the network was trained in.

use super::{Layout, icc};
use moxcms::{ColorProfile, ToneReprCurve, Transform16BitExecutor, TransformOptions};
use std::sync::Arc;

/// Steps of 16 bits by which a profile may differ from sRGB and still be taken for it: half a step of 8 bits.
const SAME: u16 = 128;
/// Pixels converted at a time, so that what is in between stays small.
const PORTION: usize = 1 << 14;

/// A colour space that is not sRGB, in which a profile describes a photo's samples.
pub struct ColourSpace {
    to_srgb: Arc<Transform16BitExecutor>,
    from_srgb: Arc<Transform16BitExecutor>,
    grey: bool,
}

/// What a profile means for the network.
pub(super) enum Meaning {
    /// The samples are in sRGB, or as good as.
    Srgb,
    /// The samples are in this space, and are converted to sRGB and back.
    Other(ColourSpace),
    /// The profile can't be used: no curves, a table that goes one way only.
    Unusable,
}

/// Reads a profile of samples in this layout.
pub(super) fn meaning(profile: &[u8], layout: Layout) -> Meaning {
    let Some(space) = ColourSpace::new(profile, !layout.has_colour()) else {
        // Stubs of a few bytes that name sRGB and say no more are met in the wild.
        return if icc::names_srgb(profile) { Meaning::Srgb } else { Meaning::Unusable };
    };
    let levels = |count: u32| (0..count).map(move |level| (level * u32::from(u16::MAX) / (count - 1)) as u16);
    let samples: Vec<[u16; 4]> = if space.grey {
        levels(256).map(|v| [v, v, v, u16::MAX]).collect()
    } else {
        levels(9).flat_map(|r| levels(9).flat_map(move |g| levels(9).map(move |b| [r, g, b, u16::MAX]))).collect()
    };
    let (Some(there), Some(back)) = (space.to_srgb(&samples), space.from_srgb(&samples)) else {
        return Meaning::Unusable;
    };
    let same = |a: &[[u16; 4]]| a.iter().flatten().zip(samples.iter().flatten()).all(|(a, b)| a.abs_diff(*b) <= SAME);
    if same(&there) && same(&back) { Meaning::Srgb } else { Meaning::Other(space) }
}

/// The profile that a file marked as Adobe RGB goes without.
pub(super) fn adobe_rgb() -> Option<Vec<u8>> {
    ColorProfile::new_adobe_rgb().encode().ok()
}

impl ColourSpace {
    /// The space that a profile describes. None if the profile can't be used both ways.
    fn new(profile: &[u8], grey: bool) -> Option<Self> {
        let own = ColorProfile::new_from_slice(profile).ok()?;
        let curves = [&own.red_trc, &own.green_trc, &own.blue_trc, &own.gray_trc];
        if !curves.into_iter().flatten().all(goes_both_ways) {
            return None;
        }
        let mut srgb = ColorProfile::new_srgb();
        let mut layout = moxcms::Layout::Rgb;
        if grey {
            let curve = srgb.red_trc.clone();
            srgb = ColorProfile::new_gray_with_gamma(2.2);
            srgb.gray_trc = curve;
            layout = moxcms::Layout::Gray;
        }
        let options = TransformOptions { rendering_intent: own.rendering_intent, ..TransformOptions::default() };
        let to_srgb = own.create_transform_16bit(layout, &srgb, layout, options).ok()?;
        let from_srgb = srgb.create_transform_16bit(layout, &own, layout, options).ok()?;
        Some(Self { to_srgb, from_srgb, grey })
    }

    /// Converts RGBA pixels from this space to sRGB, colours outside of its gamut to its border; alpha stays. Grey is
    /// read from red. None if the profile turns out to be damaged.
    pub fn to_srgb(&self, pixels: &[[u16; 4]]) -> Option<Vec<[u16; 4]>> {
        self.convert(&*self.to_srgb, pixels)
    }

    /// Converts RGBA pixels from sRGB to this space, as [`ColourSpace::to_srgb`] does the other way.
    pub fn from_srgb(&self, pixels: &[[u16; 4]]) -> Option<Vec<[u16; 4]>> {
        self.convert(&*self.from_srgb, pixels)
    }

    fn convert(&self, transform: &Transform16BitExecutor, pixels: &[[u16; 4]]) -> Option<Vec<[u16; 4]>> {
        let channels = if self.grey { 1 } else { 3 };
        let mut converted = Vec::with_capacity(pixels.len());
        let (mut source, mut target) = (Vec::new(), Vec::new());
        for portion in pixels.chunks(PORTION) {
            source.clear();
            source.extend(portion.iter().flat_map(|pixel| &pixel[..channels]));
            target.resize(source.len(), 0);
            transform.transform(&source, &mut target).ok()?;
            converted.extend(portion.iter().zip(target.chunks_exact(channels)).map(|(pixel, samples)| match samples {
                &[r, g, b] => [r, g, b, pixel[3]],
                _ => [samples[0], samples[0], samples[0], pixel[3]],
            }));
        }
        Some(converted)
    }
}

/// Whether a curve rises between an eighth and seven eighths of its range, and reaches neither end there. One that does
/// not loses most tones; inverting it would be wrong, and takes the library minutes.
fn goes_both_ways(curve: &ToneReprCurve) -> bool {
    const STEP: f32 = 1.0 / 65535.0;
    let Ok(evaluator) = curve.make_linear_evaluator() else { return false };
    let [low, high] = [0.125, 0.875].map(|level| evaluator.evaluate_value(level));
    STEP <= low && low < high && high <= 1.0 - STEP
}

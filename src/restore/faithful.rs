//! What lies between a photograph and the network: its colour space, what is hidden under transparency, and the user's
//! wishes. The photo gets the network's *change*, not its picture:
//!
//! ```text
//! result = photo + strength · (own(network(srgb)) − own(srgb))
//! ```
//!
//! `srgb` is the photo in sRGB, where the network is at home; `own` brings a picture back to the photo's space. Inside
//! sRGB's gamut that is the network's picture, converted. A colour outside of it, which the network sees at the gamut's
//! border, keeps what it has beyond; and where the network changes nothing, nothing is changed, to the last bit.

use super::fill::fill_transparent;
use super::turns::Turn;
use super::{RestoreError, Restorer};
use crate::kernels::Raster;
use crate::photo::{Photo, Pixels};

/// How to restore.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adjustments {
    /// Average over four turns of the picture, or mirrors where [`Model::task`](crate::model::Model::task) is rain or
    /// unknown: four times the work, a little better.
    pub over_turns: bool,
    /// The share of the network's change, 0 to 1.
    pub strength: f32,
}

impl Default for Adjustments {
    fn default() -> Self {
        Self { over_turns: false, strength: 1.0 }
    }
}

impl Restorer {
    /// The photo, restored: same size, depth, layout, alpha and colour space. Fully transparent pixels keep the colours
    /// they have. `progress` is told the share that is done, 0 to 1.
    ///
    /// # Errors
    /// When the device can't run a picture of this size, fails, or the result is not finite.
    pub fn restore_adjusted(
        &self,
        photo: &Photo,
        adjustments: &Adjustments,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Photo, RestoreError> {
        if photo.width == 0 || photo.height == 0 {
            return Err(RestoreError::Empty);
        }
        let raster = |converted: bool| Raster {
            height: photo.height,
            width: photo.width,
            sixteen: converted || matches!(photo.pixels, Pixels::Sixteen(_)),
        };
        let space = photo.colour_space();
        let plain = space.is_none() && *adjustments == Adjustments::default() && !photo.pixels.has_transparent();
        if plain {
            let pixels =
                self.through(raster(false), &photo.pixels, |raster, pixels| self.by_network(raster, pixels, progress))?;
            return Ok(photo.with(pixels));
        }
        let originals = photo.pixels.to_sixteen();
        // A profile that fails on the way is one that `colour_space` should have refused; the photo's numbers then go
        // through the network as they are.
        let converted = space.and_then(|space| Some((space.to_srgb(&originals)?, space)));
        let (mut seen, space) = match converted {
            Some((seen, space)) => (seen, Some(space)),
            None => (originals.to_vec(), None),
        };
        fill_transparent(&mut seen, photo.width);
        let seen = Pixels::Sixteen(seen);
        let restored = self.through(raster(true), &seen, |raster, pixels| match adjustments.over_turns {
            true => self.over_turns(raster, pixels, progress),
            false => self.by_network(raster, pixels, progress),
        })?;
        let (mut before, mut after) = (seen.to_sixteen(), restored.to_sixteen());
        if let Some(space) = space {
            if !photo.layout.has_colour() {
                after.to_mut().iter_mut().for_each(|pixel| *pixel = grey(*pixel));
            }
            if let (Some(own_before), Some(own_after)) = (space.from_srgb(&before), space.from_srgb(&after)) {
                (before, after) = (own_before.into(), own_after.into());
            }
        }
        let mut result = originals.into_owned();
        for ((pixel, before), after) in result.iter_mut().zip(&*before).zip(&*after).filter(|((p, _), _)| p[3] > 0) {
            for channel in 0..3 {
                let change = f32::from(after[channel]) - f32::from(before[channel]);
                let value = f32::from(pixel[channel]) + adjustments.strength * change;
                pixel[channel] = value.round().clamp(0.0, 65535.0) as u16;
            }
        }
        Ok(photo.with(Pixels::Sixteen(result).in_depth_of(&photo.pixels)))
    }

    /// The mean over the ways to turn or mirror the picture that do the model good.
    fn over_turns(
        &self,
        Raster { height, width, .. }: Raster,
        pixels: &Pixels,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Pixels, RestoreError> {
        let pixels = pixels.to_sixteen();
        let mut sums = vec![[0_u32; 4]; pixels.len()];
        let turns = Turn::of(self.model().task);
        for (index, turn) in turns.into_iter().enumerate() {
            let (turned_width, turned_height) = turn.size(width, height);
            let turned = (0..pixels.len()).map(|at| pixels[turn.source(width, height, at)]).collect();
            let within = &mut |part: f64| progress((index as f64 + part) / turns.len() as f64);
            let raster = Raster { height: turned_height, width: turned_width, sixteen: true };
            let restored = self.by_network(raster, &Pixels::Sixteen(turned), within)?;
            for (at, pixel) in restored.to_sixteen().iter().enumerate() {
                let sum = &mut sums[turn.source(width, height, at)];
                sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u32::from(*value));
            }
        }
        Ok(Pixels::Sixteen(sums.into_iter().map(|sum| sum.map(|sum| ((sum + 2) / 4) as u16)).collect()))
    }
}

/// The pixel with its luma in every channel.
fn grey([r, g, b, a]: [u16; 4]) -> [u16; 4] {
    let luma = crate::photo::luma([r, g, b, a]);
    [luma, luma, luma, a]
}

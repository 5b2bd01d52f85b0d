//! The 3×3 convolution by Winograd's F(4×4, 3×3): 36 products for 16 pixels where the sum has 144.

use super::product::{Left, Panels, product};
use super::vector::{load, store, vectors};
use super::{Epilogue, scratch};
use crate::tensor::{FeatureMap, Shape, Tensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

/// Pixels per side of what a tile makes, and of what it reads.
const MADE: usize = 4;
const READ: usize = 6;
const POINTS: usize = READ * READ;

/// Values that the transformed tiles of a block may hold: with their products they stay in a core's second-level cache.
const BLOCK_VALUES: usize = 1 << 17;

/// How a kernel's row of 3 is seen from the points 0, ±1/√2, ±√2 and ∞. They are smaller and nearer to each other than
/// the usual 0, ±1, ±2, which loses half a decimal less.
const KERNEL: [[f64; 3]; READ] = {
    let (third, root) = (1.0 / 3.0, SQRT_2 / 3.0);
    [
        [1.0, 0.0, 0.0],
        [-2.0 * third, -root, -third],
        [-2.0 * third, root, -third],
        [0.5 * third, 0.5 * root, third],
        [0.5 * third, -0.5 * root, third],
        [0.0, 0.0, 1.0],
    ]
};

/// A 3×3 convolution's weights, transformed and packed.
pub(super) struct Winograd {
    channels: usize,
    out: usize,
    weights: Vec<Panels>,
}

impl Winograd {
    /// Whether it pays: where channels fill vectors and the map has enough tiles.
    pub(super) fn suits(channels: usize, out: usize, shape: Shape) -> bool {
        channels >= 16 && out >= 16 && shape.height.min(shape.width) >= 2 * MADE
    }

    /// Transforms `[out, in, 3, 3]`.
    pub(super) fn pack(weight: &Tensor) -> Self {
        let &[out, channels, 3, 3] = weight.shape() else { unreachable!("only 3×3 kernels come here") };
        let mut seen = vec![vec![0.0_f32; channels * out]; POINTS];
        for (at, kernel) in weight.data().chunks_exact(9).enumerate() {
            let (o, c) = (at / channels, at % channels);
            let rows =
                KERNEL.map(|row| [0, 1, 2].map(|x| (0..3).map(|y| row[y] * f64::from(kernel[y * 3 + x])).sum::<f64>()));
            for (i, row) in rows.iter().enumerate() {
                for (j, column) in KERNEL.iter().enumerate() {
                    let value: f64 = row.iter().zip(column).map(|(a, b)| a * b).sum();
                    seen[i * READ + j][c * out + o] = value as f32;
                }
            }
        }
        let weights = seen.iter().map(|seen| Panels::pack(channels, out, |c, o| seen[c * out + o])).collect();
        Self { channels, out, weights }
    }

    /// `act(conv(x₁ ‖ x₂) + bias) + residual` into `result`, with zero padding of 1.
    pub(super) fn run(&self, sources: &[&FeatureMap<f32>], epilogue: &Epilogue, result: &mut [f32]) {
        let Shape { height, width, .. } = sources[0].shape;
        let across = width.div_ceil(MADE);
        let block = BLOCK_VALUES / (POINTS * (self.channels + self.out)) / 24 * 24;
        let block = block.max(24);
        // Rows of tiles that fill a block, but enough groups for every thread.
        let groups = height.div_ceil(MADE).div_ceil(2 * rayon::current_num_threads()).max(1);
        let rows = (block / across).clamp(1, groups);
        let group_length = rows * MADE * width * self.out;
        let arch = Arch::new();
        result.par_chunks_mut(group_length).enumerate().for_each(|(group, result)| {
            scratch::with(|scratch| {
                arch.dispatch(Group {
                    of: self,
                    sources,
                    bias: epilogue.bias,
                    first: group * rows * MADE,
                    block,
                    scratch,
                    result,
                });
            });
            epilogue.rest(group * group_length, result);
        });
    }
}

/// Some rows of tiles of one convolution.
struct Group<'a> {
    of: &'a Winograd,
    sources: &'a [&'a FeatureMap<f32>],
    bias: Option<&'a [f32]>,
    /// The first row of pixels.
    first: usize,
    /// Tiles to take at once.
    block: usize,
    scratch: &'a mut Vec<f32>,
    /// The rows' pixels.
    result: &'a mut [f32],
}

impl WithSimd for Group<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { of: &Winograd { channels, out, ref weights }, sources, bias, first, block, scratch, result } = self;
        let width = sources[0].shape.width;
        let rows = result.len() / (width * out);
        let across = width.div_ceil(MADE);
        let tiles = rows.div_ceil(MADE) * across;
        let block = tiles.div_ceil(tiles.div_ceil(block));
        // A vector more than the tiles need, so that planes don't fall on the same sets of the cache.
        let planes = [channels, out].map(|channels| block * channels + S::F32_LANES);
        let edge_length = POINTS * channels;
        scratch.resize(edge_length + POINTS * (planes[0] + planes[1]), 0.0);
        let (edge, rest) = scratch.split_at_mut(edge_length);
        let (read, made) = rest.split_at_mut(POINTS * planes[0]);
        for first_tile in (0..tiles).step_by(block) {
            let here = block.min(tiles - first_tile);
            for tile in 0..here {
                let (ty, tx) = ((first_tile + tile) / across, (first_tile + tile) % across);
                let corner = [(first + ty * MADE) as isize - 1, (tx * MADE) as isize - 1];
                let mut at = tile * channels;
                for source in sources {
                    transform_input(simd, source, corner, edge, &mut read[at..], planes[0]);
                    at += source.shape.channels;
                }
            }
            for (point, weights) in weights.iter().enumerate() {
                let left = Left { data: &read[point * planes[0]..], segments: &[0], depth: channels };
                let made = &mut made[point * planes[1]..];
                product(
                    simd,
                    here,
                    left,
                    #[inline(always)]
                    |tile| tile * channels,
                    weights,
                    made,
                    #[inline(always)]
                    |tile| tile * out,
                );
            }
            for tile in 0..here {
                let (ty, tx) = ((first_tile + tile) / across, (first_tile + tile) % across);
                let (y, x) = (ty * MADE, tx * MADE);
                let clip = [rows - y, width - x].map(|side| side.min(MADE));
                let result = &mut result[(y * width + x) * out..];
                transform_output(simd, &made[tile * out..], planes[1], bias, out, clip, result, width * out);
            }
        }
    }
}

/// The 6×6 pixels at `corner` of a map, zeros outside, seen from the points: point p of channel c goes to
/// `result[p·plane + c]`.
#[inline(always)]
fn transform_input<S: Simd>(
    simd: S,
    x: &FeatureMap<f32>,
    corner: [isize; 2],
    edge: &mut [f32],
    result: &mut [f32],
    plane: usize,
) {
    let Shape { height, width, channels } = x.shape;
    let inside = |at: isize, side: usize| at >= 0 && at as usize + READ <= side;
    let (pixels, pitch): (&[f32], usize) = if inside(corner[0], height) && inside(corner[1], width) {
        (&x.data[(corner[0] as usize * width + corner[1] as usize) * channels..], width * channels)
    } else {
        let edge = &mut edge[..POINTS * channels];
        for (at, pixel) in edge.chunks_exact_mut(channels).enumerate() {
            let (y, x0) = (corner[0] + (at / READ) as isize, corner[1] + (at % READ) as isize);
            if (0..height as isize).contains(&y) && (0..width as isize).contains(&x0) {
                pixel.copy_from_slice(x.pixel(y as usize, x0 as usize));
            } else {
                pixel.fill(0.0);
            }
        }
        (edge, READ * channels)
    };
    vectors::<S>(
        channels,
        #[inline(always)]
        |c, lanes| {
            let mut rows = [[simd.splat_f32s(0.0); READ]; READ];
            for x0 in 0..READ {
                let mut line = [simd.splat_f32s(0.0); READ];
                for (y, value) in line.iter_mut().enumerate() {
                    let at = y * pitch + x0 * channels + c;
                    *value = load(simd, &pixels[at..at + lanes]);
                }
                for (row, value) in rows.iter_mut().zip(input_line(simd, line)) {
                    row[x0] = value;
                }
            }
            for (i, row) in rows.into_iter().enumerate() {
                for (j, value) in input_line(simd, row).into_iter().enumerate() {
                    let at = (i * READ + j) * plane + c;
                    store(simd, &mut result[at..at + lanes], value);
                }
            }
        },
    );
}

/// The 4×4 pixels of a tile, from its products, to `result` rows `pitch` apart, `clip` of them.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the inside of one loop, apart for reading")]
fn transform_output<S: Simd>(
    simd: S,
    products: &[f32],
    plane: usize,
    bias: Option<&[f32]>,
    out: usize,
    clip: [usize; 2],
    result: &mut [f32],
    pitch: usize,
) {
    vectors::<S>(
        out,
        #[inline(always)]
        |c, lanes| {
            let mut rows = [[simd.splat_f32s(0.0); READ]; MADE];
            for j in 0..READ {
                let mut line = [simd.splat_f32s(0.0); READ];
                for (i, value) in line.iter_mut().enumerate() {
                    let at = (i * READ + j) * plane + c;
                    *value = load(simd, &products[at..at + lanes]);
                }
                for (row, value) in rows.iter_mut().zip(output_line(simd, line)) {
                    row[j] = value;
                }
            }
            let bias = match bias {
                Some(bias) => load(simd, &bias[c..c + lanes]),
                None => simd.splat_f32s(0.0),
            };
            for (y, row) in rows.into_iter().enumerate().take(clip[0]) {
                for (x, value) in output_line(simd, row).into_iter().enumerate().take(clip[1]) {
                    let at = y * pitch + x * out + c;
                    store(simd, &mut result[at..at + lanes], simd.add_f32s(value, bias));
                }
            }
        },
    );
}

/// A line of 6 pixels seen from the points.
#[inline(always)]
fn input_line<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; READ]) -> [S::f32s; READ] {
    let far = mix(simd, 1.0, e, -2.0, c);
    let near = mix(simd, 1.0, e, -0.5, c);
    let far_odd = mix(simd, FRAC_1_SQRT_2, d, -SQRT_2, b);
    let near_odd = mix(simd, SQRT_2, d, -FRAC_1_SQRT_2, b);
    [
        simd.add_f32s(a, mix(simd, 1.0, e, -2.5, c)),
        simd.add_f32s(far, far_odd),
        simd.sub_f32s(far, far_odd),
        simd.add_f32s(near, near_odd),
        simd.sub_f32s(near, near_odd),
        simd.add_f32s(b, mix(simd, 1.0, f, -2.5, d)),
    ]
}

/// A line of 4 pixels from the products at the points.
#[inline(always)]
fn output_line<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; READ]) -> [S::f32s; MADE] {
    let (near, near_odd) = (simd.add_f32s(b, c), simd.sub_f32s(b, c));
    let (far, far_odd) = (simd.add_f32s(d, e), simd.sub_f32s(d, e));
    [
        simd.add_f32s(a, simd.add_f32s(near, far)),
        mix(simd, FRAC_1_SQRT_2, near_odd, SQRT_2, far_odd),
        mix(simd, 0.5, near, 2.0, far),
        simd.add_f32s(f, mix(simd, FRAC_1_SQRT_2 / 2.0, near_odd, 2.0 * SQRT_2, far_odd)),
    ]
}

/// `p·a + q·b`.
#[inline(always)]
fn mix<S: Simd>(simd: S, p: f64, a: S::f32s, q: f64, b: S::f32s) -> S::f32s {
    let first = if p == 1.0 { a } else { simd.mul_f32s(simd.splat_f32s(p as f32), a) };
    simd.mul_add_e_f32s(simd.splat_f32s(q as f32), b, first)
}

//! The walk of a picture through the CPU executor: the twin of `pixels_in`, the plan, and `pixels_out`.

use crate::compile::Frame;
use crate::graph::Graph;
use crate::photo::Pixels;
use crate::reference::{execute_with, reflect};
use crate::tensor::{FeatureMap, Shape};

/// The restored pixels, and how many are not finite.
pub(super) fn restore(graph: &Graph, frame: Frame, pixels: &Pixels, progress: &mut dyn FnMut(f64)) -> (Pixels, u64) {
    let shape = graph.inputs().next().map_or(Shape::new(0, 0, 3), |id| graph.node(id).shape);
    let input = match pixels {
        Pixels::Eight(pixels) => pixels_in(shape, frame, pixels, 255.0),
        Pixels::Sixteen(pixels) => pixels_in(shape, frame, pixels, 65535.0),
    };
    let observer = &mut |step: usize, steps: usize, _: &str| progress(step as f64 / steps as f64);
    // The input has the graph's own shape.
    let results = execute_with(graph, &[input], observer).unwrap_or_else(|error| unreachable!("{error}"));
    match pixels {
        Pixels::Eight(pixels) => {
            let (restored, count) = pixels_out(&results[0], frame, pixels, 255.0, |level| level as u8);
            (Pixels::Eight(restored), count)
        }
        Pixels::Sixteen(pixels) => {
            let (restored, count) = pixels_out(&results[0], frame, pixels, 65535.0, |level| level as u16);
            (Pixels::Sixteen(restored), count)
        }
    }
}

fn pixels_in<T: Copy + Into<f32> + Sync>(shape: Shape, frame: Frame, pixels: &[[T; 4]], top: f32) -> FeatureMap<f32> {
    FeatureMap::from_fn(shape, |y, x, values| {
        let y = reflect(y as isize, frame.height);
        let pixel = pixels[y * frame.width + reflect(x as isize, frame.width)];
        values.iter_mut().zip(pixel).for_each(|(value, level)| *value = level.into() / top);
    })
}

fn pixels_out<T: Copy>(
    result: &FeatureMap<f32>,
    frame: Frame,
    original: &[[T; 4]],
    top: f32,
    level: fn(f32) -> T,
) -> (Vec<[T; 4]>, u64) {
    let mut not_finite = 0;
    let restored = original.iter().enumerate().map(|(at, pixel)| {
        let rgb = result.pixel(at / frame.width, at % frame.width);
        not_finite += u64::from(rgb.iter().any(|value| !value.is_finite()));
        let [r, g, b] = [0, 1, 2].map(|c| level((rgb[c].clamp(0.0, 1.0) * top + 0.5).floor()));
        [r, g, b, pixel[3]]
    });
    (restored.collect(), not_finite)
}

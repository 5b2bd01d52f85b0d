//! A picture file's pixels on their way in and out, against their twin on the host.

use super::check::{Report, refused_case};
use crate::compile::compile_picture;
use crate::gpu::Gpu;
use crate::graph::{Conv2d, Epilogue, Graph, GraphError, Op};
use crate::kernels::Raster;
use crate::photo::Pixels;
use crate::restore::pixels::{Restored, bytes, rgb, whole};
use crate::run::{Session, target};
use crate::tensor::{Element, Shape, Tensor};
use std::sync::Arc;

/// A value's way through the graph: exact in half precision, beyond 0 and 1 at its ends, and never near the middle of two
/// levels, so that every device rounds alike.
const GAIN: f32 = 1.5;
const OFFSET: f32 = -0.25;

/// Rows and columns of pictures, and of the maps that they are mirrored to.
const SIZES: [([usize; 2], [usize; 2]); 4] =
    [([13, 7], [64, 64]), ([64, 96], [64, 96]), ([1, 1], [64, 64]), ([31, 70], [32, 96])];

/// Pictures of 8 and of 16 bits through `pixels_in` and `pixels_out`: every sample, alpha too, is to be the host's.
pub fn pixel_cases(gpu: &Arc<Gpu>, precision: Element) -> Vec<Report> {
    let cases = SIZES.iter().flat_map(|&sizes| [false, true].map(|sixteen| (sizes, sixteen)));
    let report = |(([height, width], padded), sixteen): (([usize; 2], [usize; 2]), bool)| {
        let raster = Raster { height, width, sixteen };
        let name =
            format!("pixels/{} bits {height}x{width} of {}x{}", if sixteen { 16 } else { 8 }, padded[0], padded[1]);
        case(gpu, precision, raster, padded, &name).unwrap_or_else(|reason| refused_case(name, reason))
    };
    cases.map(report).collect()
}

fn case(gpu: &Arc<Gpu>, precision: Element, raster: Raster, padded: [usize; 2], name: &str) -> Result<Report, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let pixels = noise(raster);
    let graph = graph(padded).map_err(|error| text(&error))?;
    let plan = compile_picture(&graph, precision, target(gpu, false), raster).map_err(|error| text(&error))?;
    let variants: Vec<String> = plan.steps.iter().map(|step| step.variant.to_string()).collect();
    let session = Session::new(Arc::clone(gpu), Arc::new(plan)).map_err(|error| text(&error))?;
    let results = session.run(&[bytes(&pixels)]).map_err(|error| text(&error))?;
    let (found, not_finite) = whole(&pixels, &results);
    let mut expected = Restored::new(raster, &pixels);
    for y in 0..padded[0] {
        let row = (0..padded[1]).flat_map(|x| rgb(raster, &pixels, y, x).map(|value| GAIN * value + OFFSET));
        expected.put_row(y, &row.collect::<Vec<f32>>(), 3);
    }
    let error = super::Error::between(&samples(&found), &samples(&expected.pixels));
    Ok(Report {
        name: name.into(),
        kernel: "pixels_out".into(),
        variant: variants.join(" "),
        max_abs: Some(error.max_abs),
        rel_l2: Some(error.rel_l2),
        pass: error.max_abs == 0.0 && not_finite == expected.not_finite,
        reason: None,
    })
}

/// A picture from 0 to 1 through [`GAIN`] and [`OFFSET`].
fn graph([height, width]: [usize; 2]) -> Result<Graph, GraphError> {
    let mut graph = Graph::new();
    let tensor = |shape: &[usize], data| Tensor::new(shape, data).unwrap_or_else(|error| unreachable!("{error}"));
    let gains = (0..9).map(|at| if at % 4 == 0 { GAIN } else { 0.0 }).collect();
    let weight = graph.weight("gain", tensor(&[3, 3, 1, 1], gains));
    let bias = Some(graph.weight("offset", tensor(&[3], vec![OFFSET; 3])));
    let input = graph.input("input", Shape::new(height, width, 3), true);
    let (kernel, stride, padding, epilogue) = (1, 1, 0, Epilogue::default());
    let made =
        graph.push("scaled", Op::Conv2d(Conv2d { weight, bias, kernel, stride, padding, epilogue }), &[input])?;
    graph.output("output", made, true);
    Ok(graph)
}

/// Every level and every alpha, by lot.
fn noise(raster: Raster) -> Pixels {
    let mut rng = fastrand::Rng::with_seed(raster.height as u64);
    let count = raster.height * raster.width;
    match raster.sixteen {
        true => Pixels::Sixteen((0..count).map(|_| [(); 4].map(|()| rng.u16(..))).collect()),
        false => Pixels::Eight((0..count).map(|_| [(); 4].map(|()| rng.u8(..))).collect()),
    }
}

/// All samples as parts of the highest level.
fn samples(pixels: &Pixels) -> Vec<f64> {
    match pixels {
        Pixels::Eight(pixels) => pixels.as_flattened().iter().map(|&sample| f64::from(sample) / 255.0).collect(),
        Pixels::Sixteen(pixels) => pixels.as_flattened().iter().map(|&sample| f64::from(sample) / 65535.0).collect(),
    }
}

//! A picture in bands is the picture in one piece: whole networks under budgets, every mean, both precisions; random
//! sizes and budgets; the limits of weak adapters.

mod common;

use common::{adapter, devices};
use irnext::compile::{self, PlanError, Room, compile_bands, compile_picture};
use irnext::gpu::Gpu;
use irnext::graph::Graph;
use irnext::kernels::{Raster, Target};
use irnext::model::{Activation, Config, MeanKind, Model, random_model};
use irnext::photo::{Photo, Pixels};
use irnext::restore::{Executor, Options, Restorer};
use irnext::run::{Bands, TensorSession, target};
use irnext::tensor::{Element, FeatureMap, Shape};
use irnext::verify::Error;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};

fn model(mean: MeanKind) -> Model {
    let name = match mean {
        MeanKind::Global => "tiny",
        MeanKind::Local => "tiny-local",
        MeanKind::Frequency => "tiny-frequency",
    };
    let path = format!("tests/data/models/{name}.pkl");
    Model::read(path.as_ref(), Some(Activation::Tanh), Some(mean)).expect("reads")
}

/// Random, but smooth enough to be a picture.
fn picture(height: usize, width: usize) -> FeatureMap<f32> {
    let mut rng = fastrand::Rng::with_seed((height * 1000 + width) as u64);
    let noise: Vec<f32> = (0..height * width * 3).map(|_| rng.f32()).collect();
    FeatureMap::from_fn(Shape::new(height, width, 3), |y, x, pixel| {
        for (c, value) in pixel.iter_mut().enumerate() {
            let wave = ((y as f32 * 0.07).sin() + (x as f32 * 0.05 + c as f32).cos()) * 0.2;
            *value = 0.4 + wave + 0.2 * noise[(y * width + x) * 3 + c];
        }
    })
}

fn fused(model: &Model, height: usize, width: usize) -> Graph {
    compile::optimise(&model.graph(height, width).expect("builds")).expect("fuses")
}

fn bands(gpu: &Arc<Gpu>, graph: &Graph, precision: Element, budget: u64) -> Result<Bands, PlanError> {
    let room = Room { budget, limits: gpu.limits.clone(), flops_at_once: gpu.flops_at_once() };
    let plan = compile_bands(graph, precision, target(gpu, false), &room)?;
    Ok(Bands::new(Arc::clone(gpu), Arc::new(plan)))
}

/// The least budget that a plan is found for, to within an eighth.
fn least(gpu: &Arc<Gpu>, graph: &Graph, precision: Element) -> u64 {
    match bands(gpu, graph, precision, 1 << 14) {
        Err(PlanError::Budget { least, .. }) => least,
        other => panic!("16 KiB are enough? {:?}", other.err()),
    }
}

fn eight_bit(value: f32) -> i32 {
    (value.clamp(0.0, 1.0) * 255.0 + 0.5).floor() as i32
}

fn same(what: &str, made: &[FeatureMap<f32>], whole: &[FeatureMap<f32>], precision: Element) {
    assert_eq!(made.len(), whole.len());
    for (made, whole) in made.iter().zip(whole) {
        assert_eq!(made.shape, whole.shape);
        if precision == Element::F32 {
            let truth: Vec<f64> = whole.data.iter().map(|&value| f64::from(value)).collect();
            let error = Error::between(&made.data, &truth);
            assert!(error.within(1e-5), "{what}: {error}");
        } else {
            let steps = made.data.iter().zip(&whole.data).map(|(&a, &b)| (eight_bit(a) - eight_bit(b)).abs());
            assert!(made.data.iter().all(|value| value.is_finite()), "{what}");
            assert!(steps.max() <= Some(1), "{what}: more than a step of 8 bits apart");
        }
    }
}

#[test]
fn five_budgets_make_one_picture() {
    for mean in [MeanKind::Global, MeanKind::Local, MeanKind::Frequency] {
        let graph = fused(&model(mean), 224, 160);
        let input = picture(224, 160);
        for (gpu, precision) in [(&devices().packed, Element::F32), (&devices().packed, Element::F16)] {
            let session = TensorSession::new(gpu, &graph, precision, false).expect("records");
            let whole = session.run(std::slice::from_ref(&input)).expect("runs");
            let least = least(gpu, &graph, precision);
            let most = session.session().plan().device_bytes();
            let mut seen = vec![];
            for share in [0, 1, 2, 4, 8] {
                let budget = least + (most - least) * share / 16;
                let bands = bands(gpu, &graph, precision, budget).expect("plans");
                let estimate = bands.plan().estimate();
                assert!(estimate.device_bytes <= budget, "{budget} {estimate:?}");
                seen.push(estimate.bands);
                let made = bands.run_map(&input).expect("runs");
                same(&format!("{mean:?} {precision} {budget} {estimate:?}"), &made, &whole, precision);
            }
            assert!(seen.is_sorted_by(|a, b| a >= b) && seen[0] > 4 * seen[4], "{seen:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_size_under_any_budget(height in 2usize..9, width in 2usize..7, share in 0.0..1.0f64, which in 0usize..3, half in any::<bool>()) {
        let (height, width) = (32 * height, 32 * width);
        let mean = [MeanKind::Global, MeanKind::Local, MeanKind::Frequency][which];
        let precision = if half { Element::F16 } else { Element::F32 };
        let gpu = &devices().packed;
        let graph = fused(&model(mean), height, width);
        let input = picture(height, width);
        let session = TensorSession::new(gpu, &graph, precision, false).expect("records");
        let whole = session.run(std::slice::from_ref(&input)).expect("runs");
        let (least, most) = (least(gpu, &graph, precision), session.session().plan().device_bytes());
        let budget = least + (share * most.saturating_sub(least) as f64) as u64;
        let bands = bands(gpu, &graph, precision, budget).expect("plans");
        let estimate = bands.plan().estimate();
        prop_assert!(estimate.device_bytes <= budget);
        let what = format!("{height}x{width} {mean:?} {precision} {budget} {estimate:?}");
        same(&what, &bands.run_map(&input).expect("runs"), &whole, precision);
    }
}

/// A photograph of 120×200, reflected to 128×224 by the network.
fn photo() -> Photo {
    let map = picture(120, 200);
    let level = |value: f32| (value.clamp(0.0, 1.0) * 255.0) as u8;
    let rgb = map.data.iter().map(|&value| level(value)).collect();
    Photo::from(image::DynamicImage::from(image::RgbImage::from_raw(200, 120, rgb).expect("as many values")))
}

fn eight(photo: &Photo) -> &[[u8; 4]] {
    match &photo.pixels {
        Pixels::Eight(pixels) => pixels,
        Pixels::Sixteen(_) => panic!("8 bits went in"),
    }
}

/// A fresh device, whose memory is its own.
fn fresh() -> Arc<Gpu> {
    Arc::new(Gpu::open(&adapter(), irnext::kernels::shaders()).expect("opens"))
}

fn restorer(gpu: &Arc<Gpu>, memory: Option<u64>) -> (Restorer, Arc<Mutex<Vec<String>>>) {
    let notices = Arc::new(Mutex::new(vec![]));
    let heard = Arc::clone(&notices);
    let options = Options { memory, tune: false, ..Options::default() };
    let restorer = Restorer::on(Executor::Gpu(Arc::clone(gpu)), model(MeanKind::Global), &options);
    (restorer.with_notice(move |line| heard.lock().expect("no panic").push(line.into())), notices)
}

/// A photograph in bands, within its budget to the byte, after saying what that takes; once for each size.
#[test]
fn a_photo_within_a_budget() {
    let gpu = fresh();
    let (whole, silent) = restorer(&gpu, None);
    let whole = whole.restore(&photo()).expect("restores");
    assert!(silent.lock().expect("no panic").is_empty());
    let gpu = fresh();
    let budget = 3 << 20;
    gpu.memory.set_budget(budget);
    let (restorer, notices) = restorer(&gpu, Some(budget));
    let banded = restorer.restore(&photo()).expect("restores");
    let upright = Photo::from(photo().to_dynamic_image().rotate90());
    for photo in [&upright, &photo()] {
        restorer.restore(photo).expect("restores");
    }
    let notices = notices.lock().expect("no panic").clone();
    assert!(notices.len() == 2 && notices[0].contains("bands") && notices[0].contains("arena"), "{notices:?}");
    assert!(gpu.memory.peak() <= budget && gpu.memory.buffers() == 0, "{:?}", gpu.memory);
    for (a, b) in eight(&banded).iter().zip(eight(&whole)) {
        assert!(a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1) && a[3] == b[3], "{a:?} {b:?}");
    }
}

/// Where a dispatch may take only so long, bands make it shorter, at every level of the network.
#[test]
fn heavy_dispatches_are_cut_where_they_must_be() {
    let (whole, _) = restorer(&fresh(), None);
    let whole = whole.restore(&photo()).expect("restores");
    let mut gpu = fresh();
    let raster = Raster { height: 120, width: 200, sixteen: false };
    let graph = fused(&model(MeanKind::Global), 128, 224);
    let plan = compile_picture(&graph, Element::F16, target(&gpu, false), raster).expect("compiles");
    for parts in [2, 3] {
        let most = plan.most_flops() / parts;
        let room = Room { budget: u64::MAX, limits: gpu.limits.clone(), flops_at_once: most };
        let cut = compile_bands(&graph, Element::F16, target(&gpu, false), &room).expect("can be cut");
        assert!(cut.most_flops() <= most && cut.most_flops() > most / 4, "{} of {most}", cut.most_flops());
    }
    Arc::get_mut(&mut gpu).expect("its only owner").flops_unmeasured = plan.most_flops() - 1;
    let (restorer, notices) = restorer(&gpu, None);
    let cut = restorer.restore(&photo()).expect("restores");
    let notices = notices.lock().expect("no panic").clone();
    assert!(notices.iter().any(|notice| notice.contains("bands")), "{notices:?}");
    for (a, b) in eight(&cut).iter().zip(eight(&whole)) {
        assert!(a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1), "{a:?} {b:?}");
    }
    // What no band makes short enough goes as it is.
    let mut gpu = fresh();
    Arc::get_mut(&mut gpu).expect("its only owner").flops_unmeasured = 1;
    let uncut = restorer_of(&gpu).restore(&photo()).expect("restores");
    assert_eq!(eight(&uncut), eight(&whole));
}

fn restorer_of(gpu: &Arc<Gpu>) -> Restorer {
    restorer(gpu, None).0
}

/// Memory that runs out halves the budget, with a word, and the picture is made all the same.
#[test]
fn memory_that_runs_out_halves_the_budget() {
    let gpu = fresh();
    let (whole, _) = restorer(&gpu, None);
    let whole = whole.restore(&photo()).expect("restores");
    let room = gpu.memory.peak() * 2 / 3;
    let gpu = fresh();
    gpu.memory.set_budget(room);
    let (restorer, notices) = restorer(&gpu, None);
    for _ in 0..2 {
        let restored = restorer.restore(&photo()).expect("goes on");
        assert!(
            eight(&restored).iter().zip(eight(&whole)).all(|(a, b)| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1))
        );
    }
    let notices = notices.lock().expect("no panic").clone();
    assert!(notices[0].contains("no room") && notices.last().is_some_and(|last| last.contains("bands")), "{notices:?}");
    // What is there is too little for any band: an error that says what would do.
    gpu.memory.set_budget(1 << 14);
    let error = restorer.restore(&photo()).expect_err("no room at all").to_string();
    assert!(error.contains("--memory"), "{error}");
}

/// Upright pictures among others: both plans are kept where there is room, else one, and all of a picture stays whole.
#[test]
fn a_size_and_its_turned_one_share_the_memory() {
    let upright = {
        let image = image::imageops::rotate90(&photo().to_dynamic_image().to_rgb8());
        Photo::from(image::DynamicImage::from(image))
    };
    let gpu = fresh();
    let (both, _) = restorer(&gpu, None);
    let wide = both.restore(&photo()).expect("restores");
    let (one, of_one) = (gpu.memory.buffers(), gpu.memory.bytes());
    let high = both.restore(&upright).expect("restores");
    let two = gpu.memory.buffers();
    assert!(two > one, "the first plan is still there");
    assert_eq!(eight(&both.restore(&photo()).expect("restores")), eight(&wide));
    assert_eq!(gpu.memory.buffers(), two, "both plans are");

    let asked = |gpu: &Arc<Gpu>, memory: Option<u64>| {
        let (restorer, notices) = restorer(gpu, memory);
        for (photo, expected) in [(photo(), &wide), (upright.clone(), &high), (photo(), &wide)] {
            assert_eq!(eight(&restorer.restore(&photo).expect("restores")), eight(expected));
        }
        assert!(notices.lock().expect("no panic").is_empty(), "{notices:?}");
        assert!(gpu.memory.buffers() < two);
    };
    let ample = of_one * 7 / 2;
    let gpu = fresh();
    gpu.memory.set_budget(ample);
    let (within, _) = restorer(&gpu, Some(ample));
    for photo in [photo(), upright.clone()] {
        within.restore(&photo).expect("restores");
    }
    assert_eq!(gpu.memory.buffers(), two, "both plans are here too");
    let tight = of_one * 3 / 2;
    let gpu = fresh();
    asked(&gpu, Some(tight));
    assert!(gpu.memory.peak() <= tight, "as was allowed");
    let gpu = fresh();
    gpu.memory.set_budget(tight);
    asked(&gpu, None);
}

/// Where a device has no buffer as large as the arena, the arena is several, and the picture stays in one piece, equal to the
/// bit.
#[test]
fn an_arena_in_several_blocks_makes_the_same_picture() {
    let graph = fused(&model(MeanKind::Global), 96, 160);
    let input = picture(96, 160);
    for (kind, gpu) in devices().all() {
        let run = |max_buffer: u64| {
            let target = Target { max_buffer, ..target(&gpu, false) };
            let session = TensorSession::with_target(&gpu, &graph, Element::F16, target).expect("records");
            let results = session.run(std::slice::from_ref(&input)).expect("runs");
            (session.session().plan().placement.blocks.clone(), results)
        };
        let (one, expected) = run(u64::MAX);
        assert_eq!(one.len(), 1, "{kind}");
        let (several, found) = run(one[0] / 3);
        assert!(several.len() >= 3 && several.iter().all(|&bytes| bytes <= one[0] / 3), "{kind}: {several:?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(found.data.iter().all(|value| value.is_finite()), "{kind}");
            assert!(found.data == expected.data, "{kind}: {:?} differs", found.shape);
        }
    }
    // 24 megapixels by width 32, on a device whose buffers end at 2 GiB.
    let limits = wgpu::Limits {
        max_buffer_size: (1 << 31) - 1,
        max_storage_buffer_binding_size: (1 << 31) - 4,
        ..Default::default()
    };
    let target = Target { max_buffer: limits.max_buffer_size, ..Target::default() };
    let config = Config::new(32, 4, Activation::Tanh, MeanKind::Global);
    let graph = fused(&random_model(config), 4000, 6016);
    let raster = Raster { height: 4000, width: 6000, sixteen: false };
    let plan = compile_picture(&graph, Element::F16, target, raster).expect("compiles");
    assert_eq!(plan.fits(&limits), Ok(()));
    assert!(plan.placement.bytes() as f64 <= 1.15 * plan.placement.lower_bound as f64, "{:?}", plan.placement.blocks);
}

/// Under WebGPU's own limits a picture whose maps are larger than a binding is planned in bands that are not.
#[test]
fn weak_adapters_get_bands_within_their_limits() {
    let limits = wgpu::Limits::default();
    let room = Room { budget: u64::MAX, limits: limits.clone(), flops_at_once: u64::MAX };
    let graph = fused(&model(MeanKind::Global), 8192, 5472);
    assert!(compile::compile(&graph, Element::F16, Default::default()).expect("compiles").fits(&limits).is_err());
    let plan = compile_bands(&graph, Element::F16, Default::default(), &room).expect("plans");
    let estimate = plan.estimate();
    assert!(estimate.device_bytes < 1 << 30 && estimate.bands > estimate.segments, "{estimate:?}");
    assert!(estimate.arena.0 as f64 <= 1.15 * estimate.arena.1 as f64, "{estimate:?}");
    assert!(estimate.overlap_percent < 30, "{estimate:?}");
    // Where not even a few rows can be bound, more memory is no remedy.
    for budget in [u64::MAX, 1 << 20] {
        let limits = wgpu::Limits { max_storage_buffer_binding_size: 1 << 12, ..limits.clone() };
        let room = Room { budget, limits, flops_at_once: u64::MAX };
        let refused = compile_bands(&graph, Element::F16, Default::default(), &room).err();
        assert!(matches!(refused, Some(PlanError::Rows)), "{refused:?}");
    }
}

//! A profile adds up, whatever the device's clock says; no time is asserted.

mod common;

use irnext::compile::optimise;
use irnext::model::random_model;
use irnext::model::{Activation, Config, MeanKind};
use irnext::profile::{Profile, Roofline, html, trace};
use irnext::run::TensorSession;
use irnext::tensor::{Element, FeatureMap};

#[test]
fn a_profile_accounts_for_every_dispatch() {
    for (kind, gpu) in common::devices().all() {
        let model = random_model(Config::new(8, 1, Activation::Tanh, MeanKind::Global));
        let graph = optimise(&model.graph(64, 96).expect("builds")).expect("fuses");
        let session = TensorSession::new(&gpu, &graph, Element::F16, false).expect("records");
        let shape = graph.node(graph.inputs().next().expect("one input")).shape;
        session.run(&[FeatureMap { shape, data: vec![0.5; shape.values()] }]).expect("runs");
        let roofline = Roofline::measure(&gpu).expect("measures");
        assert!(roofline.gigabytes_per_second > 0.0 && roofline.gigabytes_per_second.is_finite(), "{kind}");
        assert!(roofline.gflops_f32 > 0.0 && roofline.gflops().is_finite(), "{kind}");
        assert_eq!(roofline.gflops_f16.is_some(), gpu.dialect.native_f16, "{kind}");

        let profile = Profile::measure(session.session(), roofline, 2).expect("measures");
        let plan = session.session().plan();
        assert_eq!(profile.steps.len(), plan.steps.len(), "{kind}");
        assert_eq!(profile.steps.iter().map(|step| step.flops).sum::<u64>(), plan.flops(), "{kind}");
        assert!(profile.steps.iter().all(|step| step.us >= 0.0 && step.begin_us >= 0.0), "{kind}");
        assert!(profile.steps.is_sorted_by(|a, b| a.begin_us <= b.begin_us), "{kind}");
        let groups = profile.groups();
        assert_eq!(groups.iter().map(|group| group.count).sum::<usize>(), plan.steps.len(), "{kind}");
        let total: f64 = groups.iter().map(|group| group.ms).sum();
        assert!((total - profile.dispatches_ms).abs() <= 1e-6 * total, "{kind}: {total}");
        assert!(groups.is_sorted_by(|a, b| a.ms >= b.ms), "{kind}");

        let events = trace(&profile)["traceEvents"].as_array().expect("events").clone();
        let dispatches = events.iter().filter(|event| event["ph"] == "X");
        assert_eq!(dispatches.count(), plan.steps.len(), "{kind}");
        let page = html(&profile);
        assert_eq!(page.matches("<tr>").count(), groups.len() + 1, "{kind}");
        assert!(page.contains("<svg") && !page.contains("NaN") && !page.contains("inf"), "{kind}");
        assert!(!page.contains("http"), "{kind}: the page needs nothing else");
    }
}

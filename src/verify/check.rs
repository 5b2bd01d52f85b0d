//! Cases run on a device, judged by the CPU reference in f64 or by recorded outputs.

use super::golden::Case;
use super::{Error, random};
use crate::compile::{CHOICES, PlanError, compile, required};
use crate::cpu::Program;
use crate::gpu::Gpu;
use crate::graph::Graph;
use crate::kernels::{Step, Target};
use crate::reference;
use crate::restore::Executor;
use crate::run::{RunError, TensorSession, target};
use crate::tensor::{Element, FeatureMap};
use serde::Serialize;
use std::sync::Arc;

/// The verdict on one case.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The case.
    pub name: String,
    /// The shader that decides the case, or `reference`.
    pub kernel: String,
    /// Its features.
    pub variant: String,
    /// The largest difference of any value of any output; none if it is not finite.
    pub max_abs: Option<f64>,
    /// √(Σ difference² / Σ truth²), of several outputs the largest; none if it is not finite.
    pub rel_l2: Option<f64>,
    /// Whether that is within the bound.
    pub pass: bool,
    /// Why the case could not be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A case that can't be run, and why.
pub fn refused_case(name: String, reason: String) -> Report {
    let (kernel, variant) = ("none".into(), "none".into());
    Report { name, kernel, variant, max_abs: None, rel_l2: None, pass: false, reason: Some(reason) }
}

/// Every op with a kernel on `seeds` random cases, each with every kernel that computes it on this device; the judge is the
/// reference in f64. On the CPU executor, its program in f32.
pub fn random_cases(executor: &Executor, precision: Element, seeds: u64) -> Vec<Report> {
    let mut reports = vec![];
    for op in random::OPS {
        for seed in 0..seeds {
            let case = match random::case(op, seed) {
                Ok(case) => case,
                Err(error) => {
                    reports.push(refused_case(format!("random {op} {seed}"), error.to_string()));
                    continue;
                }
            };
            let truth: Vec<FeatureMap<f64>> = case.inputs.iter().map(FeatureMap::cast).collect();
            let truth = match reference::execute(&case.graph, &truth) {
                Ok(maps) => maps.iter().map(|map| map.data.clone()).collect::<Vec<_>>(),
                Err(error) => {
                    reports.push(refused_case(case.name, error.to_string()));
                    continue;
                }
            };
            for run in Runner::all(executor, &case.graph, precision) {
                let result = run.run(&case.inputs);
                let name = format!("random/{}", case.name);
                reports.push(judge(&run, &name, result, |index| truth.get(index).cloned()));
            }
        }
    }
    reports
}

/// A golden case, every picture of its batch.
pub fn golden_case(executor: &Executor, case: &Case, precision: Element) -> Vec<Report> {
    let graph = match required(&case.graph) {
        Ok(graph) => graph,
        Err(error) => return vec![refused_case(case.name.clone(), error.to_string())],
    };
    let mut reports = vec![];
    for run in Runner::all(executor, &graph, precision) {
        let results: Result<Vec<_>, String> = case.pictures.iter().map(|x| run.run(std::slice::from_ref(x))).collect();
        // All pictures of an output as one tensor, as it was recorded.
        let joined = results.and_then(|pictures| {
            let output = |index: usize| {
                let maps: Vec<FeatureMap<f32>> = pictures.iter().map(|maps| maps[index].clone()).collect();
                let tensor = FeatureMap::to_nchw(&maps).map_err(|error| error.to_string())?;
                Ok(FeatureMap { shape: maps[0].shape, data: tensor.into_data() })
            };
            (0..graph.outputs.len()).map(output).collect::<Result<Vec<_>, String>>()
        });
        let truth = |index: usize| Some(case.expected.get(index)?.1.data().iter().map(|&v| f64::from(v)).collect());
        reports.push(judge(&run, &case.name, joined, truth));
    }
    reports
}

/// The largest errors of a case's outputs.
fn judge(
    run: &Runner,
    name: &str,
    results: Result<Vec<FeatureMap<f32>>, String>,
    truth: impl Fn(usize) -> Option<Vec<f64>>,
) -> Report {
    let results = match results {
        Ok(results) => results,
        Err(reason) => return Report { kernel: run.kernel.clone(), ..refused_case(name.into(), reason) },
    };
    let of =
        |(index, result): (usize, &FeatureMap<f32>)| Error::between(&result.data, &truth(index).unwrap_or_default());
    let error = results.iter().enumerate().map(of).fold(Error::NONE, Error::worst);
    let finite = |value: f64| value.is_finite().then_some(value);
    Report {
        name: name.into(),
        kernel: run.kernel.clone(),
        variant: run.variant.clone(),
        max_abs: finite(error.max_abs),
        rel_l2: finite(error.rel_l2),
        pass: error.within(run.precision.error_bound()),
        reason: None,
    }
}

/// One way in which a device can run a graph.
#[derive(Clone, Debug)]
pub struct Way {
    /// The shader that makes the result.
    pub kernel: String,
    /// The steps' variants.
    pub name: String,
    /// What makes lowering take them.
    pub target: Target,
}

/// Every way in which `gpu` can run `graph`: with the kernels that it would choose, with the plain ones, and with each
/// of the others wherever it computes a node. Ways that come to the same steps are named once.
pub fn ways(gpu: &Gpu, graph: &Graph, precision: Element) -> Vec<Way> {
    let preferred = |&kernel: &&'static str| Target { prefer: Some(kernel), ..target(gpu, false) };
    let targets = [target(gpu, false), target(gpu, true)].into_iter().chain(CHOICES.iter().map(preferred));
    let mut ways: Vec<Way> = vec![];
    for target in targets {
        let steps = compile(graph, precision, target).map(|plan| plan.steps).unwrap_or_default();
        // The last step makes the result; those before it are named with it.
        let kernel = steps.last().map_or("none".into(), |step| step.variant.shader.to_string());
        let mut variants: Vec<String> = steps.iter().map(|step: &Step| step.variant.to_string()).collect();
        variants.dedup();
        let name = variants.join(" ");
        if ways.iter().all(|way| way.name != name) {
            ways.push(Way { kernel, name, target });
        }
    }
    ways
}

/// A graph on an executor, and what names its result.
struct Runner<'a> {
    graph: &'a Graph,
    precision: Element,
    gpu: Option<(&'a Arc<Gpu>, Target)>,
    kernel: String,
    variant: String,
}

impl<'a> Runner<'a> {
    fn all(executor: &'a Executor, graph: &'a Graph, precision: Element) -> Vec<Self> {
        match executor {
            Executor::Cpu(_) => {
                let (kernel, variant) = (String::from("cpu"), String::from("f32"));
                vec![Self { graph, precision: Element::F32, gpu: None, kernel, variant }]
            }
            Executor::Gpu(gpu) => ways(gpu, graph, precision)
                .into_iter()
                .map(|Way { kernel, name, target }| Self {
                    graph,
                    precision,
                    gpu: Some((gpu, target)),
                    kernel,
                    variant: name,
                })
                .collect(),
        }
    }

    fn run(&self, inputs: &[FeatureMap<f32>]) -> Result<Vec<FeatureMap<f32>>, String> {
        match self.gpu {
            None => Program::new(self.graph).run(inputs).map_err(|error| error.to_string()),
            Some((gpu, target)) => {
                let session = TensorSession::with_target(gpu, self.graph, self.precision, target);
                let run = |session: TensorSession| session.run(inputs);
                session.and_then(run).map_err(|error: RunError| match error {
                    RunError::Plan(PlanError::Lower(error)) => error.to_string(),
                    other => other.to_string(),
                })
            }
        }
    }
}

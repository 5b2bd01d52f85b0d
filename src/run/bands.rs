//! A plan in bands, run: maps on the host, a few layers at a time on the device, rows by rows.

use super::spill::Spilled;
use super::{RunError, Session};
use crate::compile::{BandPlan, PlanError, Segment, Stage, is_statistic};
use crate::gpu::Gpu;
use crate::graph::{Graph, NodeId, Op};
use crate::reference;
use crate::tensor::{FeatureMap, Shape};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Bytes of f32 that the host decodes at a time of a map that it works on as a whole.
const HOST_WORK: usize = 64 << 20;

/// Gives rows of the input as the device stores them: f32, 4 values a pixel.
pub type Source<'a> = dyn Fn(Range<usize>) -> Vec<u8> + 'a;

/// Takes rows of an output as the device stores them: the output's number, its rows, and their bytes.
pub type Sink<'a> = dyn FnMut(usize, Range<usize>, &[u8]) + 'a;

/// A plan in bands and its device.
pub struct Bands {
    gpu: Arc<Gpu>,
    plan: Arc<BandPlan>,
}

/// The map of each node, from when it is made until it was last read.
type Maps = Vec<Option<Spilled>>;

impl Bands {
    /// A plan in bands on a device. Nothing is allocated before it runs.
    pub fn new(gpu: Arc<Gpu>, plan: Arc<BandPlan>) -> Self {
        Self { gpu, plan }
    }

    /// The plan it follows.
    pub fn plan(&self) -> &BandPlan {
        &self.plan
    }

    /// Takes one picture through the plan. `progress` is told the share that is done, 0 to 1.
    ///
    /// # Errors
    /// When the device or the host has no room, or the device fails.
    pub fn run(&self, input: &Source, output: &mut Sink, progress: &mut dyn FnMut(f64)) -> Result<(), RunError> {
        let plan = &*self.plan;
        let mut maps: Maps = plan.graph.nodes.iter().map(|_| None).collect();
        let total = plan.estimate().flops.max(1) as f64;
        let mut done = 0;
        for (index, stage) in plan.stages.iter().enumerate() {
            match stage {
                Stage::Host(id) => maps[id.0] = Some(on_host(&plan.graph, *id, &maps)?),
                Stage::Device(segment) => {
                    for &id in &segment.outputs {
                        let node = plan.graph.node(id);
                        maps[id.0] = Some(Spilled::zeros(node.shape, node.element)?);
                    }
                    self.segment(segment, input, output, &mut maps, &mut |share| {
                        let here = share * (segment.bands.len() as u64 * segment.plan.flops()) as f64;
                        progress((done as f64 + here) / total);
                    })?;
                    done += segment.bands.len() as u64 * segment.plan.flops();
                }
            }
            for (map, &last) in maps.iter_mut().zip(&plan.last_stage) {
                if last <= index {
                    *map = None;
                }
            }
        }
        Ok(())
    }

    fn segment(
        &self,
        segment: &Segment,
        input: &Source,
        output: &mut Sink,
        maps: &mut Maps,
        progress: &mut dyn FnMut(f64),
    ) -> Result<(), RunError> {
        let graph = &self.plan.graph;
        let session = Session::new(Arc::clone(&self.gpu), Arc::clone(&segment.plan))?;
        for (index, band) in segment.bands.iter().enumerate() {
            let own_rows = |rows: Range<usize>, height: usize| {
                rows.start * height / self.plan.rows..rows.end * height / self.plan.rows
            };
            let window = band.start..band.start + segment.rows;
            let mut given: Vec<Cow<[u8]>> = vec![];
            for &id in &segment.inputs {
                let rows = own_rows(window.clone(), graph.node(id).shape.height);
                given.push(match &maps[id.0] {
                    Some(map) if is_statistic(&graph.node(id).op) => map.all().into(),
                    Some(map) => map.rows(rows).into(),
                    None => input(rows).into(),
                });
            }
            let origin = [band.start as u32, 0, 0, 0];
            given.push(bytemuck::cast_slice(&origin).into());
            let slices: Vec<&[u8]> = given.iter().map(|bytes| &**bytes).collect();
            let flight = session.launch(&slices)?;
            drop(given);
            let count = segment.bands.len() as f64;
            let made = flight.land(&mut |share| progress((index as f64 + share) / count))?;
            for (&id, bytes) in segment.outputs.iter().zip(made) {
                let Shape { height, .. } = graph.node(id).shape;
                let (rows, first) = (own_rows(band.rows.clone(), height), own_rows(window.clone(), height).start);
                let row_bytes = self.plan.map_bytes(id) as usize / height;
                let made = &bytes[(rows.start - first) * row_bytes..(rows.end - first) * row_bytes];
                for (number, _) in graph.outputs.iter().enumerate().filter(|(_, output)| output.node == id) {
                    output(number, rows.clone(), made);
                }
                if let Some(map) = &mut maps[id.0] {
                    map.put_rows(rows.start, made);
                }
            }
        }
        Ok(())
    }
}

/// A node by the CPU reference. Channels are nothing to one another in ops that take the whole picture, so a few are
/// taken at a time; what comes of statistics is small.
fn on_host(graph: &Graph, id: NodeId, maps: &Maps) -> Result<Spilled, RunError> {
    let node = graph.node(id);
    let mut result = Spilled::zeros(node.shape, node.element)?;
    let Some(map) = node.inputs.first().and_then(|input| maps[input.0].as_ref()) else {
        // The picture itself is not kept, only its rows as they are asked for.
        return Err(PlanError::Bands { node: node.name.clone(), op: node.op.kind() }.into());
    };
    let shape = map.shape();
    let at_once = match node.op {
        Op::Moments | Op::GlobalMean | Op::BoxMean { .. } | Op::LowBand { .. } => {
            (HOST_WORK / 4 / shape.pixels().max(1)).clamp(2, shape.channels.max(2))
        }
        _ => shape.channels.max(1),
    };
    for first in (0..shape.channels).step_by(at_once) {
        let channels = map.channels(first..(first + at_once).min(shape.channels));
        result.put_channels(first, &run_single(graph, id, channels)?);
    }
    Ok(result)
}

/// One node, run by itself on its one input.
fn run_single(graph: &Graph, id: NodeId, input: FeatureMap<f32>) -> Result<FeatureMap<f32>, RunError> {
    let node = graph.node(id);
    let mut single = Graph { weights: graph.weights.clone(), ..Graph::default() };
    let x = single.input("input", input.shape, true);
    let made = single.push(node.name.clone(), node.op.clone(), &[x]).map_err(PlanError::Graph)?;
    single.output("output", made, false);
    // The input has the shape that the graph was just built for.
    let mut results = reference::execute(&single, &[input]).unwrap_or_else(|error| unreachable!("{error}"));
    Ok(results.swap_remove(0))
}

// Each channel's sum over a chunk of items (pixels, or the sums of earlier chunks) times a factor; applied to a map, then
// to its chunks' sums with the factor 1/pixels, the mean over the picture. Sums are f32: of runs, then of the runs, then
// across lanes, so that no long chain of additions loses digits. Neighbouring lanes take neighbouring blocks of channels.
// Source: the global means of IRNeXt (ICML 2023).
@if(f32) import package::shared::single::{Stored, decode};
@if(!f32) import package::shared::half::{Stored, decode};
@if(native_f16) enable f16;

struct Params {
    items: u32,
    blocks: u32,
    // Items a workgroup.
    chunk: u32,
    factor: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// [items][blocks]
@group(0) @binding(1) var<storage, read_write> input: array<Stored>;
// [chunks][blocks]
@group(0) @binding(2) var<storage, read_write> output: array<vec4<f32>>;

const LANES = 64u;
const RUN = 16u;

var<workgroup> lanes: array<vec4<f32>, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    // A workgroup takes 64 blocks at most; `across` lanes share a block.
    let first = group.y * LANES;
    let own = min(params.blocks - first, LANES);
    let across = LANES / own;
    let block = first + lane % own;
    var sum = vec4<f32>(0.0);
    if (lane < own * across) {
        let end = min((group.x + 1u) * params.chunk, params.items);
        var item = group.x * params.chunk + lane / own;
        while (item < end) {
            var run = vec4<f32>(0.0);
            for (var count = 0u; count < RUN && item < end; count++) {
                run += decode(input[item * params.blocks + block]);
                item += across;
            }
            sum += run;
        }
    }
    lanes[lane] = sum;
    workgroupBarrier();
    for (var left = across; left > 1u;) {
        let kept = (left + 1u) / 2u;
        if (lane < (left - kept) * own) {
            lanes[lane] += lanes[kept * own + lane];
        }
        left = kept;
        workgroupBarrier();
    }
    if (lane < own) {
        output[group.x * params.blocks + block] = lanes[lane] * params.factor;
    }
}

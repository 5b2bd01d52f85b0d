// The dynamic filter's taps, for all groups by one workgroup; each group's are written out for all of its channels.
import package::shared::taps::{LANES, params, make_taps, tap_of};
@if(native_f16) enable f16;

// [9][4·blocks]
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) lane: u32) {
    make_taps(lane, 0u, params.groups);
    let stored = params.blocks * 4u;
    for (var at = lane; at < 9u * stored; at += LANES) {
        output[at] = tap_of(at % stored, at / stored, 0u);
    }
}

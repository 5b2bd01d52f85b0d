// 2-D convolution, plain: one invocation makes 4 output channels of one pixel. Zero padding, any kernel and stride,
// one input or two whose channels follow one another; bias, GELU and residual in the epilogue.
//
// Layout: maps NHWC in blocks of 4 channels; weights [tap][input block][output block][4 inputs] of 4 outputs each.
// Source: IRNeXt (ICML 2023), every convolution of figure 2.
import package::shared::convolution::{params, weights, read, bias_of, store};
@if(native_f16) enable f16;

override WORKGROUP: u32 = 64;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x / params.out_blocks;
    let block = id.x % params.out_blocks;
    if (column >= params.out_width) {
        return;
    }
    var sum = vec4<f32>(0.0);
    for (var ky = 0u; ky < params.kernel; ky++) {
        // Unsigned: a coordinate left of or above the map wraps to a large one and fails the test for its end.
        let y = id.y * params.stride + ky - params.padding;
        if (y >= params.in_height) {
            continue;
        }
        for (var kx = 0u; kx < params.kernel; kx++) {
            let x = column * params.stride + kx - params.padding;
            if (x >= params.in_width) {
                continue;
            }
            let pixel = y * params.in_width + x;
            for (var i = 0u; i < params.in_blocks; i++) {
                let at = (((ky * params.kernel + kx) * params.in_blocks + i) * params.out_blocks + block) * 4u;
                sum += weights(at) * read(pixel, i);
            }
        }
    }
    store(id.y * params.out_width + column, block, sum + bias_of(block));
}

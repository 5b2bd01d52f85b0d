// The 3×3 convolution of stride 1 by Winograd's F(4, 3) along rows: 18 products instead of 36 for four pixels, with no
// workspace. For devices whose subgroups have 8 lanes (software Vulkan): a subgroup makes 8 tiles of 4 pixels × 32 output
// channels. Each lane loads and transforms the 6 pixels of a tile, and broadcasts them to all lanes, which stand for 4
// output channels each. Same bindings and epilogue as conv2d.wgsl.
//
// Layout: maps NHWC in blocks of 4 channels; transformed weights [row][input block][place][output block][4 inputs] of 4
// outputs each, in the order in which they are read. Tiles are counted through the map, row by row.
// Source: Lavin and Gray, "Fast algorithms for convolutional neural networks", CVPR 2016, in one dimension.
import package::shared::convolution::{OUTSIDE, params, read_padded, weights, product, bias_of, store};
import package::shared::winograd::{Six, transform_input, transform_output};
@if(native_f16) enable f16;

fn pixel(y: u32, x: u32) -> u32 {
    // Unsigned: a coordinate left of or above the map wraps to a large one.
    return select(OUTSIDE, y * params.in_width + x, y < params.in_height && x < params.in_width);
}

// The pixels of a tile, from the sums of its places.
fn finish(tile: u32, across: u32, block: u32, sums: Six) {
    let y = tile / across;
    if (y >= params.out_height) {
        return;
    }
    let x = tile % across * 4u;
    let at = y * params.out_width + x;
    let shift = bias_of(block);
    let made = transform_output(sums);
    store(at, block, made.a + shift);
    if (x + 1u < params.out_width) {
        store(at + 1u, block, made.b + shift);
    }
    if (x + 2u < params.out_width) {
        store(at + 2u, block, made.c + shift);
    }
    if (x + 3u < params.out_width) {
        store(at + 3u, block, made.d + shift);
    }
}

@compute @workgroup_size(8)
fn main(
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let across = (params.out_width + 3u) / 4u;
    let start = (group.y * groups.x + group.x) * 8u;
    if (start >= across * params.out_height) {
        return;
    }
    // Lanes beyond the last block repeat it and store nothing.
    let block = group.z * 8u + lane;
    let column = min(block, params.out_blocks - 1u);
    let y = (start + lane) / across - 1u;
    let x = (start + lane) % across * 4u - 1u;
    // Sums of a tile's places a to f.
    var a0 = vec4<f32>(); var b0 = vec4<f32>(); var c0 = vec4<f32>();
    var d0 = vec4<f32>(); var e0 = vec4<f32>(); var f0 = vec4<f32>();
    var a1 = vec4<f32>(); var b1 = vec4<f32>(); var c1 = vec4<f32>();
    var d1 = vec4<f32>(); var e1 = vec4<f32>(); var f1 = vec4<f32>();
    var a2 = vec4<f32>(); var b2 = vec4<f32>(); var c2 = vec4<f32>();
    var d2 = vec4<f32>(); var e2 = vec4<f32>(); var f2 = vec4<f32>();
    var a3 = vec4<f32>(); var b3 = vec4<f32>(); var c3 = vec4<f32>();
    var d3 = vec4<f32>(); var e3 = vec4<f32>(); var f3 = vec4<f32>();
    var a4 = vec4<f32>(); var b4 = vec4<f32>(); var c4 = vec4<f32>();
    var d4 = vec4<f32>(); var e4 = vec4<f32>(); var f4 = vec4<f32>();
    var a5 = vec4<f32>(); var b5 = vec4<f32>(); var c5 = vec4<f32>();
    var d5 = vec4<f32>(); var e5 = vec4<f32>(); var f5 = vec4<f32>();
    var a6 = vec4<f32>(); var b6 = vec4<f32>(); var c6 = vec4<f32>();
    var d6 = vec4<f32>(); var e6 = vec4<f32>(); var f6 = vec4<f32>();
    var a7 = vec4<f32>(); var b7 = vec4<f32>(); var c7 = vec4<f32>();
    var d7 = vec4<f32>(); var e7 = vec4<f32>(); var f7 = vec4<f32>();
    let place = params.out_blocks * 4u;
    var at = column * 4u;
    for (var ky = 0u; ky < 3u; ky++) {
        let p0 = pixel(y + ky, x);
        let p1 = pixel(y + ky, x + 1u);
        let p2 = pixel(y + ky, x + 2u);
        let p3 = pixel(y + ky, x + 3u);
        let p4 = pixel(y + ky, x + 4u);
        let p5 = pixel(y + ky, x + 5u);
        for (var i = 0u; i < params.in_blocks; i++) {
            // All together: on a CPU the first gather after a run of products waits for them, and six would wait six times.
            let wa = weights(at);
            let wb = weights(at + place);
            let wc = weights(at + 2u * place);
            let wd = weights(at + 3u * place);
            let we = weights(at + 4u * place);
            let wf = weights(at + 5u * place);
            let v = transform_input(Six(
                read_padded(p0, i), read_padded(p1, i), read_padded(p2, i),
                read_padded(p3, i), read_padded(p4, i), read_padded(p5, i),
            ));
            a0 = product(a0, subgroupBroadcast(v.a, 0u), wa);
            a1 = product(a1, subgroupBroadcast(v.a, 1u), wa);
            a2 = product(a2, subgroupBroadcast(v.a, 2u), wa);
            a3 = product(a3, subgroupBroadcast(v.a, 3u), wa);
            a4 = product(a4, subgroupBroadcast(v.a, 4u), wa);
            a5 = product(a5, subgroupBroadcast(v.a, 5u), wa);
            a6 = product(a6, subgroupBroadcast(v.a, 6u), wa);
            a7 = product(a7, subgroupBroadcast(v.a, 7u), wa);
            b0 = product(b0, subgroupBroadcast(v.b, 0u), wb);
            b1 = product(b1, subgroupBroadcast(v.b, 1u), wb);
            b2 = product(b2, subgroupBroadcast(v.b, 2u), wb);
            b3 = product(b3, subgroupBroadcast(v.b, 3u), wb);
            b4 = product(b4, subgroupBroadcast(v.b, 4u), wb);
            b5 = product(b5, subgroupBroadcast(v.b, 5u), wb);
            b6 = product(b6, subgroupBroadcast(v.b, 6u), wb);
            b7 = product(b7, subgroupBroadcast(v.b, 7u), wb);
            c0 = product(c0, subgroupBroadcast(v.c, 0u), wc);
            c1 = product(c1, subgroupBroadcast(v.c, 1u), wc);
            c2 = product(c2, subgroupBroadcast(v.c, 2u), wc);
            c3 = product(c3, subgroupBroadcast(v.c, 3u), wc);
            c4 = product(c4, subgroupBroadcast(v.c, 4u), wc);
            c5 = product(c5, subgroupBroadcast(v.c, 5u), wc);
            c6 = product(c6, subgroupBroadcast(v.c, 6u), wc);
            c7 = product(c7, subgroupBroadcast(v.c, 7u), wc);
            d0 = product(d0, subgroupBroadcast(v.d, 0u), wd);
            d1 = product(d1, subgroupBroadcast(v.d, 1u), wd);
            d2 = product(d2, subgroupBroadcast(v.d, 2u), wd);
            d3 = product(d3, subgroupBroadcast(v.d, 3u), wd);
            d4 = product(d4, subgroupBroadcast(v.d, 4u), wd);
            d5 = product(d5, subgroupBroadcast(v.d, 5u), wd);
            d6 = product(d6, subgroupBroadcast(v.d, 6u), wd);
            d7 = product(d7, subgroupBroadcast(v.d, 7u), wd);
            e0 = product(e0, subgroupBroadcast(v.e, 0u), we);
            e1 = product(e1, subgroupBroadcast(v.e, 1u), we);
            e2 = product(e2, subgroupBroadcast(v.e, 2u), we);
            e3 = product(e3, subgroupBroadcast(v.e, 3u), we);
            e4 = product(e4, subgroupBroadcast(v.e, 4u), we);
            e5 = product(e5, subgroupBroadcast(v.e, 5u), we);
            e6 = product(e6, subgroupBroadcast(v.e, 6u), we);
            e7 = product(e7, subgroupBroadcast(v.e, 7u), we);
            f0 = product(f0, subgroupBroadcast(v.f, 0u), wf);
            f1 = product(f1, subgroupBroadcast(v.f, 1u), wf);
            f2 = product(f2, subgroupBroadcast(v.f, 2u), wf);
            f3 = product(f3, subgroupBroadcast(v.f, 3u), wf);
            f4 = product(f4, subgroupBroadcast(v.f, 4u), wf);
            f5 = product(f5, subgroupBroadcast(v.f, 5u), wf);
            f6 = product(f6, subgroupBroadcast(v.f, 6u), wf);
            f7 = product(f7, subgroupBroadcast(v.f, 7u), wf);
            at += 6u * place;
        }
    }
    if (block >= params.out_blocks) {
        return;
    }
    finish(start + 0u, across, block, Six(a0, b0, c0, d0, e0, f0));
    finish(start + 1u, across, block, Six(a1, b1, c1, d1, e1, f1));
    finish(start + 2u, across, block, Six(a2, b2, c2, d2, e2, f2));
    finish(start + 3u, across, block, Six(a3, b3, c3, d3, e3, f3));
    finish(start + 4u, across, block, Six(a4, b4, c4, d4, e4, f4));
    finish(start + 5u, across, block, Six(a5, b5, c5, d5, e5, f5));
    finish(start + 6u, across, block, Six(a6, b6, c6, d6, e6, f6));
    finish(start + 7u, across, block, Six(a7, b7, c7, d7, e7, f7));
}

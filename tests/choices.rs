//! Which kernel is taken for what: the shipped table, what was tuned, the heuristic, and what disagrees.

use irnext::compile::{Choice, Reason, assign_elements, block, check_key, choose, choose_block, key, optimise};
use irnext::gpu::{Matrices, Preferences};
use irnext::graph::NodeId;
use irnext::kernels::Target;
use irnext::model::random_model;
use irnext::model::{Activation, Config, MeanKind};
use irnext::tensor::Element;

/// A kernel that disagrees with the plain one is never chosen, and its successor is.
#[test]
fn a_demoted_kernel_is_out_of_use() {
    let mut graph = random_model(Config::new(32, 1, Activation::Tanh, MeanKind::Global)).graph(64, 64).expect("builds");
    assign_elements(&mut graph, Element::F16);
    let id =
        graph.ids().find(|&id| graph.node(id).name == "Encoder.0.layers.0.main.2.main.0").expect("the network has it");
    let chosen = |preferences: Preferences| {
        let preferences: &'static Preferences = Box::leak(Box::new(preferences));
        let target = Target { software: true, subgroup: Some(8), preferences: Some(preferences), ..Target::default() };
        choose(&graph, Element::F16, &target, id)
    };
    let mut known = Preferences::default();
    assert_eq!(chosen(known.clone()), Choice { kernel: "winograd", reason: Reason::Heuristic });
    known.agrees.insert(check_key("winograd", Element::F16), false);
    assert_eq!(chosen(known.clone()), Choice { kernel: "conv2d_broadcast", reason: Reason::Demoted });
    known.agrees.insert(check_key("conv2d_broadcast", Element::F16), false);
    assert_eq!(chosen(known.clone()), Choice { kernel: "conv2d_tiled", reason: Reason::Demoted });
    known.fastest.insert(key(&graph, Element::F16, id).expect("a convolution"), "winograd_f2".into());
    assert_eq!(chosen(known.clone()), Choice { kernel: "winograd_f2", reason: Reason::Tuned });
    known.agrees.insert(check_key("winograd_f2", Element::F16), false);
    assert_eq!(chosen(known), Choice { kernel: "conv2d_tiled", reason: Reason::Demoted });
}

/// What the program carries of an adapter goes before what was tuned, for this adapter and no other, unless it is wrong
/// there.
#[test]
fn the_shipped_table_is_taken_first() {
    let graph = random_model(Config::new(32, 1, Activation::Tanh, MeanKind::Global)).graph(256, 256).expect("builds");
    let mut graph = optimise(&graph).expect("passes");
    assign_elements(&mut graph, Element::F16);
    let wanted = "3x3/1 32>32 2^12 f16";
    let id = graph.ids().find(|&id| key(&graph, Element::F16, id).as_deref() == Some(wanted));
    let id = id.expect("the network has it");
    let chosen = |adapter: &str, agrees: bool| {
        let mut known = Preferences { adapter: adapter.into(), ..Preferences::default() };
        known.fastest.insert(wanted.into(), "conv2d_pairs".into());
        known.agrees.insert(check_key("winograd_f2", Element::F16), agrees);
        let preferences: &'static Preferences = Box::leak(Box::new(known));
        let target = Target { software: true, subgroup: Some(8), preferences: Some(preferences), ..Target::default() };
        choose(&graph, Element::F16, &target, id)
    };
    let newer = "llvmpipe (LLVM 19.1.7, 256 bits) (software driver, vulkan, Mesa 26.1.6)";
    assert_eq!(chosen(newer, true), Choice { kernel: "winograd_f2", reason: Reason::Shipped });
    assert_eq!(chosen(newer, false), Choice { kernel: "conv2d_pairs", reason: Reason::Tuned });
    assert_eq!(chosen("another GPU", true), Choice { kernel: "conv2d_pairs", reason: Reason::Tuned });
}

/// A device with units for matrices uses them, with more workgroups where a map is small; a weak one has no room for a patch.
#[test]
fn matrices_are_taken_where_they_are() {
    let taken = |width: usize, side: usize, target: Target, name: &str| {
        let model = random_model(Config::new(width, 1, Activation::Tanh, MeanKind::Global));
        let mut graph = model.graph(side, side).expect("builds");
        assign_elements(&mut graph, Element::F16);
        let named = graph.ids().find(|&id| graph.node(id).name == name);
        choose(&graph, Element::F16, &target, named.expect("the network has it")).kernel
    };
    let chosen = |side: usize, target: Target| {
        ["Encoder.0.layers.0.main.2.main.0", "Convs.1.main.0", "feat_extract.3.main.0"]
            .map(|name| taken(32, side, target, name))
    };
    let able = Target {
        subgroup: Some(32),
        matrix: Some(Matrices { side: 16, lanes: 32 }),
        workgroup_memory: 48 << 10,
        ..Target::default()
    };
    assert_eq!(chosen(64, able), ["conv2d_matrix_low", "conv2d_matrix_low", "conv_transpose2d_matrix"]);
    assert_eq!(chosen(384, able), ["conv2d_matrix_staged", "conv2d_matrix_low", "conv_transpose2d_matrix"]);
    let small = Target { matrix: Some(Matrices { side: 8, lanes: 32 }), ..able };
    assert_eq!(chosen(384, small), ["conv2d_matrix_halo", "conv2d_matrix_low", "conv_transpose2d_matrix"]);
    // Of stride 2 to 32 channels: many workgroups by the tallest form, whose patch has no room.
    assert_eq!(taken(16, 768, able, "feat_extract.1.main.0"), "conv2d_matrix_low");
    let weak = Target { workgroup_memory: 8 << 10, ..able };
    assert_eq!(chosen(64, weak), ["conv2d_matrix", "conv2d_matrix", "conv_transpose2d_shared"]);
    let weak = Target { workgroup_memory: 16 << 10, ..able };
    assert_eq!(chosen(64, weak), ["conv2d_matrix", "conv2d_matrix_low", "conv_transpose2d_matrix"]);
    let without = Target { matrix: None, ..able };
    assert_eq!(chosen(64, without), ["winograd_shared", "conv2d_tiled", "conv_transpose2d_shared"]);
}

/// A residual block is taken apart unless one kernel was the fastest, and agrees.
#[test]
fn a_block_is_one_kernel_where_that_was_faster() {
    let model = random_model(Config::new(32, 2, Activation::Tanh, MeanKind::Global));
    let mut graph = irnext::compile::optimise(&model.graph(64, 64).expect("builds")).expect("fuses");
    assign_elements(&mut graph, Element::F16);
    let keys: Vec<String> = (0..graph.nodes.len())
        .filter_map(|index| block(&graph, Element::F16, NodeId(index)))
        .map(|(_, key)| key)
        .collect();
    // The first block of the first and of the last stage: the others have more channels, or a module in between.
    assert_eq!(keys, ["block 32>32>32 2^12 f16"; 2]);
    let chosen = |preferences: &Preferences| {
        let preferences: &'static Preferences = Box::leak(Box::new(preferences.clone()));
        let target = Target { preferences: Some(preferences), ..Target::default() };
        let plan = irnext::compile::compile(&graph, Element::F16, target).expect("compiles");
        let fused = plan.steps.iter().filter(|step| step.variant.shader == "residual_block").count();
        (choose_block(Element::F16, &target, &keys[0]), fused, plan.steps.len())
    };
    let mut known = Preferences::default();
    let (apart, none, steps) = chosen(&known);
    assert_eq!((apart.kernel, apart.reason, none), ("two convolutions", Reason::Heuristic, 0));
    known.fastest.insert(keys[0].clone(), "residual_block".into());
    let tuned = Choice { kernel: "residual_block", reason: Reason::Tuned };
    assert_eq!(chosen(&known), (tuned, 2, steps - 2));
    known.agrees.insert(check_key("residual_block", Element::F16), false);
    assert_eq!(chosen(&known), (apart, 0, steps));
}

/// On software drivers Winograd makes transposed convolutions of maps with enough tiles. A GPU whose subgroups have 8 lanes too
/// gets what other GPUs get.
#[test]
fn transposed_convolutions_of_large_maps_are_winograds() {
    let network = random_model(Config::new(16, 1, Activation::Tanh, MeanKind::Global));
    let on_a_gpu = [(64, "conv_transpose2d_shared"), (256, "conv_transpose2d_shared")];
    let in_software = [(64, "conv_transpose2d_broadcast"), (256, "conv_transpose2d_winograd")];
    for (software, taken) in [(false, on_a_gpu), (true, in_software)] {
        for (side, kernel) in taken {
            let mut graph = network.graph(side, side).expect("builds");
            assign_elements(&mut graph, Element::F16);
            let id = graph.ids().find(|&id| graph.node(id).name == "feat_extract.3.main.0");
            let target = Target { software, subgroup: Some(8), ..Target::default() };
            let choice = choose(&graph, Element::F16, &target, id.expect("the network has it"));
            assert_eq!(choice, Choice { kernel, reason: Reason::Heuristic }, "{side}, software: {software}");
        }
    }
}

/// A software driver may stop loops of 65,535 rounds without a word: no convolution so wide gets the kernel whose single turn
/// takes that many, not even where it is asked for.
#[test]
fn very_wide_convolutions_are_no_winograds_on_software() {
    for (width, software, takes) in [(80, true, true), (96, true, false), (96, false, true)] {
        let network = random_model(Config::new(width, 1, Activation::Tanh, MeanKind::Global));
        let mut graph = optimise(&network.graph(64, 64).expect("builds")).expect("fuses");
        assign_elements(&mut graph, Element::F32);
        let widest = format!("3x3/1 {}>{} ", 8 * width, 4 * width);
        let is_widest = |id: &NodeId| key(&graph, Element::F32, *id).is_some_and(|key| key.starts_with(&widest));
        let id = graph.ids().find(is_widest).expect("where two maps are merged");
        let target = Target { software, subgroup: Some(8), prefer: Some("winograd"), ..Target::default() };
        let chosen = choose(&graph, Element::F32, &target, id).kernel;
        assert_eq!(chosen == "winograd", takes, "{width}, software: {software}: {chosen}");
    }
}

/// A layer of few channels gets the kernel that leaves no lane idle on them, and a wider one doesn't.
#[test]
fn few_channels_have_their_own_kernel() {
    for (width, kernel) in [(16, "conv2d_pairs"), (32, "winograd")] {
        let network = random_model(Config::new(width, 1, Activation::Tanh, MeanKind::Global));
        let mut graph = network.graph(64, 64).expect("builds");
        assign_elements(&mut graph, Element::F16);
        let id = graph
            .ids()
            .find(|&id| graph.node(id).name == "Encoder.0.layers.0.main.2.main.0")
            .expect("the network has it");
        let target = Target { software: true, subgroup: Some(8), ..Target::default() };
        let choice = choose(&graph, Element::F16, &target, id);
        assert_eq!(choice, Choice { kernel, reason: Reason::Heuristic });
        // Subgroups of 4 lanes can't run it.
        let four = choose(&graph, Element::F16, &Target { subgroup: Some(4), ..target }, id);
        assert_eq!(four, Choice { kernel: "conv2d_tiled", reason: Reason::Heuristic });
    }
}

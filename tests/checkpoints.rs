//! Checkpoint readers: every form gives the same weights, whatever is wrong is an error, nothing in a pickle is run.

use irnext::model::checkpoint::{StateDict, parse, read};
use irnext::model::{Activation, Config, MeanKind, network};
use std::path::{Path, PathBuf};

fn model(name: &str) -> PathBuf {
    Path::new("tests/data/models").join(name)
}

#[test]
fn every_form_gives_the_same_weights() {
    let expected = read(&model("tiny.pkl")).expect("reads");
    let config = Config::infer(&expected, Activation::Tanh, MeanKind::Global).expect("is an IRNeXt");
    assert_eq!((config.width, config.blocks), (8, 1));
    for form in
        ["tiny.legacy.pkl", "tiny.dataparallel.pkl", "tiny.bare.pth", "tiny.resume.pkl", "tiny.weights.safetensors"]
    {
        let state = read(&model(form)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(state.tensors, expected.tensors, "{form}");
    }
}

/// Every element type, way to view a storage, pickle protocol and thing that training scripts put beside or around the
/// weights, against the same tensors in safetensors (tests/data/checkpoints/make.py).
#[test]
fn every_way_to_write_them_gives_the_same_tensors() {
    let folder = Path::new("tests/data/checkpoints");
    for (kind, expected, least) in [
        ("forms", "forms.expected.safetensors", 7),
        ("resume", "resume.expected.safetensors", 3),
        ("averaged", "averaged.expected.safetensors", 9),
        ("choice", "choice.expected.safetensors", 4),
    ] {
        let expected = read(&folder.join(expected)).expect("reads").tensors;
        let mut found = 0;
        for entry in std::fs::read_dir(folder).expect("is there") {
            let name = entry.expect("is there").file_name().into_string().expect("is a text");
            if name.starts_with(&format!("{kind}.")) && name.ends_with(".pt") {
                let state = read(&folder.join(&name)).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(state.tensors, expected, "{name}");
                assert!(state.metadata.is_empty(), "{name}: a script's own notes are no metadata");
                found += 1;
            }
        }
        assert!(found >= least, "{kind}: {found}");
    }
    let chosen = read(&folder.join("averaged.pt")).expect("reads").chosen.expect("one of two");
    assert_eq!((chosen.under.as_str(), chosen.others.as_slice()), ("ema.state_dict", &["model".to_owned()][..]));
    let several = read(&folder.join("several.pt")).expect_err("is refused").to_string();
    assert!(several.contains("`first`, `second`"), "{several}");
    // Of which copies would be more than any memory.
    assert!(read(&folder.join("over_and_over.pt")).is_err());
    let big_endian = read(&folder.join("big_endian.pt")).expect("reads").tensors;
    let expected = read(&folder.join("forms.expected.safetensors")).expect("reads").tensors;
    assert_eq!(big_endian["f32"], expected["f32"]);
    let error = read(&folder.join("negative.pt")).expect_err("is refused").to_string();
    assert!(error.contains("resolve_neg"), "{error}");
}

#[test]
fn truncated_files_are_errors() {
    for form in ["tiny.pkl", "tiny.legacy.pkl", "tiny.weights.safetensors"] {
        let bytes = std::fs::read(model(form)).expect("reads");
        for length in (0..256).chain((256..bytes.len()).step_by(bytes.len() / 97)) {
            assert!(parse(&bytes[..length]).is_err(), "{form} cut to {length} bytes");
        }
    }
}

#[test]
fn damaged_bytes_never_panic() {
    for form in ["tiny.pkl", "tiny.legacy.pkl", "tiny.weights.safetensors"] {
        let bytes = std::fs::read(model(form)).expect("reads");
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..300 {
            let mut damaged = bytes.clone();
            for _ in 0..rng.usize(1..8) {
                let at = rng.usize(..damaged.len().min(40_000));
                damaged[at] = rng.u8(..);
            }
            if let Ok(state) = parse(&damaged) {
                assert!(!state.tensors.is_empty());
            }
        }
    }
}

/// A file may declare any shape of nothing.
#[test]
fn absurd_widths_are_refused() {
    let stem = irnext::tensor::Tensor::new([1 << 62, 0, 3, 3], vec![]).expect("no values");
    let state = StateDict { tensors: [("feat_extract.0.main.0.weight".to_owned(), stem)].into(), ..Default::default() };
    let error = Config::infer(&state, Activation::Tanh, MeanKind::Global).expect_err("is refused").to_string();
    assert!(error.contains("channels wide"), "{error}");
}

/// Checkpoints whose pickles name what would run a command, or a class: refused by name.
#[test]
fn pickles_that_would_run_code_are_refused_by_name() {
    for (name, culprit) in [
        ("hostile.pth", "posix.system"),
        ("hostile.legacy.pth", "posix.system"),
        ("whole_model.pth", "torch.nn.modules.container.Sequential"),
    ] {
        let error = read(&Path::new("tests/data/checkpoints").join(name)).expect_err("is refused").to_string();
        assert!(error.contains(name) && error.contains(culprit), "{error}");
    }
}

#[test]
fn other_networks_are_refused_by_what_is_missing() {
    let state = read(&model("tiny.pkl")).expect("reads");
    let infer = |state| Config::infer(state, Activation::Tanh, MeanKind::Global);
    let mut without = state.clone();
    without.tensors.remove("FAM1.merge.main.0.weight");
    let error = infer(&without).expect_err("is refused").to_string();
    assert!(error.contains("FAM1.merge.main.0.weight") && error.contains("[32, 64, 3, 3]"), "{error}");
    let mut other = state.clone();
    other.tensors.retain(|name, _| name.starts_with("Decoder"));
    assert!(infer(&other).expect_err("is refused").to_string().contains("feat_extract.0.main.0.weight"));
    let mut more = state;
    let extra = more.tensors["Convs.0.main.0.bias"].clone();
    more.tensors.insert("head.bias".into(), extra);
    assert!(infer(&more).expect_err("is refused").to_string().contains("head.bias"));
}

/// The outputs at quarter and half size are for training; a file may do without both, not without one.
#[test]
fn side_outputs_may_be_left_out() {
    let state = read(&model("tiny.pkl")).expect("reads");
    let infer = |state: &StateDict| Config::infer(state, Activation::Tanh, MeanKind::Global);
    let outputs = |state: &StateDict| {
        let graph =
            network::build(&infer(state).expect("is an IRNeXt"), &network::weights(state), 64, 64).expect("builds");
        graph.outputs.into_iter().map(|output| output.name).collect::<Vec<_>>()
    };
    assert_eq!(outputs(&state), ["quarter", "half", "full"]);
    let mut one = state.clone();
    one.tensors.retain(|name, _| !name.starts_with("ConvsOut.0."));
    assert!(infer(&one).expect_err("is refused").to_string().contains("ConvsOut.0.main.0.weight"));
    let mut none = state.clone();
    none.tensors.retain(|name, _| !name.starts_with("ConvsOut."));
    assert_eq!(outputs(&none), ["full"]);
    let [with, without] = [&state, &none].map(|state| infer(state).expect("is an IRNeXt").parameters());
    assert_eq!(with - without, 3 * 9 * (32 + 16) + 6);
}

#[test]
fn what_is_no_checkpoint_says_what_it_looks_like() {
    for (bytes, word) in [(&b""[..], "empty"), (b"<!DOCTYPE html>", "web page"), (b"version https://git-lfs", "LFS")] {
        let error = parse(bytes).expect_err("is refused").to_string();
        assert!(error.contains(word), "{error}");
    }
}

/// The length of a safetensors header begins its file, whatever byte that is: 0x80 begins a pickle too.
#[test]
fn a_header_of_any_length_is_no_pickle() {
    let shipped = std::fs::read("weights/dehaze-small.safetensors").unwrap();
    let length = u64::from_le_bytes(shipped[..8].try_into().unwrap()) as usize;
    let padded = (length..).find(|padded| padded % 256 == 0x80).unwrap();
    let mut header = shipped[8..8 + length].to_vec();
    header.resize(padded, b' ');
    let bytes = [&(padded as u64).to_le_bytes()[..], &header, &shipped[8 + length..]].concat();
    assert_eq!(bytes[0], 0x80);
    assert_eq!(parse(&bytes).unwrap().tensors, parse(&shipped).unwrap().tensors);
}

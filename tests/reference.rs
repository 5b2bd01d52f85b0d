//! The CPU executor against PyTorch: every recorded operator and every recorded model, in f32 and in f64.

use irnext::model::{Activation, MeanKind, Model};
use irnext::reference::{ReferenceError, execute, execute_with};
use irnext::tensor::{FeatureMap, Real, Shape, Tensor, file::TensorFile};
use irnext::verify::Error;
use irnext::verify::golden::{self, Case};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const OPERATOR_BOUND: f64 = 1e-5;
const MODEL_BOUND: f64 = 1e-4;

fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(path)
}

fn recorded_operators() -> TensorFile {
    TensorFile::read(data("golden/ops.safetensors")).expect("the recorded operators are in the repository")
}

fn error_of<T: Real>(case: &Case) -> Error {
    let mut found: Vec<Vec<FeatureMap<T>>> = vec![vec![]; case.expected.len()];
    for picture in &case.pictures {
        let results = execute(&case.graph, &[picture.cast()]).expect("the picture fits its own graph");
        found.iter_mut().zip(results).for_each(|(found, result)| found.push(result));
    }
    case.expected.iter().zip(&found).fold(Error::NONE, |worst, ((_, expected), found)| {
        let found = FeatureMap::to_nchw(found).expect("pictures of one case have one shape");
        assert_eq!(found.shape(), expected.shape());
        worst.worst(Error::between(found.data(), expected.data()))
    })
}

#[test]
fn operators_are_those_of_pytorch() {
    let mut worst = Error::NONE;
    let mut failed = Vec::new();
    let cases = golden::cases(&recorded_operators());
    assert!(cases.len() >= 50);
    for case in cases {
        let case = case.expect("every recorded case is understood");
        let (single, double) = (error_of::<f32>(&case), error_of::<f64>(&case));
        println!("{:<40} f32 {single}   f64 {double}", case.name);
        if !single.within(OPERATOR_BOUND) || !double.within(OPERATOR_BOUND) {
            failed.push(case.name);
        }
        worst = worst.worst(single).worst(double);
    }
    println!("worst: {worst}");
    assert!(failed.is_empty(), "{failed:?}");
}

/// One recorded model: its checkpoint, and inputs with outputs by size.
fn check_model(folder: &Path, name: &str, activation: Activation, mean: MeanKind) {
    let model = Model::read(&folder.join(format!("{name}.pkl")), Some(activation), Some(mean)).expect("reads");
    let recorded = TensorFile::read(folder.join(format!("{name}.safetensors"))).expect("reads");
    let sizes: Vec<&str> = recorded.tensors.keys().filter_map(|tensor| tensor.strip_suffix("/input")).collect();
    assert!(!sizes.is_empty());
    for size in sizes {
        let tensor = |name: &str| &recorded.tensors[&format!("{size}/{name}")];
        let input = &FeatureMap::<f32>::from_nchw(tensor("input")).expect("NCHW")[0];
        let graph = model.graph(input.shape.height, input.shape.width).expect("builds");
        let results = execute(&graph, std::slice::from_ref(input)).expect("runs");
        for (output, found) in graph.outputs.iter().zip(results) {
            let found: Tensor = FeatureMap::to_nchw(&[found]).expect("one shape");
            let error = Error::between(found.data(), tensor(&output.name).data());
            println!("{name} {size} {}: {error}", output.name);
            assert!(error.within(MODEL_BOUND), "{name} {size} {}: {error}", output.name);
        }
    }
}

fn check_models(folder: &Path) {
    let index = std::fs::read_to_string(folder.join("index.json")).expect("reads");
    let index: BTreeMap<String, serde_json::Value> = serde_json::from_str(&index).expect("is JSON");
    for (name, about) in index {
        let told = |key: &str| about[key].as_str().expect("is a text").to_string();
        if folder.join(format!("{name}.pkl")).exists() {
            check_model(
                folder,
                &name,
                told("activation").parse().expect("known"),
                told("mean").parse().expect("known"),
            );
        }
    }
}

#[test]
fn models_are_those_of_pytorch() {
    check_models(&data("models"));
}

/// Recorded models too large for the repository: `IRNEXT_TEST_MODELS=FOLDER cargo test --release -- --ignored`.
#[test]
#[ignore = "needs a folder of recorded models in IRNEXT_TEST_MODELS"]
fn large_models_are_those_of_pytorch() {
    check_models(Path::new(&std::env::var("IRNEXT_TEST_MODELS").expect("IRNEXT_TEST_MODELS names a folder")));
}

/// A golden file of one case, with `change` made to it.
fn one_case(name: &str, change: impl Fn(&mut TensorFile)) -> Vec<Result<Case, golden::GoldenError>> {
    let mut file = recorded_operators();
    file.tensors.retain(|tensor, _| tensor.starts_with(&format!("{name}/")));
    file.metadata.retain(|case, _| case == name);
    change(&mut file);
    golden::cases(&file)
}

#[test]
fn bad_cases_say_what_is_wrong_and_hide_no_others() {
    let complaint = |name: &str, text: &str| {
        let cases = one_case(name, |file| {
            file.metadata.insert(name.into(), text.into());
        });
        assert_eq!(cases.len(), 1);
        let error = cases.into_iter().next().expect("one case").expect_err("is wrong").to_string();
        assert!(error.contains(name), "{error}");
        error
    };
    assert!(complaint("global_mean", r#"{"op": "median"}"#).contains("`median` is not known"));
    assert!(complaint("global_mean", r#"{"axis": 1}"#).contains("`op`"));
    assert!(complaint("global_mean", "not JSON").contains("not JSON"));
    assert!(complaint("conv2d_00", r#"{"op": "conv2d", "kernel": "three"}"#).contains("\"three\""));
    assert!(complaint("conv2d_00", r#"{"op": "conv2d", "kernel": 5, "padding": 2}"#).contains("[32, 3, 5, 5]"));
    assert!(complaint("conv2d_00", r#"{"op": "conv2d", "kernel": 3, "padding": 0}"#).contains("`output` has shape"));
    assert!(
        complaint("conv2d_00", r#"{"op": "conv2d", "kernel": 3, "padding": 1, "activation": "relu"}"#).contains("relu")
    );
    assert!(
        complaint("upsample_bilinear_0", r#"{"op": "upsample_bilinear", "size": [16, 24]}"#).contains("align_corners")
    );
    let absurd = format!(r#"{{"op": "conv2d", "kernel": 3, "padding": {}}}"#, (1_u64 << 63) + 1);
    assert!(complaint("conv2d_00", &absurd).contains("`padding` is 9223372036854775809"));
    let absurd = format!(r#"{{"op": "reflect_pad", "left": {}}}"#, i64::MIN);
    assert!(complaint("global_mean", &absurd).contains("`left` is -9223372036854775808"));

    let missing = one_case("conv2d_00", |file| drop(file.tensors.remove("conv2d_00/weight")));
    assert!(missing[0].as_ref().expect_err("no weight").to_string().contains("weight"));
    let forgotten = one_case("conv2d_00", |file| file.metadata.clear());
    assert!(forgotten[0].as_ref().expect_err("no entry").to_string().contains("metadata"));

    let mut file = recorded_operators();
    file.metadata.insert("gelu".into(), "{}".into());
    file.metadata.insert("format".into(), "pt".into());
    file.metadata.insert("made by".into(), r#"{"torch": "2.9"}"#.into());
    let cases = golden::cases(&file);
    assert_eq!(cases.iter().filter(|case| case.is_err()).count(), 1);
    assert_eq!(cases.len(), golden::cases(&recorded_operators()).len());
    for lost in [r#"{"op": "gelu"}"#, r#"{"op": "gelu""#, r#"{"op": 5}"#] {
        file.metadata.insert("lost".into(), lost.into());
        assert_eq!(golden::cases(&file).len(), cases.len() + 1, "{lost}");
    }
}

#[test]
fn a_case_may_hold_several_pictures() {
    let twice = |tensor: &Tensor| {
        let mut shape = tensor.shape().to_vec();
        shape[0] = 2;
        let data = [tensor.data(), &tensor.data().iter().map(|value| value * 2.0).collect::<Vec<_>>()].concat();
        Tensor::new(shape, data).expect("twice the values")
    };
    // Linear, so twice the input makes twice the output.
    let cases = one_case("avg_pool2d_8_1", |file| file.tensors.values_mut().for_each(|tensor| *tensor = twice(tensor)));
    let case = cases[0].as_ref().expect("is understood");
    assert_eq!(case.pictures.len(), 2);
    assert!(error_of::<f32>(case).within(OPERATOR_BOUND));
}

#[test]
fn a_wrong_value_is_found() {
    for bad in [f32::NAN, f32::INFINITY, 10.0] {
        let cases = one_case("global_mean", |file| {
            let tensor = file.tensors.get_mut("global_mean/output").expect("recorded");
            let mut values = tensor.data().to_vec();
            values[3] = bad;
            *tensor = Tensor::new(tensor.shape(), values).expect("the same shape");
        });
        assert!(!error_of::<f32>(cases[0].as_ref().expect("is understood")).within(OPERATOR_BOUND));
    }
}

#[test]
fn inputs_must_fit_the_graph() {
    let cases = one_case("global_mean", |_| ());
    let case = cases[0].as_ref().expect("is understood");
    let none = execute::<f32>(&case.graph, &[]).expect_err("too few");
    assert_eq!(none, ReferenceError::InputCount { expected: 1, found: 0 });
    let small = execute(&case.graph, &[FeatureMap::<f32>::zeros(Shape::new(2, 2, 16))]).expect_err("too small");
    assert!(small.to_string().contains("2x2x16"), "{small}");
}

#[test]
fn progress_names_every_step() {
    let cases = one_case("multi_scale_32x48", |_| ());
    let case = cases[0].as_ref().expect("is understood");
    let mut seen = Vec::new();
    execute_with(&case.graph, &case.pictures, &mut |step, of, name| seen.push((step, of, name.to_string())))
        .expect("runs");
    assert_eq!(seen.len(), case.graph.nodes.len());
    assert!(seen.iter().enumerate().all(|(at, (step, of, _))| at == *step && *of == case.graph.nodes.len()));
}

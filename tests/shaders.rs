//! Without a GPU: every variant of every kernel composes, passes naga's validation, and is translated to SPIR-V (Vulkan),
//! MSL (Metal), HLSL (DX12) and GLSL, with native half precision and without.

use irnext::gpu::{Dialect, Shaders, Variant};
use irnext::kernels::{KERNELS, PROBES, shaders};
use naga::back;
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, ShaderStage};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

/// HLSL for Windows's own compiler, which wgpu takes where there is no newer one. It has no use for what needs that.
const OLD_HLSL: &str = "hlsl 5.1";
const NEEDS_NEW_HLSL: [&str; 4] = ["f16>", "u64", "subgroup", "coop_mat"];

/// Targets that can't express a variant, each with the reason that this test insists on.
fn inexpressible(target: &str, source: &str) -> Option<&'static str> {
    // Cooperative matrices are for Vulkan and Metal; other backends don't offer them.
    if ["glsl", "hlsl"].contains(&target) && source.contains("coop_mat") {
        return Some("naga writes no cooperative matrices in HLSL or GLSL");
    }
    // GLSL ES and core GLSL have no 16-bit float type; a device on such a backend gets the packed form.
    if target == "glsl" && source.contains("f16>") {
        return Some("GLSL has no f16 type");
    }
    (target == "glsl" && source.contains("u64")).then_some("GLSL has no 64-bit integers")
}

/// The module with its `override` constants set.
fn validated(variant: &Variant, source: &str) -> (Module, ModuleInfo) {
    let module =
        naga::front::wgsl::parse_str(source).unwrap_or_else(|e| panic!("{variant}: {}", e.emit_to_string(source)));
    let capabilities = Capabilities::SHADER_FLOAT16
        | Capabilities::SHADER_FLOAT16_IN_FLOAT32
        | Capabilities::SHADER_INT64
        | Capabilities::SUBGROUP
        | Capabilities::COOPERATIVE_MATRIX;
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
        .subgroup_operations(naga::valid::SubgroupOperationSet::all())
        .validate(&module)
        .unwrap_or_else(|e| panic!("{variant}: {}", e.emit_to_string(source)));
    let constants = variant.constants.iter().map(|&(name, value)| (name.to_string(), f64::from(value))).collect();
    let (module, info) =
        back::pipeline_constants::process_overrides(&module, &info, Some((ShaderStage::Compute, "main")), &constants)
            .unwrap_or_else(|e| panic!("{variant}: {e}"));
    (module.into_owned(), info.into_owned())
}

fn translate(target: &str, module: &Module, info: &ModuleInfo) -> Result<usize, String> {
    match target {
        "spirv" => {
            // Subgroups came with SPIR-V 1.3 (Vulkan 1.1).
            let options = back::spv::Options { lang_version: (1, 3), ..Default::default() };
            back::spv::write_vec(module, info, &options, None).map(|words| words.len()).map_err(|e| e.to_string())
        }
        "msl" => {
            let options = back::msl::Options { lang_version: (2, 4), ..Default::default() };
            let pipeline = back::msl::PipelineOptions::default();
            let written = back::msl::write_string(module, info, &options, &pipeline);
            let (text, translated) = written.map_err(|e| e.to_string())?;
            translated.entry_point_names.into_iter().try_for_each(|name| name.map(drop)).map_err(|e| e.to_string())?;
            Ok(text.len())
        }
        "hlsl" | OLD_HLSL => {
            let shader_model =
                if target == OLD_HLSL { back::hlsl::ShaderModel::V5_1 } else { back::hlsl::ShaderModel::V6_2 };
            let options = back::hlsl::Options { shader_model, fake_missing_bindings: true, ..Default::default() };
            let pipeline = back::hlsl::PipelineOptions::default();
            let mut text = String::new();
            let mut writer = back::hlsl::Writer::new(&mut text, &options, &pipeline);
            let written = writer.write(module, info, None).map_err(|e| e.to_string())?;
            written.entry_point_names.into_iter().try_for_each(|name| name.map(drop)).map_err(|e| e.to_string())?;
            Ok(text.len())
        }
        "glsl" => {
            let options = back::glsl::Options {
                version: back::glsl::Version::Desktop(430),
                binding_map: bindings(module),
                ..Default::default()
            };
            let pipeline = back::glsl::PipelineOptions {
                shader_stage: ShaderStage::Compute,
                entry_point: "main".into(),
                multiview: None,
            };
            let mut text = String::new();
            let policies = naga::proc::BoundsCheckPolicies::default();
            let mut writer = back::glsl::Writer::new(&mut text, module, info, &options, &pipeline, policies)
                .map_err(|e| e.to_string())?;
            writer.write().map_err(|e| e.to_string())?;
            Ok(text.len())
        }
        other => panic!("no target {other}"),
    }
}

fn bindings(module: &Module) -> back::glsl::BindingMap {
    let bound = module.global_variables.iter().filter_map(|(_, variable)| variable.binding);
    bound.enumerate().map(|(slot, binding)| (binding, slot as u8)).collect()
}

/// How many texts there are of all variants, how many were translated to each target, and how many not for each reason.
#[derive(Default)]
struct Counts {
    texts: usize,
    translated: BTreeMap<&'static str, usize>,
    refused: BTreeMap<&'static str, usize>,
}

impl Counts {
    fn count(&mut self, shaders: &Shaders, variant: &Variant) {
        let texts = Dialect::ALL.map(|dialect| shaders.compose(variant, dialect).unwrap_or_else(|e| panic!("{e}")));
        // Some are the same in several dialects.
        let distinct: BTreeMap<String, Dialect> = texts.into_iter().zip(Dialect::ALL).collect();
        for (source, dialect) in distinct {
            self.texts += 1;
            let (module, info) = validated(variant, &source);
            let old = (!NEEDS_NEW_HLSL.iter().any(|word| source.contains(word))).then_some(OLD_HLSL);
            for target in ["spirv", "msl", "hlsl", "glsl"].into_iter().chain(old) {
                // Where naga lacks a feature altogether, it panics.
                let translation = catch_unwind(AssertUnwindSafe(|| translate(target, &module, &info)));
                let translation = translation.unwrap_or_else(|_| Err("panics".into()));
                match (translation, inexpressible(target, &source)) {
                    (Ok(length), None) => {
                        assert!(length > 100, "{variant} is empty in {target}");
                        *self.translated.entry(target).or_default() += 1;
                    }
                    (Err(_), Some(reason)) => *self.refused.entry(reason).or_default() += 1,
                    (Err(error), None) => panic!("{variant} ({dialect:?}) in {target}: {error}"),
                    (Ok(_), Some(reason)) => panic!("{variant} translates to {target} although {reason}"),
                }
            }
        }
    }
}

#[test]
fn every_variant_validates_and_translates() {
    let mut all = vec![];
    for kernel in KERNELS.iter().chain(PROBES) {
        let variants = (kernel.variants)();
        assert!(!variants.is_empty(), "{} lists no variant", kernel.name);
        all.extend(variants);
    }
    let (shaders, next) = (shaders(), AtomicUsize::new(0));
    let work = || {
        let mut counts = Counts::default();
        while let Some(variant) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            counts.count(&shaders, variant);
        }
        counts
    };
    let Counts { mut texts, mut translated, mut refused } = Counts::default();
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let counts = worker.join().unwrap_or_else(|panic| resume_unwind(panic));
            texts += counts.texts;
            counts.translated.into_iter().for_each(|(target, count)| *translated.entry(target).or_default() += count);
            counts.refused.into_iter().for_each(|(reason, count)| *refused.entry(reason).or_default() += count);
        }
    });
    println!("translated {translated:?}; not expressible {refused:?}");
    assert!(texts > all.len(), "{texts} of {} variants", all.len());
    assert_eq!(translated["spirv"], texts);
    assert_eq!(translated["spirv"], translated["msl"]);
    let matrices = refused["naga writes no cooperative matrices in HLSL or GLSL"] / 2;
    assert_eq!(translated["spirv"], translated["hlsl"] + matrices);
}

/// Every kernel's file opens with a comment that says what it is for.
#[test]
fn every_shader_opens_with_its_purpose() {
    let files =
        std::fs::read_dir("shaders").expect("is there").chain(std::fs::read_dir("shaders/shared").expect("is there"));
    let files = files.map(|entry| entry.expect("reads").path()).filter(|path| path.is_file());
    let mut count = 0;
    for path in files {
        let text = std::fs::read_to_string(&path).expect("reads");
        let first = text.lines().next().and_then(|line| line.strip_prefix("// ")).unwrap_or_default();
        let words = first.split_whitespace().count();
        assert!(words >= 3, "{} opens with `{first}`", path.display());
        count += 1;
    }
    assert!(count > KERNELS.len(), "{count} files");
}

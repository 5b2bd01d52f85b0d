//! WGSL out of files: imports and conditional parts resolved by `wesl`, numbers left to `override` constants.

use super::Dialect;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use thiserror::Error;
use wesl::{CompileOptions, Features, ModulePath, VirtualResolver};

/// A shader with its switches set: what a pipeline is made of.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Variant {
    /// The file's name, without its ending.
    pub shader: &'static str,
    /// The `@if` features that are on, sorted.
    pub features: Vec<&'static str>,
    /// Values of `override` constants.
    pub constants: Vec<(&'static str, u32)>,
}

impl Variant {
    /// A shader with the features of a list whose flag is set.
    pub fn new(shader: &'static str, features: &[(&'static str, bool)]) -> Self {
        Self { shader, features: vec![], constants: vec![] }.with_features(features)
    }

    /// The features that are on.
    pub fn features(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.features.iter().copied()
    }

    /// Whether a feature is on.
    pub fn has(&self, feature: &str) -> bool {
        self.features.contains(&feature)
    }

    /// Sets a feature.
    pub fn add(&mut self, feature: &'static str) {
        if let Err(place) = self.features.binary_search(&feature) {
            self.features.insert(place, feature);
        }
    }

    /// The same with those of a list of features whose flag is set.
    pub fn with_features(mut self, features: &[(&'static str, bool)]) -> Self {
        features.iter().filter(|feature| feature.1).for_each(|feature| self.add(feature.0));
        self
    }

    /// The same with an `override` constant set.
    pub fn with_constant(mut self, constant: &'static str, value: u32) -> Self {
        self.constants.push((constant, value));
        self
    }
}

impl fmt::Display for Variant {
    /// `conv2d+gelu+residual`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shader)?;
        self.features.iter().try_for_each(|feature| write!(f, "+{feature}"))
    }
}

/// A shader that can't be used.
#[derive(Debug, Error)]
pub enum ShaderError {
    /// The folder of `--shaders` can't be read.
    #[error("shader {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// A file that replaces none.
    #[error("{path} replaces no shader: the program has none of this name (`shaders` in its source holds them all)")]
    Stray {
        /// The file.
        path: String,
    },
    /// Imports or conditions that don't resolve.
    #[error("shader {variant} doesn't compose: {reason}")]
    Compose {
        /// Shader and features.
        variant: String,
        /// What wesl says, with the place.
        reason: String,
    },
    /// Refused by validation or by the driver.
    #[error("shader {variant} is refused: {reason}")]
    Refused {
        /// Shader and features.
        variant: String,
        /// What naga or the driver says, with the place.
        reason: String,
    },
}

/// The sources, by module path: `conv2d`, `shared::gelu`.
#[derive(Clone, Debug)]
pub struct Shaders {
    sources: BTreeMap<String, String>,
    embedded: bool,
}

impl Shaders {
    /// From pairs of module path and source that the binary carries.
    pub fn embedded_in(sources: impl IntoIterator<Item = (&'static str, &'static str)>) -> Self {
        let sources = sources.into_iter().map(|(path, source)| (path.into(), source.into())).collect();
        Self { sources, embedded: true }
    }

    /// The same with every file that `folder` has replaced by it. Bounds are then checked at run time.
    ///
    /// # Errors
    /// When a file that exists can't be read, or a WGSL file has another name than all of these.
    pub fn replaced_from(mut self, folder: &Path) -> Result<Self, ShaderError> {
        for (path, source) in &mut self.sources {
            let file = folder.join(format!("{}.wgsl", path.replace("::", "/")));
            match std::fs::read_to_string(&file) {
                Ok(text) => *source = text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && folder.is_dir() => {}
                Err(source) => return Err(ShaderError::Read { path: file.display().to_string(), source }),
            }
        }
        let files = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok).map(walkdir::DirEntry::into_path);
        for file in files.filter(|file| file.is_file() && file.extension().is_some_and(|ending| ending == "wgsl")) {
            let name = file.strip_prefix(folder).unwrap_or(&file).with_extension("");
            let parts: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
            if !self.sources.contains_key(&parts.join("::")) {
                return Err(ShaderError::Stray { path: file.display().to_string() });
            }
        }
        self.embedded = false;
        Ok(self)
    }

    /// Whether all sources are those of the binary.
    pub fn embedded(&self) -> bool {
        self.embedded
    }

    /// A number that differs where the sources do, or what is made of them: those of a folder are compiled with checks of
    /// every index.
    pub fn fingerprint(&self) -> u64 {
        let texts = self.sources.iter().flat_map(|(path, source)| [path, source]);
        let bytes = texts.flat_map(|text| text.bytes().chain([0]));
        super::preferences::fingerprint(bytes.chain([u8::from(self.embedded)]))
    }

    /// Standard WGSL for a variant in a device's dialect.
    ///
    /// # Errors
    /// When the file is unknown, an import doesn't resolve, or the text doesn't parse.
    pub fn compose(&self, variant: &Variant, dialect: Dialect) -> Result<String, ShaderError> {
        let failed = |reason: String| ShaderError::Compose { variant: variant.to_string(), reason };
        let mut resolver = VirtualResolver::new();
        for (path, source) in &self.sources {
            let path = module(path).map_err(&failed)?;
            resolver.add_module(path, source.as_str().into());
        }
        let mut features = Features::default();
        for feature in &variant.features {
            features.flags.insert((*feature).to_string(), wesl::Feature::Enable);
        }
        for (feature, on) in dialect.features() {
            features.flags.insert(feature.into(), on.into());
        }
        // Left to naga, which knows what wgpu adds to the language and checks every shader.
        let options = CompileOptions { features, validate: false, ..CompileOptions::default() };
        let root = module(variant.shader).map_err(&failed)?;
        let compiled = wesl::compile_sourcemap(&root, &resolver, &wesl::EscapeMangler, &options);
        Ok(compiled.map_err(|error| failed(in_one_line(error)))?.to_string())
    }
}

/// What wesl says and where, in a line without the colours of its own rendering: logs and terminals take it alike.
fn in_one_line(error: wesl::Error) -> String {
    let wesl::Diagnostic::<wesl::Error> { error, detail } = error.into();
    let detail = *detail;
    let reason = match *error {
        wesl::Error::ParseError(error) => error.error.to_string(),
        error => error.to_string(),
    };
    let file = detail.module_path.map(|path| format!("{}.wgsl", path.components.join("/")));
    let before = detail.source.as_deref().zip(detail.span).and_then(|(text, span)| text.get(..span.start));
    let place = before.map(|before| {
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("line {}, column {column}", before.matches('\n').count() + 1)
    });
    let declaration = detail.declaration.map(|name| format!("in `{name}`"));
    let parts: Vec<String> = [file, place, declaration].into_iter().flatten().collect();
    if parts.is_empty() { reason } else { format!("{}: {reason}", parts.join(", ")) }
}

fn module(path: &str) -> Result<ModulePath, String> {
    format!("package::{path}").parse().map_err(|error| format!("{error:?}"))
}

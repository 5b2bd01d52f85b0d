//! The list of names a pickle may mention. Nothing on it is ever imported or called: a name only says how the data
//! beside it is to be read, or that it may be left aside.

use safetensors::Dtype;

/// A name on the list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Global<'a> {
    /// `collections.OrderedDict`, `defaultdict` or `Counter`: a dict.
    Mapping,
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`: a strided view of a storage.
    RebuildTensor,
    /// `torch._utils._rebuild_parameter` and its kin: a tensor wrapped once more.
    RebuildParameter,
    /// `torch._tensor._rebuild_from_type_v2`: a tensor with attributes.
    RebuildFromType,
    /// `torch.Size`: a tuple.
    Size,
    /// `torch.FloatStorage` and its kin.
    Storage(Dtype),
    /// Harmless, and of no use here: what optimizers, schedulers and numpy leave behind.
    Opaque(&'a str),
}

/// Looks a name up.
pub fn resolve<'a>(module: &str, name: &'a str) -> Option<Global<'a>> {
    Some(match (module, name) {
        ("collections", "OrderedDict" | "defaultdict" | "Counter") => Global::Mapping,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Global::RebuildTensor,
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Global::RebuildParameter,
        ("torch._tensor", "_rebuild_from_type_v2") => Global::RebuildFromType,
        ("torch", "Size") => Global::Size,
        _ => match storage(name).filter(|_| module == "torch") {
            Some(dtype) => Global::Storage(dtype),
            None if is_opaque(module, name) => Global::Opaque(name),
            None => return None,
        },
    })
}

fn storage(name: &str) -> Option<Dtype> {
    Some(match name {
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "DoubleStorage" => Dtype::F64,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}

fn is_opaque(module: &str, name: &str) -> bool {
    match module {
        "torch" => matches!(
            name,
            "device"
                | "dtype"
                | "Tensor"
                | "strided"
                | "contiguous_format"
                | "channels_last"
                | "preserve_format"
                | "float"
                | "float64"
                | "double"
                | "float32"
                | "float16"
                | "half"
                | "bfloat16"
                | "bool"
                | "uint8"
                | "int8"
                | "int16"
                | "short"
                | "int32"
                | "int"
                | "int64"
                | "long"
                | "complex64"
                | "complex128"
                | "ComplexFloatStorage"
                | "ComplexDoubleStorage"
                | "QInt8Storage"
                | "QUInt8Storage"
                | "QInt32Storage"
        ),
        "torch.storage" => {
            matches!(name, "UntypedStorage" | "TypedStorage" | "_UntypedStorage" | "_TypedStorage")
        }
        "torch._utils" => {
            matches!(name, "_rebuild_tensor_v3" | "_rebuild_meta_tensor_no_storage" | "_rebuild_sparse_tensor")
        }
        "torch.nn.parameter" => name == "Parameter",
        "torch.serialization" => name == "_get_layout",
        "collections" => name == "deque",
        "builtins" | "__builtin__" => matches!(
            name,
            "dict"
                | "list"
                | "tuple"
                | "set"
                | "frozenset"
                | "int"
                | "long"
                | "float"
                | "complex"
                | "bool"
                | "str"
                | "unicode"
                | "bytes"
                | "bytearray"
                | "object"
                | "slice"
                | "range"
                | "xrange"
        ),
        "_codecs" => name == "encode",
        "argparse" => name == "Namespace",
        "pathlib" | "pathlib._local" => {
            matches!(name, "PosixPath" | "WindowsPath" | "PurePosixPath" | "PureWindowsPath")
        }
        "datetime" => matches!(name, "date" | "datetime" | "time" | "timedelta" | "timezone"),
        "numpy" => matches!(name, "dtype" | "ndarray"),
        "numpy.core.multiarray" | "numpy._core.multiarray" => matches!(name, "scalar" | "_reconstruct"),
        // Schedulers that wrap another keep it whole in their state, and it keeps its optimizer.
        "torch.optim.lr_scheduler" => is_class(name),
        _ => module.strip_prefix("torch.optim.").is_some_and(|module| is_plain(module) && is_class(name)),
    }
}

fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_class(name: &str) -> bool {
    is_plain(name) && name.starts_with(|first: char| first.is_ascii_uppercase())
}

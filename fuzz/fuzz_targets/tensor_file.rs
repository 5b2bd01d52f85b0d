//! Any bytes as safetensors; what is read is written and read again the same, to the bit.
#![no_main]

use irnext::tensor::Element;
use irnext::tensor::file::TensorFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = TensorFile::parse(bytes) else { return };
    let folder = std::env::temp_dir().join(format!("irnext-fuzz-{}.safetensors", std::process::id()));
    file.write(&folder, Element::F32).expect("what was read can be written");
    let again = TensorFile::read(&folder).expect("what was written can be read");
    assert_eq!(file.metadata, again.metadata);
    assert_eq!(file.tensors.len(), again.tensors.len());
    for ((name, tensor), (name_again, tensor_again)) in file.tensors.iter().zip(&again.tensors) {
        assert_eq!((name, tensor.shape()), (name_again, tensor_again.shape()));
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(tensor.data()), bits(tensor_again.data()));
    }
});

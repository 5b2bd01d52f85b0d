//! Any bytes as a checkpoint, and whatever is read as a model: an error or weights, never a panic.
#![no_main]

use irnext::model::checkpoint;
use irnext::model::config::{Activation, Config, MeanKind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match checkpoint::parse(bytes) {
        Ok(state) => {
            for tensor in state.tensors.values() {
                assert_eq!(tensor.shape().iter().product::<usize>(), tensor.data().len());
            }
            if let Err(error) = Config::infer(&state, Activation::Tanh, MeanKind::Global) {
                let _ = error.to_string();
            }
        }
        Err(error) => {
            let _ = error.to_string();
        }
    }
});

//! What has been made of a tensor, kept with it: weights are packed for one plan, and found by the next.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Values of any types, by name. They follow from the tensor, so a copy of it begins without, and they make no two
/// tensors differ.
#[derive(Default)]
pub(super) struct Forms(Mutex<BTreeMap<String, Arc<dyn Any + Send + Sync>>>);

impl Forms {
    /// The one of that name and type, made by `make` if it is new.
    pub fn get<T: Any + Send + Sync>(&self, name: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Ok(form)) = kept.get(name).map(|form| Arc::clone(form).downcast()) {
            return form;
        }
        let form = Arc::new(make());
        kept.insert(name.into(), Arc::clone(&form) as Arc<dyn Any + Send + Sync>);
        form
    }
}

impl Clone for Forms {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Forms {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Forms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_made_once() {
        let forms = Forms::default();
        let first = forms.get("doubled", || 2);
        assert!(Arc::ptr_eq(&first, &forms.get("doubled", || unreachable!("it is there"))));
        assert_eq!(*forms.get("tripled", || 3), 3);
        // Another type is another form.
        assert_eq!(*forms.get("doubled", || "two"), "two");
        assert_eq!(*forms.clone().get("tripled", || 4), 4, "a copy begins without");
    }
}

//! The parameters of a golden case: a JSON object, read with a word on what was expected.

use crate::graph::Activation;
use crate::model::network::{Attention, Smooth};
use serde_json::{Map, Value};

/// Share of the window of the local mean, unless a case says otherwise: 120/256.
const WINDOW: (usize, usize) = (120, 256);

/// No side, count or margin of a case is larger; what is computed with them can't overflow.
const LARGEST: i64 = 1 << 24;

/// A case's JSON object.
pub(super) struct Parameters(Map<String, Value>);

impl Parameters {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(other) => Err(format!("its metadata is `{other}`, expected a JSON object with `op`")),
            Err(error) => Err(format!("its metadata is not JSON: {error}")),
        }
    }

    /// A parameter that is there and not null.
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A parameter read by `read`, or nothing where it is absent.
    fn read<'a, V>(
        &'a self,
        name: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<V>,
    ) -> Result<Option<V>, String> {
        let wrong = |value: &Value| format!("`{name}` is {value}, expected {expected}");
        self.get(name).map(|value| read(value).ok_or_else(|| wrong(value))).transpose()
    }

    pub(super) fn text(&self, name: &str) -> Result<&str, String> {
        self.optional_text(name)?.ok_or_else(|| format!("has no parameter `{name}`"))
    }

    pub(super) fn optional_text(&self, name: &str) -> Result<Option<&str>, String> {
        self.read(name, "a text", Value::as_str)
    }

    /// A count, or one for each axis where all are the same.
    pub(super) fn size(&self, name: &str) -> Result<usize, String> {
        self.optional_size(name)?.ok_or_else(|| format!("has no parameter `{name}`"))
    }

    pub(super) fn size_or(&self, name: &str, default: usize) -> Result<usize, String> {
        Ok(self.optional_size(name)?.unwrap_or(default))
    }

    fn optional_size(&self, name: &str) -> Result<Option<usize>, String> {
        self.read(name, "a count up to 2^24", |value| match value {
            Value::Array(axes) if axes.windows(2).all(|pair| pair[0] == pair[1]) => count(axes.first()?),
            other => count(other),
        })
    }

    /// Height and width.
    pub(super) fn pair(&self, name: &str) -> Result<[usize; 2], String> {
        let pair = self.read(name, "[height, width]", |value| match value.as_array()?.as_slice() {
            [height, width] => Some([count(height)?, count(width)?]),
            _ => None,
        })?;
        pair.ok_or_else(|| format!("has no parameter `{name}`"))
    }

    pub(super) fn integer_or(&self, name: &str, default: isize) -> Result<isize, String> {
        let within = |integer: &i64| (-LARGEST..=LARGEST).contains(integer);
        let read = |value: &Value| isize::try_from(value.as_i64().filter(within)?).ok();
        Ok(self.read(name, "an integer, at most 2^24 from 0", read)?.unwrap_or(default))
    }

    pub(super) fn number_or(&self, name: &str, default: f64) -> Result<f64, String> {
        Ok(self.read(name, "a number", Value::as_f64)?.unwrap_or(default))
    }

    pub(super) fn flag_or(&self, name: &str, default: bool) -> Result<bool, String> {
        Ok(self.read(name, "true or false", Value::as_bool)?.unwrap_or(default))
    }

    /// Refuses any value but `value`.
    pub(super) fn only(&self, name: &str, value: usize) -> Result<(), String> {
        match self.optional_size(name)? {
            Some(other) if other != value => Err(format!("`{name}` is {other}, only {value} is implemented")),
            _ => Ok(()),
        }
    }

    /// Refuses any text but those of `values`.
    pub(super) fn only_text(&self, name: &str, values: &[&str]) -> Result<(), String> {
        match self.optional_text(name)? {
            Some(other) if !values.contains(&other) => {
                Err(format!("`{name}` is `{other}`, only {} is implemented", values.join(" or ")))
            }
            _ => Ok(()),
        }
    }

    /// The share of the local mean's window.
    pub(super) fn window(&self) -> Result<(usize, usize), String> {
        Ok((self.size_or("base", WINDOW.0)?, self.size_or("train", WINDOW.1)?))
    }

    /// The highest frequency kept, in cycles per sample.
    pub(super) fn cutoff(&self) -> Result<f64, String> {
        let cutoff = self.number_or("cutoff", 0.125)?;
        if cutoff >= 0.0 { Ok(cutoff) } else { Err(format!("`cutoff` is {cutoff}, expected 0 or more")) }
    }

    /// The dynamic filter's parameters.
    pub(super) fn attention(&self) -> Result<Attention, String> {
        let activation = self.optional_text("activation")?.map_or(Ok(Activation::Tanh), |name| {
            name.parse()
                .map_err(|_| format!("activation `{name}` is not known; expected tanh, softmax or softmax_tanh"))
        })?;
        let smooth = match self.optional_text("mean")? {
            None | Some("global") => Smooth::Global,
            Some("local") => {
                let (base, train) = self.window()?;
                Smooth::Box { base, train }
            }
            Some("frequency") => Smooth::LowBand { cutoff: self.cutoff()? },
            Some(other) => return Err(format!("mean `{other}` is not known; expected global, local or frequency")),
        };
        let standard = Attention::new(activation, smooth);
        let groups = self.size_or("groups", standard.groups)?;
        if groups == 0 {
            return Err("`groups` is 0, expected at least 1".into());
        }
        Ok(Attention { groups, eps: self.number_or("batch_norm_eps", standard.eps)?, ..standard })
    }
}

fn count(value: &Value) -> Option<usize> {
    usize::try_from(value.as_i64().filter(|&count| count <= LARGEST)?).ok()
}

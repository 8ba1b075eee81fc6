//! One golden case on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Values of a recorded tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// f32 and f64, as f64.
    Float(Vec<f64>),
    /// Any integer and bool.
    Int(Vec<i64>),
}

/// A recorded tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Shape.
    pub shape: Vec<usize>,
    /// Values.
    pub values: Values,
}

impl Array {
    /// The values as f32, whatever the stored type.
    pub fn f32(&self) -> Vec<f32> {
        match &self.values {
            Values::Float(v) => v.iter().map(|x| *x as f32).collect(),
            Values::Int(v) => v.iter().map(|x| *x as f32).collect(),
        }
    }

    /// The values as f64, whatever the stored type.
    pub fn f64(&self) -> Vec<f64> {
        match &self.values {
            Values::Float(v) => v.clone(),
            Values::Int(v) => v.iter().map(|x| *x as f64).collect(),
        }
    }

    /// The values of an integer or bool tensor.
    ///
    /// # Panics
    /// When the tensor holds floats.
    pub fn i64(&self) -> Vec<i64> {
        match &self.values {
            Values::Int(v) => v.clone(),
            Values::Float(_) => panic!("expected an integer tensor"),
        }
    }
}

/// A golden case: hyperparameters and tensors. It notes which tensors a checker asks for, so that one that is
/// recorded and never looked at fails the case.
#[derive(Debug, Clone)]
pub struct Case {
    /// File stem.
    pub name: String,
    /// The JSON beside the tensors.
    pub meta: Value,
    folder: PathBuf,
    tensors: BTreeMap<String, Array>,
    /// Shared by all copies of the case.
    asked: Arc<Mutex<BTreeSet<String>>>,
}

/// Names of all cases in the folder, from its `INDEX.json`.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let index: BTreeMap<String, Value> = json(&dir.join("INDEX.json"));
    index.into_keys().collect()
}

fn json<T: DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

impl Case {
    /// Reads `dir/name.json` and `dir/name.safetensors`.
    ///
    /// # Panics
    /// When a file is missing or broken.
    pub fn load(dir: &Path, name: &str) -> Self {
        let path = dir.join(format!("{name}.safetensors"));
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file = SafeTensors::deserialize(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let tensors = file.iter().map(|(k, view)| (k.to_owned(), array(&view))).collect();
        Self {
            name: name.to_owned(),
            meta: json(&dir.join(format!("{name}.json"))),
            folder: dir.to_owned(),
            tensors,
            asked: Arc::default(),
        }
    }

    /// The folder that it was read from.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A sibling case of the same folder, for cases that start from another's weights.
    pub fn sibling(&self, name: &str) -> Self {
        Self::load(&self.folder, name)
    }

    /// The same case as if tensors with `part` in their names had not been recorded.
    pub fn without(&self, part: &str) -> Self {
        let mut case = self.clone();
        case.tensors.retain(|name, _| !name.contains(part));
        case
    }

    /// Names of all tensors, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    fn asked(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tensors that no checker has asked for.
    pub(crate) fn unasked(&self) -> Vec<&str> {
        let asked = self.asked();
        self.names().filter(|name| !asked.contains(*name)).collect()
    }

    /// Tensor by name, if it was recorded.
    pub fn find(&self, name: &str) -> Option<&Array> {
        let array = self.tensors.get(name)?;
        self.asked().insert(name.to_owned());
        Some(array)
    }

    /// Tensor by name.
    ///
    /// # Panics
    /// When it is missing, naming case and tensor.
    pub fn get(&self, name: &str) -> &Array {
        self.find(name).unwrap_or_else(|| panic!("{}: no tensor {name}", self.name))
    }

    /// Whether a tensor was recorded. Does not count as looking at it.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Hyperparameter by key, if the JSON has it.
    pub fn hyper<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let v = self.meta.get("hyperparameters")?.get(key)?;
        serde_json::from_value(v.clone()).ok()
    }

    /// Hyperparameter by key.
    ///
    /// # Panics
    /// When it is missing or of another type.
    pub fn need<T: DeserializeOwned>(&self, key: &str) -> T {
        self.hyper(key).unwrap_or_else(|| panic!("{}: no usable hyperparameter {key}", self.name))
    }
}

fn array(view: &safetensors::tensor::TensorView<'_>) -> Array {
    fn chunks<const N: usize, T>(bytes: &[u8], f: impl Fn([u8; N]) -> T) -> Vec<T> {
        bytes.chunks_exact(N).map(|c| f(c.try_into().expect("exact chunk"))).collect()
    }
    let bytes = view.data();
    let values = match view.dtype() {
        Dtype::F32 => Values::Float(chunks(bytes, |b| f64::from(f32::from_le_bytes(b)))),
        Dtype::F64 => Values::Float(chunks(bytes, f64::from_le_bytes)),
        Dtype::I64 => Values::Int(chunks(bytes, i64::from_le_bytes)),
        Dtype::I32 => Values::Int(chunks(bytes, |b| i64::from(i32::from_le_bytes(b)))),
        Dtype::U8 | Dtype::BOOL => Values::Int(bytes.iter().map(|b| i64::from(*b)).collect()),
        other => panic!("unexpected dtype {other:?} in a golden case"),
    };
    Array { shape: view.shape().to_vec(), values }
}

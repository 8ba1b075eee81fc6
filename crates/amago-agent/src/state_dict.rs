//! The names and layouts under which the original saves the tensors of a module.
//!
//! Our fields carry the names of the original's state dict. What differs is here and nowhere else:
//! levels that exist on one side only (variants of enums, the Transformer's wrapper), numbered parts of
//! sequential blocks and of recurrent networks, and the scale of an RMS norm. The weight of a linear
//! layer is `[d_out, d_in]` there and `[d_in, d_out]` here.

use std::collections::VecDeque;
use std::fmt;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

/// One of our parameters as the original's state dict has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateEntry {
    /// Name there.
    pub name: String,
    /// Shape there.
    pub shape: Vec<usize>,
    /// Whether ours is the transpose.
    transposed: bool,
}

/// A tensor that keeps a state dict from fitting a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// The module has it, the state dict does not.
    Missing {
        /// Name in the state dict.
        name: String,
        /// Shape that the module needs.
        needed: Vec<usize>,
    },
    /// Both have it, in different shapes.
    Shape {
        /// Name in the state dict.
        name: String,
        /// Shape that the module needs.
        needed: Vec<usize>,
        /// Shape in the state dict.
        found: Vec<usize>,
    },
    /// The state dict has it, the module does not.
    LeftOver {
        /// Name in the state dict.
        name: String,
        /// Shape in the state dict.
        found: Vec<usize>,
    },
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name, needed } => {
                write!(f, "{name}: missing in the file, the config needs {needed:?}")
            }
            Self::Shape { name, needed, found } => {
                write!(f, "{name}: {found:?} in the file, the config needs {needed:?}")
            }
            Self::LeftOver { name, found } => {
                write!(f, "{name}: {found:?} in the file, the config has no such tensor")
            }
        }
    }
}

impl StateEntry {
    /// Values in the original's layout, row-major, in ours.
    ///
    /// # Panics
    /// When there are not as many as the shape says.
    pub fn to_ours(&self, values: Vec<f32>) -> Vec<f32> {
        assert_eq!(values.len(), self.shape.iter().product::<usize>(), "{}", self.name);
        let (true, [rows, columns]) = (self.transposed, &self.shape[..]) else { return values };
        (0..*columns).flat_map(|c| (0..*rows).map(move |r| r * columns + c)).map(|i| values[i]).collect()
    }
}

/// Every parameter of a module, in the order in which visitors and mappers meet them.
pub fn state_entries<M: Module>(module: &M) -> Vec<StateEntry> {
    let mut walk = Walk::default();
    module.visit(&mut walk);
    let with_bias: Vec<bool> = walk.entries.iter().map(|e| has_bias(&walk.entries, &e.name)).collect();
    for (entry, with_bias) in walk.entries.iter_mut().zip(with_bias) {
        if let Some(stem) = entry.name.strip_suffix("norm.weight").filter(|_| !with_bias) {
            // Only the RMS norm has no shift.
            entry.name = format!("{stem}norm.scale");
        }
    }
    walk.entries
}

fn has_bias(entries: &[StateEntry], weight: &str) -> bool {
    let stem = weight.strip_suffix("weight").unwrap_or(weight);
    entries.iter().any(|e| e.name.strip_prefix(stem) == Some("bias"))
}

/// Fills a module with the tensors that `find` gives for the original's names.
///
/// # Errors
/// Every tensor that is missing or of another shape.
///
/// # Panics
/// When a tensor cannot be read as f32.
pub fn load_state<M: Module>(module: M, find: impl Fn(&str) -> Option<TensorData>) -> Result<M, Vec<Misfit>> {
    let (mut values, mut misfits) = (VecDeque::new(), Vec::new());
    for entry in state_entries(&module) {
        let (name, needed) = (entry.name.clone(), entry.shape.clone());
        match find(&entry.name) {
            None => misfits.push(Misfit::Missing { name, needed }),
            // Collected rather than told one by one: a config that is off is off in many tensors.
            Some(data) if data.shape().to_vec() != needed => {
                misfits.push(Misfit::Shape { name, needed, found: data.shape().to_vec() });
            }
            Some(data) => values.push_back(entry.to_ours(data.iter::<f32>().collect())),
        }
    }
    if misfits.is_empty() { Ok(module.map(&mut Fill(values))) } else { Err(misfits) }
}

/// Replaces every parameter, in order.
struct Fill(VecDeque<Vec<f32>>);

impl ModuleMapper for Fill {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let values = self.0.pop_front().expect("one for every parameter");
        let (id, old, mapper) = param.consume();
        let new = Tensor::<D>::from_data(TensorData::new(values, old.dims()), &old.device());
        Param::from_mapped_value(id, new.set_require_grad(old.is_require_grad()), mapper)
    }
}

/// Notes every parameter under its name there.
#[derive(Default)]
struct Walk {
    /// Levels above the parameter; those that do not exist there are empty.
    path: Vec<String>,
    containers: Vec<String>,
    entries: Vec<StateEntry>,
}

impl ModuleVisitor for Walk {
    fn enter_module(&mut self, field: &str, container: &str) {
        let level = level(&self.path, field, container);
        self.path.push(level);
        self.containers.push(container.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
        self.containers.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let levels: Vec<&str> = self.path.iter().map(String::as_str).filter(|l| !l.is_empty()).collect();
        let mut shape = param.val().dims().to_vec();
        // Ours multiply from the right, `x W`; PyTorch keeps the transpose. Embeddings have two dimensions,
        // too, but are the same on both sides.
        let transposed = D == 2 && self.containers.last().is_some_and(|c| c == "Struct:Dense");
        if transposed {
            shape.reverse();
        }
        self.entries.push(StateEntry { name: recurrent(&levels), shape, transposed });
    }
}

/// What a field is called there, by the type that holds it; empty for a level that does not exist there.
fn level(above: &[String], field: &str, container: &str) -> String {
    let named = match (container, field) {
        ("Struct:Transformer", _) => return format!("tformer.{field}"),
        ("Enum:ActorNet", "Mlp") => "base",
        ("Struct:Actor", "net") | ("Struct:GoalEncoder", "embedder") => "",
        _ if container.starts_with("Enum:") => "",
        // Ours takes several images, the original one.
        ("Vec", "0") if above.last().is_some_and(|l| l == "cnn" || l == "img_features") => "",
        // The places in a sequence of layers.
        ("Struct:ResidualBlock", "up") => "0",
        ("Struct:ResidualBlock", "up_norm") => "1",
        ("Struct:ResidualBlock", "activation") if above.iter().any(|l| l == "residual_blocks") => "2",
        ("Struct:ResidualBlock", "down") => "3",
        ("Struct:ResidualBlock", "down_norm") => "4",
        ("Struct:InputNorm" | "Struct:PopArt", "t") => "_t",
        _ => field,
    };
    named.to_owned()
}

/// Layers of a recurrent network are numbered at the end there: `rnn.0.ih.weight` is `rnn.weight_ih_l0`.
fn recurrent(levels: &[&str]) -> String {
    match levels {
        [before @ .., "rnn", layer, side @ ("ih" | "hh"), kind] => {
            let last = format!("{kind}_{side}_l{layer}");
            [before, &["rnn", &last]].concat().join(".")
        }
        _ => levels.join("."),
    }
}

//! Loads recorded weights into Burn modules and compares gradients and weights by name.
//!
//! Our fields carry the names of the recorded tensors, so a path is its own key. Two rules apply:
//! a 2-D `weight` of a `Dense` layer is stored transposed, and a few names differ: those of enum
//! variants, and the numbered parts of the original's sequential blocks.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Gradients, Tensor, TensorData};

use crate::{Array, Case, Report};

/// The device that tests run on: the CPU, or the one `AMAGO_TEST_DEVICE` names.
///
/// # Panics
/// When the name is not one that was compiled in.
pub fn device() -> Device {
    match std::env::var("AMAGO_TEST_DEVICE").as_deref() {
        Err(_) | Ok("cpu") => Device::flex(),
        #[cfg(feature = "wgpu")]
        Ok("wgpu") => Device::wgpu(burn::tensor::DeviceKind::DefaultDevice),
        Ok(other) => panic!("AMAGO_TEST_DEVICE={other} is not compiled in"),
    }
}

/// A recorded tensor on a device.
///
/// # Panics
/// When the rank differs.
pub fn tensor<const D: usize>(array: &Array, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(array.f32(), array.shape.clone()), device)
}

/// The values of a tensor, row-major.
///
/// # Panics
/// When the tensor cannot be read back.
pub fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().iter::<f32>().collect()
}

/// Name under which a module path was recorded.
fn recorded(path: &[String], strip: &str) -> String {
    let path = path.join(".");
    let path = recurrent(path.strip_prefix(strip).unwrap_or(&path));
    let path = path.replace("tstep_encoder.FeedForward.", "tstep_encoder.");
    let path = path.replace("tstep_encoder.Cnn.", "tstep_encoder.");
    // Ours takes several images, the original one.
    let path = path.replace("cnn.0.", "cnn.").replace("img_features.0.", "img_features.");
    let path = path.replace("net.Mlp.", "base.").replace("net.Residual.", "");
    let path = match path.contains("residual_blocks.") {
        true => [("up.", "0."), ("up_norm.", "1."), ("down.", "3."), ("down_norm.", "4.")]
            .iter()
            .fold(path, |path, (ours, theirs)| path.replace(&format!(".{ours}"), &format!(".{theirs}"))),
        false => path,
    };
    path.replace("in_norm.t", "in_norm._t").replace("popart.t", "popart._t")
}

/// Layers of a recurrent network are numbered at the end there: `rnn.0.ih.weight` is `rnn.weight_ih_l0`.
fn recurrent(path: &str) -> String {
    match path.split('.').collect::<Vec<_>>()[..] {
        [ref before @ .., "rnn", layer, side @ ("ih" | "hh"), kind] => {
            [before, &["rnn", &format!("{kind}_{side}_l{layer}")]].concat().join(".")
        }
        _ => path.to_owned(),
    }
}

fn lookup<'a>(case: &'a Case, prefixes: &[&str], name: &str) -> Option<&'a Array> {
    // The scale of an RMS norm was recorded under another name, and a Transformer one level deeper.
    let deeper = match name.strip_prefix("traj_encoder.") {
        Some(rest) => format!("traj_encoder.tformer.{rest}"),
        None => format!("tformer.{name}"),
    };
    let scale = |name: &str| name.replace("norm.weight", "norm.scale");
    let alternatives = [name.to_owned(), scale(name), scale(&deeper), deeper, format!("_{name}")];
    alternatives.iter().find_map(|n| prefixes.iter().find_map(|p| case.tensors.get(&format!("{p}{n}"))))
}

struct Loader<'a> {
    case: &'a Case,
    prefixes: &'a [&'a str],
    path: Vec<String>,
    dense: Vec<bool>,
    missing: Vec<String>,
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push(name.to_owned());
        self.dense.push(container == "Struct:Dense");
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
        self.dense.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = recorded(&self.path, "");
        let Some(array) = lookup(self.case, self.prefixes, &name) else {
            self.missing.push(name);
            return param;
        };
        let transposed = D == 2 && *self.dense.last().expect("inside a module");
        let (data, shape) = host(array, transposed);
        assert_eq!(
            shape.iter().product::<usize>(),
            param.val().shape().num_elements(),
            "{name}: size differs"
        );
        let (id, old, mapper) = param.consume();
        let new = Tensor::<D>::from_data(TensorData::new(data, old.dims()), &old.device());
        let new = new.set_require_grad(old.is_require_grad());
        Param::from_mapped_value(id, new, mapper)
    }
}

fn host(array: &Array, transposed: bool) -> (Vec<f32>, Vec<usize>) {
    let data = array.f32();
    if !transposed {
        return (data, array.shape.clone());
    }
    let (rows, cols) = (array.shape[0], array.shape[1]);
    let flipped = (0..cols).flat_map(|c| (0..rows).map(move |r| (r, c))).map(|(r, c)| data[r * cols + c]);
    (flipped.collect(), vec![cols, rows])
}

/// Fills a module from the first prefix under which each tensor was recorded.
///
/// # Panics
/// When a parameter was not recorded.
pub fn load<M: Module>(module: M, case: &Case, prefixes: &[&str]) -> M {
    let mut loader = Loader { case, prefixes, path: Vec::new(), dense: Vec::new(), missing: Vec::new() };
    let module = module.map(&mut loader);
    assert!(loader.missing.is_empty(), "{}: not recorded: {:?}", case.name, loader.missing);
    module
}

/// What [`compare`] reads from each parameter.
pub enum What<'a> {
    /// The parameter itself.
    Weights,
    /// Its gradient.
    Gradients(&'a Gradients),
    /// Its gradient, where errors of a gradient smaller than the given norm are measured at that
    /// norm: a sum that cancels keeps the rounding errors of its terms.
    GradientsAbove(&'a Gradients, f64),
}

struct Comparer<'a> {
    case: &'a Case,
    prefix: &'a str,
    what: What<'a>,
    tolerance: f64,
    report: &'a mut Report,
    compared: usize,
    path: Vec<String>,
    dense: Vec<bool>,
}

impl ModuleVisitor for Comparer<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.push(name.to_owned());
        self.dense.push(container == "Struct:Dense");
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
        self.dense.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = recorded(&self.path, "");
        let Some(array) = lookup(self.case, &[self.prefix], &name) else { return };
        let transposed = D == 2 && *self.dense.last().expect("inside a module");
        let (expected, _) = host(array, transposed);
        let (got, floor) = match &self.what {
            What::Weights => (Some(values(&param.val())), 0.0),
            What::Gradients(grads) => (param.val().grad(grads).map(|g| values(&g)), 0.0),
            What::GradientsAbove(grads, floor) => (param.val().grad(grads).map(|g| values(&g)), *floor),
        };
        // A parameter that takes no part has no gradient; the recorded one is then zero.
        let got = got.unwrap_or_else(|| vec![0.0; expected.len()]);
        let name = format!("{}{name}", self.prefix);
        self.report.close_above(floor, &name, &got, &expected, self.tolerance);
        self.compared += 1;
    }
}

/// Compares every parameter that was recorded under `prefix`, and returns how many were.
pub fn compare<M: Module>(
    module: &M,
    case: &Case,
    prefix: &str,
    what: What<'_>,
    tolerance: f64,
    report: &mut Report,
) -> usize {
    let (path, dense) = (Vec::new(), Vec::new());
    let mut visitor = Comparer { case, prefix, what, tolerance, report, compared: 0, path, dense };
    module.visit(&mut visitor);
    visitor.compared
}

/// Identity of every parameter with its path, for tests that look one up.
pub fn names<M: Module>(module: &M) -> Vec<(String, ParamId)> {
    struct Names(Vec<String>, Vec<(String, ParamId)>);
    impl ModuleVisitor for Names {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1.push((self.0.join("."), param.id));
        }
    }
    let mut visitor = Names(Vec::new(), Vec::new());
    module.visit(&mut visitor);
    visitor.1
}

//! Loads recorded weights into Burn modules and compares gradients and weights by name. Names and layouts
//! are those of [`amago_agent::state_entries`], by which weights are imported.

use amago_agent::{StateEntry, load_state, state_entries};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
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
        #[cfg(feature = "cuda")]
        Ok("cuda") => Device::cuda(0),
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

/// The values of all parameters, in visiting order.
///
/// # Panics
/// When a parameter cannot be read back.
pub fn weights<M: Module>(module: &M) -> Vec<Vec<f32>> {
    struct Collect(Vec<Vec<f32>>);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(values(&param.val()));
        }
    }
    let mut collect = Collect(Vec::new());
    module.visit(&mut collect);
    collect.0
}

/// Fills a module from the first prefix under which each tensor was recorded.
///
/// # Panics
/// When a parameter was not recorded, or in another shape.
pub fn load<M: Module>(module: M, case: &Case, prefixes: &[&str]) -> M {
    let recorded = |name: &str| {
        let array = prefixes.iter().find_map(|p| case.find(&format!("{p}{name}")))?;
        Some(TensorData::new(array.f32(), array.shape.clone()))
    };
    load_state(module, recorded).unwrap_or_else(|misfits| panic!("{}: {misfits:#?}", case.name))
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
    /// Of the parameters that are not visited yet.
    entries: std::vec::IntoIter<StateEntry>,
}

impl ModuleVisitor for Comparer<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let entry = self.entries.next().expect("one for every parameter");
        let name = format!("{}{}", self.prefix, entry.name);
        let Some(array) = self.case.find(&name) else { return };
        let expected = entry.to_ours(array.f32());
        let (got, floor) = match &self.what {
            What::Weights => (Some(values(&param.val())), 0.0),
            What::Gradients(grads) => (param.val().grad(grads).map(|g| values(&g)), 0.0),
            What::GradientsAbove(grads, floor) => (param.val().grad(grads).map(|g| values(&g)), *floor),
        };
        // A parameter that takes no part has no gradient; the recorded one is then zero.
        let got = got.unwrap_or_else(|| vec![0.0; expected.len()]);
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
    let entries = state_entries(module).into_iter();
    let mut visitor = Comparer { case, prefix, what, tolerance, report, compared: 0, entries };
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

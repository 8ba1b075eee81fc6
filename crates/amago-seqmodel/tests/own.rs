//! An encoder from outside: a module like any other once it is wrapped.

use amago_golden::modules::{self, device, names, values};
use amago_seqmodel::{EncoderState, SequenceEncoder, TrajEncoder};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Bool, Device, Int, Tensor};

/// Decaying sums of the inputs, mixed by a linear layer; with a parameter of every kind.
#[derive(Module, Debug)]
struct Decaying {
    mix: Linear,
    decay: Param<Tensor<1>>,
    counts: Param<Tensor<2, Int>>,
    mask: Param<Tensor<3, Bool>>,
    dropout: Dropout,
    updates: usize,
}

#[derive(Debug, Clone)]
struct Sums(Tensor<2>);

impl EncoderState for Sums {
    fn reset(&mut self, row: usize) {
        self.0.inplace(|s| s.slice_fill(row..row + 1, 0.0));
    }
}

impl Decaying {
    fn new(device: &Device) -> Self {
        Self {
            mix: LinearConfig::new(3, 4).init(device),
            decay: Param::from_tensor(Tensor::full([1], 0.5, device)),
            counts: Param::initialized(ParamId::new(), Tensor::zeros([2, 2], device)),
            mask: Param::initialized(ParamId::new(), Tensor::full([1, 1, 1], true, device)),
            dropout: DropoutConfig::new(0.5).init(),
            updates: 0,
        }
    }
}

impl SequenceEncoder for Decaying {
    type State = Sums;

    fn d_output(&self) -> usize {
        4
    }

    fn forward_seq(&self, x: Tensor<3>, times: Tensor<2, Int>) -> Tensor<3> {
        let [batch, len, _] = x.dims();
        let mut state = self.rollout_state(batch, len, &x.device());
        let step =
            |t| self.forward_step(x.clone().narrow(1, t, 1), times.clone().narrow(1, t, 1), &mut state);
        Tensor::cat((0..len).map(step).collect(), 1)
    }

    fn forward_step(&self, x: Tensor<3>, _times: Tensor<2, Int>, state: &mut Sums) -> Tensor<3> {
        state.0 = state.0.clone() * self.decay.val().unsqueeze() + x.squeeze_dim(1);
        self.mix.forward(state.0.clone()).unsqueeze_dim(1)
    }

    fn rollout_state(&self, batch: usize, _context: usize, device: &Device) -> Sums {
        Sums(Tensor::zeros([batch, 3], device))
    }

    fn begin_update(&mut self) {
        self.updates += 1;
    }
}

/// Counts what it is shown.
#[derive(Default)]
struct Count([usize; 4], Vec<String>);

impl ModuleVisitor for Count {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.1.push(name.to_owned());
    }

    fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<D>>) {
        self.0[0] += 1;
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        assert_eq!(param.dims(), [2; D]);
        self.0[1] += 1;
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        assert_eq!(param.dims(), [1; D]);
        self.0[2] += 1;
    }

    fn visit_flag(&mut self, _: &Param<burn::module::Flag>) {
        self.0[3] += 1;
    }
}

struct Zero;

impl ModuleMapper for Zero {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|x| x.zeros_like())
    }
}

fn weights(encoder: &TrajEncoder) -> Vec<f32> {
    modules::weights(encoder).concat()
}

#[test]
fn its_parameters_are_visited_and_mapped_under_their_own_names() {
    let inside = Decaying::new(&device());
    let encoder = TrajEncoder::new(inside.clone());
    assert_eq!(names(&encoder), names(&inside));
    assert_eq!(encoder.num_params(), 3 * 4 + 4 + 1);
    let mut count = Count::default();
    encoder.visit(&mut count);
    assert_eq!(count.0, [3, 1, 1, 1]);
    let (before, copy) = (weights(&encoder), encoder.clone());
    let zeroed = encoder.map(&mut Zero);
    assert_eq!(weights(&zeroed), vec![0.0; before.len()]);
    assert_eq!(names(&zeroed), names(&inside), "the parameters keep their identity");
    assert_eq!(weights(&copy), before, "a clone is a value of its own");
}

#[test]
fn an_optimiser_trains_it_and_a_frozen_copy_stays() {
    let device = device().autodiff();
    let encoder = TrajEncoder::new(Decaying::new(&device));
    let x = Tensor::ones([2, 5, 3], &device);
    let times = Tensor::zeros([2, 5], &device);
    let plain = encoder.valid();
    assert!(!plain.devices()[0].is_autodiff());
    let frozen = encoder.clone().no_grad();
    let grads = encoder.forward_seq(x.clone(), times.clone()).sum().backward();
    let grads = GradientsParams::from_grads(grads, &encoder);
    assert_eq!(grads.len(), 3, "every float parameter has a gradient");
    let before = weights(&encoder);
    let after = weights(&AdamWConfig::new().init().step(0.1, encoder, grads));
    assert!(before.iter().zip(&after).all(|(a, b)| a != b), "{before:?} {after:?}");
    assert_eq!(weights(&plain), before);
    let fixed = frozen.forward_seq(x, times);
    assert!(!fixed.is_require_grad() && weights(&frozen) == before);
}

#[test]
fn a_file_holds_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("encoder.bpk");
    let encoder = TrajEncoder::new(Decaying::new(&device()));
    encoder.clone().save_file(&file).expect("saved");
    let other = TrajEncoder::new(Decaying::new(&device()));
    assert_ne!(weights(&other), weights(&encoder));
    let loaded = other.try_load_file(&file).expect("the same shape");
    assert_eq!(weights(&loaded), weights(&encoder));
}

#[test]
fn its_methods_are_called() {
    let mut encoder = TrajEncoder::new(Decaying::new(&device()));
    encoder.begin_update();
    assert!(format!("{encoder:?}").contains("updates: 1"), "{encoder:?}");
    let x = Tensor::<3>::ones([2, 4, 3], &device());
    let times = Tensor::<2, Int>::zeros([2, 4], &device());
    let whole = values(&encoder.forward_seq(x.clone(), times.clone()));
    let mut state = encoder.rollout_state(2, 9, &device());
    let steps = (0..4).map(|t| {
        let (x, times) = (x.clone().narrow(1, t, 1), times.clone().narrow(1, t, 1));
        encoder.forward_step(x, times, &mut state)
    });
    assert_eq!(values(&Tensor::cat(steps.collect::<Vec<_>>(), 1)), whole);
    let mut copy = state.clone();
    copy.reset(0);
    let next = |state| {
        values(&encoder.forward_step(x.clone().narrow(1, 0, 1), times.clone().narrow(1, 0, 1), state))
    };
    let (kept, forgotten) = (next(&mut state), next(&mut copy));
    assert_eq!(forgotten[..4], whole[..4]);
    assert_eq!(kept[4..], forgotten[4..]);
    assert_ne!(kept[..4], forgotten[..4]);
}

//! The head of a classification critic: state, discount and action in, a distribution over bins out.

use burn::tensor::{Tensor, activation};

use crate::ensemble_linear;
use crate::shapes::require;

/// `C` networks whose input is the joined `[state, discount feature, action]`, with the first layer split by input:
/// the state's share is computed once per state, not once per discount and action.
///
/// # Panics
/// Every method panics when a shape does not fit the others, there is no layer after the first, a width or the number
/// of networks is zero, or the slope is above one. Without actions the result is empty and has no gradient.
#[derive(Clone)]
pub struct ClassifierHead<F> {
    /// The state's share of the first layer with its bias, before the activation, `[C, N, H]`.
    pub state: Tensor<3>,
    /// The discount's share, `[C, G, H]`.
    pub gamma: Tensor<3>,
    /// The action's rows of the first layer's weight, `[C, A, H]`.
    pub action_weight: Tensor<3>,
    /// Weight `[C, H, H']` and bias `[C, H']` of the layers after the first; the last one gives bins.
    pub layers: Vec<(Tensor<3>, Tensor<2>)>,
    /// Nonlinearity between the layers.
    pub activation: F,
    /// Its slope below zero where it is a leaky ReLU, as in [`crate::linear`]: then the fused kernels can run.
    pub slope: Option<f64>,
    /// Probability with which each hidden number is dropped; above 0 the fused kernels cannot run.
    pub dropout: f64,
}

/// What [`ClassifierHead::classify`] finds.
#[derive(Debug, Clone)]
pub struct Classified {
    /// Cross-entropy to the labels, `[C, N·G]`.
    pub loss: Tensor<2>,
    /// Expected bin, `[C, N·G]`, without gradient.
    pub value: Tensor<2>,
}

impl<F: Fn(Tensor<3>) -> Tensor<3>> ClassifierHead<F> {
    /// Expected bin of every action, without gradient. No logit is kept.
    ///
    /// # Shapes
    /// - actions: `[K, N, G, A]`
    /// - bins: one value for each output of the last layer
    /// - output: `[C, K, N·G]`
    pub fn expect(self, actions: Tensor<4>, bins: &[f32]) -> Tensor<3> {
        const NAME: &str = "ClassifierHead::expect";
        let [k, n, g, _] = actions.dims();
        let [c, outputs] = self.check(NAME, actions.dims());
        check_bins(NAME, outputs, bins);
        if [k, n, g].contains(&0) {
            return Tensor::zeros([c, k, n * g], &actions.device());
        }
        let (head, actions) = (self.detach(), actions.detach());
        #[cfg(feature = "flex")]
        if let Some((inputs, slope)) = head.inputs() {
            let actions = crate::cpu::constant(actions);
            let kernel = crate::cpu::Expect { actions, bins: bins.to_vec(), slope };
            let found: Tensor<3> = crate::cpu::apply_any(kernel, inputs);
            return found.reshape([c, k, n * g]);
        }
        let logits = head.logits(actions);
        expected(logits, bins).reshape([c, k, n * g])
    }

    /// Cross-entropy of the actions to labels that the ensemble shares, and the expected bins. The gradient
    /// flows to the head, not to the actions.
    ///
    /// # Shapes
    /// - actions: `[N, G, A]`
    /// - labels: `[N·G, bins]`
    /// - bins: one value for each output of the last layer
    /// - loss and value: `[C, N·G]`
    pub fn classify(self, actions: Tensor<3>, labels: Tensor<2>, bins: &[f32]) -> Classified {
        const NAME: &str = "ClassifierHead::classify";
        let [n, g, a] = actions.dims();
        let [c, outputs] = self.check(NAME, [1, n, g, a]);
        check_bins(NAME, outputs, bins);
        let labelled = labels.dims();
        require!(
            labelled == [n * g, outputs],
            NAME,
            "one label [N G, bins] per action",
            labelled,
            n,
            g,
            outputs
        );
        if n * g == 0 {
            let [loss, value] = [(); 2].map(|()| Tensor::zeros([c, 0], &actions.device()));
            return Classified { loss, value };
        }
        let (actions, labels) = (actions.unsqueeze::<4>().detach(), labels.detach());
        #[cfg(feature = "flex")]
        if let Some((inputs, slope)) = self.inputs() {
            let [actions, labels] = [crate::cpu::constant(actions), crate::cpu::constant(labels)];
            let kernel = crate::cpu::Classify { actions, labels, bins: bins.to_vec(), slope };
            let both: Tensor<3> = crate::cpu::apply_any(kernel, inputs);
            let part = |i| both.clone().narrow(0, i, 1).reshape([c, n * g]);
            return Classified { loss: part(0), value: part(1).detach() };
        }
        let logits = self.logits(actions);
        let log_probs = activation::log_softmax(logits.clone(), 2);
        let loss = (log_probs * labels.unsqueeze()).sum_dim(2).neg().squeeze_dim(2);
        Classified { loss, value: expected(logits.detach(), bins).squeeze_dim(2) }
    }

    /// Values of the actions, where the last layer has one output. The gradient flows to the actions as well.
    ///
    /// # Shapes
    /// - actions: `[K, N, G, A]`
    /// - output: `[C, K·N·G]`
    pub fn values(self, actions: Tensor<4>) -> Tensor<2> {
        const NAME: &str = "ClassifierHead::values";
        let dims = actions.dims();
        let [c, outputs] = self.check(NAME, dims);
        require!(outputs == 1, NAME, "a last layer with one output", outputs);
        if dims.contains(&0) {
            return Tensor::zeros([c, 0], &actions.device());
        }
        #[cfg(feature = "flex")]
        if let Some((mut inputs, slope)) = self.inputs() {
            inputs.push(actions.into());
            let values: Tensor<3> = crate::cpu::apply_any(crate::cpu::Values { slope }, inputs);
            return values.squeeze_dim(2);
        }
        self.logits(actions).squeeze_dim(2)
    }

    /// Logits, composed; the gradient flows to the actions as well.
    ///
    /// # Shapes
    /// - actions: `[K, N, G, A]`
    /// - output: `[C, K·N·G, bins]`
    pub fn logits(self, actions: Tensor<4>) -> Tensor<3> {
        let [k, n, g, a] = actions.dims();
        let [c, outputs] = self.check("ClassifierHead::logits", actions.dims());
        if [k, n, g].contains(&0) {
            return Tensor::zeros([c, 0, outputs], &actions.device());
        }
        let hidden = self.state.dims()[2];
        let by_action = actions.reshape([1, k * n * g, a]).matmul(self.action_weight);
        let joined = by_action.reshape([c, k, n, g, hidden])
            + self.gamma.reshape([c, 1, 1, g, hidden])
            + self.state.reshape([c, 1, n, 1, hidden]);
        let drop_some = |x| crate::dropout(x, self.dropout);
        let mut x = drop_some((self.activation)(joined.reshape([c, k * n * g, hidden])));
        let last = self.layers.len() - 1;
        for (i, (weight, bias)) in self.layers.into_iter().enumerate() {
            x = match self.slope {
                _ if i == last => ensemble_linear(x, weight, bias, 1.0),
                Some(slope) => drop_some(ensemble_linear(x, weight, bias, slope)),
                None => drop_some((self.activation)(ensemble_linear(x, weight, bias, 1.0))),
            };
        }
        x
    }

    /// Refuses parts that do not fit each other or the actions; gives the number of networks and of outputs.
    fn check(&self, function: &str, actions: [usize; 4]) -> [usize; 2] {
        let [state, gamma, weight] = [&self.state, &self.gamma, &self.action_weight].map(|x| x.dims());
        let layers: Vec<_> = self.layers.iter().map(|(w, b)| (w.dims(), b.dims())).collect();
        let [c, n, hidden] = state;
        let mut outputs = hidden;
        let chained = layers.iter().all(|([networks, d_in, d_out], bias)| {
            let fits = [*networks, *d_in] == [c, outputs] && *bias == [c, *d_out] && *d_out > 0;
            outputs = *d_out;
            fits
        });
        let joined = [gamma[0], gamma[2], weight[0], weight[2]] == [c, hidden, c, hidden];
        let covered = actions[1..] == [n, gamma[1], weight[1]] && ![c, hidden, weight[1]].contains(&0);
        require!(
            chained && joined && covered && !layers.is_empty(),
            function,
            "a state [C, N, H], discounts [C, G, H], weights of actions [C, A, H], layers ([C, H, H'], [C, H']) and \
             actions [K, N, G, A]",
            state,
            gamma,
            weight,
            layers,
            actions
        );
        let slope = self.slope;
        require!(slope.is_none_or(|slope| slope <= 1.0), function, "a slope of at most one", slope);
        [c, outputs]
    }

    fn detach(self) -> Self {
        Self {
            state: self.state.detach(),
            gamma: self.gamma.detach(),
            action_weight: self.action_weight.detach(),
            layers: self.layers.into_iter().map(|(w, b)| (w.detach(), b.detach())).collect(),
            activation: self.activation,
            slope: self.slope,
            dropout: self.dropout,
        }
    }

    /// All tensors in the kernels' order and the slope of the activation, where the kernels can run.
    #[cfg(feature = "flex")]
    fn inputs(&self) -> Option<(Vec<crate::cpu::Input>, f32)> {
        let usable = crate::cpu::runs_on(&self.state.device()) && self.layers.len() <= crate::cpu::MAX_LAYERS;
        let slope = self.slope.filter(|_| usable && self.dropout == 0.0)?;
        let first = [&self.state, &self.gamma, &self.action_weight].map(|x| x.clone().into());
        let rest = self.layers.iter().flat_map(|(w, b)| [w.clone().into(), b.clone().into()]);
        Some((first.into_iter().chain(rest).collect(), slope as f32))
    }
}

fn check_bins(function: &str, outputs: usize, bins: &[f32]) {
    let bins = bins.len();
    require!(outputs == bins, function, "as many bins as outputs of the last layer", outputs, bins);
}

/// `Σ softmax(logits) · bins` over the last dimension, kept with size one.
fn expected(logits: Tensor<3>, bins: &[f32]) -> Tensor<3> {
    let bins = Tensor::<1>::from_floats(bins, &logits.device()).unsqueeze::<3>();
    (activation::softmax(logits, 2) * bins).sum_dim(2)
}

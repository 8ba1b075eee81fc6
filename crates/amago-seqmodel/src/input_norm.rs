//! Running normalisation of input features.

use burn::module::{Module, Param};
use burn::tensor::{Bool, Device, Tensor, TensorData};

use crate::{ModelError, buffer, set_buffer};

const EPS: f64 = 1e-5;

/// Settings of [`InputNorm`].
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct InputNormConfig {
    /// Step size of the running moments after many updates; the first steps are larger.
    pub beta: f64,
    /// Mean square of every feature before the first update.
    pub init_nu: f64,
}

impl Default for InputNormConfig {
    fn default() -> Self {
        Self { beta: 1e-4, init_nu: 1.0 }
    }
}

impl InputNormConfig {
    /// Refuses step sizes that never move or forget everything, and squares that are none.
    ///
    /// # Errors
    /// Names the setting.
    pub fn validate(&self) -> Result<(), ModelError> {
        let beta = ("input_norm.beta", self.beta, self.beta > 0.0 && self.beta < 1.0, "above 0 and below 1");
        let nu = (
            "input_norm.init_nu",
            self.init_nu,
            self.init_nu > 0.0 && self.init_nu <= 1e12,
            "above 0 and at most 1e12",
        );
        match [beta, nu].into_iter().find(|(_, _, legal, _)| !legal) {
            Some((name, value, _, range)) => Err(ModelError::Range { name, value: value.to_string(), range }),
            None => Ok(()),
        }
    }

    /// Builds the layer for `d` features.
    pub fn init(&self, d: usize, device: &Device) -> InputNorm {
        InputNorm {
            mu: buffer(Tensor::zeros([d], device)),
            nu: buffer(Tensor::full([d], self.init_nu, device)),
            t: buffer(Tensor::ones([1], device)),
            beta: self.beta,
        }
    }
}
/// A value this many times as large as what is usual in its batch is far from the others. Bytes never are.
const FAR: f32 = 300.0;
/// Values that are far are outliers where no larger share of a feature's values is: a feature may be zero most of the
/// time.
const RARE: f32 = 0.05;
/// Squares of larger values, added up over a batch, are no number.
const LARGEST: f32 = 1e15;

/// Keeps running first and second moments of each feature and normalises with them.
///
/// Ordinary data move them as in the original. One absurd value would spoil them there: 1e4 among values of one
/// raises σ to hundreds, which switches the feature off for as long as σ remembers, and 1e20 makes it infinite. An
/// outlier therefore takes no part in the statistics, as if its timestep were padding for this feature. What is one
/// is decided within the batch, so that a mistake is forgotten with it, and large features are learned at once:
///
/// - `|x| > 300 exp(mean ln(1 + |x|))`: the mean runs over the feature's values in the batch, all of them. A mean of
///   logarithms hardly moves with one value of any size (the geometric mean as a robust scale), and the one under it
///   keeps every value up to 300 ordinary.
/// - At most one value in 20 (or one alone) is that far. Otherwise large values belong to the feature.
/// - NaN, infinities and values beyond 1e15 are outliers in any case.
///
/// The rule is ours; masked and trimmed moments are standard in robust statistics (Huber 1981). Finite outliers
/// are still normalised like other values, clamp included: they cost their own timestep.
///
/// ```
/// use amago_seqmodel::InputNormConfig;
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// let mut norm = InputNormConfig::default().init(1, &device);
/// let (usual, mask) = (Tensor::<3>::ones([1, 40, 1], &device), Tensor::<3>::ones([1, 40, 1], &device));
/// let absurd = usual.slice_fill([0..1, 7..8], 1e9);
/// let outliers = norm.update(absurd, mask);
/// outliers.into_data().assert_eq(&[1.0f32].into(), false);
/// assert!(norm.sigma().into_scalar::<f32>() < 1.0);
/// ```
#[derive(Module, Debug)]
pub struct InputNorm {
    /// Mean, `[d]`.
    pub mu: Param<Tensor<1>>,
    /// Mean square, `[d]`.
    pub nu: Param<Tensor<1>>,
    /// Update count, starting at one, `[1]`.
    pub t: Param<Tensor<1>>,
    /// Step size after many updates.
    beta: f64,
}

/// Step size `β / (1 − (1−β)^t)` of running statistics after `t` updates. In single precision on
/// purpose, as the original: `1 − (1−β)^t` loses digits for small `t`. The power is taken on the host,
/// because that of a GPU is off by as many digits again.
///
/// # Shapes
/// - t, output: any one shape
pub fn adaptive_rate<const D: usize>(beta: f64, t: Tensor<D>) -> Tensor<D> {
    let decay = |t: f32| ((1.0 - beta) as f32).powf(t);
    let rates: Vec<f32> = t.to_data().iter::<f32>().map(|t| beta as f32 / (1.0 - decay(t))).collect();
    Tensor::from_data(TensorData::new(rates, t.dims()), &t.device())
}

impl InputNorm {
    /// Moves the statistics towards this batch. The step size `β / (1 − (1−β)^t)` starts near one half, so that the
    /// initial values are forgotten at once. Gives the number of outliers of every feature.
    ///
    /// # Shapes
    /// - x: `[B, L, d]`
    /// - mask: `[B, L, 1]`, one where a timestep is real
    /// - output: `[d]`
    pub fn update(&mut self, x: Tensor<3>, mask: Tensor<3>) -> Tensor<1> {
        self.update_trusting(x, mask, 0)
    }

    /// The same where the last `trusted` features have no outliers up to 1e15: a reward that is rare and large is
    /// what matters.
    pub(crate) fn update_trusting(&mut self, x: Tensor<3>, mask: Tensor<3>, trusted: usize) -> Tensor<1> {
        let (dims, x) = (x.dims(), x.detach());
        // It waits for the device: before that has more to do.
        let t = self.t.val() + 1.0;
        let rate = adaptive_rate(self.beta, t.clone());
        let real = mask.clone().sum();
        let out = outliers(x.clone(), mask.clone(), trusted);
        let (x, mask) = (x.mask_fill(out.clone(), 0.0), mask.expand(dims).mask_fill(out, 0.0));
        let counted = over_batch(mask.clone());
        // A feature of which nothing counts stays as it is.
        let seen = counted.clone().greater_elem(0.0).float();
        let count = counted.clone().clamp_min(1.0);
        let beta = rate * seen;
        let masked = x * mask;
        let mean = over_batch(masked.clone()) / count.clone();
        let mean_square = over_batch(masked.square()) / count;
        let keep = beta.clone().neg() + 1.0;
        let mu = self.mu.val() * keep.clone() + mean * beta.clone();
        let nu = self.nu.val() * keep + mean_square * beta;
        set_buffer(&mut self.mu, mu);
        set_buffer(&mut self.nu, nu);
        set_buffer(&mut self.t, t);
        real - counted
    }

    /// Standard deviation of each feature; the smallest where the estimate of the variance is negative.
    ///
    /// # Shapes
    /// - output: `[d]`
    pub fn sigma(&self) -> Tensor<1> {
        (self.nu.val() - self.mu.val().square() + EPS).clamp_min(0.0).sqrt().clamp(1e-3, 1e6)
    }

    /// What features are divided by, `[d]`: σ, but one where a feature hardly varies (σ ≤ 0.01).
    fn divisor(&self) -> Tensor<1> {
        let sigma = self.sigma();
        sigma.ones_like().mask_where(sigma.clone().greater_elem(0.01), sigma)
    }

    /// Centred and scaled features. One that hardly varies (σ ≤ 0.01) is only centred, without the clamp of the
    /// others at 1e4: its bound is 1e15, whose square a norm behind it can hold. What is not finite becomes NaN: the
    /// clamp would hide from the loss that it was no observation.
    ///
    /// # Shapes
    /// - x, output: `[..., d]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let infinite = x.clone().is_inf();
        let varies = self.sigma().greater_elem(0.01).unsqueeze::<D>();
        let centred = x - self.mu.val().unsqueeze();
        let scaled = (centred.clone() / self.divisor().unsqueeze()).clamp(-1e4, 1e4);
        let bounded = centred.clone().clamp(-LARGEST, LARGEST);
        bounded.mask_where(varies.expand(centred.dims()), scaled).mask_fill(infinite, f32::NAN)
    }

    /// Inverse of [`forward`](Self::forward) inside the clamp.
    ///
    /// # Shapes
    /// - x, output: `[..., d]`
    pub fn denormalize<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        x * self.divisor().unsqueeze() + self.mu.val().unsqueeze()
    }
}

/// True where a real value is none of its feature's, by the rule of [`InputNorm`]; `[B, L, d]` as `x`.
fn outliers(x: Tensor<3>, mask: Tensor<3>, trusted: usize) -> Tensor<3, Bool> {
    let [b, l, d] = x.dims();
    let size = x.abs();
    // Not so for NaN.
    let unusable = size.clone().lower_equal_elem(LARGEST).bool_not();
    let judged = d - trusted.min(d);
    if judged == 0 {
        return unusable;
    }
    let real = mask.expand([b, l, d]).mask_fill(unusable.clone(), 0.0);
    let size = size.mask_fill(unusable.clone(), 0.0);
    let count = over_batch(real.clone());
    let usual = (over_batch((size.clone() + 1.0).log() * real.clone()) / count.clone().clamp_min(1.0)).exp();
    let limit = (usual * FAR).unsqueeze::<3>().expand([b, l, d]);
    let far = size.greater(limit);
    let most = (count * RARE).clamp_min(1.0);
    let common = over_batch(far.clone().float() * real).greater(most);
    let ordinary = match trusted {
        0 => common,
        _ => Tensor::cat(vec![common.narrow(0, 0, judged), Tensor::ones([d - judged], &far.device())], 0),
    };
    far.bool_and(ordinary.bool_not().unsqueeze::<3>().expand([b, l, d])).bool_or(unusable)
}

/// Sums over all timesteps, `[d]`.
fn over_batch(x: Tensor<3>) -> Tensor<1> {
    x.sum_dims_squeeze::<1, _>(&[0, 1])
}

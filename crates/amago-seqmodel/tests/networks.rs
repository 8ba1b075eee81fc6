//! The networks that read images, against their formulas written out with plain numbers.

mod support;

use std::collections::BTreeMap;

use amago_golden::modules::{device, values};
use amago_seqmodel::*;
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Distribution, Tensor};
use support::{cnns, fixed, weights};

/// An image, channel by channel.
#[derive(Clone)]
struct Planes {
    c: usize,
    h: usize,
    w: usize,
    values: Vec<f32>,
}

impl Planes {
    fn new([c, h, w]: [usize; 3], value: impl Fn(usize, usize, usize) -> f32) -> Self {
        let at = |i: usize| value(i / (h * w), i / w % h, i % w);
        Self { c, h, w, values: (0..c * h * w).map(at).collect() }
    }

    fn at(&self, c: usize, y: usize, x: usize) -> f32 {
        self.values[(c * self.h + y) * self.w + x]
    }

    fn map(&self, f: impl Fn(f32) -> f32) -> Self {
        Self { values: self.values.iter().map(|x| f(*x)).collect(), ..*self }
    }

    /// Stride and zeros around the image as given; the kernel's size follows from the weights.
    fn conv(&self, weights: &Weights, name: &str, stride: usize, padding: usize) -> Self {
        let (weight, bias) = weights.part(name);
        let k = (weight.len() / bias.len() / self.c).isqrt();
        let size = |d: usize| (d + 2 * padding - k) / stride + 1;
        Self::new([bias.len(), size(self.h), size(self.w)], |c, y, x| {
            let mut sum = bias[c];
            for (d, i, j) in (0..self.c).flat_map(|d| (0..k * k).map(move |ij| (d, ij / k, ij % k))) {
                let (y, x) = (y * stride + i, x * stride + j);
                let inside =
                    (padding..padding + self.h).contains(&y) && (padding..padding + self.w).contains(&x);
                if inside {
                    sum += weight[((c * self.c + d) * k + i) * k + j] * self.at(d, y - padding, x - padding);
                }
            }
            sum
        })
    }

    /// Windows of three, in steps of two.
    fn max_pool(&self) -> Self {
        let size = |d: usize| (d - 3) / 2 + 1;
        Self::new([self.c, size(self.h), size(self.w)], |c, y, x| {
            let window = (0..9).map(|i| self.at(c, 2 * y + i / 3, 2 * x + i % 3));
            window.fold(f32::NEG_INFINITY, f32::max)
        })
    }

    /// Four groups of channels.
    fn group_norm(&self, weights: &Weights, name: &str) -> Self {
        let (scale, shift) = weights.part(name);
        let group = self.values.len() / 4;
        let moments: Vec<(f32, f32)> = self
            .values
            .chunks_exact(group)
            .map(|x| {
                let mean = x.iter().sum::<f32>() / group as f32;
                (mean, x.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / group as f32)
            })
            .collect();
        Self::new([self.c, self.h, self.w], |c, y, x| {
            let (mean, variance) = moments[c / (self.c / 4)];
            (self.at(c, y, x) - mean) / (variance + 1e-5).sqrt() * scale[c] + shift[c]
        })
    }
}

struct Weights(BTreeMap<String, Vec<f32>>);

impl Weights {
    fn part(&self, name: &str) -> (&[f32], &[f32]) {
        (&self.0[&format!("{name}.weight")], &self.0[&format!("{name}.bias")])
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(&format!("{name}.weight"))
    }
}

fn act(x: f32) -> f32 {
    if x > 0.0 { x } else { 0.01 * x }
}

fn expected(config: &CnnConfig, weights: &Weights, image: Planes) -> Planes {
    let strides: &[usize] = match config {
        CnnConfig::Nature(c) => &c.strides,
        CnnConfig::Gridworld(c) => &c.strides,
        CnnConfig::Drqv2 {} => &[2, 1, 1, 1],
        CnnConfig::Impala(_) => &[],
    };
    let layer =
        |x: Planes, (i, stride): (usize, &usize)| x.conv(weights, &format!("conv{i}"), *stride, 0).map(act);
    let mut x = (1..).zip(strides).fold(image, layer);
    for block in
        (0..).map(|i| format!("blocks.{i}")).take_while(|block| weights.has(&format!("{block}.conv")))
    {
        x = x.conv(weights, &format!("{block}.conv"), 1, 1).max_pool();
        for part in ["residual1", "residual2"].map(|part| format!("{block}.{part}")) {
            let hidden = x.map(act).conv(weights, &format!("{part}.conv1"), 1, 1);
            let hidden = hidden.map(act).conv(weights, &format!("{part}.conv2"), 1, 1);
            x = Planes::new([x.c, x.h, x.w], |c, y, i| x.at(c, y, i) + hidden.at(c, y, i));
            if weights.has(&format!("{part}.norm")) {
                x = x.group_norm(weights, &format!("{part}.norm"));
            }
        }
    }
    x
}

#[test]
fn every_network_is_its_formula() {
    for (config, [h, w, c]) in cnns() {
        let cnn = fixed(config.init(c, Activation::LeakyRelu, &device()));
        let images = Tensor::<4>::random([2, c, h, w], Distribution::Uniform(-1.0, 1.0), &device());
        let out = cnn.forward(images.clone());
        let weights = Weights(weights(&cnn));
        for i in 0..2 {
            let image = Planes { c, h, w, values: values(&images.clone().narrow(0, i, 1)) };
            let expected = expected(&config, &weights, image);
            assert_eq!(out.dims()[1..], [expected.c, expected.h, expected.w], "{config:?}");
            assert_eq!(config.output_shape([c, h, w]), Some([expected.c, expected.h, expected.w]));
            let got = values(&out.clone().narrow(0, i, 1));
            let square = |it: &mut dyn Iterator<Item = f32>| it.map(|x| x * x).sum::<f32>().sqrt();
            let apart = square(&mut got.iter().zip(&expected.values).map(|(a, b)| a - b));
            let size = square(&mut expected.values.iter().copied());
            assert!(apart <= 1e-4 * size && size > 0.0, "{config:?}: {apart} of {size}");
        }
    }
}

#[test]
fn every_weight_gets_a_gradient() {
    struct Trained<'a>(&'a burn::tensor::Gradients, usize);
    impl ModuleVisitor for Trained<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let grad = param.val().grad(self.0).expect("takes part");
            assert!(values(&grad).iter().all(|x| x.is_finite()));
            self.1 += 1;
        }
    }
    let device = device().autodiff();
    for (config, [h, w, c]) in cnns() {
        let cnn = config.init(c, Activation::LeakyRelu, &device);
        let images = Tensor::<4>::random([3, c, h, w], Distribution::Normal(0.0, 1.0), &device);
        let mut trained = Trained(&cnn.forward(images).square().sum().backward(), 0);
        cnn.visit(&mut trained);
        assert!(trained.1 >= 6, "{config:?}: {} parameters", trained.1);
    }
}

/// Nature and DrQ-v2 start as an orthogonal map of the middle pixel.
#[test]
fn orthogonal_starts_keep_lengths() {
    let conv = |config: CnnConfig| {
        let mut first = None;
        struct First<'a>(&'a mut Option<Tensor<4>>);
        impl ModuleVisitor for First<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if D == 4 && self.0.is_none() {
                    *self.0 = Some(param.val().reshape::<4, _>([32, 3, param.dims()[2], param.dims()[3]]));
                }
            }
        }
        config.init(3, Activation::LeakyRelu, &device()).visit(&mut First(&mut first));
        first.expect("a convolution")
    };
    for config in [CnnConfig::default(), CnnConfig::Drqv2 {}] {
        let weight = conv(config.clone());
        let k = weight.dims()[2];
        let centre = weight.clone().narrow(2, k / 2, 1).narrow(3, k / 2, 1).reshape([32, 3]);
        let all = values(&weight.square().sum())[0];
        assert!(
            (all - values(&centre.clone().square().sum())[0]).abs() < 1e-4,
            "{config:?}: not only the middle"
        );
        let gram = values(&centre.clone().transpose().matmul(centre));
        let gain = 2.0 / (1.0 + 0.01f32.powi(2));
        for (i, x) in gram.iter().enumerate() {
            let expected = if i % 4 == 0 { gain } else { 0.0 };
            assert!((x - expected).abs() < 1e-4, "{config:?}: {gram:?}");
        }
    }
}

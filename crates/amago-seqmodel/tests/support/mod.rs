//! What several test binaries need.
#![allow(dead_code)] // each of them uses some

use std::collections::BTreeMap;

use amago_golden::modules::{device, values};
use amago_seqmodel::{CnnConfig, CnnTstepConfig, GridworldConfig, ImpalaConfig, ObsKind, ObsLayout};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Distribution, Int, Tensor, TensorData};

/// The keys of an observation.
pub fn layout(keys: &[(&str, ObsKind)]) -> ObsLayout {
    ObsLayout(keys.iter().map(|(key, kind)| ((*key).to_owned(), kind.clone())).collect())
}

/// Random images, as bytes where the device can compute with them.
pub fn bytes(shape: [usize; 5]) -> Tensor<5, Int> {
    let uniform = Tensor::<5>::random(shape, Distribution::Uniform(0.0, 256.0), &device());
    let values = uniform.into_data().iter::<f32>().map(|x| x as u8).collect::<Vec<_>>();
    let data = TensorData::new(values, shape);
    match device().supports_dtype(DType::U8) {
        true => Tensor::from_data(data, (&device(), DType::U8)),
        false => Tensor::from_data(data, &device()),
    }
}

/// The values of whole numbers, row-major.
pub fn ints<const D: usize>(tensor: &Tensor<D, Int>) -> Vec<i64> {
    tensor.to_data().iter::<i64>().collect()
}

/// A small CNN for images from 4 by 4 pixels.
pub fn small() -> CnnTstepConfig {
    CnnTstepConfig {
        cnn: CnnConfig::Gridworld(GridworldConfig { channels: [4, 5, 6], ..GridworldConfig::default() }),
        img_features: 7,
        vector_features: 3,
        rl2_features: 2,
        d_output: 8,
        ..CnnTstepConfig::default()
    }
}

/// Every network, with images [height, width, channels] that it can read.
pub fn cnns() -> Vec<(CnnConfig, [usize; 3])> {
    vec![
        (CnnConfig::default(), [36, 44, 3]),
        (CnnConfig::Drqv2 {}, [17, 20, 3]),
        (CnnConfig::Gridworld(GridworldConfig::default()), [5, 4, 1]),
        (CnnConfig::Impala(ImpalaConfig::default()), [19, 15, 2]),
        (CnnConfig::Impala(ImpalaConfig { depths: vec![5], group_norm: false }), [4, 3, 2]),
    ]
}

/// Normal draws.
pub fn vectors(shape: [usize; 3]) -> Tensor<3> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), &device())
}

/// The same weights whatever the backend's generator, which all tests of a binary share.
pub fn fixed<M: Module>(module: M) -> M {
    struct Fill(f32);
    impl ModuleMapper for Fill {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            self.0 += 1.0;
            let start = self.0;
            param.map(|old| {
                let values: Vec<f32> =
                    (0..old.shape().num_elements()).map(|i| (start + 0.7 * i as f32).sin() * 0.5).collect();
                Tensor::from_data(TensorData::new(values, old.dims()), &old.device())
            })
        }
    }
    module.map(&mut Fill(0.0))
}

/// Every parameter by its path, row-major.
pub fn weights<M: Module>(module: &M) -> BTreeMap<String, Vec<f32>> {
    struct Collect(Vec<String>, BTreeMap<String, Vec<f32>>);
    impl ModuleVisitor for Collect {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1.insert(self.0.join("."), values(&param.val()));
        }
    }
    let mut collect = Collect(Vec::new(), BTreeMap::new());
    module.visit(&mut collect);
    collect.1
}

//! What is recorded of an update: weights, batches, rates.

use amago_agent::{Agent, TrainBatch};
use amago_golden::Case;
use amago_golden::modules;
use amago_seqmodel::ObsTensors;
use burn::tensor::{Int, Tensor, TensorData};

use super::options::Setup;
use super::{device, recorded, shaped};

/// The agent with the weights of the first prefix under which each is recorded.
pub fn agent(setup: &Setup, case: &Case, prefixes: &[&str]) -> Agent {
    modules::load(Agent::new(&setup.config, &setup.spec, &device()), case, prefixes)
}

/// The recorded batch of an update, pad values and all.
pub fn batch(case: &Case, setup: &Setup, step: usize) -> TrainBatch {
    const PAD: f32 = 4.0;
    let name = |field: &str| format!("in.batch{step}.{field}");
    let rl2s = recorded::<3>(case, &name("rl2s"));
    let [b, l1, _] = rl2s.dims();
    let obs = |key: &str| name(&format!("obs.{key}"));
    let vectors = setup.spec.obs.vectors();
    let vectors: Vec<_> =
        vectors.map(|(key, _, columns)| shaped::<3>(case, &obs(key), [b, l1, columns.len()])).collect();
    let images = setup.spec.obs.images();
    let images = images.map(|(key, _)| (key.to_owned(), bytes(case, &obs(key))));
    let times = TensorData::new(case.get(&name("time_idxs")).i64(), [b, l1]);
    TrainBatch {
        obs: ObsTensors {
            vectors: (!vectors.is_empty()).then(|| Tensor::cat(vectors, 2)),
            images: images.collect(),
        },
        mask: rl2s.clone().not_equal_elem(PAD).any_dim(2).float().squeeze_dim(2),
        rl2s,
        times: Tensor::<2, Int>::from_data(times, &device()),
        rewards: shaped(case, &name("rews"), [b, l1 - 1]),
        terminals: shaped(case, &name("dones"), [b, l1 - 1]),
        actions: recorded(case, &name("actions")),
        legal: None,
    }
}

/// Recorded images, pad values and all.
fn bytes(case: &Case, name: &str) -> Tensor<5, Int> {
    let array = case.get(name);
    let values: Vec<u8> = array.i64().iter().map(|x| u8::try_from(*x).expect("a byte")).collect();
    Tensor::from_data(TensorData::new(values, array.shape.clone()), &device())
}

/// Numbers of the recorded updates.
pub fn steps(case: &Case) -> std::ops::RangeInclusive<usize> {
    let last =
        (1..).take_while(|n| case.has(&format!("step{n}.out.loss"))).last().expect("at least one update");
    1..=last
}

/// Learning rate of an update.
pub fn rate(case: &Case, step: usize) -> f64 {
    case.meta["per_step"][step - 1]["lr"].as_f64().expect("a recorded learning rate")
}

/// Prefixes of the weights before an update. Trained weights are not recorded after an update with
/// a rate of zero, which leaves them as they were.
pub fn before(case: &Case, step: usize) -> Vec<String> {
    if step == 1 {
        return vec!["param.".into(), "buffer.".into()];
    }
    let mut prefixes = vec![format!("after{}.param.", step - 1), format!("after{}.buffer.", step - 1)];
    if rate(case, step - 1) == 0.0 {
        prefixes.extend(before(case, step - 1));
    }
    prefixes
}

//! Timestep encoders.

use std::collections::BTreeMap;

use amago_golden::modules::{self, What, values};
use amago_golden::{Case, Report};
use amago_seqmodel::*;
use burn::tensor::{Int, Tensor, TensorData};
use serde_json::json;

use super::{FORWARD, GRADIENT, device, mask, norm_kind};

/// Shapes of the observation keys.
fn layout(case: &Case) -> ObsLayout {
    let shapes: BTreeMap<String, Vec<usize>> = case.need("obs_shapes");
    ObsLayout(shapes.into_iter().map(|(key, shape)| (key, ObsKind::Vector(shape))).collect())
}

/// The recorded vectors of these keys, joined, `[B, L, d]`.
fn joined(case: &Case, keys: &[&str]) -> Tensor<3> {
    let parts = keys.iter().map(|key| {
        let array = case.get(&format!("in.obs.{key}"));
        let dims = [array.shape[0], array.shape[1], array.shape[2..].iter().product()];
        Tensor::<3>::from_data(TensorData::new(array.f32(), dims), &device())
    });
    Tensor::cat(parts.collect(), 2)
}

pub fn ff_tstep_encoder(case: &Case, report: &mut Report) {
    let config = FfTstepConfig {
        n_layers: case.need("n_layers"),
        d_hidden: case.need("d_hidden"),
        d_output: case.need("d_output"),
        activation: case.hyper("activation").unwrap_or_default(),
        norm: norm_kind(case, "norm"),
        out_norm: case.hyper("out_norm").unwrap_or_default(),
        normalize_inputs: case.hyper("normalize_inputs").unwrap_or(true),
        input_norm: InputNormConfig::default(),
        hide_rl2s: case.hyper("hide_rl2s").unwrap_or(false),
        hide_rewards: case.hyper("hide_rewards").unwrap_or(false),
        obs_keys: case.hyper("specify_obs_keys"),
        auto_scale: case.hyper("auto_scale").unwrap_or(false),
        goal: None,
    };
    let layout = layout(case);
    let module = config.init(&layout, case.need("rl2_dim"), &device());
    let mut module = modules::load(module, case, &["param.", "buffer."]);
    let rl2s = modules::tensor::<3>(case.get("in.rl2s"), &device());
    let keys: Vec<&str> = layout.vectors().map(|(key, ..)| key).collect();
    let obs: ObsTensors = joined(case, &keys).into();
    // The original finds padding in the features as fed, where hidden ones are zero: with hidden
    // rewards it takes padding for data. Ours gets the mask from outside.
    let [b, l, _] = rl2s.dims();
    let fed = match (config.hide_rl2s, config.hide_rewards) {
        (true, _) => rl2s.zeros_like(),
        (false, true) => rl2s.clone().slice_fill([0..b, 0..l, 0..1], 0.0),
        (false, false) => rl2s.clone(),
    };
    let used = |key: &&&str| config.obs_keys.as_ref().is_none_or(|keys| keys.iter().any(|k| k == **key));
    let used: Vec<&str> = keys.iter().filter(used).copied().collect();
    module.begin_update(&obs, rl2s.clone(), mask(case, Tensor::cat(vec![joined(case, &used), fed], 2)));
    let out = module.forward(&obs, rl2s.clone());
    report.close("y", &values(&out), &case.get("out.y").f32(), FORWARD);
    let grads = (out * modules::tensor(case.get("in.grad_out"), &device())).sum().backward();
    modules::compare(&module, case, "grad.param.", What::Gradients(&grads), GRADIENT, report);
    for kind in ["buffer.", "param."] {
        modules::compare(&module, case, &format!("after1.{kind}"), What::Weights, FORWARD, report);
    }
    let out = module.forward(&obs, rl2s);
    report.close("y_eval", &values(&out), &case.get("out.y_eval").f32(), FORWARD);
}

/// The augmentation alone. Ours picks whole pixels, the original interpolates at whole positions.
pub fn shifted_images(case: &Case, report: &mut Report) {
    let ints = |name: &str| case.get(name).f64().into_iter().map(|x| x as i64).collect::<Vec<_>>();
    let images = TensorData::new(ints("in.images"), case.get("in.images").shape.clone());
    let shifts = TensorData::new(ints("in.shifts"), case.get("in.shifts").shape.clone());
    let (images, shifts) = (Tensor::from_data(images, &device()), Tensor::from_data(shifts, &device()));
    let shifted = shift_images(images, shifts, case.need("channels_first"));
    report.close("out.y", &values(&shifted.float()), &case.get("out.y").f32(), FORWARD);
}

/// The network, by the name of the case and the recorded weights.
fn cnn_config(case: &Case) -> CnnConfig {
    let kind = ["nature", "drq", "gridworld", "impala"].into_iter().find(|kind| case.name.contains(kind));
    let mut settings = json!({ "kind": match kind.expect("a kind of CNN in the name of the case") {
        "drq" => "drqv2",
        kind => kind,
    }});
    let names = [
        ("channels", "channels"),
        ("kernels", "kernels"),
        ("strides", "strides"),
        ("cnn_block_depths", "depths"),
        ("post_group_norm", "group_norm"),
    ];
    for (recorded, ours) in names.into_iter().filter(|_| kind != Some("drq")) {
        if let Some(value) = case.hyper::<serde_json::Value>(recorded) {
            settings[ours] = value;
        }
    }
    serde_json::from_value(settings).expect("settings of a CNN")
}

/// The recorded image.
fn image(case: &Case) -> (String, Tensor<5, Int>) {
    let is_image = |name: &&str| name.starts_with("in.obs.");
    let name = case.names().find(is_image).expect("an observation");
    let array = case.get(name);
    let bytes: Vec<u8> = array.i64().iter().map(|x| u8::try_from(*x).expect("a byte")).collect();
    let tensor = Tensor::from_data(TensorData::new(bytes, array.shape.clone()), &device());
    (name.trim_start_matches("in.obs.").to_owned(), tensor)
}

pub fn cnn_tstep_encoder(case: &Case, report: &mut Report) {
    if case.hyper("drqv2_aug").unwrap_or(false) {
        return report.unsupported("how the shifts of augmented images are recorded is not known");
    }
    let config = CnnTstepConfig {
        cnn: cnn_config(case),
        channels_first: case.hyper("channels_first").unwrap_or(false),
        img_features: case.need("img_features"),
        rl2_features: case.need("rl2_features"),
        d_output: case.need("d_output"),
        activation: case.hyper("activation").unwrap_or_default(),
        out_norm: norm_kind(case, "out_norm"),
        hide_rl2s: case.hyper("hide_rl2s").unwrap_or(false),
        hide_rewards: case.hyper("hide_rewards").unwrap_or(false),
        ..CnnTstepConfig::default()
    };
    let (key, image) = image(case);
    let [_, _, x, y, z] = image.dims();
    let layout = ObsLayout(vec![(key.clone(), ObsKind::Image([x, y, z]))]);
    let rl2s = modules::tensor::<3>(case.get("in.rl2s"), &device());
    config.validate_obs(&layout).expect("an image that the CNN can read");
    let module = config.init(&layout, rl2s.dims()[2], &device());
    let module = modules::load(module, case, &["param."]);
    let obs = ObsTensors { vectors: None, images: BTreeMap::from([(key, image)]) };
    let out = module.forward(&obs, rl2s);
    report.close("y", &values(&out), &case.get("out.y").f32(), FORWARD);
    if case.has("out.y_eval") {
        report.close("y_eval", &values(&out), &case.get("out.y_eval").f32(), FORWARD);
    }
    let grads = (out * modules::tensor(case.get("in.grad_out"), &device())).sum().backward();
    let compared = modules::compare(&module, case, "grad.param.", What::Gradients(&grads), GRADIENT, report);
    let recorded = case.names().filter(|name| name.starts_with("grad.param.")).count();
    report.equal("gradients compared", &compared, &recorded);
}

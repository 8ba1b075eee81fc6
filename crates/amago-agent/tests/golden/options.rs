//! From the recorded hyperparameters to our configuration.

use std::collections::BTreeMap;

use amago_agent::{AgentConfig, CriticKind, ObsSpec, OptimConfig};
use amago_env::Space;
use amago_golden::Case;
use amago_seqmodel::{CnnTstepConfig, TstepEncoderConfig};
use serde_json::{Value, json};

use super::spaces::{action_space, cnn_kind, observations, reads_images};
use super::{critics, parts, policies};

/// What a whole update is built from.
pub struct Setup {
    pub config: AgentConfig,
    pub optim: OptimConfig,
    pub spec: ObsSpec,
}

/// Why a case cannot be run.
pub enum Refusal {
    /// It needs a part that does not exist yet.
    Unsupported(String),
    /// It cannot be understood.
    Broken(String),
}

pub fn unsupported<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Unsupported(why.into()))
}

/// Settings as plain data while options are written into it.
struct Draft {
    config: AgentConfig,
    actor: Value,
    critic: Value,
    tstep_encoder: Value,
    traj_encoder: Value,
    /// Settings of each kind of CNN, by our name for the kind and the original's for the setting.
    cnns: Vec<(&'static str, String, Value)>,
    /// Settings of the two actor heads, by the original's names.
    mlp: Vec<(String, Value)>,
    residual: Vec<(String, Value)>,
    /// Settings of each kind of policy, by its name in the original.
    policies: BTreeMap<String, Vec<(String, Value)>>,
    /// Kind of policy over numbers, by its name in the original.
    continuous: String,
    filter_options: BTreeMap<String, Value>,
}

/// Reads everything from the JSON and the shapes of the tensors.
pub fn setup(case: &Case, start: &Case) -> Result<Setup, Refusal> {
    let action = action_space(&case.need::<String>("action_space"))?;
    let mut draft = draft(case, start);
    let options: BTreeMap<String, Value> =
        serde_json::from_value(case.meta["hyperparameters"].clone()).expect("hyperparameters by name");
    for (key, value) in &options {
        if let Some(path) = key.strip_prefix("gin.") {
            let (class, option) = path.rsplit_once('.').expect("a class before an option");
            draft.set(class.rsplit('.').next().unwrap_or(class), option, value)?;
        }
    }
    let config = finish(draft, case, &action)?;
    let optim = OptimConfig {
        learning_rate: case.need("lr"),
        warmup: case.need("warmup_steps"),
        weight_decay: case.need("weight_decay"),
        grad_clip: case.need("grad_clip"),
        ..OptimConfig::default()
    };
    let spec = ObsSpec { obs: observations(start), action };
    let usable = config.validate().and_then(|()| Ok(config.policy_head(&spec.action)?));
    match usable {
        Ok(_) => Ok(Setup { config, optim, spec }),
        Err(e) => Err(Refusal::Broken(e.to_string())),
    }
}

fn draft(case: &Case, start: &Case) -> Draft {
    let multitask = case.need::<String>("agent") == "multitask";
    let mut config = if multitask { AgentConfig::amago2() } else { AgentConfig::amago() };
    if reads_images(start) {
        config.tstep_encoder = TstepEncoderConfig::Cnn(CnnTstepConfig::default());
    }
    let plain = |x: &dyn Fn() -> serde_json::Result<Value>| x().expect("settings are plain data");
    Draft {
        actor: plain(&|| serde_json::to_value(&config.actor)),
        critic: plain(&|| serde_json::to_value(&config.critic)),
        tstep_encoder: plain(&|| serde_json::to_value(&config.tstep_encoder)),
        traj_encoder: json!({ "kind": "transformer" }),
        cnns: Vec::new(),
        mlp: Vec::new(),
        residual: Vec::new(),
        policies: BTreeMap::new(),
        continuous: "TanhGaussian".to_owned(),
        filter_options: BTreeMap::new(),
        config,
    }
}

impl Draft {
    /// Writes one option of the original, by the name of its class there.
    fn set(&mut self, class: &str, option: &str, value: &Value) -> Result<(), Refusal> {
        let classification = self.config.critic.kind == CriticKind::Classification;
        let number = || value.as_f64().expect("a number");
        match (class, option) {
            // Which of them says nothing yet; the options of sparse attention have a class of their own.
            ("TformerTrajEncoder", "attention_type") => {}
            ("TformerTrajEncoder", "pos_emb") if *value == "learnable" => {
                self.traj_encoder["pos_emb"] = json!("learned");
            }
            ("LearnablePosEmb", "max_time_idx") => self.traj_encoder["max_time"] = value.clone(),
            ("SlidingWindowFlexAttention" | "ClippedSlidingSinkAttention", _) | ("TformerTrajEncoder", _) => {
                self.traj_encoder[option] = value.clone();
            }
            ("FFTrajEncoder", _) => self.set_traj_encoder("feed_forward", option, value),
            ("GRUTrajEncoder", _) => self.set_traj_encoder("gru", option, value),
            ("MambaTrajEncoder", _) => self.set_traj_encoder("mamba", option, value),
            (other, _) if other.ends_with("TrajEncoder") => {
                return unsupported(format!("the encoder {other}"));
            }
            ("FFTstepEncoder" | "CNNTstepEncoder", _) => self.set_tstep_encoder(class, option, value)?,
            (other, _) if other.ends_with("CNN") => {
                self.cnns.push((cnn_kind(other)?, option.to_owned(), value.clone()));
            }
            ("Actor" | "ResidualActor", "continuous_dist_type") => {
                let name = value.as_str().unwrap_or_default();
                self.continuous = name.rsplit(['.', '@']).next().unwrap_or_default().to_owned();
            }
            // Options of both heads may be recorded; the type says which one is used.
            ("Agent" | "MultiTaskAgent", "actor_type") => {
                let residual = value.as_str().is_some_and(|name| name.contains("Residual"));
                self.actor["kind"] = json!(if residual { "residual" } else { "mlp" });
            }
            ("ResidualActor", _) => self.residual.push((option.to_owned(), value.clone())),
            ("Actor", _) => self.mlp.push((option.to_owned(), value.clone())),
            ("Discrete" | "DiscreteLikeContinuous" | "TanhGaussian" | "Beta" | "GMM", _) => {
                let class = if class == "DiscreteLikeContinuous" { "Discrete" } else { class };
                let options = self.policies.entry(class.to_owned()).or_default();
                options.push((option.to_owned(), value.clone()));
            }
            // Options of the other agent's critics are recorded too.
            ("NCritics", _) if classification => {}
            ("NCriticsTwoHot", _) if !classification => {}
            ("NCritics" | "NCriticsTwoHot", _) => self.set_critic(option, value),
            ("PopArtLayer", "beta") => self.config.popart_beta = number(),
            ("PopArtLayer", "init_nu") => self.config.popart_init_nu = number() as f32,
            ("InputNorm", _) => self.tstep_encoder["input_norm"][option] = value.clone(),
            ("binary_filter" | "exp_filter" | "leaky_relu_filter", _) => {
                self.filter_options.insert(option.to_owned(), value.clone());
            }
            ("Agent" | "MultiTaskAgent", "num_critics") => self.config.n_critics = count(value),
            ("Agent" | "MultiTaskAgent", "num_critics_td") => self.config.n_critics_td = count(value),
            // Recorded once more in their final form, or only for a fresh agent.
            ("Agent" | "MultiTaskAgent" | "Multigammas", _) => {}
            _ => return Err(Refusal::Broken(format!("unknown option {class}.{option}"))),
        }
        Ok(())
    }

    fn set_tstep_encoder(&mut self, class: &str, option: &str, value: &Value) -> Result<(), Refusal> {
        let images = matches!(self.config.tstep_encoder, TstepEncoderConfig::Cnn(_));
        // Options of the other encoder may be recorded too.
        if images != (class == "CNNTstepEncoder") {
            return Ok(());
        }
        let encoder = &mut self.tstep_encoder;
        match option {
            "drqv2_aug" if *value == true => {
                return unsupported("how the shifts of augmented images are recorded is not known");
            }
            "cnn_type" => {
                let name = value.as_str().unwrap_or_default();
                let name = name.rsplit(['.', '@']).next().unwrap_or_default();
                encoder["cnn"]["kind"] = json!(cnn_kind(name)?);
            }
            "obs_key" => encoder["obs_keys"] = json!([value]),
            "specify_obs_keys" => encoder["obs_keys"] = value.clone(),
            _ => encoder[option] = value.clone(),
        }
        Ok(())
    }

    fn set_traj_encoder(&mut self, kind: &str, option: &str, value: &Value) {
        self.traj_encoder["kind"] = json!(kind);
        // Norms may be recorded as none at all.
        let none = value.is_null() && option.ends_with("norm");
        self.traj_encoder[option] = if none { json!("none") } else { value.clone() };
    }

    fn set_critic(&mut self, option: &str, value: &Value) {
        match option {
            "output_bins" => self.critic["bins"]["count"] = value.clone(),
            "min_return" => self.critic["bins"]["min"] = value.clone(),
            "max_return" => self.critic["bins"]["max"] = value.clone(),
            "use_symlog" => self.critic["bins"]["symlog"] = value.clone(),
            "label_type" => {
                let labels = critics::labels(value.as_str().map(str::to_owned));
                self.critic["bins"]["labels"] = serde_json::to_value(labels).expect("labels are plain data");
            }
            // Only fresh weights depend on it, and these are recorded.
            "init_value" => {}
            "sigma" => self.critic["bins"]["sigma"] = value.clone(),
            "dropout_p" => self.critic["dropout"] = value.clone(),
            other => self.critic[other] = value.clone(),
        }
    }
}

impl Draft {
    /// The head in use, and the policy for the action space.
    fn finish_actor(&mut self, action: &Space) -> Result<(), Refusal> {
        let options = if self.actor["kind"] == json!("residual") { &self.residual } else { &self.mlp };
        for (option, value) in options {
            let ours = match option.as_str() {
                "residual_blocks" => "n_layers",
                "feature_dim" => "d_hidden",
                "residual_ff_dim" => "d_ff",
                "normalization" => "norm",
                "dropout_p" => "dropout",
                other => other,
            };
            self.actor[ours] = value.clone();
        }
        let class = match action {
            Space::Discrete { .. } | Space::MultiDiscrete { .. } => "Discrete",
            Space::MultiBinary { .. } => "Multibinary",
            Space::Box(_) => &self.continuous,
        };
        let kind = match class {
            "Discrete" => "categorical",
            "Multibinary" => "bernoulli",
            "TanhGaussian" => "tanh_gaussian",
            "Beta" => "beta",
            "GMM" => "gmm",
            other => return Err(Refusal::Broken(format!("unknown policy {other}"))),
        };
        let options = self.policies.get(class).cloned().unwrap_or_default();
        let options: Vec<_> = options.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        let policy = policies::config(kind, &options);
        self.actor["policy"] = serde_json::to_value(policy).expect("settings are plain data");
        Ok(())
    }
}

impl Draft {
    /// The settings of the CNN in use.
    fn finish_cnn(&mut self) {
        let Some(kind) = self.tstep_encoder["cnn"]["kind"].as_str().map(str::to_owned) else { return };
        let mut cnn = json!({ "kind": kind });
        for (_, option, value) in self.cnns.iter().filter(|(of, ..)| *of == kind) {
            let ours = match option.as_str() {
                "cnn_block_depths" => "depths",
                "post_group_norm" => "group_norm",
                other => other,
            };
            cnn[ours] = value.clone();
        }
        self.tstep_encoder["cnn"] = cnn;
    }
}

fn count(value: &Value) -> usize {
    serde_json::from_value(value.clone()).expect("a count")
}

/// Puts the parts together with the settings that were recorded in their final form.
fn finish(mut draft: Draft, case: &Case, action: &Space) -> Result<AgentConfig, Refusal> {
    fn part<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Refusal> {
        serde_json::from_value(value).map_err(|e| Refusal::Broken(e.to_string()))
    }
    draft.finish_actor(action)?;
    draft.finish_cnn();
    let mut gammas: Vec<f32> = case.need("gammas");
    let gamma = gammas.pop().expect("at least one discount");
    Ok(AgentConfig {
        gamma,
        multi_gammas: gammas,
        reward_multiplier: case.need("reward_multiplier"),
        tau: case.need("tau"),
        online_coeff: case.need("online_coeff"),
        offline_coeff: case.need("offline_coeff"),
        critic_loss_weight: case.need("critic_loss_weight"),
        k_critic: case.need("num_actions_for_value_in_critic_loss"),
        k_actor: case.need("num_actions_for_value_in_actor_loss"),
        n_step: case.need("n_step"),
        popart: case.need("popart_enabled"),
        use_target_actor: case.need("use_target_actor"),
        fake_filter: case.need("fake_filter"),
        filter: parts::filter(&case.need::<String>("filter"), &draft.filter_options),
        actor: part(draft.actor)?,
        critic: part(draft.critic)?,
        tstep_encoder: part(draft.tstep_encoder)?,
        traj_encoder: part(draft.traj_encoder)?,
        ..draft.config
    })
}

//! From the recorded hyperparameters to our configuration.

use std::collections::BTreeMap;

use amago_agent::{AgentConfig, ConfigError, CriticKind, ObsSpec, OptimConfig};
use amago_golden::Case;
use amago_seqmodel::{ObsKind, ObsLayout};
use serde_json::{Value, json};

use super::{heads, parts};

/// What a whole update is built from.
pub struct Setup {
    pub config: AgentConfig,
    pub optim: OptimConfig,
    pub spec: ObsSpec,
    /// Step size of PopArt where the default was changed.
    pub popart_beta: Option<f64>,
}

/// Why a case cannot be run.
pub enum Refusal {
    /// It needs a part that does not exist yet.
    Pending(String),
    /// It cannot be understood.
    Broken(String),
}

fn pending<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Pending(why.into()))
}

/// Settings as plain data while options are written into it.
struct Draft {
    config: AgentConfig,
    actor: Value,
    critic: Value,
    tstep_encoder: Value,
    traj_encoder: Value,
    filter_options: BTreeMap<String, Value>,
    popart_beta: Option<f64>,
}

/// Reads everything from the JSON and the shapes of the tensors.
pub fn setup(case: &Case, start: &Case) -> Result<Setup, Refusal> {
    let n_actions = match action_space(&case.need::<String>("action_space")) {
        ("Discrete", n) => n.parse().expect("a number of actions"),
        (space, _) => return pending(format!("actions of the space {space}")),
    };
    let mut draft = draft(case);
    let options: BTreeMap<String, Value> =
        serde_json::from_value(case.meta["hyperparameters"].clone()).expect("hyperparameters by name");
    for (key, value) in &options {
        if let Some(path) = key.strip_prefix("gin.") {
            let (class, option) = path.rsplit_once('.').expect("a class before an option");
            draft.set(class.rsplit('.').next().unwrap_or(class), option, value)?;
        }
    }
    let config = finish(draft, case)?;
    let optim = OptimConfig {
        learning_rate: case.need("lr"),
        warmup: case.need("warmup_steps"),
        weight_decay: case.need("weight_decay"),
        grad_clip: case.need("grad_clip"),
        ..OptimConfig::default()
    };
    let (config, popart_beta) = config;
    match config.validate() {
        Ok(()) => {
            Ok(Setup { config, optim, spec: ObsSpec { obs: observations(start), n_actions }, popart_beta })
        }
        Err(e @ ConfigError::OnlineClassification(_)) => pending(e.to_string()),
        Err(e) => Err(Refusal::Broken(e.to_string())),
    }
}

/// `"Discrete(5)"` → `("Discrete", "5")`.
fn action_space(text: &str) -> (&str, &str) {
    text.split_once('(').map_or((text, ""), |(kind, rest)| (kind, rest.trim_end_matches(')')))
}

/// Shapes of the recorded observation keys.
fn observations(start: &Case) -> ObsLayout {
    let keys = start.tensors.iter().filter_map(|(name, array)| {
        let key = name.strip_prefix("in.batch1.obs.")?;
        Some((key.to_owned(), ObsKind::Vector(array.shape[2..].to_vec())))
    });
    ObsLayout(keys.collect())
}

fn draft(case: &Case) -> Draft {
    let multitask = case.need::<String>("agent") == "multitask";
    let config = if multitask { AgentConfig::amago2() } else { AgentConfig::amago() };
    let plain = |x: &dyn Fn() -> serde_json::Result<Value>| x().expect("settings are plain data");
    Draft {
        actor: plain(&|| serde_json::to_value(&config.actor)),
        critic: plain(&|| serde_json::to_value(&config.critic)),
        tstep_encoder: plain(&|| serde_json::to_value(&config.tstep_encoder)),
        traj_encoder: json!({ "kind": "transformer" }),
        filter_options: BTreeMap::new(),
        popart_beta: None,
        config,
    }
}

impl Draft {
    /// Writes one option of the original, by the name of its class there.
    fn set(&mut self, class: &str, option: &str, value: &Value) -> Result<(), Refusal> {
        let classification = self.config.critic.kind == CriticKind::Classification;
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
            ("FFTrajEncoder" | "GRUTrajEncoder" | "MambaTrajEncoder", _) => {
                let kinds = [
                    ("FFTrajEncoder", "feed_forward"),
                    ("GRUTrajEncoder", "gru"),
                    ("MambaTrajEncoder", "mamba"),
                ];
                let (_, kind) = kinds.iter().find(|(name, _)| *name == class).expect("one of these");
                self.traj_encoder["kind"] = json!(kind);
                self.traj_encoder[option] = value.clone();
            }
            (other, _) if other.ends_with("TrajEncoder") || other == "CNNTstepEncoder" => {
                return pending(format!("the encoder {other}"));
            }
            ("FFTstepEncoder", "specify_obs_keys") => self.tstep_encoder["obs_keys"] = value.clone(),
            ("FFTstepEncoder", _) => self.tstep_encoder[option] = value.clone(),
            ("Actor", _) => self.actor[option] = value.clone(),
            ("ResidualActor", _) => return pending("the residual actor"),
            ("Discrete", "clip_prob_low") => self.actor["min_prob"] = value.clone(),
            ("Discrete", "clip_prob_high") => self.actor["max_prob"] = value.clone(),
            // Options of the other agent's critics are recorded too.
            ("NCritics", _) if classification => {}
            ("NCriticsTwoHot", _) if !classification => {}
            ("NCritics" | "NCriticsTwoHot", _) => self.set_critic(option, value),
            ("PopArtLayer", "beta") => self.popart_beta = value.as_f64(),
            ("binary_filter" | "exp_filter" | "leaky_relu_filter", _) => {
                self.filter_options.insert(option.to_owned(), value.clone());
            }
            ("Agent" | "MultiTaskAgent", "num_critics") => self.config.n_critics = count(value),
            ("Agent" | "MultiTaskAgent", "num_critics_td") => self.config.n_critics_td = count(value),
            // Recorded once more in their final form, or only for a fresh agent.
            ("Agent" | "MultiTaskAgent" | "Multigammas", _) | ("PopArtLayer", "init_nu") => {}
            _ => return Err(Refusal::Broken(format!("unknown option {class}.{option}"))),
        }
        Ok(())
    }

    fn set_critic(&mut self, option: &str, value: &Value) {
        match option {
            "output_bins" => self.critic["bins"]["count"] = value.clone(),
            "min_return" => self.critic["bins"]["min"] = value.clone(),
            "max_return" => self.critic["bins"]["max"] = value.clone(),
            "use_symlog" => self.critic["bins"]["symlog"] = value.clone(),
            "label_type" => {
                let labels = heads::labels(value.as_str().map(str::to_owned));
                self.critic["bins"]["labels"] = serde_json::to_value(labels).expect("labels are plain data");
            }
            // Only fresh weights depend on it, and these are recorded.
            "init_value" => {}
            other => self.critic[other] = value.clone(),
        }
    }
}

fn count(value: &Value) -> usize {
    serde_json::from_value(value.clone()).expect("a count")
}

/// Puts the parts together with the settings that were recorded in their final form.
fn finish(draft: Draft, case: &Case) -> Result<(AgentConfig, Option<f64>), Refusal> {
    fn part<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, Refusal> {
        serde_json::from_value(value).map_err(|e| Refusal::Broken(e.to_string()))
    }
    let mut gammas: Vec<f32> = case.need("gammas");
    let gamma = gammas.pop().expect("at least one discount");
    let config = AgentConfig {
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
    };
    Ok((config, draft.popart_beta))
}

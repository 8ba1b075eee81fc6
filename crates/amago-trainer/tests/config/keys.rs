//! Every refusal names the whole key of a setting.

use std::collections::BTreeSet;

use amago_trainer::{Plan, RunConfig};
use toml::Value;

use crate::support::{TINY, load};

/// Configs that together have the settings of all kinds.
const KINDS: [&[&str]; 17] = [
    &[],
    &["agent.traj_encoder.kind=gru", "agent.traj_encoder.norm=simnorm", "exploration.kind=tmaze"],
    &["agent.traj_encoder.kind=mamba", "agent.traj_encoder.norm=simnorm", "exploration.kind=bilevel"],
    &["agent.traj_encoder.kind=feed_forward", "exploration.kind=epsilon_greedy"],
    &["agent.traj_encoder.norm=simnorm", "agent.traj_encoder.pos_emb=rope"],
    &[
        "agent.traj_encoder.pos_emb=fixed",
        "agent.traj_encoder.window_size=4",
        "agent.traj_encoder.sink_size=1",
    ],
    &["agent.tstep_encoder.goal={kind=\"token\", key=\"observation\"}"],
    &["agent.tstep_encoder.norm=simnorm", "agent.tstep_encoder.out_norm=simnorm"],
    &["agent.tstep_encoder.kind=cnn", "agent.tstep_encoder.drqv2_aug=true"],
    &["agent.tstep_encoder.kind=cnn", "agent.tstep_encoder.cnn.kind=impala"],
    &["agent.tstep_encoder.kind=cnn", "agent.tstep_encoder.cnn.kind=gridworld"],
    &["agent.filter.kind=exponential", "agent.preset=amago2"],
    &["agent.filter.kind=leaky_ramp", "agent.actor.kind=residual", "agent.actor.norm=simnorm"],
    &[
        "agent.actor.policy.kind=categorical",
        "agent.critic.kind=classification",
        "agent.critic.bins.init_value=0",
    ],
    &["agent.actor.policy.kind=tanh_gaussian"],
    &["agent.actor.policy.kind=beta"],
    &["agent.actor.policy.kind=gmm", "agent.online_coeff=0"],
];

/// Values that some setting cannot have.
const VALUES: [&str; 13] =
    ["0", "-1", "3", "7", "1e9", "-0.5", "nan", "inf", "true", "[]", "[0]", "\"nonsense\"", "{ a = 1 }"];

/// Paths of all settings, tables included.
fn keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (name, value) in value.as_table().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        keys(value, &path, found);
        found.insert(path);
    }
}

fn of(config: &RunConfig) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    keys(&Value::try_from(config).expect("a table"), "", &mut found);
    found
}

#[test]
fn every_refusal_names_a_whole_key() {
    let (mut refused, mut seen) = (0, BTreeSet::new());
    for kind in KINDS {
        let config = load(TINY, kind).unwrap_or_else(|e| panic!("{kind:?}: {e}"));
        let all = of(&config);
        for key in &all {
            for value in VALUES {
                let setting = format!("{key}={value}");
                let result = load(TINY, &[kind, &[&setting]].concat()).and_then(Plan::new);
                let Some(error) = result.err().map(|e| e.to_string()) else { continue };
                // What does not fit the environment at all is refused whatever the value is.
                if Plan::new(config.clone()).is_err_and(|e| e.to_string() == error) {
                    continue;
                }
                (refused, seen) = (refused + 1, seen.into_iter().chain([key.clone()]).collect());
                // Before the key may stand where it was set: the file, or one of the overrides.
                let place = ["test.toml: ".to_owned(), format!("--set {setting}: ")];
                let place = place.into_iter().chain(kind.iter().map(|kind| format!("--set {kind}: ")));
                let error = place.fold(error, |e, place| e.strip_prefix(&place).unwrap_or(&e).to_owned());
                let error = error.as_str();
                let begins = all.iter().any(|key| {
                    let rest = error.strip_prefix("unknown key ").unwrap_or(error).strip_prefix(key.as_str());
                    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
                });
                // Settings of a table without its kind mean nothing: then it is the kind that is asked for.
                let last = key.rsplit('.').next().expect("a name");
                let named = error.contains(last) || error.contains("missing field `kind`");
                assert!(begins && named, "{kind:?}, {setting}: {error}");
            }
        }
    }
    assert!(refused > 1000 && seen.len() > 120, "{refused} refusals of {} settings", seen.len());
}

#[test]
fn settings_of_a_kind_are_named_whole() {
    let refused =
        |settings: &[&str]| load(TINY, settings).map(|c| format!("{c:?}")).expect_err("refused").to_string();
    for (settings, key) in [
        (&["agent.traj_encoder.n_head=2"][..], "unknown key agent.traj_encoder.n_head;"),
        (&["agent.traj_encoder.kind=gru", "agent.traj_encoder.n_heads=2"], "agent.traj_encoder.n_heads:"),
        (
            &["agent.traj_encoder.kind=gru", "agent.traj_encoder.d_hidden=wide"],
            "agent.traj_encoder.d_hidden:",
        ),
        (&["agent.traj_encoder.kind=mammoth"], "agent.traj_encoder.kind:"),
        (&["agent.traj_encoder.kind=own"], "agent.traj_encoder.name:"),
        (&["agent.traj_encoder.pos_emb=absolute"], "agent.traj_encoder.pos_emb:"),
        (
            &[
                "agent.tstep_encoder.kind=cnn",
                "agent.tstep_encoder.cnn={ kind = \"drqv2\", channels = [1, 1, 1] }",
            ],
            "agent.tstep_encoder.cnn.channels:",
        ),
        (&["agent.filter.kind=leaky_ramp", "agent.filter.threshold=1"], "agent.filter.threshold:"),
        (&["exploration.kind=bilevel", "exploration.eps_end_end=low"], "exploration.eps_end_end:"),
    ] {
        assert!(refused(settings).contains(key), "{}", refused(settings));
    }
}

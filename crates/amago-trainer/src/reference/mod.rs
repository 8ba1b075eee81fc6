//! Every setting of a run, read from the types that hold them: a schema for editors, and a list for people.

mod original;
mod walk;

use amago_agent::AgentConfig;
use serde_json::{Value, json};

use crate::RunConfig;

/// One setting of a config file.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Setting {
    /// Its whole key, for example `agent.traj_encoder.n_layers`.
    pub key: String,
    /// The `kind` of the table that it belongs to, where only that kind has it.
    pub kind: Option<String>,
    /// What may stand there, in words.
    pub accepts: String,
    /// Its default as TOML, with the preset `amago`; absent where it has none.
    pub default: Option<String>,
    /// What it does.
    pub doc: String,
    /// The name of the same setting in the PyTorch original.
    pub original: Option<&'static str>,
}

/// JSON schema (draft 2020-12) of a config file, from which editors complete keys and show what they mean.
pub fn config_schema() -> Value {
    let mut schema = schemars::schema_for!(RunConfig).to_value();
    // A file is laid over the defaults, so hardly anything is required.
    open(&mut schema);
    schema["title"] = json!("amago config");
    schema["anyOf"] = json!([{ "required": ["env"] }, { "required": ["tasks"] }, { "required": ["replay"] }]);
    if let Some(agent) = schema.pointer_mut("/$defs/AgentConfig/properties").and_then(Value::as_object_mut) {
        agent.insert("preset".to_owned(), preset());
    }
    schema
}

/// `agent.preset` is not part of the type: it chooses the defaults of the others.
fn preset() -> Value {
    json!({
        "description": "Defaults of the agent's settings: \"amago\" (regression critics, mostly the online loss) or \
            \"amago2\" (classification critics, filtered imitation alone).",
        "enum": ["amago", "amago2"],
        "default": "amago",
    })
}

/// All settings with their defaults, table by table.
pub fn settings() -> Vec<Setting> {
    let defaults = toml::Value::try_from(RunConfig::with_agent(AgentConfig::amago()));
    walk::settings(&config_schema(), &defaults.expect("the defaults can be written as TOML"))
}

/// Removes what a schema says is required, but for the `kind` that tells variants apart, and what its descriptions say
/// to programmers: examples and sections.
fn open(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(doc)) = map.get_mut("description") {
                let end = ["\n\n```", "\n\n# "].iter().filter_map(|mark| doc.find(mark)).min();
                doc.truncate(end.unwrap_or(doc.len()));
            }
            if let Some(Value::Array(names)) = map.get_mut("required") {
                names.retain(|name| name == "kind" || name == "id");
            }
            map.values_mut().for_each(open);
        }
        Value::Array(items) => items.iter_mut().for_each(open),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(key: &str, kind: Option<&str>) -> Setting {
        let found = settings().into_iter().find(|s| s.key == key && s.kind.as_deref() == kind);
        found.unwrap_or_else(|| panic!("no setting {key} of {kind:?}"))
    }

    #[test]
    fn a_setting_says_what_it_is() {
        let gamma = find("agent.gamma", None);
        assert_eq!((gamma.accepts.as_str(), gamma.default.as_deref()), ("number", Some("0.999")));
        assert_eq!(
            (gamma.doc.as_str(), gamma.original),
            ("The acting discount, always the last one learned.", Some("agent.Agent.gamma"))
        );
        let layers = find("agent.traj_encoder.n_layers", Some("gru"));
        assert_eq!((layers.accepts.as_str(), layers.default.as_deref()), ("integer", Some("2")));
        let kind = find("agent.traj_encoder.kind", None);
        assert!(
            kind.accepts.starts_with("\"transformer\" or") || kind.accepts.contains("\"gru\""),
            "{kind:?}"
        );
        assert_eq!(kind.default.as_deref(), Some("\"transformer\""));
        let mode = find("train.mode", None);
        assert!(
            mode.accepts.contains("\"learn\"") && mode.default.as_deref() == Some("\"alternate\""),
            "{mode:?}"
        );
    }

    #[test]
    fn every_setting_is_explained() {
        let all = settings();
        assert!(all.len() > 100, "{} settings", all.len());
        let silent: Vec<_> = all.iter().filter(|s| s.doc.is_empty() || s.accepts.is_empty()).collect();
        assert!(silent.is_empty(), "{silent:#?}");
    }

    #[test]
    fn names_of_the_original_belong_to_settings() {
        let all = settings();
        let lost: Vec<_> =
            original::NAMES.iter().filter(|(key, _)| !all.iter().any(|s| s.key == *key)).collect();
        assert!(lost.is_empty(), "{lost:?}");
    }

    #[test]
    fn the_schema_knows_every_default() {
        let schema = config_schema();
        assert_eq!(schema.pointer("/$defs/AgentConfig/properties/preset/default"), Some(&json!("amago")));
        assert_eq!(schema["anyOf"][0]["required"], json!(["env"]));
        assert_eq!(schema.pointer("/$defs/TrainConfig/properties/epochs/default"), Some(&json!(100)));
    }
}

//! From a JSON schema to a flat list of settings.

use serde_json::{Map, Value};

use super::{Setting, original};

/// All settings of a schema; `defaults` is the whole config by default.
pub(super) fn settings(schema: &Value, defaults: &toml::Value) -> Vec<Setting> {
    let mut walk = Walk { root: schema, defaults, found: Vec::new() };
    walk.table(schema, "", None);
    // Tables that hold others are told before those.
    let table = |setting: &Setting| setting.key.rsplit_once('.').map_or("", |(table, _)| table).to_owned();
    walk.found.sort_by_key(table);
    walk.found
}

struct Walk<'a> {
    root: &'a Value,
    defaults: &'a toml::Value,
    found: Vec<Setting>,
}

impl Walk<'_> {
    /// The settings of a table, which belong to a `kind` or to none.
    fn table(&mut self, schema: &Value, path: &str, kind: Option<&str>) {
        for (name, property) in properties(&self.resolved(schema)) {
            if name == "kind" && kind.is_some() {
                continue;
            }
            let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.setting(&property, &key, kind);
        }
    }

    fn setting(&mut self, property: &Value, key: &str, kind: Option<&str>) {
        let schema = self.resolved(&optional(property).unwrap_or_else(|| property.clone()));
        let variants = self.variants(&schema);
        if !variants.is_empty() {
            self.push(&format!("{key}.kind"), kind, &kinds(&schema, &variants), &Value::Null);
            for (name, variant) in &variants {
                self.table(variant, key, Some(name));
            }
        } else if schema.get("properties").is_some() {
            self.table(&schema, key, kind);
        } else {
            self.push(key, kind, &schema, property);
        }
    }

    fn push(&mut self, key: &str, kind: Option<&str>, schema: &Value, property: &Value) {
        let doc = [property, schema].iter().find_map(|s| s.get("description")?.as_str().map(one_line));
        let optional = if optional(property).is_some() || nullable(property) { ", or absent" } else { "" };
        self.found.push(Setting {
            key: key.to_owned(),
            kind: kind.map(str::to_owned),
            accepts: format!("{}{optional}", self.accepts(schema)),
            default: self.default(key, kind, property),
            doc: doc.unwrap_or_default(),
            original: original::NAMES.iter().find(|(ours, _)| *ours == key).map(|(_, theirs)| *theirs),
        });
    }

    /// The schema behind a reference, together with what stands beside the reference.
    fn resolved(&self, schema: &Value) -> Value {
        let Some(target) = schema.get("$ref").and_then(Value::as_str) else { return schema.clone() };
        let behind = self.root.pointer(target.trim_start_matches('#')).map(|s| self.resolved(s));
        let mut whole = behind.and_then(|s| s.as_object().cloned()).unwrap_or_default();
        for (name, value) in schema.as_object().into_iter().flatten().filter(|(name, _)| *name != "$ref") {
            match (whole.get_mut(name), value) {
                // The fields of a variant stand beside those of the type that it holds.
                (Some(Value::Object(inner)), Value::Object(outer)) => inner.extend(outer.clone()),
                _ => {
                    whole.insert(name.clone(), value.clone());
                }
            }
        }
        Value::Object(whole)
    }

    /// The kinds of a tagged table with their schemas.
    fn variants(&self, schema: &Value) -> Vec<(String, Value)> {
        let all = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        let named = all.filter_map(|variant| {
            let variant = self.resolved(variant);
            let name = variant.pointer("/properties/kind/const")?.as_str()?.to_owned();
            Some((name, variant))
        });
        named.collect()
    }

    /// What may stand there, in words.
    fn accepts(&self, schema: &Value) -> String {
        let names = choices(schema);
        if !names.is_empty() {
            return names.join(" or ");
        }
        let item =
            || schema.get("items").or_else(|| schema.pointer("/prefixItems/0")).map(|s| self.resolved(s));
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(Value::Array(kinds)) => {
                kinds.iter().find_map(|k| k.as_str().filter(|k| *k != "null")).unwrap_or("")
            }
            _ => "",
        };
        match kind {
            "array" => {
                let items = item().map(|s| self.accepts(&s)).unwrap_or_default();
                match schema.get("minItems").filter(|n| schema.get("maxItems") == Some(n)) {
                    Some(n) => format!("list of {n}: {items}"),
                    None => format!("list: {items}"),
                }
            }
            "object" => "table".to_owned(),
            other => other.to_owned(),
        }
    }

    /// From the whole config where that has the setting, else from the schema.
    fn default(&self, key: &str, kind: Option<&str>, property: &Value) -> Option<String> {
        let at = |key: &str| key.split('.').try_fold(self.defaults, |at, part| at.get(part));
        let table = key.rsplit_once('.').map_or("", |(table, _)| table);
        let used = kind.is_none() || at(&format!("{table}.kind")).and_then(|k| k.as_str()) == kind;
        let whole = at(key).filter(|_| used).map(written);
        let own = || property.get("default").filter(|v| !v.is_null());
        let own = || own().and_then(|v| toml::Value::try_from(v).ok()).map(|v| written(&v));
        if key.ends_with(".kind") { whole } else { whole.or_else(own) }
    }
}

/// A value as TOML. Numbers that a setting holds in single precision have no more digits than that.
fn written(value: &toml::Value) -> String {
    match value {
        toml::Value::Float(x) if f64::from(*x as f32) == *x => format!("{:?}", *x as f32),
        toml::Value::Array(items) => {
            format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn properties(schema: &Value) -> Map<String, Value> {
    schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// What an optional setting holds when it is there.
fn optional(property: &Value) -> Option<Value> {
    let any = property.get("anyOf")?.as_array()?;
    let null = |s: &&Value| s.get("type").is_some_and(|t| t == "null");
    any.iter().find(null)?;
    any.iter().find(|s| !null(s)).cloned()
}

fn nullable(property: &Value) -> bool {
    property.get("type").and_then(Value::as_array).is_some_and(|kinds| kinds.iter().any(|k| k == "null"))
}

/// A schema that lists the kinds, with what each is.
fn kinds(schema: &Value, variants: &[(String, Value)]) -> Value {
    let docs = variants.iter().map(|(name, variant)| {
        let doc = variant.get("description").and_then(Value::as_str).map(one_line).unwrap_or_default();
        format!("`{name}`: {doc}")
    });
    let own = schema.get("description").and_then(Value::as_str).map(one_line).unwrap_or_default();
    let doc = [own].into_iter().chain(docs).collect::<Vec<_>>().join(" ");
    serde_json::json!({ "enum": variants.iter().map(|(name, _)| name).collect::<Vec<_>>(), "description": doc })
}

/// Quoted values of an enumeration.
fn choices(schema: &Value) -> Vec<String> {
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let consts =
        schema.get("oneOf").and_then(Value::as_array).into_iter().flatten().filter_map(|s| s.get("const"));
    let nested = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let nested = nested.filter_map(|s| s.get("enum")?.as_array()).flatten();
    listed.chain(consts).chain(nested).map(ToString::to_string).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

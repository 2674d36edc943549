//! Eppo's core.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use eppo_core::configuration_store::ConfigurationStore;
use eppo_core::eval::{Evaluator, EvaluatorConfig};
use eppo_core::ufc::{AssignmentValue, UniversalFlagConfig, VariationType};
use eppo_core::{AttributeValue, Attributes, Configuration, SdkMetadata, Str};
use serde_json::{Map, Value, json};

use crate::peer::Peer;
use crate::workload::{COUNTRIES, EMAIL_REGEX, FIRST, Flag, Kind, PLAN, SECOND, User, VERSION, pilots};

pub(crate) struct Eppo(Evaluator);

impl Peer for Eppo {
    const NAME: &'static str = "eppo_core";
    const PACKAGE: &'static str = "eppo_core";
    const HOW: &'static str = "Its `Evaluator`, which returns assignments and logs none; the end of the e-mail address is a \
                               regular expression, and the 100 ids stand in the rule: it has no segments.";

    type Key = String;
    type User = (Str, Arc<Attributes>);
    type Text<'p> = Str;

    fn load(flags: &[Flag]) -> Result<Self> {
        let flags: Map<_, _> = flags.iter().map(|flag| (flag.key.clone(), document(flag))).collect();
        let document = json!({
            "createdAt": "2026-01-01T00:00:00Z",
            "format": "SERVER",
            "environment": {"name": "bench"},
            "flags": flags,
        });
        let sdk_metadata = SdkMetadata { name: "bench", version: "1" };
        let flags = UniversalFlagConfig::from_json(sdk_metadata, serde_json::to_vec(&document)?);
        let flags = flags.map_err(|error| anyhow!("{error}"))?;
        let store = ConfigurationStore::new();
        store.set_configuration(Arc::new(Configuration::from_server_response(flags, None)));
        Ok(Self(Evaluator::new(EvaluatorConfig { configuration_store: Arc::new(store), sdk_metadata })))
    }

    fn key(&self, key: &str) -> String {
        key.to_owned()
    }

    fn user(&self, user: &User) -> Result<Self::User> {
        let value = |value: &Value| match value {
            Value::Bool(bit) => AttributeValue::from(*bit),
            Value::Number(number) => AttributeValue::from(number.as_f64().unwrap_or_default()),
            other => AttributeValue::from(other.as_str().unwrap_or_default()),
        };
        let attributes = user.attributes.iter().map(|(name, it)| (Str::from(name.as_str()), value(it)));
        Ok((Str::from(user.id.as_str()), Arc::new(attributes.collect())))
    }

    fn boolean(&self, key: &String, (id, attributes): &Self::User) -> bool {
        let assigned = self.0.get_assignment(key, id, attributes, Some(VariationType::Boolean));
        matches!(assigned, Ok(Some(assigned)) if assigned.value.as_boolean() == Some(true))
    }

    fn text<'p>(&'p self, key: &'p String, (id, attributes): &'p Self::User) -> Str {
        match self.0.get_assignment(key, id, attributes, Some(VariationType::String)) {
            Ok(Some(assigned)) => match assigned.value {
                AssignmentValue::String(text) => text,
                _ => Str::from_static_str(""),
            },
            _ => Str::from_static_str(""),
        }
    }
}

fn document(flag: &Flag) -> Value {
    let serve = |variation: &str| json!([{"shards": [], "variationKey": variation}]);
    let allocation =
        |key: &str, rules: Value, splits: Value| json!({"key": key, "rules": rules, "splits": splits, "doLog": false});
    let rule = |key: &str, operator: &str, value: Value| {
        let conditions = json!([{"conditions": [{"attribute": key, "operator": operator, "value": value}]}]);
        allocation(key, conditions, serve("b"))
    };
    let shard = |variation: &str, start: u32, end: u32| {
        let shards = json!([{"salt": flag.key, "ranges": [{"start": start, "end": end}]}]);
        json!({"shards": shards, "variationKey": variation})
    };
    let texts = json!({"a": {"key": "a", "value": FIRST}, "b": {"key": "b", "value": SECOND}});
    let (kind, variations, allocations) = match flag.kind {
        Kind::Boolean => (
            "BOOLEAN",
            json!({"on": {"key": "on", "value": true}}),
            json!([allocation("everybody", json!([]), serve("on"))]),
        ),
        Kind::Rules => (
            "STRING",
            texts,
            json!([
                rule("country", "ONE_OF", json!(COUNTRIES)),
                rule("plan", "ONE_OF", json!([PLAN])),
                rule("appVersion", "GTE", json!(VERSION)),
                rule("email", "MATCHES", json!(EMAIL_REGEX)),
                rule("id", "ONE_OF", json!(pilots())),
                allocation("others", json!([]), serve("a")),
            ]),
        ),
        Kind::Split => {
            let splits = json!([shard("a", 0, 2_500), shard("b", 2_500, 10_000)]);
            ("STRING", texts, json!([allocation("split", json!([]), splits)]))
        }
    };
    json!({
        "key": flag.key,
        "enabled": true,
        "variationType": kind,
        "variations": variations,
        "allocations": allocations,
        "totalShards": 10_000,
    })
}

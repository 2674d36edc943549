//! flagd's evaluation engine.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use flagd_evaluation_engine::{FeatureFlag, FlagParser, Operator};
use open_feature::EvaluationContext;
use serde_json::{Map, Value, json};

use crate::peer::Peer;
use crate::workload::{COUNTRIES, EMAIL_END, FIRST, Flag, Kind, PLAN, SECOND, User, VERSION, Workload, pilots};

pub(crate) struct Flagd {
    flags: HashMap<String, FeatureFlag>,
    operator: Operator,
}

impl Peer for Flagd {
    const NAME: &'static str = "flagd-evaluation-engine";
    const PACKAGE: &'static str = "flagd-evaluation-engine";
    const HOW: &'static str = "The engine that its provider for OpenFeature calls, which reads a rule's JSON for each call; a \
                               flag without rules does not come to it, so it has no W1. The 100 ids stand in the rule.";

    type Key = String;
    type User = EvaluationContext;
    type Text<'p> = &'p str;

    fn knows(workload: Workload) -> bool {
        workload != Workload::Boolean
    }

    fn load(flags: &[Flag]) -> Result<Self> {
        let flags: Map<_, _> = flags.iter().map(|flag| (flag.key.clone(), document(flag))).collect();
        let parsed =
            FlagParser::parse_string(&json!({"flags": flags}).to_string()).map_err(|error| anyhow!("{error}"))?;
        Ok(Self { flags: parsed.flags, operator: Operator::new() })
    }

    fn key(&self, key: &str) -> String {
        key.to_owned()
    }

    fn user(&self, user: &User) -> Result<EvaluationContext> {
        let mut context = EvaluationContext::default().with_targeting_key(user.id.as_str());
        for (name, value) in &user.attributes {
            match value {
                Value::Bool(bit) => context.add_custom_field(name.as_str(), *bit),
                Value::Number(number) => context.add_custom_field(name.as_str(), number.as_i64().unwrap_or_default()),
                other => context.add_custom_field(name.as_str(), other.as_str().unwrap_or_default()),
            }
        }
        Ok(context)
    }

    fn boolean(&self, _: &String, _: &EvaluationContext) -> bool {
        false
    }

    fn text<'p>(&'p self, key: &'p String, user: &'p EvaluationContext) -> &'p str {
        let Some(flag) = self.flags.get(key) else { return "" };
        match self.operator.apply(key, &flag.get_targeting(), user) {
            Ok(Some(variant)) => flag.variants.get(&variant).and_then(Value::as_str).unwrap_or_default(),
            _ => "",
        }
    }
}

fn document(flag: &Flag) -> Value {
    let attribute = |name: &str| json!({"var": name});
    let targeting = match flag.kind {
        Kind::Boolean => Value::Null,
        Kind::Rules => json!({"if": [
            {"in": [attribute("country"), COUNTRIES]}, "b",
            {"==": [attribute("plan"), PLAN]}, "b",
            {"sem_ver": [attribute("appVersion"), ">=", VERSION]}, "b",
            {"ends_with": [attribute("email"), EMAIL_END]}, "b",
            {"in": [attribute("targetingKey"), pilots()]}, "b",
            "a",
        ]}),
        Kind::Split => json!({"fractional": [["a", 25], ["b", 75]]}),
    };
    json!({
        "state": "ENABLED",
        "defaultVariant": "a",
        "variants": {"a": FIRST, "b": SECOND},
        "targeting": targeting,
    })
}

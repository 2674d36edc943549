//! Flagsmith's engine.

use anyhow::Result;
use flagsmith_flag_engine::engine::get_evaluation_result;
use flagsmith_flag_engine::engine_eval::context::IdentityContext;
use flagsmith_flag_engine::engine_eval::{EngineEvaluationContext, FlagResult};
use serde_json::{Map, Value, json};

use crate::peer::Peer;
use crate::workload::{COUNTRIES, EMAIL_REGEX, FIRST, Flag, Kind, PLAN, SECOND, User, VERSION, pilots};

/// The environment, without anybody in it.
pub(crate) struct Flagsmith(EngineEvaluationContext);

impl Peer for Flagsmith {
    const NAME: &'static str = "flagsmith-flag-engine";
    const PACKAGE: &'static str = "flagsmith-flag-engine";
    const HOW: &'static str = "Each call evaluates every flag of the environment, so in W4 all 10,000 for one; rules are \
                               segments that override flags, and the end of the e-mail address is a regular expression.";

    type Key = String;
    type User = EngineEvaluationContext;
    type Text<'p> = String;

    fn load(flags: &[Flag]) -> Result<Self> {
        let features: Map<_, _> = flags.iter().map(|flag| (flag.key.clone(), feature(flag))).collect();
        let environment = json!({"key": "bench", "name": "bench"});
        let document = json!({"environment": environment, "features": features, "segments": segments(flags)});
        Ok(Self(serde_json::from_value(document)?))
    }

    fn key(&self, key: &str) -> String {
        key.to_owned()
    }

    fn user(&self, user: &User) -> Result<EngineEvaluationContext> {
        let identity = json!({"identifier": user.id, "key": user.id, "traits": user.attributes});
        let identity: IdentityContext = serde_json::from_value(identity)?;
        Ok(EngineEvaluationContext { identity: Some(identity), ..self.0.clone() })
    }

    fn boolean(&self, key: &String, user: &EngineEvaluationContext) -> bool {
        ask(key, user).is_some_and(|flag| flag.enabled)
    }

    fn text<'p>(&'p self, key: &'p String, user: &'p EngineEvaluationContext) -> String {
        ask(key, user).map(|flag| flag.value.value).unwrap_or_default()
    }
}

fn ask(key: &str, user: &EngineEvaluationContext) -> Option<FlagResult> {
    get_evaluation_result(user).flags.remove(key)
}

fn feature(flag: &Flag) -> Value {
    let base = json!({"key": flag.key, "name": flag.key, "enabled": true});
    let with = |value: Value, variants: Value| {
        let mut feature = base.clone();
        feature["value"] = value;
        feature["variants"] = variants;
        feature
    };
    match flag.kind {
        Kind::Boolean => with(Value::Null, json!([])),
        Kind::Rules => with(json!(FIRST), json!([])),
        Kind::Split => {
            let variants = json!([{"value": FIRST, "weight": 25.0}, {"value": SECOND, "weight": 75.0}]);
            with(json!(SECOND), variants)
        }
    }
}

fn segments(flags: &[Flag]) -> Value {
    let those = || flags.iter().filter(|flag| flag.kind == Kind::Rules);
    let segment = |priority: u32, name: &str, property: &str, operator: &str, value: Value| {
        let condition = json!({"property": property, "operator": operator, "value": value});
        let overrides = those().map(|flag| {
            let mut feature = feature(flag);
            feature["value"] = json!(SECOND);
            feature["priority"] = json!(priority);
            feature
        });
        json!({
            "key": name,
            "name": name,
            "rules": [{"type": "ALL", "conditions": [condition]}],
            "overrides": overrides.collect::<Vec<_>>(),
        })
    };
    if those().next().is_none() {
        return json!({});
    }
    json!({
        "1": segment(1, "country", "country", "IN", json!(COUNTRIES)),
        "2": segment(2, "plan", "plan", "EQUAL", json!(PLAN)),
        "3": segment(3, "version", "appVersion", "GREATER_THAN_INCLUSIVE", json!(format!("{VERSION}:semver"))),
        "4": segment(4, "staff", "email", "REGEX", json!(format!(".*{EMAIL_REGEX}"))),
        "5": segment(5, "pilots", "$.identity.identifier", "IN", json!(pilots())),
    })
}

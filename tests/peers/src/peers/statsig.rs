//! Statsig's SDK.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use serde_json::{Map, Value, json};
use statsig_rust::{
    DynamicConfigEvaluationOptions, DynamicValue, FeatureGateEvaluationOptions, StatsigBootstrapSpecsAdapter,
    StatsigOptions, StatsigUser, StatsigUserBuilder,
};

use crate::peer::Peer;
use crate::workload::{COUNTRIES, EMAIL_END, FIRST, Flag, Kind, PLAN, SECOND, User, VERSION, pilots};

pub(crate) struct Statsig(statsig_rust::Statsig);

impl Peer for Statsig {
    const NAME: &'static str = "statsig-rust";
    const PACKAGE: &'static str = "statsig-rust";
    const HOW: &'static str = "The SDK, its network and its logs off; texts are a dynamic config's parameter, and evaluations \
                               are counted but not logged as exposures. Conditions are shared by all flags.";

    type Key = String;
    type User = StatsigUser;
    type Text<'p> = String;

    fn load(flags: &[Flag]) -> Result<Self> {
        let of = |boolean: bool| -> Map<_, _> {
            let those = flags.iter().filter(|flag| (flag.kind == Kind::Boolean) == boolean);
            those.map(|flag| (flag.key.clone(), document(flag))).collect()
        };
        let specs = json!({
            "has_updates": true,
            "time": 1,
            "feature_gates": of(true),
            "dynamic_configs": of(false),
            "layer_configs": {},
            "experiment_to_layer": {},
            "condition_map": conditions(),
        });
        let options = StatsigOptions {
            specs_adapter: Some(Arc::new(StatsigBootstrapSpecsAdapter::new(specs.to_string()))),
            disable_all_logging: Some(true),
            disable_network: Some(true),
            disable_country_lookup: Some(true),
            ..StatsigOptions::default()
        };
        super::wait(async {
            let statsig = statsig_rust::Statsig::new("secret-bench", Some(Arc::new(options)));
            statsig.initialize().await.map_err(|error| anyhow!("{error}"))?;
            Ok(Self(statsig))
        })?
    }

    fn key(&self, key: &str) -> String {
        key.to_owned()
    }

    fn user(&self, user: &User) -> Result<StatsigUser> {
        let text = |name: &str| Some(user.attributes.get(name)?.as_str()?.to_owned());
        let other = |name: &str| !["country", "email", "appVersion"].contains(&name);
        let others = user.attributes.iter().filter(|(name, _)| other(name));
        let others = others.map(|(name, value)| (name.clone(), DynamicValue::from(value.clone())));
        let builder = StatsigUserBuilder::new_with_user_id(user.id.clone());
        let builder = builder.country(text("country")).email(text("email")).app_version(text("appVersion"));
        Ok(builder.custom(Some(others.collect())).build())
    }

    fn boolean(&self, key: &String, user: &StatsigUser) -> bool {
        self.0.check_gate_with_options(user, key, FeatureGateEvaluationOptions { disable_exposure_logging: true })
    }

    fn text<'p>(&'p self, key: &'p String, user: &'p StatsigUser) -> String {
        let options = DynamicConfigEvaluationOptions { disable_exposure_logging: true };
        let mut config = self.0.get_dynamic_config_with_options(user, key, options);
        match config.value.remove("text") {
            Some(Value::String(text)) => text,
            _ => String::new(),
        }
    }
}

fn conditions() -> Value {
    let condition = |kind: &str, field: Option<&str>, operator: Option<&str>, target: Value| {
        json!({
            "type": kind, "field": field, "operator": operator, "targetValue": target,
            "additionalValues": {}, "idType": "userID",
        })
    };
    let field = |name: &str, operator: &str, target: Value| condition("user_field", Some(name), Some(operator), target);
    json!({
        "everybody": condition("public", None, None, Value::Null),
        "country": field("country", "any", json!(COUNTRIES)),
        "plan": field("plan", "any", json!([PLAN])),
        "version": field("appVersion", "version_gte", json!(VERSION)),
        "staff": field("email", "str_ends_with_any", json!([EMAIL_END])),
        "pilots": condition("unit_id", None, Some("any"), json!(pilots())),
    })
}

fn document(flag: &Flag) -> Value {
    let (first, second) = (json!({"text": FIRST}), json!({"text": SECOND}));
    let rule = |condition: &str, percentage: u32, value: &Value| {
        json!({
            "name": condition, "id": condition, "salt": condition, "idType": "userID",
            "passPercentage": percentage, "conditions": [condition], "returnValue": value,
        })
    };
    let (kind, default, rules) = match flag.kind {
        Kind::Boolean => ("feature_gate", json!(true), json!([])),
        Kind::Rules => {
            let rules = ["country", "plan", "version", "staff", "pilots"].map(|name| rule(name, 100, &second));
            ("dynamic_config", first, json!(rules))
        }
        Kind::Split => ("dynamic_config", second, json!([rule("everybody", 25, &first)])),
    };
    json!({
        "type": kind,
        "salt": flag.key,
        "defaultValue": default,
        "enabled": true,
        "rules": rules,
        "idType": "userID",
        "entity": kind,
    })
}

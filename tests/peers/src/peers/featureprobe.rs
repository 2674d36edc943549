//! FeatureProbe's SDK.

use anyhow::{Result, anyhow};
use feature_probe_server_sdk::{FPUser, load_json};
use serde_json::{Map, Value, json};

use crate::peer::Peer;
use crate::workload::{COUNTRIES, EMAIL_END, FIRST, Flag, Kind, PLAN, SECOND, User, VERSION, pilots};

pub(crate) struct FeatureProbe(feature_probe_server_sdk::FeatureProbe);

impl Peer for FeatureProbe {
    const NAME: &'static str = "feature-probe-server-sdk";
    const PACKAGE: &'static str = "feature-probe-server-sdk";
    const HOW: &'static str = "The SDK without a server, so it records no events; the id is an attribute, too, as its segments \
                               know no other.";

    type Key = String;
    type User = FPUser;
    type Text<'p> = String;

    fn load(flags: &[Flag]) -> Result<Self> {
        let toggles: Map<_, _> = flags.iter().map(|flag| (flag.key.clone(), document(flag))).collect();
        let ids = json!([{"type": "string", "subject": "id", "predicate": "is one of", "objects": pilots()}]);
        let segment = json!({"uniqueId": "pilots", "version": 1, "rules": [{"conditions": ids}]});
        let document = json!({"version": 1, "segments": {"pilots": segment}, "toggles": toggles});
        let repository = load_json(&document.to_string()).map_err(|error| anyhow!("{error}"))?;
        Ok(Self(feature_probe_server_sdk::FeatureProbe::new_with("bench".to_owned(), repository)))
    }

    fn key(&self, key: &str) -> String {
        key.to_owned()
    }

    fn user(&self, user: &User) -> Result<FPUser> {
        let asker = FPUser::new().stable_rollout(user.id.clone()).with_attrs(user.texts());
        Ok(asker.with("id", user.id.as_str()))
    }

    fn boolean(&self, key: &String, user: &FPUser) -> bool {
        self.0.bool_value(key, user, false)
    }

    fn text<'p>(&'p self, key: &'p String, user: &'p FPUser) -> String {
        self.0.string_value(key, user, String::new())
    }
}

fn document(flag: &Flag) -> Value {
    let rule = |kind: &str, subject: &str, predicate: &str, objects: Value| {
        let condition = json!({"type": kind, "subject": subject, "predicate": predicate, "objects": objects});
        json!({"serve": {"select": 1}, "conditions": [condition]})
    };
    let texts = json!([FIRST, SECOND]);
    let (variations, default, rules) = match flag.kind {
        Kind::Boolean => (json!([true, false]), json!({"select": 0}), json!([])),
        Kind::Rules => (
            texts,
            json!({"select": 0}),
            json!([
                rule("string", "country", "is one of", json!(COUNTRIES)),
                rule("string", "plan", "is one of", json!([PLAN])),
                rule("semver", "appVersion", ">=", json!([VERSION])),
                rule("string", "email", "ends with", json!([EMAIL_END])),
                rule("segment", "user", "is in", json!(["pilots"])),
            ]),
        ),
        Kind::Split => (texts, json!({"split": {"distribution": [[[0, 2_500]], [[2_500, 10_000]]]}}), json!([])),
    };
    json!({
        "key": flag.key,
        "enabled": true,
        "forClient": false,
        "version": 1,
        "disabledServe": {"select": 0},
        "defaultServe": default,
        "rules": rules,
        "variations": variations,
    })
}

//! Unleash's engine: alone, and with the counting that Unleash's SDKs do beside each evaluation.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use unleash_yggdrasil::{ClientFeatures, Context, EngineState, UpdateMessage};

use crate::peer::Peer;
use crate::workload::{COUNTRIES, EMAIL_END, FIRST, Flag, Kind, PLAN, SECOND, User, VERSION, pilots};

/// The engine alone.
pub(crate) struct Yggdrasil(EngineState);

/// The engine, counting.
pub(crate) struct Counted(Yggdrasil);

impl Peer for Yggdrasil {
    const NAME: &'static str = "unleash-yggdrasil";
    const PACKAGE: &'static str = "unleash-yggdrasil";
    const HOW: &'static str = "The engine alone; rules are strategies of the kind `default`, each with one constraint and \
                               one variant, whose payload is the text.";

    type Key = String;
    type User = Context;
    type Text<'p> = String;

    fn load(flags: &[Flag]) -> Result<Self> {
        let ids = json!([{"contextName": "userId", "operator": "IN", "values": pilots()}]);
        let document = json!({
            "version": 2,
            "features": flags.iter().map(document).collect::<Vec<_>>(),
            "segments": [{"id": 1, "constraints": ids}],
        });
        let features: ClientFeatures = serde_json::from_value(document)?;
        let engine = EngineState::default();
        let warnings = engine.take_state(UpdateMessage::FullResponse(features));
        ensure!(warnings.is_none(), "it warns: {warnings:?}");
        Ok(Self(engine))
    }

    fn key(&self, key: &str) -> String {
        key.to_owned()
    }

    fn user(&self, user: &User) -> Result<Context> {
        Ok(Context { user_id: Some(user.id.clone()), properties: Some(user.texts().collect()), ..Context::default() })
    }

    fn boolean(&self, key: &String, user: &Context) -> bool {
        self.0.is_enabled(key, user, &None)
    }

    fn text<'p>(&'p self, key: &'p String, user: &'p Context) -> String {
        let variant = self.0.get_variant(key, user, &None);
        // Whom no rule selects, the flag is off for.
        if variant.enabled {
            variant.payload.map(|payload| payload.value).unwrap_or_default()
        } else {
            FIRST.to_owned()
        }
    }
}

impl Peer for Counted {
    const NAME: &'static str = "unleash-yggdrasil, counting";
    const PACKAGE: &'static str = "unleash-yggdrasil";
    const HOW: &'static str = "The engine, which counts flags and variants, as Unleash's SDKs make it do.";

    type Key = String;
    type User = Context;
    type Text<'p> = String;

    fn load(flags: &[Flag]) -> Result<Self> {
        Yggdrasil::load(flags).map(Self)
    }

    fn key(&self, key: &str) -> String {
        self.0.key(key)
    }

    fn user(&self, user: &User) -> Result<Context> {
        self.0.user(user)
    }

    fn boolean(&self, key: &String, user: &Context) -> bool {
        let enabled = self.0.boolean(key, user);
        self.0.0.count_toggle(key, enabled);
        enabled
    }

    fn text<'p>(&'p self, key: &'p String, user: &'p Context) -> String {
        let engine = &self.0.0;
        let variant = engine.get_variant(key, user, &None);
        engine.count_toggle(key, variant.feature_enabled);
        engine.count_variant(key, &variant.name);
        if variant.enabled {
            variant.payload.map(|payload| payload.value).unwrap_or_default()
        } else {
            FIRST.to_owned()
        }
    }
}

fn document(flag: &Flag) -> Value {
    let variant = |name: &str, weight: u32, text: &str| json!({"name": name, "weight": weight, "stickiness": "default", "payload": {"type": "string", "value": text}});
    let second = json!([variant("b", 1_000, SECOND)]);
    let rule = |constraint: Value| json!({"name": "default", "constraints": [constraint], "variants": second});
    let values = |name: &str, operator: &str, values: Value| {
        rule(json!({"contextName": name, "operator": operator, "values": values}))
    };
    let (strategies, variants) = match flag.kind {
        Kind::Boolean => (json!([]), json!([])),
        Kind::Rules => (
            json!([
                values("country", "IN", json!(COUNTRIES)),
                values("plan", "IN", json!([PLAN])),
                rule(json!({"contextName": "appVersion", "operator": "SEMVER_GTE", "value": VERSION})),
                values("email", "STR_ENDS_WITH", json!([EMAIL_END])),
                {"name": "default", "segments": [1], "variants": second},
            ]),
            json!([]),
        ),
        Kind::Split => (json!([]), json!([variant("a", 250, FIRST), variant("b", 750, SECOND)])),
    };
    json!({"name": flag.key, "enabled": true, "strategies": strategies, "variants": variants})
}

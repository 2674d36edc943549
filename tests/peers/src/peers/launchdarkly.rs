//! LaunchDarkly's evaluation.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use launchdarkly_server_sdk_evaluation::{
    AttributeValue, Context, ContextBuilder, Flag as Feature, FlagValue, Segment, Store, evaluate,
};
use serde_json::{Value, json};

use crate::peer::Peer;
use crate::workload::{COUNTRIES, EMAIL_END, FIRST, Flag, Kind, PLAN, SECOND, User, VERSION, pilots};

pub(crate) struct LaunchDarkly {
    flags: HashMap<String, Feature>,
    segments: Segments,
}

/// Hands segments out as the trait asks: a copy each.
struct Segments(HashMap<String, Segment>);

impl Store for Segments {
    fn flag(&self, _: &str) -> Option<Feature> {
        None
    }

    fn segment(&self, key: &str) -> Option<Segment> {
        self.0.get(key).cloned()
    }
}

impl Peer for LaunchDarkly {
    const NAME: &'static str = "launchdarkly-server-sdk-evaluation";
    const PACKAGE: &'static str = "launchdarkly-server-sdk-evaluation";
    const HOW: &'static str = "The flag is borrowed from a map, where the SDK's own store copies it; its `Store` has to copy \
                               segments. It has no `>=` for versions, so the rule negates `<`.";

    type Key = String;
    type User = Context;
    type Text<'p> = &'p str;

    fn load(flags: &[Flag]) -> Result<Self> {
        let flags = flags.iter().map(|flag| Ok((flag.key.clone(), serde_json::from_value(document(flag))?)));
        let segment = json!({
            "key": "pilots", "included": pilots(), "excluded": [], "rules": [], "salt": "pilots", "version": 1,
        });
        let segments = HashMap::from([("pilots".to_owned(), serde_json::from_value(segment)?)]);
        Ok(Self { flags: flags.collect::<Result<_>>()?, segments: Segments(segments) })
    }

    fn key(&self, key: &str) -> String {
        key.to_owned()
    }

    fn user(&self, user: &User) -> Result<Context> {
        let mut builder = ContextBuilder::new(user.id.as_str());
        for (name, value) in &user.attributes {
            builder.set_value(name, AttributeValue::from(value));
        }
        builder.build().map_err(|error| anyhow!(error))
    }

    fn boolean(&self, key: &String, user: &Context) -> bool {
        let served = self.flags.get(key).and_then(|flag| evaluate(&self.segments, flag, user, None).value);
        matches!(served, Some(FlagValue::Bool(true)))
    }

    fn text<'p>(&'p self, key: &'p String, user: &'p Context) -> &'p str {
        match self.flags.get(key).and_then(|flag| evaluate(&self.segments, flag, user, None).value) {
            Some(FlagValue::Str(text)) => text,
            _ => "",
        }
    }
}

fn document(flag: &Flag) -> Value {
    let rule = |attribute: &str, op: &str, values: Value, negate: bool| {
        let clause = json!({"attribute": attribute, "op": op, "values": values, "negate": negate});
        json!({"id": attribute, "clauses": [clause], "variation": 1, "trackEvents": false})
    };
    let texts = json!([FIRST, SECOND]);
    let (variations, rules, fallthrough) = match flag.kind {
        Kind::Boolean => (json!([true, false]), json!([]), json!({"variation": 0})),
        Kind::Rules => (
            texts,
            json!([
                rule("country", "in", json!(COUNTRIES), false),
                rule("plan", "in", json!([PLAN]), false),
                rule("appVersion", "semVerLessThan", json!([VERSION]), true),
                rule("email", "endsWith", json!([EMAIL_END]), false),
                rule("key", "segmentMatch", json!(["pilots"]), false),
            ]),
            json!({"variation": 0}),
        ),
        Kind::Split => {
            let shares = json!([{"variation": 0, "weight": 25_000}, {"variation": 1, "weight": 75_000}]);
            (texts, json!([]), json!({"rollout": {"variations": shares}}))
        }
    };
    json!({
        "key": flag.key,
        "version": 1,
        "on": true,
        "targets": [],
        "rules": rules,
        "prerequisites": [],
        "fallthrough": fallthrough,
        "offVariation": 0,
        "variations": variations,
        "clientSide": false,
        "salt": flag.key,
    })
}

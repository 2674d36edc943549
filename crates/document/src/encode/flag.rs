//! Writes flags, rules and segments.

use std::collections::BTreeMap;

use daybreak_model::{Flag, Rule, Scalar, Segment, Serve};
use serde_json::Value;

use super::Object;
use super::condition::{attribute_name, condition, scalar};
use crate::decode::{false_variant, on_and_off};

pub(super) fn flag(flag: &Flag) -> Value {
    let mut object = Object::default();
    object.maybe("description", flag.description.as_deref());
    object.maybe("owner", flag.owner.as_deref());
    object.unless_empty("tags", flag.tags.clone().into());
    object.unless_empty("metadata", metadata(&flag.metadata));
    object.maybe("client", flag.client.then_some(true));
    object.maybe("enabled", (!flag.enabled).then_some(false));
    object.maybe("expires", flag.expires.map(|day| day.to_string()));
    if flag.variants != on_and_off() {
        let variants = flag.variants.iter().map(|(name, value)| (name.to_string(), value.to_json()));
        object.set("variants", Value::Object(variants.collect()));
    }
    if flag.off != false_variant(&flag.variants) {
        object.maybe("off", flag.off.as_ref().map(|off| off.as_str()));
    }
    object.set("default", flag.default.as_str());
    object.unless_empty("rules", flag.rules.iter().map(rule).collect());
    let prerequisites = flag.prerequisites.iter().map(|(flag, variant)| (flag.to_string(), variant.as_str().into()));
    object.unless_empty("prerequisites", Value::Object(prerequisites.collect()));
    object.maybe("salt", flag.salt.as_deref());
    object.into()
}

pub(super) fn metadata(metadata: &BTreeMap<String, Scalar>) -> Value {
    Value::Object(metadata.iter().map(|(name, value)| (name.clone(), scalar(value))).collect())
}

pub(super) fn rule(rule: &Rule) -> Value {
    let mut object = Object::default();
    object.set("name", rule.name.as_str());
    object.maybe("description", rule.description.as_deref());
    object.maybe("when", rule.when.as_ref().map(condition));
    object.maybe("percentage", rule.percentage.map(|share| share.to_string()));
    match &rule.serve {
        Serve::Serve(variant) => object.set("serve", variant.as_str()),
        Serve::Rollout(shares) => {
            let shares = shares.iter().map(|(name, share)| (name.to_string(), share.to_string().into()));
            object.set("rollout", Value::Object(shares.collect()));
        }
    }
    object.maybe("by", rule.by.as_deref().map(attribute_name));
    object.into()
}

pub(super) fn segment(segment: &Segment) -> Value {
    let mut object = Object::default();
    object.maybe("description", segment.description.as_deref());
    object.maybe("owner", segment.owner.as_deref());
    object.set("when", condition(&segment.when));
    object.into()
}

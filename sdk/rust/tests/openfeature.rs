//! The provider for OpenFeature: the same answers, in OpenFeature's words.

#![cfg(feature = "openfeature")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use daybreak_sdk::openfeature::DaybreakProvider;
use daybreak_sdk::{Client, TestClient};
use open_feature::provider::{FeatureProvider, ProviderStatus};
use open_feature::{
    EvaluationContext, EvaluationContextFieldValue, EvaluationErrorCode, EvaluationReason, FlagMetadataValue,
    OpenFeature, StructValue,
};
use serde_json::json;

const SNAPSHOT: &str = r#"{
    "position": "0000000000000001:7", "environment": "test",
    "flags": {
        "bool": {"level": 1, "revision": 3, "resource": {
            "variants": {"off": false, "on": true}, "default": "on",
            "metadata": {"team": "payments", "priority": 2, "share": 0.5, "legacy": false}
        }},
        "int": {"level": 1, "revision": 4, "resource": {"variants": {"few": 3}, "default": "few"}},
        "float": {"level": 1, "revision": 4, "resource": {"variants": {"half": 0.5}, "default": "half"}},
        "text": {"level": 1, "revision": 4, "resource": {"variants": {"hello": "hello"}, "default": "hello"}},
        "object": {"level": 1, "revision": 4, "resource": {
            "variants": {"grid": {"columns": 3, "gap": 1.5, "names": ["a", "b"], "deep": {"on": true}, "none": null}},
            "default": "grid"
        }},
        "ruled": {"level": 1, "revision": 7, "resource": {
            "variants": {"off": false, "on": true}, "default": "off",
            "rules": [{"name": "ours", "when": WHEN, "serve": "on"}]
        }},
        "greedy": {"level": 1, "revision": 5, "resource": {
            "variants": {"off": false, "on": true}, "default": "on", "off": "off", "prerequisites": {"ruled": "on"},
            "metadata": {
                "revision": "mine", "version": "mine", "flagSetId": "mine", "rule": "mine", "prerequisite": "mine", "age_ms": 1
            }
        }},
        "split": {"level": 1, "revision": 7, "resource": {
            "variants": {"off": false, "on": true}, "default": "off",
            "rules": [{"name": "half", "rollout": {"off": 50000, "on": 50000}}]
        }}
    }
}"#;

/// A provider of flags out of a file, one of which asks this of an attribute. Until the server is heard, each reason is
/// `CACHED`.
fn provider(attribute: &str, test: &serde_json::Value) -> DaybreakProvider {
    let when = json!({ "attribute": { "attribute": attribute, "test": test } });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bootstrap.json");
    std::fs::write(&file, SNAPSHOT.replace("WHEN", &when.to_string())).unwrap();
    let builder = Client::builder("http://127.0.0.1:9").service("test").environment("test");
    let client = builder.bootstrap_file(file).build().unwrap();
    DaybreakProvider::new(client).ready_within(Duration::from_millis(1))
}

fn user() -> EvaluationContext {
    EvaluationContext::default().with_targeting_key("ada")
}

#[tokio::test]
async fn every_type_has_its_value() {
    let provider = provider("plan", &json!({"equals": "pro"}));
    assert_eq!(provider.metadata().name, "Daybreak");
    let user = user();
    assert!(provider.resolve_bool_value("bool", &user).await.unwrap().value);
    assert_eq!(provider.resolve_int_value("int", &user).await.unwrap().value, 3);
    let float = |key| provider.resolve_float_value(key, &user);
    assert!((float("float").await.unwrap().value - 0.5).abs() < f64::EPSILON);
    assert!((float("int").await.unwrap().value - 3.0).abs() < f64::EPSILON, "an integer is a number too");
    assert_eq!(provider.resolve_string_value("text", &user).await.unwrap().value, "hello");
    let expected = StructValue::default()
        .with_field("columns", 3)
        .with_field("gap", 1.5)
        .with_field("names", vec!["a", "b"])
        .with_field("deep", StructValue::default().with_field("on", true));
    assert_eq!(provider.resolve_struct_value("object", &user).await.unwrap().value, expected, "null is left out");
}

#[tokio::test]
async fn details_tell_why() {
    let provider = provider("plan", &json!({"equals": "pro"}));
    let detail = provider.resolve_bool_value("bool", &user()).await.unwrap();
    assert_eq!((detail.variant.as_deref(), detail.reason), (Some("on"), Some(EvaluationReason::Cached)));
    let metadata = detail.flag_metadata.unwrap().values;
    let expected = [
        ("team", FlagMetadataValue::String("payments".to_owned())),
        ("priority", FlagMetadataValue::Int(2)),
        ("share", FlagMetadataValue::Float(0.5)),
        ("legacy", FlagMetadataValue::Bool(false)),
        ("revision", FlagMetadataValue::Int(3)),
        ("version", FlagMetadataValue::String("3".to_owned())),
        ("flagSetId", FlagMetadataValue::String("test".to_owned())),
    ];
    assert_eq!(metadata, expected.map(|(name, value)| (name.to_owned(), value)).into());
    let ruled = provider.resolve_bool_value("ruled", &user().with_custom_field("plan", "pro")).await.unwrap();
    let rule = FlagMetadataValue::String("ours".to_owned());
    assert_eq!((ruled.value, ruled.flag_metadata.unwrap().values.get("rule")), (true, Some(&rule)));
}

/// As by OFREP: the same names, none of which is the flag's own to take.
#[tokio::test]
async fn invariant_7_metadata_are_those_of_ofrep() {
    let detail = provider("plan", &json!({"equals": "pro"})).resolve_bool_value("greedy", &user()).await.unwrap();
    assert!(!detail.value, "its prerequisite does not hold");
    let expected = [
        ("revision", FlagMetadataValue::Int(5)),
        ("version", FlagMetadataValue::String("5".to_owned())),
        ("flagSetId", FlagMetadataValue::String("test".to_owned())),
        ("prerequisite", FlagMetadataValue::String("ruled".to_owned())),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value)).into();
    assert_eq!(detail.flag_metadata.unwrap().values, expected);
}

#[tokio::test]
async fn errors_have_openfeatures_codes() {
    use EvaluationErrorCode::{FlagNotFound, ProviderNotReady, TargetingKeyMissing, TypeMismatch};
    let nobody = EvaluationContext::default();
    let full = provider("plan", &json!({"equals": "pro"}));
    let empty = DaybreakProvider::new(Client::builder("http://127.0.0.1:9").service("test").build().unwrap());
    let cases = [
        (&full, "nowhere", FlagNotFound),
        (&full, "text", TypeMismatch),
        (&full, "split", TargetingKeyMissing),
        (&empty, "bool", ProviderNotReady),
    ];
    for (provider, key, code) in cases {
        let error = provider.resolve_bool_value(key, &nobody).await.unwrap_err();
        assert_eq!(error.code, code, "{key}");
        assert!(error.message.is_some_and(|message| !message.is_empty()), "{key}");
    }
    let error = full.resolve_int_value("float", &nobody).await.unwrap_err();
    assert_eq!(error.code, TypeMismatch, "no number is rounded");
    assert_eq!((full.status(), empty.status()), (ProviderStatus::NotReady, ProviderStatus::NotReady));
}

/// An attribute, what a rule asks of it, and whether it matches.
#[tokio::test]
async fn the_context_is_carried_over() {
    type Field = EvaluationContextFieldValue;
    let noon = time::OffsetDateTime::from_unix_timestamp(1_795_953_600).unwrap();
    let nested = StructValue::default().with_field("os", "linux").with_field("cores", vec![1, 2]);
    let cases = [
        (Field::from(true), "it", json!({"equals": true}), true),
        (Field::from(7), "it", json!({"gte": 7.0}), true),
        (Field::from(i64::MAX), "it", json!({"gt": 1.0}), false),
        (Field::from(0.5), "it", json!({"lt": 1.0}), true),
        (Field::from(f64::NAN), "it", json!({"lt": 1.0}), false),
        (Field::from("7"), "it", json!({"equals": 7.0}), false),
        (Field::from("pro"), "it", json!({"in": ["pro"]}), true),
        (Field::from(noon), "it", json!({"before": "2030-01-01T00:00:00Z"}), true),
        (Field::from(noon), "it", json!({"after": "2030-01-01T00:00:00Z"}), false),
        (Field::new_struct(nested.clone()), "it.os", json!({"equals": "linux"}), true),
        (Field::new_struct(nested), "it.cores", json!({"contains": 2.0}), true),
        (Field::new_struct(json!({"os": "linux"})), "it.os", json!({"equals": "linux"}), true),
        // What cannot be read is absent.
        (Field::Struct(Arc::new(7_u8)), "it", json!({"exists": true}), false),
    ];
    for (field, attribute, test, expected) in cases {
        let context = user().with_custom_field("it", field.clone());
        let detail = provider(attribute, &test).resolve_bool_value("ruled", &context).await.unwrap();
        assert_eq!(detail.value, expected, "{field:?} {attribute} {test}");
    }
    let key = || provider("targetingKey", &json!({"equals": "ada"}));
    let other = user().with_custom_field("targetingKey", "bob");
    assert!(key().resolve_bool_value("ruled", &other).await.unwrap().value, "the key has one place");
    let nobody = EvaluationContext::default().with_custom_field("targetingKey", "ada");
    assert!(!key().resolve_bool_value("ruled", &nobody).await.unwrap().value);
}

/// By OpenFeature's own client, with flags that a test sets.
#[tokio::test]
async fn through_openfeatures_own_client() {
    let flags = TestClient::new();
    flags.set("greeting", "hello").unwrap();
    let provider = DaybreakProvider::new(flags.client());
    assert_eq!(provider.status(), ProviderStatus::Ready);
    let mut api = OpenFeature::singleton_mut().await;
    api.set_provider(provider).await;
    let client = api.create_client();
    drop(api);
    assert_eq!(client.get_string_value("greeting", None, None).await.unwrap(), "hello");
    flags.set("greeting", "goodbye").unwrap();
    let detail = client.get_string_details("greeting", None, None).await.unwrap();
    assert_eq!((detail.value.as_str(), detail.reason), ("goodbye", Some(EvaluationReason::Static)));
    assert!(client.get_bool_value("nowhere", None, None).await.is_err());
}

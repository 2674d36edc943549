//! The JSON Schema takes what the decoder takes, and refuses what is broken in shape.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use daybreak_document::{Source, decode, encode, schema};
use serde_json::{Value, json};

/// The YAML of a document as JSON, read by another reader.
fn value(yaml: &str) -> Value {
    serde_yaml::from_str(yaml).unwrap()
}

#[test]
fn it_takes_what_the_decoder_takes() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    for yaml in [include_str!("sketch.yaml"), include_str!("prelude.yaml")] {
        let written = encode(&decode(&[Source::new("text", yaml)]).resources);
        for document in [value(yaml), written] {
            let errors: Vec<String> =
                validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert_eq!(errors, Vec::<String>::new());
        }
    }
}

/// The golden documents whose fault is one of shape.
#[test]
fn it_refuses_what_is_broken_in_shape() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let names = [
        "001-unknown-section",
        "002-unknown-field",
        "003-unknown-field-far",
        "004-misspelt-required",
        "005-missing-default",
        "009-bad-key",
        "010-not-a-map",
        "011-text-for-a-flag",
        "012-empty-flag",
        "013-value-left-out",
        "014-serve-true",
        "015-enabled-yes",
        "021-rule-without-name",
        "022-rule-without-serve",
        "023-rule-serve-and-rollout",
        "025-rules-as-a-map",
        "029-percentage-120",
        "030-percentage-without-sign",
        "032-empty-when",
        "033-empty-any",
        "034-when-a-list",
        "035-all-of-a-map",
        "036-bare-list",
        "037-empty-in",
        "038-in-without-list",
        "039-unknown-test",
        "040-member-of-an-object",
        "041-attribute-without-test",
        "042-number-in-quotes",
        "044-semver-number",
        "048-timestamp",
        "050-reserved-name",
        "070-fault-of-nothing",
        "071-percentage-missing",
        "072-guard-missing",
        "073-hours-missing",
        "074-max-duration-missing",
        "075-guard-without-min-budget",
        "077-guard-text",
        "079-latency-without-unit",
        "080-latency-without-max",
        "081-latency-two-distributions",
        "086-empty-effect",
        "088-error-status",
        "089-times",
        "097-times-25",
        "099-holidays-impossible",
        "104-sli-bounds",
        "105-sli-empty",
        "106-on-call-count",
        "108-on-call-match",
    ];
    for name in names {
        let path = format!("{}/tests/bad/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let document = value(&std::fs::read_to_string(path).unwrap());
        assert!(!validator.is_valid(&document), "{name} is taken");
    }
}

#[test]
fn every_field_is_described() {
    fn walk(schema: &Value, at: &str) {
        if let Some(properties) =
            schema["properties"].as_object().filter(|_| schema["additionalProperties"] == json!(false))
        {
            for (name, property) in properties {
                let said = property["description"].as_str().unwrap_or_default();
                assert!(said.ends_with(['.', '`', ']']), "{at}.{name} is not described: {said:?}");
            }
        }
        schema["$defs"].as_object().into_iter().flatten().for_each(|(name, noun)| walk(noun, name));
    }
    walk(&schema(), "document");
}

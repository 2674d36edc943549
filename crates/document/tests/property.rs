//! What holds for all resources.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod generate;

use daybreak_document::{Draft, Source, decode, decode_form, diff, encode, encode_resource, merge, patch, to_yaml};
use daybreak_model::{Kind, Resources};
use proptest::prelude::*;

use generate::resources;

/// Reads a text that is to be without fault.
fn read(text: &str) -> Result<Resources, TestCaseError> {
    let decoded = decode(&[Source::new("text", text)]);
    decoded
        .into_result()
        .map(|(resources, _)| resources)
        .map_err(|errors| TestCaseError::fail(format!("{errors:#?}\n{text}")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_what_was_written_gives_the_same(resources in resources()) {
        let (yaml, json) = (to_yaml(&resources), encode(&resources));
        prop_assert_eq!(&read(&yaml)?, &resources, "{}", yaml);
        prop_assert_eq!(&read(&json.to_string())?, &resources, "{}", json);
        prop_assert_eq!(&read(&serde_json::to_string_pretty(&json).unwrap())?, &resources);
        prop_assert_eq!(to_yaml(&read(&yaml)?), yaml);
    }

    #[test]
    fn applying_an_export_changes_nothing(resources in resources()) {
        let export = Draft::of_documents(vec![Source::new("export", to_yaml(&resources))]);
        prop_assert_eq!(&export.over(&resources, None).resources, &resources);
        prop_assert_eq!(&export.alone(None).resources, &resources);
        prop_assert_eq!(decode_form(&encode(&resources)), Ok(resources));
    }

    #[test]
    fn another_reader_of_yaml_reads_the_same(resources in resources()) {
        let yaml = to_yaml(&resources);
        let theirs: serde_json::Value = serde_yaml::from_str(&yaml).map_err(|error| TestCaseError::fail(format!("{error}\n{yaml}")))?;
        prop_assert_eq!(theirs, encode(&resources), "{}", yaml);
    }

    #[test]
    fn merging_keeps_what_only_one_side_changed(base in resources(), other in resources()) {
        let merged = |file: &Resources, current: &Resources| merge(&base, file, current).map(|merged| merged.resources);
        prop_assert_eq!(merged(&base, &other), Ok(other.clone()), "nothing in the file changed");
        prop_assert_eq!(merged(&other, &base), Ok(other.clone()), "nobody but the file changed anything");
        prop_assert_eq!(merged(&other, &other), Ok(other), "both changed the same");
    }

    #[test]
    fn a_merge_of_anything_is_valid_or_refused(base in resources(), file in resources(), current in resources()) {
        match merge(&base, &file, &current) {
            Ok(merged) => prop_assert_eq!(read(&to_yaml(&merged.resources))?, merged.resources),
            Err(diagnostics) => prop_assert!(!diagnostics.is_empty()),
        }
    }

    #[test]
    fn differences_are_none_only_between_equals(one in resources(), other in resources()) {
        prop_assert_eq!(diff(&one, &one), []);
        prop_assert_eq!(diff(&one, &other).is_empty(), one == other);
        prop_assert_eq!(diff(&one, &other).len(), diff(&other, &one).len());
    }

    #[test]
    fn a_patch_with_the_whole_resource_changes_nothing(resources in resources()) {
        for kind in Kind::ALL {
            for key in resources.keys(kind) {
                let whole = encode_resource(&resources, kind, key.as_str()).unwrap();
                // A null within the application's own values means its removal in a patch.
                if whole.to_string().contains("null") {
                    continue;
                }
                for text in ["{}".to_owned(), whole.to_string()] {
                    let patched = patch(kind, key, &resources, &Source::new("body", text));
                    prop_assert_eq!(patched.as_ref().map(|(patched, _)| patched), Ok(&resources));
                }
            }
        }
    }
}

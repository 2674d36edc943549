//! Patches, and what single resources may do to others.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use daybreak_document::{Source, decode, decode_resource, diff, encode_resource, patch, referrers, renames};
use daybreak_model::{Key, Kind, Resources};
use serde_json::{Value, json};

fn read(text: &str) -> Resources {
    let (resources, _) = decode(&[Source::new("text", text)]).into_result().unwrap();
    resources
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn current() -> Resources {
    read(
        "segments: { vip: { when: { plan: vip } } }\nprotect: [vip]\nflags:\n  b: { default: on, prerequisites: { a: on } }\n  a:\n    owner: shop\n    default: off\n    rules:\n      - { name: staff, when: { email: { ends_with: '@shop' }, segment: vip }, serve: on }\n      - { name: eu-pro, when: { plan: pro }, percentage: 25%, serve: on }\n",
    )
}

/// Patches the flag `a`, and tells what then differs, or what is wrong with the patch.
fn patched(body: &str) -> Result<Vec<String>, Vec<String>> {
    let before = current();
    let after = patch(Kind::Flag, &key("a"), &before, &Source::new("body", body));
    let after =
        after.map(|(after, _)| after).map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let Some(difference) = diff(&before, &after).into_iter().next() else { return Ok(Vec::new()) };
    Ok(difference.to_string().lines().skip(1).map(|line| line.trim().to_owned()).collect())
}

#[test]
fn what_patches_change() {
    let cases: [(&str, &[&str]); 12] = [
        ("{}", &[]),
        (r#"{"enabled": true}"#, &[]),
        (r#"{"enabled": false}"#, &["enabled: (default) → false"]),
        ("enabled: false", &["enabled: (default) → false"]),
        (r#"{"owner": null}"#, &["owner: shop → (default)"]),
        (r#"{"rules": {"eu-pro": {"percentage": "50%"}}}"#, &["rules.eu-pro.percentage: 25% → 50%"]),
        (r#"{"rules": {"eu-pro": {"percentage": null}}}"#, &["rules.eu-pro.percentage: 25% → (default)"]),
        (r#"{"rules": {"staff": null}}"#, &["rules.staff: removed"]),
        (r#"{"rules": {"gone": null}}"#, &[]),
        (r#"{"rules": {"new": {"serve": "on"}}}"#, &["rules.new: added"]),
        (
            r#"{"rules": {"eu-pro": {"when": {"plan": null, "country": "DE"}}}}"#,
            &[r#"rules.eu-pro.when: {"plan":"pro"} → {"country":"DE"}"#],
        ),
        (
            r#"{"rules": [{"name": "staff", "serve": "on"}]}"#,
            &[
                r#"rules.staff.when: {"email":{"ends_with":"@shop"},"segment":"vip"} → (default)"#,
                "rules.eu-pro: removed",
            ],
        ),
    ];
    for (body, changes) in cases {
        assert_eq!(patched(body), Ok(changes.iter().map(ToString::to_string).collect()), "{body}");
    }
}

/// Invariant 9, bad input changes nothing: a patch is refused whole, with the place in the patch.
#[test]
fn invariant_9_what_patches_are_refused() {
    let cases = [
        (
            "[1]",
            "body:1:1: error[wrong_type]: a patch is one map of fields; write the fields to change, as in `{\"enabled\": false}`",
        ),
        (
            r#"{"enabld": false}"#,
            "body:1:2: error[unknown_field]: a flag has no field `enabld` (at flags.a.enabld); write `enabled`",
        ),
        (
            r#"{"enabld": null}"#,
            "body:1:2: error[unknown_field]: a flag has no field `enabld` (at flags.a.enabld); write `enabled`",
        ),
        (
            r#"{"enabled": "no"}"#,
            "body:1:13: error[wrong_type]: a boolean is expected here, not the text `no` (at flags.a.enabled); write `false`",
        ),
        (
            r#"{"enabled": false, "enabled": true}"#,
            "body:1:20: error[duplicate_key]: `enabled` is written twice in one map (at enabled); remove one of the two, or give it another name",
        ),
        (
            r#"{"rules": {"eu-pro": {"percentage": "150%"}}}"#,
            "body:1:37: error[invalid_percentage]: 150% is more than 100% (at flags.a.rules[1].percentage); write a number and its sign, from `0%` to `100%`, with at most three decimals",
        ),
        (
            r#"{"rules": {"new": {"percentage": "5%"}}}"#,
            "body:1:12: error[missing_field]: a rule needs `serve` or `rollout` (at flags.a.rules[2].serve); write `serve:` and a variant, or `rollout:` and the shares of several",
        ),
        (
            r#"{"rules": {"eu-pro": true}}"#,
            "body:1:22: error[wrong_type]: a rule's fields are expected here, not the boolean `true` (at flags.a.rules.eu-pro)",
        ),
        // What would break another resource.
        (r#"{"variants": {"on": null, "yes": true}}"#, "error[unknown_variant]: this flag has no variant `on`"),
    ];
    for (body, error) in cases {
        let refused = patched(body).unwrap_err();
        assert!(refused.iter().any(|said| said.starts_with(error) || said.contains(error)), "{body}: {refused:#?}");
    }
    let nobody = patch(Kind::Flag, &key("aa"), &current(), &Source::new("body", "{}")).unwrap_err();
    assert_eq!(
        nobody[0].to_string(),
        "error[unknown_reference]: there is no flag `aa` to patch; write one of `a`, `b`"
    );
}

#[test]
fn one_resource_is_checked_against_the_others() {
    let put = |kind, name: &str, body: &str| {
        let decoded = decode_resource(kind, &key(name), &Source::new("body", body), &current());
        let said: Vec<String> = decoded.diagnostics.iter().map(ToString::to_string).collect();
        (encode_resource(&decoded.resources, kind, name), said)
    };
    assert_eq!(put(Kind::Flag, "a", r#"{"default": "on"}"#), (Some(json!({"default": "on"})), vec![]));
    assert_eq!(put(Kind::Flag, "c", "default: on\nprerequisites: { b: on }\n").1, Vec::<String>::new());
    let cases = [
        (
            Kind::Flag,
            "c",
            "",
            "body:1:1: error[wrong_type]: the body of one flag is expected, and this text holds 0; write one map",
        ),
        (
            Kind::Flag,
            "c",
            "null",
            "body:1:1: error[empty_value]: the flag `c` is empty (at flags.c); write its fields below it",
        ),
        (
            Kind::Flag,
            "c",
            "default: of",
            "body:1:10: error[unknown_variant]: this flag has no variant `of` (at flags.c.default); write `off`",
        ),
        (
            Kind::Flag,
            "c",
            "default: on\nprerequisites: { d: on }",
            "body:2:21: error[unknown_reference]: there is no flag `d` (at flags.c.prerequisites.d); write one of `a`, `b`",
        ),
        (
            Kind::Segment,
            "vip",
            "when: { segment: vip }",
            "body:1:1: error[cycle]: these segments go in a circle: `vip` → `vip` (at segments.vip.when); remove one of them",
        ),
        // Another flag needs the variant that this body drops.
        (
            Kind::Flag,
            "a",
            "variants: { yes: true, no: false }\ndefault: no",
            "error[unknown_variant]: the flag `a` has no variant `on` (at flags.b.prerequisites.a)",
        ),
        (
            Kind::Flag,
            "a",
            "default: on\nprerequisites: { b: on }",
            "error[cycle]: these prerequisites go in a circle: `a` → `b` → `a`",
        ),
    ];
    for (kind, name, body, error) in cases {
        let (resource, said) = put(kind, name, body);
        assert_eq!((resource, said.len()), (None::<Value>, 1), "{body}: {said:?}");
        assert!(said[0].contains(error), "{body}: {said:?}");
    }
}

#[test]
fn what_others_refer_to() {
    let cases: [(Kind, &str, &[&str]); 4] = [
        (Kind::Flag, "a", &["flags.b.prerequisites.a"]),
        (Kind::Flag, "b", &[]),
        (Kind::Segment, "vip", &["protect", "flags.a.rules[0].when"]),
        (Kind::Hours, "vip", &[]),
    ];
    for (kind, name, expected) in cases {
        assert_eq!(referrers(&current(), kind, &key(name)), expected, "{kind} {name}");
    }
}

#[test]
fn renames_that_draw_everyone_anew() {
    let flag = |name: &str, rest: &str| {
        read(&format!(
            "flags: {{ {name}: {{ default: off, rules: [{{ name: r, percentage: 5%, serve: on }}]{rest} }} }}"
        ))
    };
    let said: Vec<String> = renames(&flag("a", ""), &flag("b", "")).iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "warning[renamed]: `a` became `b`: everyone is drawn anew (at flags.b); write `salt: a` to keep everyone where they are"
        ]
    );
    assert_eq!(renames(&flag("a", ", salt: s"), &flag("b", ", salt: s")), []);
    assert_eq!(renames(&flag("a", ""), &flag("b", ", enabled: false")), []);
    assert_eq!(renames(&read("flags: { a: { default: off } }"), &read("flags: { b: { default: off } }")), []);
}

#[test]
fn differences_as_people_read_them() {
    let before = read(
        "flags: { a: { default: off, rules: [{ name: x, when: { p: 1 }, serve: on }, { name: y, serve: on }] }, c: { default: on } }\nsegments: { vip: { when: { p: 1 } } }",
    );
    let after = read(
        "flags: { a: { default: off, enabled: false, rules: [{ name: y, serve: on, percentage: 5% }, { name: x, when: { p: 1 }, serve: on }] }, b: { default: on } }\nsegments: { vip: { when: { p: 1 } } }\nprotect: [vip]",
    );
    let said: Vec<String> = diff(&before, &after).iter().map(ToString::to_string).collect();
    let expected = [
        "~ flag a\n    rules.y.percentage: (default) → 5%\n    rules: [\"x\",\"y\"] → [\"y\",\"x\"]\n    enabled: (default) → false",
        "+ flag b",
        "- flag c",
        "~ segment vip\n    protect: false → true",
    ];
    assert_eq!(said, expected);
    let written = serde_json::to_value(&diff(&before, &after)[0]).unwrap();
    assert_eq!(written["kind"], "flag");
    assert_eq!(written["change"]["changed"][2], json!({ "field": "enabled", "after": false }));
}

//! Checks that need more than one small document.

use daybreak_document::{Source, decode, decode_on, to_yaml};
use jiff::civil::date;

fn codes(texts: &[&str]) -> Vec<&'static str> {
    let sources: Vec<Source> = texts.iter().map(|text| Source::new("text", *text)).collect();
    decode(&sources).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

/// Flags of which each needs the next, so many steps long.
fn chain(steps: usize) -> String {
    let needs = |step| format!("  f{step}: {{ default: on, prerequisites: {{ f{}: on }} }}\n", step + 1);
    let chain: String = (0..steps).map(needs).collect();
    format!("flags:\n{chain}  f{steps}: {{ default: on }}\n")
}

#[test]
fn chains_have_a_greatest_length() {
    for (steps, expected) in [(32, vec![]), (33, vec!["too_deep"]), (40, vec!["too_deep"])] {
        assert_eq!(codes(&[&chain(steps)]), expected, "{steps}");
    }
}

#[test]
fn references_hold_across_files_and_documents() {
    let (flag, segment) = (
        "flags: { a: { default: on, rules: [{ name: r, when: { segment: s }, serve: on }] } }",
        "segments: { s: { when: { a: 1 } } }",
    );
    assert_eq!(codes(&[flag, segment]), Vec::<&str>::new());
    assert_eq!(codes(&[&format!("{flag}\n---\n{segment}\n")]), Vec::<&str>::new());
    assert_eq!(codes(&[flag]), ["unknown_reference"]);
    // What the broken file may hold, nobody knows.
    assert_eq!(codes(&[flag, "segments: {"]), ["syntax"]);
    assert_eq!(codes(&["", "# nothing\n", "---\n"]), Vec::<&str>::new());
}

#[test]
fn what_yaml_1_1_would_take_for_something_else_is_quoted() {
    let text = "flags: { a: { default: \"on\", owner: \"yes\", tags: [\"12:30:45\", \"2026-12-24\", \"017\", plain, \"25%\"] } }";
    let (resources, _) = decode(&[Source::new("text", text)]).into_result().unwrap_or_default();
    let expected = "flags:\n  a:\n    owner: \"yes\"\n    tags: [\"12:30:45\", \"2026-12-24\", \"017\", plain, 25%]\n    default: \"on\"\n";
    assert_eq!(to_yaml(&resources), expected);
}

/// What is said of a text: each message with its line and column, and what to write instead.
fn said(text: &str) -> Vec<String> {
    let prelude = Source::new("prelude", include_str!("prelude.yaml"));
    let decoded = decode_on(&[Source::new("text", text), prelude], Some(date(2026, 11, 23)));
    let said = decoded
        .diagnostics
        .iter()
        .map(|one| format!("{}:{} {}; {}", one.line, one.column, one.message, one.help.as_deref().unwrap_or_default()));
    said.collect()
}

#[track_caller]
fn check(cases: &[(&str, &[&str])]) {
    let differs = |(text, expected): &&(&str, &[&str])| {
        let said = said(text);
        let fits = |(said, expected): (&String, &&str)| said.contains(expected);
        said.len() != expected.len() || !said.iter().zip(*expected).all(fits)
    };
    let wrong: Vec<_> = cases.iter().filter(differs).map(|(text, _)| (text, said(text))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// One fault is one message: what stands in for what could not be read says nothing.
#[test]
fn nothing_follows_from_a_fault_that_is_told() {
    check(&[
        ("flags: { a: { default: off, rules: [{ name: r, rollout: [on, off] }] } }", &["1:48 a map is expected"]),
        (
            "flags: { a: { default: off, rules: [{ name: 'a b', serve: on }, { name: a, serve: off }] } }",
            &["a key consists of"],
        ),
        ("flags: { a: { default: off, rules: [on, { name: a, serve: on }] } }", &["1:37 a rule is expected"]),
        ("flags: { a: { variants: { x: 1, y: 2 } } }", &["1:10 a flag needs `default`"]),
        ("flags: { a: { variants: { 'big one': 1, sm: 2 }, default: big-one, off: sm } }", &["write `big-one`"]),
        ("flags: { a: { variants: {}, default: x } }", &["a flag needs at least one variant"]),
        ("slos: { s: { objective: 99%, window: 28d, sli: { operation: x, good: { statu: '<5' } } } }", &["`statu`; "]),
        ("hours: { h: { time_zone: UTC, weekdays: [1, 2], times: ['10:00-11:00'] } }", &["1:42 ", "1:45 "]),
    ]);
}

#[test]
fn every_fault_is_told() {
    let hours = |weekdays: &str, times: &str| {
        format!("hours: {{ h: {{ time_zone: UTC, weekdays: {weekdays}, times: {times} }} }}")
    };
    check(&[
        (
            "flags: { a: { default: off, rules: [{ name: r, serve: onn, rollout: { on: 50% } }] } }",
            &["has no variant `onn`", "not both"],
        ),
        ("flags: { a b: { default: of, enabled: yes } }", &["a key consists of", "a boolean is expected"]),
        (
            "flags: { a: { default: off } }\nsegments: {}\nflags: { b: { default: of } }",
            &["3:1 ", "3:24 this flag has no variant `of`"],
        ),
        (&hours("[xyz, abc]", "['10:00-11:00']"), &["1:42 `xyz`", "1:47 `abc`"]),
        (
            &hours("mon", "['08:00-10:00', '09:00-11:00', '12:00-14:00', '13:00-15:00']"),
            &["`08:00-10:00` and `09:00-11:00`", "`12:00-14:00` and `13:00-15:00`"],
        ),
        (
            "slos: { s: { objective: 100%, window: 400d, sli: { operation: x, good: { status: '<500' } } } }",
            &["leaves no error budget", "from 1 to 366 whole days"],
        ),
    ]);
}

#[test]
fn what_to_write_instead() {
    let fault = |fields: &str| {
        format!("faults: {{ x: {{ point: p, hours: office, guard: none, max_duration: 10m, {fields} }} }}")
    };
    let when =
        |when: &str| format!("flags: {{ a: {{ default: off, rules: [{{ name: r, when: {when}, serve: on }}] }} }}");
    let slo = |window: &str, latency: &str| {
        format!(
            "slos: {{ s: {{ objective: 99%, window: {window}, sli: {{ operation: x, good: {{ latency: {latency} }} }} }} }}"
        )
    };
    let zone = |zone: &str| format!("hours: {{ h: {{ time_zone: {zone}, weekdays: mon, times: '10:00-11:00' }} }}");
    check(&[
        (&fault("percentage: ~, effect: { abort: true }"), &["as in `percentage: 1%`; there is no default"]),
        (&fault("percentage: 1%, effect: { latency: { exponential: { mean: 0s }, max: 1s } }"), &["of no length"]),
        (&fault("percentage: 1%, effect: { latency: { fixed: 300 } }"), &["write `300ms`"]),
        (
            &fault("percentage: 1%, effect: { abort: true }, host: 'https://pay.example/x'"),
            &["write the name alone: `pay.example`"],
        ),
        (&fault("percentage: 1%, effect: { abort: true }, times: 99999999999"), &["is more than 4294967295"]),
        (&fault("percentage: 5%, effect: { abort: true }, ramp: 1 for 5m"), &["write `1%`"]),
        (&fault("percentage: 5%, effect: { abort: true }, ramp: 1%"), &["as in `1% for 5m`"]),
        (&fault("percentage: 5%, effect: { abort: true }, ramp: 5% for 1m"), &["after the ramp, `percentage` holds"]),
        (&fault("percentage: 5%, effect: { abort: true }, schedule: hourly"), &["write `daily` or `weekly`"]),
        (&slo("28", "'<400ms'"), &["write `28d`, or `month`"]),
        (&slo("28d", "'<400'"), &["write `\"<400ms\"` or `\"<400s\"`"]),
        (&zone("UTC+1"), &["an offset knows no summer time"]),
        (&when("{ segments: [vip-customers] }"), &["`any: [ { segment: … }"]),
        (&when("{ and: [{ b: 1 }] }"), &["write `all:`"]),
        (&when("{ or: [{ b: 1 }] }"), &["write `any:`"]),
        (&when("{ segement: vip }"), &["for the segment write `segment: vip`"]),
        (&when("{ context.segement: vip }"), &[]),
        (&when("{ segment: true }"), &["quote it"]),
        (&when("{ device.$os: 1 }"), &["write another name, such as `device.os`"]),
        (&when("{ b: { matches: '^(\\w{1,100}){1,100}$' } }"), &["in the place of `\\w`"]),
        (&when("{ b: { after: 1700000000 } }"), &["write date, time and offset"]),
        (&when("{ b: { after: 20261224T180000Z } }"), &["write date, time and offset"]),
        (&when("{ b: { cidr: 10 } }"), &["write an address and the length of its prefix"]),
        ("flags: { a: { variants: { on: on, off: off }, default: on, off: off } }", &["for booleans write `true`"]),
        ("flags: { a: { variants: { x: true, y: true }, default: x } }", &["goes on serving `x`"]),
        ("flags:\n  a:\n    description: foo: bar\n    default: off\n", &["quote a text that contains `: `"]),
        ("flags:\n  a:\n    default:off\n", &["write a space after the colon"]),
        (&format!("flags: {0}{1}", "[".repeat(5_000), "]".repeat(5_000)), &["nests more than 100 levels deep"]),
        ("flags:\n  a:\n    enabled: true\n    default:off\n", &["write a space after the colon"]),
        ("%YAML 1.1\n---\nflags: {}\n", &["1:1 documents are read as YAML 1.2"]),
    ]);
}

#[test]
fn a_text_that_is_no_utf_8_has_its_place() {
    let source = Source::from_bytes("text", b"flags:\n  a: { default: off, owner: caf\xe9 }\n".to_vec());
    let decoded = decode_on(&[source, Source::new("b", "flags: { b: { default: of } }")], None);
    let said: Vec<String> =
        decoded.diagnostics.iter().map(|one| format!("{}:{}:{}", one.source, one.line, one.column)).collect();
    assert_eq!(said, ["text:2:32", "b:1:24"]);
}

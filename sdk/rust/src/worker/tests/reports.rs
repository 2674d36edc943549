//! Reports of clients that have much to say.

use std::collections::BTreeMap;

use daybreak_model::wire::Report;
use daybreak_model::{Context, Key};

use super::fake::{Fake, eventually};
use super::{Pace, REPORTS, SNAPSHOT, client, otherwise, position, quick, reply};

const FLAGS: usize = 5_000;
/// What the server, or something on the way to it, takes.
const TAKEN: usize = 100 * 1024;

/// A client that has evaluated many flags stays live, and all counts arrive in the end.
#[test]
fn what_is_too_long_for_one_report_comes_in_several() {
    let flag = r#"{"variants":{"off":false,"on":true},"default":"on"}"#;
    let flags: Vec<String> = (0..FLAGS)
        .map(|number| format!(r#""flag-number-{number}":{{"level":1,"revision":1,"resource":{flag}}}"#))
        .collect();
    let snapshot = format!(r#"{{"position":"{}","environment":"test","flags":{{{}}}}}"#, position(1), flags.join(","));
    let fake = Fake::start(move |request, mut connection| match request.path.as_str() {
        SNAPSHOT => connection.answer("200 OK", "", &snapshot),
        REPORTS if request.body.len() > TAKEN => connection.answer("413 Content Too Large", "", ""),
        REPORTS => connection.answer("200 OK", "", &reply("test")),
        _ => otherwise(&request, &mut connection),
    });
    let client = client(&fake, Pace { snapshot_bytes: 4 * 1024 * 1024, ..quick() });
    let context = Context::default();
    eventually("flags", || client.bool("flag-number-0", &context, false));
    (1..FLAGS).for_each(|number| assert!(client.bool(&format!("flag-number-{number}"), &context, false)));
    let mut counted: BTreeMap<Key, u64> = BTreeMap::new();
    let mut number = 0;
    while counted.len() < FLAGS {
        let request = fake.wait_for("a report", |request| request.path == REPORTS && request.number == number);
        number += 1;
        if request.body.len() <= TAKEN {
            let report: Report = serde_json::from_slice(&request.body).unwrap();
            counted.extend(report.evaluations.into_iter().map(|(flag, counts)| (flag, counts.variants.values().sum())));
        }
    }
    assert!(counted.values().all(|count| *count >= 1));
}

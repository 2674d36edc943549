//! How many instructions the SDK takes for an evaluation and for passing a fault point: what the machine does meanwhile does
//! not move them. `cargo xtask instructions` compares them with those that were accepted.
//!
//! Each does its work [`TIMES`] over, so that what is done once counts for nothing.

use std::hint::black_box;
use std::io::Write;

use daybreak_sdk::faults::{Faults, Settings};
use daybreak_sdk::{Client, Context, Flag};
use serde_json::{Value, json};
use smol_str::SmolStr;

use counted::{TIMES, counted};
// What the points below use, and what stands in for calls that Valgrind hides.
use {jiff as _, rustix as _};

use points::{POINT, grant, open, pass};

mod counted;
#[path = "../../../sdk/rust/benches/points/mod.rs"]
mod points;

/// A server that is not there: the flags come from a bootstrap file.
const URL: &str = "http://127.0.0.1:9";

/// A client, and whom it evaluates for, each in turn.
struct Asked {
    client: Client,
    boolean: Flag<bool>,
    text: Flag<SmolStr>,
    contexts: Vec<Context>,
}

fn asked(flag: &Value, contexts: Vec<Context>) -> Asked {
    let client = client(flag).unwrap_or_else(|error| panic!("{error}"));
    let (boolean, text) = (client.flag("new-checkout"), client.flag("new-checkout"));
    Asked { client, boolean, text, contexts }
}

fn client(flag: &Value) -> Result<Client, Box<dyn std::error::Error>> {
    let enveloped = |resource: Value| json!({"level": 1, "revision": 1, "resource": resource});
    let pilots: Vec<String> = (0..100).map(|number| format!("user-{number}")).collect();
    let pilots = json!({"when": {"attribute": {"attribute": "targetingKey", "test": {"in": pilots}}}});
    let snapshot = json!({
        "position": "0000000000000001:1",
        "environment": "bench",
        "flags": {"new-checkout": enveloped(flag.clone())},
        "segments": {"pilots": enveloped(pilots)},
    });
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(snapshot.to_string().as_bytes())?;
    Ok(Client::builder(URL).service("bench").bootstrap_file(file.path()).build()?)
}

fn boolean() -> Asked {
    asked(&json!({"variants": {"on": true, "off": false}, "default": "on"}), vec![Context::new("user-7")])
}

fn five_rules() -> Asked {
    let test = |attribute: &str, test: Value| json!({"attribute": {"attribute": attribute, "test": test}});
    let rule = |name: &str, when: Value| json!({"name": name, "when": when, "serve": "b"});
    let countries = ["DE", "FR", "NO", "SE", "FI", "DK", "NL", "BE", "AT", "CH"];
    let rules = [
        rule("country", test("country", json!({"in": countries}))),
        rule("plan", test("plan", json!({"equals": "pro"}))),
        rule("version", test("appVersion", json!({"semver": ">=2.3.0"}))),
        rule("staff", test("email", json!({"ends_with": ["@shop.example"]}))),
        rule("pilots", json!({"segment": "pilots"})),
    ];
    let context = Context::new("user-50")
        .with("country", "US")
        .with("plan", "free")
        .with("appVersion", "2.2.0")
        .with("email", "somebody@example.org")
        .with("age", 41)
        .with("beta", false);
    asked(&json!({"variants": {"a": "first", "b": "second"}, "default": "a", "rules": rules}), vec![context])
}

fn split() -> Asked {
    let rules = [json!({"name": "split", "rollout": {"a": 25_000, "b": 75_000}})];
    let users = (0..TIMES).map(|number| Context::new(&format!("user-{number}"))).collect();
    asked(&json!({"variants": {"a": "first", "b": "second"}, "default": "a", "rules": rules}), users)
}

fn repeat(name: &str, asked: &Asked, ask: impl Fn(&Context) -> usize) {
    let mut sum = 0;
    counted(name, || {
        sum += asked.contexts.iter().cycle().take(TIMES).map(|context| ask(black_box(context))).sum::<usize>();
    });
    assert!(sum > 0, "{name}: somebody is served something");
}

fn texts(name: &str, asked: &Asked) {
    let by_key = |context: &Context| asked.client.string(black_box("new-checkout"), context, "").len();
    repeat(&format!("sdk/{name}-by-key"), asked, by_key);
    repeat(&format!("sdk/{name}-by-handle"), asked, |context| asked.text.get(context, SmolStr::default()).len());
}

/// Passes a point by its name, as a task does that is running.
fn pass_by_name(faults: &Faults) {
    let passing = async {
        for _ in 0..TIMES {
            let _ = black_box(faults.fault_point(black_box(POINT)).await);
        }
    };
    let _ = futures_util::FutureExt::now_or_never(passing);
}

/// Passes a fault point, with a run granted at one or none.
fn passes(name: &str, running: Option<&str>) {
    let faults = Faults::new(Settings::default());
    if let Some(point) = running {
        grant(&faults, 1, point).unwrap_or_else(|error| panic!("{error}"));
    }
    let point = faults.point(POINT);
    open(&faults).scope().enter(|| {
        counted(&format!("sdk/pass-async-{name}"), || pass(&point, TIMES as u64));
        counted(&format!("sdk/pass-blocking-{name}"), || {
            let passed = (0..TIMES).filter(|_| black_box(&point).pass_blocking().is_ok()).count();
            assert_eq!(passed, TIMES, "nobody is struck");
        });
        counted(&format!("sdk/pass-by-name-{name}"), || pass_by_name(&faults));
    });
}

fn main() {
    let asked = boolean();
    let by_key = |context: &Context| usize::from(asked.client.bool(black_box("new-checkout"), context, false));
    repeat("sdk/w1-boolean-by-key", &asked, by_key);
    repeat("sdk/w1-boolean-by-handle", &asked, |context| usize::from(asked.boolean.get(context, false)));
    texts("w2-five-rules", &five_rules());
    texts("w3-split", &split());
    passes("nothing-running", None);
    passes("another-running", Some("catalogue.search"));
    passes("running-here", Some(POINT));
}

//! Prometheus as it should be, and as it may be: down, slow, empty, not a number, something else.

use std::sync::Arc;
use std::time::Duration;

use daybreak_document::Source;
use daybreak_model::{Kind, Millis};
use daybreak_store::Store;
use serde_json::json;

use super::counters::Counted;
use super::fake::{IMPATIENCE, PATIENCE, fake, nobody, round, vector};
use super::query::{Counter, Sample};
use super::{Poller, PrometheusUrl};
use crate::Actor;
use crate::testing::Bench;

async fn bench(url: PrometheusUrl) -> (Bench, Poller) {
    let bench = Bench::new().await;
    let slo = "{ objective: 99%, window: 28d, sli: { prometheus: { good: good_total, total: all_total } } }";
    let source = Source::new("slo.yaml", slo);
    bench.control.put(Kind::Slo, "search", source, Default::default(), Actor::default()).await.unwrap();
    let poller = Poller::new(bench.control.clone(), url, PATIENCE).unwrap();
    (bench, poller)
}

fn counted(bench: &Bench) -> (u64, u64) {
    let status = bench.control.budget("search").unwrap().status;
    (status.total, status.bad)
}

#[tokio::test]
async fn counters_become_counts() {
    let (url, script) = fake().await;
    let (bench, mut poller) = bench(url).await;
    assert!(bench.control.is_source_stale("search") && !bench.control.is_source_stale("checkout"));
    let rounds = [
        (round(1_000.0, "500", "490", 999.0), (0, 0)),
        (round(1_015.0, "600", "580", 1_014.0), (100, 10)),
        // Not scraped again.
        (round(1_030.0, "600", "580", 1_014.0), (100, 10)),
        (round(1_045.0, "640", "620", 1_044.0), (140, 10)),
        // Restarted: both began at zero.
        (round(1_060.0, "20", "15", 1_059.0), (160, 15)),
    ];
    for (answers, expected) in rounds {
        script.lock().extend(answers);
        poller.round().await;
        bench.clock.advance(Duration::from_secs(15));
        assert_eq!(counted(&bench), expected, "{:?}", bench.control.budget("search").unwrap().source);
        assert!(!bench.control.is_source_stale("search"));
    }
    assert_eq!(bench.control.source_warnings(), Vec::<String>::new());
}

/// What the counters grew by while no server ran counts: as spread over that time, not as of now.
#[tokio::test]
async fn what_happens_while_the_server_is_down_counts() {
    let (url, script) = fake().await;
    let (bench, mut poller) = bench(url.clone()).await;
    poller.resume().await;
    script.lock().extend(round(1_000.0, "500", "490", 999.0));
    poller.round().await;
    script.lock().extend(round(1_015.0, "600", "580", 1_014.0));
    poller.round().await;
    bench.control.keep_counts().await;
    drop(poller);
    let bench = bench.restarted().await;
    assert_eq!(counted(&bench), (100, 10));
    // An hour later there are 3,600 more, of which 60 are bad.
    bench.clock.advance(Duration::from_secs(3_600));
    let again = url.clone();
    let mut poller = Poller::new(bench.control.clone(), url, PATIENCE).unwrap();
    poller.resume().await;
    script.lock().extend(round(4_615.0, "4200", "4120", 4_614.0));
    poller.round().await;
    assert_eq!(counted(&bench), (3_700, 70));
    let alerts = bench.control.budget("search").unwrap().status.alerts;
    let over = |seconds: u64| {
        let burns = alerts.iter().flat_map(|alert| [alert.long, alert.short]);
        let burn = burns.into_iter().find(|burn| burn.window == Millis::from_secs(seconds)).unwrap();
        (burn.total, burn.bad)
    };
    let (total, bad) = over(5 * 60);
    assert!((240..=420).contains(&total) && bad <= 7, "five minutes of it: {total}, {bad} bad");
    // It is not counted again.
    bench.control.keep_counts().await;
    drop(poller);
    let bench = bench.restarted().await;
    let mut poller = Poller::new(bench.control.clone(), again, PATIENCE).unwrap();
    poller.resume().await;
    script.lock().extend(round(4_630.0, "4201", "4121", 4_629.0));
    poller.round().await;
    assert_eq!(counted(&bench), (3_701, 70));
}

/// What the store could not be told counts once all the same: with the next round, or with the server after this one.
#[tokio::test]
async fn what_cannot_be_kept_counts_once_it_is() {
    for crashes in [false, true] {
        let (url, script) = fake().await;
        let (bench, mut poller) = bench(url.clone()).await;
        script.lock().extend(round(1_000.0, "500", "490", 999.0));
        poller.round().await;
        bench.store.fail(true);
        for (at, total, good) in [(1_015.0, "600", "580"), (1_030.0, "650", "625")] {
            script.lock().extend(round(at, total, good, at - 1.0));
            poller.round().await;
            assert_eq!(counted(&bench), (0, 0), "{crashes}");
        }
        bench.store.fail(false);
        bench.control.keep_counts().await;
        let bench = if crashes { bench.restarted().await } else { bench };
        if crashes {
            poller = Poller::new(bench.control.clone(), url, PATIENCE).unwrap();
            poller.resume().await;
        }
        script.lock().extend(round(1_045.0, "700", "670", 1_044.0));
        poller.round().await;
        assert_eq!(counted(&bench), (200, 20), "{crashes}");
    }
}

/// What is kept is bounded, and goes with its SLO.
#[tokio::test]
async fn what_is_kept_of_counters_is_bounded() {
    let (url, script) = fake().await;
    let (bench, mut poller) = bench(url).await;
    let notes = async || bench.store.notes("prometheus/".to_owned()).await.unwrap().len();
    let many = vector(1_000.0, &["1"; 5_000]).to_string();
    script.lock().extend([Some(many.clone()), Some(many), round(1_000.0, "1", "1", 999.0)[2].clone()]);
    poller.round().await;
    assert_eq!((notes().await, counted(&bench)), (0, (0, 0)));
    script.lock().extend(round(1_015.0, "600", "580", 1_014.0));
    poller.counted.clear();
    poller.round().await;
    assert_eq!(notes().await, 1);
    bench.control.delete(Kind::Slo, "search", Default::default(), Actor::default()).await.unwrap();
    poller.round().await;
    assert_eq!(notes().await, 0);
}

#[tokio::test]
async fn invariant_5_what_is_no_sample_counts_for_nothing() {
    let error = json!({ "status": "error", "errorType": "bad_data", "error": "parse error: unexpected end" });
    let matrix = json!({ "status": "success", "data": { "resultType": "matrix", "result": [] } });
    let histogram = json!({ "status": "success", "data": { "resultType": "vector",
        "result": [{ "metric": {}, "histogram": [1.0, { "count": "7" }] }] } });
    let cases: Vec<(Option<String>, &str)> = vec![
        (None, "too long"),
        (Some(String::new()), "not as Prometheus"),
        (Some("<html>502</html>".to_owned()), "not as Prometheus"),
        (Some("{}".to_owned()), "not answer as Prometheus"),
        (Some(error.to_string()), "refuses the query `total`: parse error"),
        (Some(matrix.to_string()), "gives a matrix"),
        (Some(histogram.to_string()), "no number"),
        (Some(vector(1_015.0, &[]).to_string()), "selects nothing"),
        (Some(vector(1_015.0, &["NaN"]).to_string()), "gives NaN"),
        (Some(vector(1_015.0, &["600", "+Inf"]).to_string()), "gives +Inf"),
        (Some(vector(1_015.0, &["-1"]).to_string()), "gives -1"),
        (Some(vector(1_015.0, &["x"; 10_001]).to_string()), "10000 are the most"),
        (Some(" ".repeat(5 * 1024 * 1024)), "more than 4 MiB"),
    ];
    // What is no answer at all leaves what was told before as it is, until that is old.
    let unanswered = ["too long", "not as Prometheus", "not answer as Prometheus", "refuses the query"];
    for (answer, why) in cases {
        let (address, script) = fake().await;
        let (bench, mut poller) = bench(address.clone()).await;
        script.lock().extend(round(1_000.0, "500", "490", 999.0));
        poller.round().await;
        let patient = Arc::clone(&poller.asker);
        if answer.is_none() {
            poller.asker = Poller::new(bench.control.clone(), address, IMPATIENCE).unwrap().asker;
        }
        script.lock().push_back(answer);
        poller.round().await;
        poller.asker = patient;
        let at_once = !unanswered.iter().any(|unanswered| why.starts_with(unanswered));
        assert_eq!(bench.control.is_source_stale("search"), at_once, "{why}");
        bench.clock.advance(Duration::from_secs(91));
        let source = bench.control.budget("search").unwrap().source.unwrap();
        assert!(
            source.failures == 1 && source.last_error.as_ref().is_some_and(|error| error.contains(why)),
            "{source:?}"
        );
        assert!(bench.control.is_source_stale("search"), "{why}");
        assert_eq!(counted(&bench), (0, 0), "{why}");
        let warnings = bench.control.source_warnings();
        assert!(warnings.iter().any(|warning| warning.contains(why)), "{warnings:?}");
        // It comes back, and so does what was counted meanwhile.
        script.lock().clear();
        script.lock().extend(round(1_106.0, "700", "680", 1_105.0));
        poller.round().await;
        assert_eq!((counted(&bench), bench.control.is_source_stale("search")), ((200, 10), false), "{why}");
    }
}

#[tokio::test]
async fn nobody_listens() {
    let (bench, mut poller) = bench(nobody()).await;
    poller.round().await;
    let source = bench.control.budget("search").unwrap().source.unwrap();
    assert!(source.last_error.is_some_and(|error| error.contains("does not answer")));
}

#[test]
fn each_series_grows_by_itself() {
    let counter = |labels: &[(&str, &str)], value| Counter {
        labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        value,
    };
    let raw = |instance, value| counter(&[("__name__", "x_total"), ("instance", instance)], value);
    let sum = |value| counter(&[("job", "shop")], value);
    let mut counted = Counted::default();
    let mut at = 0.0;
    let mut take = |total: Vec<Counter>| {
        at += 15.0;
        counted.take(&Sample { at, scraped_at: at, good: Vec::new(), total }).unwrap().unwrap().1
    };
    assert_eq!(take(vec![raw("a", 100.0), raw("b", 1_000.0)]), 0);
    assert_eq!(take(vec![raw("a", 110.0)]), 10, "b is not there");
    assert_eq!(take(vec![raw("a", 120.0), raw("b", 1_005.0)]), 15, "b is there again, and is no news");
    assert_eq!(take(vec![raw("a", 3.0), raw("b", 1_005.0), raw("c", 5_000.0)]), 3, "a was restarted, c is new");
    assert_eq!(take(vec![raw("c", 5_000.5)]), 0);
    assert_eq!(take(vec![raw("c", 5_001.0)]), 1, "halves add up");
    assert_eq!(take(vec![sum(1_000.0)]), 0);
    assert_eq!(take(vec![sum(900.0)]), 0, "a sum that shrank lost a part");
    assert_eq!(take(vec![sum(950.0)]), 50);
}

#[test]
fn old_scrapes_are_no_samples() {
    let sample = |at, scraped_at| Sample { at, scraped_at, good: Vec::new(), total: Vec::new() };
    let mut counted = Counted::default();
    assert!(counted.take(&sample(1_000.0, 905.0)).is_err());
    // Scraped each minute: three of them may pass.
    for minute in 0..5 {
        let at = 1_000.0 + 60.0 * f64::from(minute);
        assert_eq!(counted.take(&sample(at, at)), Ok(Some((0, 0))));
    }
    assert_eq!(counted.stale_after().to_duration().as_secs(), 180);
    assert_eq!(counted.take(&sample(1_420.0, 1_240.0)), Ok(None));
    assert!(counted.take(&sample(1_421.0, 1_240.0)).is_err());
    // One long gap is no rhythm.
    assert_eq!(counted.take(&sample(1_500.0, 1_500.0)), Ok(Some((0, 0))));
    assert_eq!(counted.stale_after().to_duration().as_secs(), 180);
}

#[test]
fn the_time_without_a_server_is_no_rhythm() {
    let sample = |at| Sample { at, scraped_at: at, good: Vec::new(), total: Vec::new() };
    let mut counted = Counted::default();
    let take = |counted: &mut Counted, at| assert!(counted.take(&sample(at)).is_ok());
    take(&mut counted, 1_000.0);
    let mut counted = Counted::since(counted.seen());
    take(&mut counted, 87_400.0);
    assert_eq!(counted.stale_after().to_duration().as_secs(), 90);
    take(&mut counted, 87_460.0);
    assert_eq!(counted.stale_after().to_duration().as_secs(), 180);
}

#[test]
fn where_it_may_be() {
    let cases = [
        ("http://prometheus:9090", Some("http://prometheus:9090")),
        ("https://ada:secret@prometheus.example/a/", Some("https://prometheus.example")),
        ("prometheus:9090", None),
        ("file:///etc/passwd", None),
        ("http://prometheus:9090/?x=1", None),
        ("", None),
    ];
    for (text, expected) in cases {
        let url = text.parse::<PrometheusUrl>().ok();
        assert_eq!(url.as_ref().map(ToString::to_string).as_deref(), expected, "{text}");
        assert!(url.is_none_or(|url| !format!("{url:?}").contains("secret")));
    }
}

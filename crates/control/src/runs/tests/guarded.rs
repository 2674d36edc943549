//! Guarded runs: admitted by budgets and people, watched, ended, and concluded.

use daybreak_guard::admission::RefusalCode::{Burning, InsufficientData, NoArms, NoClients, PeopleBudget, ShadowFirst};
use daybreak_model::wire::{ArmCounts, Metric, SloCounts};
use daybreak_model::{Arm, Kind, RunId};
use serde_json::Value;

use super::codes;
use crate::testing::{Bench, TestClient, key};
use crate::{Actor, Control, Options, PlainPage, RunView, StartRequest};

const ON_CALL: &str = r#"
on_call: { payments: { pages_per_week: 2, off_hours_incidents_per_half_year: 1, hours: always } }
faults:
  guarded:
    point: payment.gateway
    percentage: 1%
    effect: { abort: true }
    hours: always
    guard: { slo: checkout, min_budget: 20%, on_call: payments }
    max_duration: 30m
"#;

/// A shop whose customers check out: its client counts what comes of it.
pub(super) struct Shop {
    pub(super) bench: Bench,
    pub(super) client: TestClient,
    settled: u64,
    failed: u64,
    /// Requests and failed ones of each arm, by run.
    arms: Vec<(RunId, [u64; 2], [u64; 2])>,
}

impl Shop {
    /// Open for a while, so that its SLO has something to say.
    pub(super) async fn open() -> Self {
        let bench = Bench::with(Options::new("test")).await;
        let sources = vec![daybreak_document::Source::new("on_call.yaml", ON_CALL)];
        bench.control.apply(sources, crate::ApplyOptions::default(), Actor::default()).await.unwrap();
        // A month of traffic before: 2 % of its budget are 20 bad requests.
        let revision = bench.control.state().measures().first().map(|measure| measure.revision).unwrap();
        bench.control.count(&key("checkout"), revision, 1_000_000, 0);
        bench.clock.advance(std::time::Duration::from_secs(8 * 3_600));
        let mut shop = Self { bench, client: TestClient::new(1), settled: 0, failed: 0, arms: Vec::new() };
        shop.serve(30, [0, 50], [0, 0]).await;
        shop
    }

    pub(super) fn control(&self) -> &Control {
        &self.bench.control
    }

    /// So many seconds of so many treated and other requests, of which so many fail.
    pub(super) async fn serve(&mut self, seconds: u64, requests: [u64; 2], failed: [u64; 2]) {
        for _ in 0..seconds {
            self.settled += requests.iter().sum::<u64>();
            self.failed += failed.iter().sum::<u64>();
            let counts = [(Metric::Settled, self.settled), (Metric::Error, self.failed)].into();
            let revision = self.control().state().measures().first().map(|measure| measure.revision).unwrap();
            let report = &mut self.client.report;
            report.slos = vec![SloCounts { slo: key("checkout"), revision, counts, acknowledged: None }];
            if let Some(count) = report.operations.get_mut("POST /checkout") {
                count.requests = self.settled;
            }
            for (run, counted, bad) in &mut self.arms {
                if report.runs.contains(run) {
                    for arm in 0..2 {
                        counted[arm] += requests[arm];
                        bad[arm] += failed[arm];
                    }
                }
            }
            report.arms = self.arms.iter().flat_map(arms).collect();
            self.bench.pass(1, std::slice::from_mut(&mut self.client)).await;
        }
    }

    pub(super) async fn start(&mut self, shadow: bool) -> Result<RunId, Vec<daybreak_guard::admission::RefusalCode>> {
        let request = StartRequest { shadow, ..StartRequest::default() };
        let started = self.control().start("guarded", request, Actor::named("ada")).await;
        let run = started.map_err(|refusal| codes(&refusal))?.run.id;
        self.arms.push((run, [0; 2], [0; 2]));
        Ok(run)
    }

    /// A shadow run that has run its course.
    pub(super) async fn shadow(&mut self) -> RunId {
        let run = self.start(true).await.unwrap();
        self.serve(90, [1, 99], [0, 0]).await;
        self.control().stop("guarded", Actor::default()).await.unwrap();
        self.serve(40, [0, 100], [0, 0]).await;
        run
    }

    pub(super) fn view(&self, run: RunId) -> RunView {
        self.control().run(run).unwrap()
    }

    pub(super) async fn page(&self, key: &str) {
        self.tell_of(key, None).await;
    }

    /// Tells of a page, and whether somebody worked on it off-hours.
    async fn tell_of(&self, key: &str, off_hours_work: Option<bool>) {
        let (on_call, key) = ("payments".to_owned(), Some(key.to_owned()));
        let page = PlainPage { on_call, key, off_hours_work, ..PlainPage::default() };
        self.control().receive_page(page, Actor::default()).await.unwrap();
    }
}

fn arms((run, requests, bad): &(RunId, [u64; 2], [u64; 2])) -> Vec<ArmCounts> {
    let side = |arm, index: usize| ArmCounts {
        run: *run,
        stage: 0,
        arm,
        operation: "POST /checkout".to_owned(),
        counts: [
            (Metric::Requests, requests[index]),
            (Metric::Settled, requests[index]),
            (Metric::Error, bad[index]),
            (Metric::Struck, if arm == Arm::Treated { requests[index] } else { 0 }),
        ]
        .into(),
        latency: [(10_000, requests[index])].into(),
        keys: None,
    };
    vec![side(Arm::Treated, 0), side(Arm::Control, 1)]
}

pub(super) fn verdict(view: &RunView) -> Option<&str> {
    view.verdict.as_ref().and_then(Value::as_str)
}

#[tokio::test(start_paused = true)]
async fn invariant_5_what_cannot_be_seen_is_not_started() {
    let bench = Bench::new().await;
    let mut client = TestClient::new(1);
    client.report(&bench.control);
    let refused = codes(&bench.start("guarded").await.unwrap_err());
    assert_eq!(refused, [InsufficientData, NoArms, ShadowFirst]);
}

/// Clients tell again what they know within some seconds of a restart.
#[tokio::test(start_paused = true)]
async fn right_after_a_restart_a_refusal_says_when_to_ask_again() {
    let mut shop = Shop::open().await;
    shop.shadow().await;
    shop.control().keep_counts().await;
    let bench = shop.bench.restarted().await;
    let refused = async || match bench.start("guarded").await.unwrap_err() {
        crate::Refusal::NotAdmitted { refusals, after, .. } => {
            (refusals.iter().map(|refusal| refusal.code).collect::<Vec<_>>(), after.map(|after| after.get()))
        }
        other => panic!("{other}"),
    };
    assert_eq!(refused().await, (vec![NoArms, NoClients], Some(30_000)));
    bench.clock.advance(std::time::Duration::from_secs(12));
    TestClient::new(2).report(&bench.control);
    assert_eq!(refused().await, (vec![NoArms], Some(18_000)));
    bench.clock.advance(std::time::Duration::from_secs(18));
    TestClient::new(3).report(&bench.control);
    assert_eq!(refused().await, (vec![NoArms], None), "it is no matter of waiting any more");
}

/// A forecast counts each request once, at its root, and since traffic began.
#[tokio::test(start_paused = true)]
async fn a_forecast_counts_requests_once() {
    let mut shop = Shop::open().await;
    shop.shadow().await;
    // Behind the shop there is a service that has the point, too, and passes each request on.
    let mut behind = TestClient::new(9);
    "gateway".clone_into(&mut behind.report.service);
    shop.serve(60, [0, 20], [0, 0]).await;
    let treated = async |shop: &Shop| {
        let request = StartRequest { dry_run: true, ..StartRequest::default() };
        let started = shop.control().start("guarded", request, Actor::default()).await.unwrap();
        let found = started.warnings.into_iter().find(|warning| warning.code.as_str() == "cannot_conclude").unwrap();
        found.sentence.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let alone = treated(&shop).await;
    for sequence in 1..=60 {
        for counts in behind.report.operations.values_mut() {
            counts.requests = 100 * sequence;
        }
        behind.report(shop.control());
        shop.serve(1, [0, 20], [0, 0]).await;
    }
    let both = treated(&shop).await;
    assert!(both.abs_diff(alone) * 5 <= alone, "{alone} before the other service was there, {both} with it");
}

/// It did not rehearse anything.
#[tokio::test(start_paused = true)]
async fn a_shadow_run_that_counted_nobody_says_so_and_does_not_count() {
    let mut shop = Shop::open().await;
    let refused = async |shop: &Shop| match shop.bench.start("guarded").await.unwrap_err() {
        crate::Refusal::NotAdmitted { refusals, .. } => {
            refusals.into_iter().map(|refusal| (refusal.code, refusal.sentence)).collect::<Vec<_>>()
        }
        other => panic!("{other}"),
    };
    let run = shop.start(true).await.unwrap();
    shop.serve(20, [0, 50], [0, 0]).await;
    shop.control().stop("guarded", Actor::default()).await.unwrap();
    let (code, sentence) = refused(&shop).await.pop().unwrap();
    assert_eq!(code, ShadowFirst);
    assert!(sentence.ends_with(&format!("the last one, `{run}`, does not count: its last requests are still counted")));
    shop.serve(40, [0, 50], [0, 0]).await;
    let said = shop.view(run).evidence.unwrap()["sentence"].as_str().unwrap().to_owned();
    assert!(said.starts_with("an arm is empty, of 0 treated and ") && !said.contains(" 0 control"), "{said}");

    let run = shop.start(true).await.unwrap();
    // What passes is in no arm: it was not eligible.
    shop.arms.clear();
    shop.serve(20, [0, 50], [0, 0]).await;
    shop.control().stop("guarded", Actor::default()).await.unwrap();
    shop.serve(40, [0, 50], [0, 0]).await;
    let said = shop.view(run).evidence.unwrap()["sentence"].as_str().unwrap().to_owned();
    assert!(
        said.starts_with("no request was eligible, of ")
            && said.contains(" root requests since it started: none passed"),
        "{said}"
    );
    let (code, sentence) = refused(&shop).await.pop().unwrap();
    assert_eq!(code, ShadowFirst);
    assert!(sentence.ends_with(&format!("counts yet; the last one, `{run}`, does not count: {said}")), "{sentence}");
}

#[tokio::test(start_paused = true)]
async fn a_shadow_run_comes_first_and_a_harmless_run_is_resilient() {
    let mut shop = Shop::open().await;
    assert_eq!(shop.start(false).await, Err(vec![ShadowFirst]));
    let shadow = shop.shadow().await;
    assert_eq!(verdict(&shop.view(shadow)), Some("inconclusive"), "nothing was struck");
    let run = shop.start(false).await.unwrap();
    shop.serve(650, [1, 99], [0, 0]).await;
    let so_far = shop.view(run).evidence.unwrap();
    assert_eq!(so_far["verdict"], "resilient", "{so_far}");
    shop.control().stop("guarded", Actor::default()).await.unwrap();
    assert_eq!(verdict(&shop.view(run)), None, "its last requests may still be open");
    shop.serve(31, [0, 100], [0, 0]).await;
    let view = shop.view(run);
    assert_eq!((verdict(&view), view.ended.unwrap().to_string()), (Some("resilient"), "stopped".to_owned()));
    let evidence = view.evidence.unwrap();
    assert_eq!(evidence["latency"]["treated"]["p99_ms"], 10.0);
    assert_eq!(
        (&evidence["reached"], &evidence["sentence"]),
        (&1.into(), &"more harm than is tolerated is ruled out".into())
    );
    assert!(evidence["timeline"].as_array().is_some_and(|moments| moments.len() > 20), "{evidence}");
}

/// Silence is noticed some seconds later, when nobody ends the run for it any more.
#[tokio::test(start_paused = true)]
async fn invariant_5_clients_lost_around_the_end_leave_no_resilience() {
    for (goodbye, expected) in [(false, "clients_lost"), (true, "harm_ruled_out")] {
        let mut shop = Shop::open().await;
        shop.shadow().await;
        let run = shop.start(false).await.unwrap();
        shop.serve(650, [1, 99], [0, 0]).await;
        for id in [2, 3] {
            let mut client = TestClient::new(id);
            client.report.arms = arms(&(run, [5, 495], [0, 0]));
            client.report.goodbye = goodbye;
            client.report(shop.control());
        }
        shop.control().stop("guarded", Actor::default()).await.unwrap();
        shop.serve(31, [0, 100], [0, 0]).await;
        let evidence = shop.view(run).evidence.unwrap();
        assert_eq!(evidence["because"]["code"], expected, "{evidence}");
    }
}

/// Two clients that struck hear of the end at once, and report of it. From then on they report as often as they are told,
/// or no more.
#[tokio::test(start_paused = true)]
async fn clients_that_report_as_they_are_told_are_not_lost_at_the_end() {
    // Requests of control that stay open at each of them, whether they report on, and what comes of it.
    let cases = [
        (0, true, "harm_ruled_out"),
        (1, true, "harm_ruled_out"),
        (0, false, "harm_ruled_out"),
        (1, false, "clients_lost"),
    ];
    for (open, speak_on, expected) in cases {
        let mut shop = Shop::open().await;
        shop.shadow().await;
        let run = shop.start(false).await.unwrap();
        shop.serve(650, [1, 99], [0, 0]).await;
        let mut others = [TestClient::new(2), TestClient::new(3)];
        for client in &mut others {
            client.report.arms = arms(&(run, [5, 495], [0, 0]));
            client.report.arms[1].counts.insert(Metric::Settled, 495 - open);
            client.report(shop.control());
        }
        shop.control().stop("guarded", Actor::default()).await.unwrap();
        shop.bench.clock.advance(std::time::Duration::from_millis(10));
        let mut due = 0;
        for second in 0..31 {
            if second * 1_000 >= due && (speak_on || second == 0) {
                for client in &mut others {
                    client.report.runs.clear();
                    due = second * 1_000 + client.report(shop.control()).interval.get();
                }
            }
            shop.serve(1, [0, 100], [0, 0]).await;
        }
        let evidence = shop.view(run).evidence.unwrap();
        assert_eq!(evidence["because"]["code"], expected, "{open} {speak_on}: {evidence}");
    }
}

#[tokio::test(start_paused = true)]
async fn invariant_1_a_harmful_run_is_aborted_and_its_verdict_outlives_the_server() {
    let mut shop = Shop::open().await;
    shop.shadow().await;
    let run = shop.start(false).await.unwrap();
    shop.serve(60, [1, 99], [1, 0]).await;
    let view = shop.view(run);
    assert_eq!(view.ended.map(|ended| ended.to_string()), Some("aborted: harm".to_owned()), "{view:?}");
    assert!(view.end_reason.unwrap().contains("e-value"));
    shop.serve(31, [0, 100], [0, 0]).await;
    let before = shop.view(run);
    assert_eq!(verdict(&before), Some("harmful"));
    let control = shop.bench.restarted().await.control;
    let after = control.run(run).unwrap();
    assert_eq!((after.verdict, after.counts), (before.verdict, before.counts));
}

#[tokio::test(start_paused = true)]
async fn pages_refuse_and_end_runs() {
    let mut shop = Shop::open().await;
    shop.shadow().await;
    let run = shop.start(false).await.unwrap();
    shop.serve(10, [1, 99], [0, 0]).await;
    shop.page("first").await;
    shop.serve(1, [1, 99], [0, 0]).await;
    assert_eq!(shop.view(run).ended.map(|ended| ended.to_string()), Some("aborted: paged".to_owned()));
    shop.page("second").await;
    shop.serve(900, [0, 10], [0, 0]).await;
    assert_eq!(shop.start(false).await, Err(vec![PeopleBudget]));
}

#[tokio::test(start_paused = true)]
async fn a_page_ends_a_run_also_where_the_clock_was_put_back() {
    let mut shop = Shop::open().await;
    shop.page("before").await;
    shop.shadow().await;
    let run = shop.start(false).await.unwrap();
    shop.serve(10, [1, 99], [0, 0]).await;
    let an_hour_ago = shop.view(run).started_at - jiff::SignedDuration::from_hours(1);
    shop.bench.clock.set_wall(an_hour_ago);
    shop.serve(2, [1, 99], [0, 0]).await;
    shop.page("before").await;
    shop.serve(1, [1, 99], [0, 0]).await;
    assert!(shop.view(run).active, "what was known before is no news");
    shop.page("new").await;
    shop.serve(1, [1, 99], [0, 0]).await;
    let view = shop.view(run);
    assert_eq!(view.ended.map(|ended| ended.to_string()), Some("aborted: paged".to_owned()));
    assert_eq!(view.end_reason.as_deref(), Some("`payments` was paged while it ran"));
}

/// No new page comes: somebody works by night on one that was known before the run.
#[tokio::test(start_paused = true)]
async fn a_budget_of_people_that_is_spent_ends_runs() {
    // The hours of the team, the incidents that were worked off-hours before, and what the run's end says.
    let cases = [
        ("always", 0, None),
        ("always", 1, Some("`payments` worked 2 incidents off-hours within half a year, of 1 that are fair")),
        ("office", 0, Some("and its hours are closed until Tue")),
    ];
    for (hours, worked, expected) in cases {
        let mut shop = Shop::open().await;
        let on_call = format!("{{ pages_per_week: 10, off_hours_incidents_per_half_year: 1, hours: {hours} }}");
        let source = daybreak_document::Source::new("on_call.yaml", on_call);
        shop.control().put(Kind::OnCall, "payments", source, Default::default(), Actor::default()).await.unwrap();
        shop.page("before").await;
        if worked > 0 {
            shop.tell_of("long before", Some(true)).await;
        }
        shop.shadow().await;
        let run = shop.start(false).await.unwrap();
        shop.serve(10, [1, 99], [0, 0]).await;
        assert!(shop.view(run).active);
        shop.tell_of("before", Some(true)).await;
        shop.serve(1, [1, 99], [0, 0]).await;
        let (view, ended) = (shop.view(run), expected.map(|_| "aborted: paged".to_owned()));
        assert_eq!(view.ended.map(|ended| ended.to_string()), ended, "{hours} {worked}");
        let why = view.end_reason.unwrap_or_default();
        assert!(why.contains(expected.unwrap_or_default()), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_burning_budget_refuses_and_ends_runs() {
    let mut shop = Shop::open().await;
    shop.shadow().await;
    let run = shop.start(false).await.unwrap();
    // The control arm fails as much in proportion: no harm by the fault, but the service burns.
    shop.serve(30, [1, 99], [0, 20]).await;
    assert_eq!(shop.view(run).ended.map(|ended| ended.to_string()), Some("aborted: burning".to_owned()));
    shop.serve(601, [0, 10], [0, 0]).await;
    let refused = shop.start(false).await.unwrap_err();
    assert!(refused.contains(&Burning), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn invariant_5_a_run_without_reports_is_ended() {
    let mut shop = Shop::open().await;
    shop.shadow().await;
    let run = shop.start(false).await.unwrap();
    shop.serve(20, [1, 99], [0, 0]).await;
    shop.bench.pass(6, &mut []).await;
    let ended = shop.view(run).ended.map(|ended| ended.to_string());
    assert_eq!(ended, Some("aborted: stale_reports".to_owned()));
}

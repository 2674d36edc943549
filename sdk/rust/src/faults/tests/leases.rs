//! Nothing strikes without a lease.

use std::time::Duration;

use daybreak_model::wire::{Enveloped, Reply, RunsChanged};
use daybreak_model::{Effect, Millis, RunId};

use super::super::fixtures::{error, grant_all, reply, report, run_grant, spec};
use super::*;

#[tokio::test]
async fn invariant_1_inert_without_a_run() {
    let (faults, _) = faults(Settings::default());
    assert!(!is_struck(&faults).await, "nothing was granted");
    grant_all(&faults, []);
    assert!(!is_struck(&faults).await, "nothing is listed");
    grant_all(&faults, [(1, spec("other.point", error(500)))]);
    assert!(!is_struck(&faults).await, "a run elsewhere");
}

/// What happens after a grant of ten seconds, and whether the run still strikes.
type Case = (&'static str, fn(&Faults, &TestClock), bool);

#[tokio::test]
async fn invariant_2_no_injection_without_a_lease() {
    let cases: [Case; 12] = [
        ("nothing", |_, _| (), true),
        ("almost the whole lease", |_, clock| clock.pass(Duration::from_millis(9_999)), true),
        ("the whole lease", |_, clock| clock.pass(Duration::from_secs(10)), false),
        ("a suspension", |_, clock| clock.suspend(Duration::from_secs(5)), false),
        ("the wall clock ahead", |_, clock| clock.set_wall(3), false),
        ("the wall clock back", |_, clock| clock.set_wall(-3), false),
        ("a reply that lists nothing", |faults, _| grant_all(faults, []), false),
        ("a reply without a lease", |faults, _| answer(faults, |reply| reply.lease = Millis::new(0)), false),
        ("a reply that says halted", |faults, _| answer(faults, |reply| reply.halted = true), false),
        ("an announced end", |faults, _| faults.runs_changed(&ended()), false),
        ("an announced halt", |faults, _| faults.runs_changed(&halted()), false),
        ("a halt of this process", |faults, _| faults.halt(), false),
    ];
    for (what, happens, strikes) in cases {
        let (faults, clock) = with_run(spec(POINT, error(500)));
        happens(&faults, &clock);
        assert_eq!(is_struck(&faults).await, strikes, "after {what}");
        faults.expire();
        assert_eq!(is_struck(&faults).await, strikes, "after {what}, and a second");
    }
}

/// A reply to a report of this moment, which lists run 1.
fn answer(faults: &Faults, change: impl FnOnce(&mut Reply)) {
    let mut reply = reply(faults, vec![run_grant(faults, 1, &spec(POINT, error(500)))]);
    change(&mut reply);
    faults.grant(&reply, faults.now());
}

fn ended() -> RunsChanged {
    RunsChanged { ended: vec![RunId::new(1)], ..RunsChanged::default() }
}

fn halted() -> RunsChanged {
    RunsChanged { halted: true, ..RunsChanged::default() }
}

#[tokio::test]
async fn invariant_2_a_lease_counts_from_when_the_report_was_sent() {
    let (faults, clock) = faults(Settings::default());
    let sent = faults.now();
    let reply = reply(&faults, vec![run_grant(&faults, 1, &spec(POINT, error(500)))]);
    clock.pass(Duration::from_secs(10));
    faults.grant(&reply, sent);
    assert!(!is_struck(&faults).await, "the reply came too late to be worth anything");
}

#[tokio::test]
async fn invariant_2_stream_messages_renew_nothing() {
    let (faults, clock) = with_run(spec(POINT, error(500)));
    clock.pass(Duration::from_secs(9));
    faults.runs_changed(&RunsChanged { started: vec![RunId::new(1)], ..RunsChanged::default() });
    clock.pass(Duration::from_secs(1));
    assert!(!is_struck(&faults).await);
    answer(&faults, |_| ());
    assert!(is_struck(&faults).await, "a reply does");
}

#[tokio::test(start_paused = true)]
async fn what_the_server_waits_to_hear_is_reported_soon() {
    let wanted = |faults: Faults| async move {
        tokio::time::timeout(Duration::from_secs(1), faults.wants_report()).await.is_ok()
    };
    let (faults, _) = faults(Settings::default());
    assert!(!wanted(faults.clone()).await, "nothing is new");
    let started = RunsChanged { started: vec![RunId::new(1)], jitter: Millis::new(500), ..RunsChanged::default() };
    for news in [started, ended(), halted()] {
        faults.runs_changed(&news);
        assert!(wanted(faults.clone()).await, "{news:?}");
        report(&faults);
        assert!(!wanted(faults.clone()).await, "a report was made after {news:?}");
    }
    faults.halt();
    assert!(wanted(faults.clone()).await, "this process was halted");
}

#[tokio::test]
async fn invariant_3_no_late_reply_brings_a_stopped_run_back() {
    for stop in [ended(), halted()] {
        let (faults, clock) = with_run(spec(POINT, error(500)));
        let sent = faults.now();
        let late = reply(&faults, vec![run_grant(&faults, 1, &spec(POINT, error(500)))]);
        clock.pass(Duration::from_millis(10));
        faults.runs_changed(&stop);
        faults.grant(&late, sent);
        assert!(!is_struck(&faults).await, "{stop:?}");
    }
}

#[tokio::test]
async fn a_run_that_a_reply_left_out_can_come_back_and_its_counts_go_on() {
    let (faults, _) = with_run(spec(POINT, error(500)));
    assert!(is_struck(&faults).await);
    grant_all(&faults, []);
    assert!(!is_struck(&faults).await);
    assert!(report(&faults).runs.is_empty(), "the server is to send its specification again");
    answer(&faults, |_| ());
    assert!(is_struck(&faults).await);
    assert_eq!(counted(&faults, 1, Arm::Treated, Metric::Struck), 2);
    assert_eq!(report(&faults).arms.len(), 1);
}

#[tokio::test]
async fn what_is_not_known_in_full_is_ignored_and_reported() {
    let newer = |faults: &Faults| {
        let mut grant = run_grant(faults, 1, &spec(POINT, error(500)));
        grant.spec.as_mut().unwrap().level += 1;
        grant
    };
    let unknown_effect = |faults: &Faults| {
        let mut json = serde_json::to_value(spec(POINT, error(500))).unwrap();
        json["effect"]["earthquake"] = serde_json::json!({ "magnitude": 7 });
        let mut grant = run_grant(faults, 1, &spec(POINT, error(500)));
        grant.spec = Some(Enveloped::new(1, &json).unwrap());
        grant
    };
    let no_effect = |faults: &Faults| run_grant(faults, 1, &spec(POINT, Effect::default()));
    let whole_process = |faults: &Faults| run_grant(faults, 1, &spec("http.client", error(500)));
    for make in [&newer as &dyn Fn(&Faults) -> _, &unknown_effect, &no_effect, &whole_process] {
        let (faults, _) = faults(Settings::default());
        faults.grant(&reply(&faults, vec![make(&faults)]), faults.now());
        assert!(!is_struck(&faults).await);
        let report = report(&faults);
        assert_eq!((report.unsupported, report.runs), (vec![RunId::new(1)], vec![]));
    }
}

#[tokio::test]
async fn what_a_process_does_not_permit_does_not_happen() {
    let folder = tempfile::tempdir().unwrap();
    let kill_file = folder.path().join("no-faults");
    std::fs::write(&kill_file, "").unwrap();
    let refusing = [
        Settings { allowed: false, ..Settings::default() },
        Settings { points: Some(vec!["other".to_owned()]), ..Settings::default() },
        Settings { kill_file: Some(kill_file.clone()), ..Settings::default() },
    ];
    for settings in refusing {
        let (faults, _) = faults(settings);
        grant_all(&faults, [(1, spec(POINT, error(500)))]);
        assert!(!is_struck(&faults).await, "{:?}", faults.settings());
    }
    let (faults, _) = faults(Settings { kill_file: Some(kill_file.clone()), ..Settings::default() });
    grant_all(&faults, [(1, spec(POINT, error(500)))]);
    std::fs::remove_file(&kill_file).unwrap();
    faults.expire();
    assert!(is_struck(&faults).await, "the file is gone");
}

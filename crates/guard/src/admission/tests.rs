use std::collections::{BTreeMap, BTreeSet};

use daybreak_model::{DrawBy, Guard, GuardPolicy};

use super::*;
use crate::blast_radius::LIMIT_DEFAULT;
use crate::clients::Place;
use crate::fixtures::{at, day, fault, key, percentage};

/// One live client in sight, and nothing that stands against a start.
fn point() -> FaultPoint {
    FaultPoint { clients: 1, permitting: 1, passes: 10, unscoped: 0, services: BTreeMap::new() }
}

static NOBODY: BTreeSet<Key> = BTreeSet::new();

fn facts<'a>(fault: &'a Fault, hours: Option<&'a Hours>) -> Facts<'a> {
    Facts {
        now: at(0),
        environment: "staging",
        max_run: Millis::from_secs(3_600),
        max_blast_radius: LIMIT_DEFAULT,
        fault,
        hours,
        protect: &NOBODY,
        listening_since: at(-86_400),
        start: Start::default(),
        halted: None,
        point: point(),
        near_point: None,
        keys: None,
        shares: Vec::new(),
        busy: Vec::new(),
        last_ended_at: None,
        guard: None,
    }
}

fn share(q: f64, asked: f64, used: f64) -> Share {
    let place = Place { service: "shop".to_owned(), operation: "POST /checkout".to_owned() };
    Share { place, q, measured: q < 1.0, asked, used }
}

fn codes(refusals: &[Refusal]) -> Vec<&'static str> {
    refusals.iter().map(|refusal| refusal.code.as_str()).collect()
}

fn guarded() -> Fault {
    let policy = GuardPolicy {
        slo: key("checkout"),
        min_budget: percentage("20%"),
        max_spend: GuardPolicy::MAX_SPEND_DEFAULT,
        harm: GuardPolicy::HARM_DEFAULT,
        on_call: None,
        stop_when: None,
    };
    Fault { guard: Guard::Policy(policy), ..fault() }
}

/// A start that is refused for one reason: which, what the sentence and the remedy say, when it clears, and
/// whether it may be waived.
fn check(facts: &Facts<'_>, code: RefusalCode, sentence: &str, clears: &str, clears_at: Option<i64>, waivable: bool) {
    let admission = admit(facts);
    assert_eq!(codes(&admission.refusals), [code.as_str()], "{:?}", admission.refusals);
    let refusal = &admission.refusals[0];
    assert!(refusal.sentence.contains(sentence), "{}", refusal.sentence);
    assert!(refusal.clears.contains(clears), "{}", refusal.clears);
    assert_eq!((refusal.clears_at, refusal.waivable), (clears_at.map(at), waivable), "{code}");

    let start = Start { override_reason: Some("I must"), may_override: true, ..facts.start };
    let overridden = admit(&Facts { start, ..facts.clone() });
    assert_eq!(overridden.is_admitted(), waivable, "{code}");
    assert_eq!(overridden.waived_codes(), if waivable { vec![code] } else { Vec::new() });
}

#[test]
fn nothing_stands_against_it() {
    let (fault, day) = (fault(), day());
    let admission = admit(&facts(&fault, Some(&day)));
    assert!(admission.is_admitted());
    assert_eq!((admission.percentage, admission.duration), (percentage("1%"), Millis::from_secs(600)));
    assert_eq!((admission.waived, admission.warnings), (Vec::new(), Vec::new()));
}

#[test]
fn state_of_the_server_and_the_fault() {
    use RefusalCode::{FaultDisabled, GuardRequired, Halted, InsufficientData};
    let (plain, day, guarded) = (fault(), day(), guarded());
    let disabled = Fault { enabled: false, ..fault() };
    let facts = |fault| facts(fault, Some(&day));
    check(
        &Facts { halted: Some("pager"), ..facts(&plain) },
        Halted,
        "halted: pager",
        "DELETE /api/v1/halt",
        None,
        false,
    );
    check(&Facts { halted: Some(""), ..facts(&plain) }, Halted, "everything is halted", "lift", None, false);
    check(&facts(&disabled), FaultDisabled, "disabled", "enable", None, false);
    check(&facts(&guarded), InsufficientData, "nothing is known", "ask again", None, false);
    let production = Facts { environment: "production", ..facts(&plain) };
    check(&production, GuardRequired, "guard: none", "give the fault a guard", None, false);
}

#[test]
fn invariant_4_a_start_never_raises_what_the_fault_allows() {
    use RefusalCode::{DurationRaised, NoDuration, NoPercentage, PercentageRaised, TooLong};
    let (plain, day) = (fault(), day());
    let long = Fault { max_duration: Millis::from_secs(7_200), ..fault() };
    let asking = |fault, percentage, duration: Option<u64>| Facts {
        start: Start { percentage, duration: duration.map(Millis::from_secs), ..Start::default() },
        ..facts(fault, Some(&day))
    };
    let raised = asking(&plain, Some(percentage("1.001%")), None);
    check(&raised, PercentageRaised, "1.001% was asked for, the fault has 1%", "1% or less", None, false);
    check(&asking(&plain, None, Some(601)), DurationRaised, "10m1s was asked for", "10m or less", None, false);
    check(&asking(&plain, None, Some(0)), NoDuration, "no duration", "10m", None, false);
    let nothing = Fault { percentage: Percentage::ZERO, ..fault() };
    for zero in [asking(&plain, Some(Percentage::ZERO), None), asking(&nothing, None, None)] {
        check(&zero, NoPercentage, "treats 0% does nothing", "`1%`", None, false);
    }
    check(&asking(&long, None, None), TooLong, "would last 2h, this server allows 1h", "--max-run", None, false);
    let lower = admit(&asking(&long, Some(percentage("0.5%")), Some(60)));
    assert!(lower.is_admitted());
    assert_eq!((lower.percentage, lower.duration), (percentage("0.5%"), Millis::from_secs(60)));
}

#[test]
fn hours_decide() {
    use RefusalCode::{CalendarEnds, DoesNotFit, OutsideHours};
    let (plain, day) = (fault(), day());
    let closes = 6 * 3_600 + 1_800;
    let opens = 22 * 3_600;
    let starting = |second| Facts { now: at(second), ..facts(&plain, Some(&day)) };
    check(
        &starting(closes),
        OutsideHours,
        "closed: it is Mon 2026-11-23 16:30 UTC",
        "open on Tue 2026-11-24 08:00 UTC",
        Some(opens),
        true,
    );
    check(
        &starting(closes - 599),
        DoesNotFit,
        "close on Mon 2026-11-23 16:30",
        "from Tue 2026-11-24 08:00",
        Some(opens),
        true,
    );
    assert!(admit(&starting(closes - 600)).is_admitted());
    let never = Hours { times: Vec::new(), ..day.clone() };
    check(&facts(&plain, Some(&never)), OutsideHours, "closed", "do not open within 400 days", None, true);
    check(&facts(&plain, None), OutsideHours, "the hours `day` are not there", "define the hours `day`", None, false);

    let always = Hours {
        times: vec![daybreak_model::TimeSpan { from: jiff::civil::Time::midnight(), to: None }],
        ..day.clone()
    };
    let ending = Hours { holidays_until: Some(jiff::civil::date(2026, 11, 23)), ..always };
    let late = Facts { now: at(14 * 3_600 - 599), ..facts(&plain, Some(&ending)) };
    check(&late, CalendarEnds, "known until Tue 2026-11-24 00:00 UTC", "holidays_until", None, false);
}

#[test]
fn invariant_5_no_start_without_a_client_that_can_be_struck() {
    let (plain, day) = (fault(), day());
    let with = |clients, permitting| Facts {
        point: FaultPoint { clients, permitting, ..point() },
        ..facts(&plain, Some(&day))
    };
    let code = RefusalCode::NoClients;
    check(&with(0, 0), code, "no live client knows the fault point `payment.gateway`", "fault-points", None, false);
    check(&with(3, 0), code, "3 live clients know", "DAYBREAK_FAULTS", None, false);
    let mistyped = Facts { near_point: Key::new("payments.gateway").ok(), ..with(0, 0) };
    check(&mistyped, code, "did you mean `payments.gateway`?", "mend the fault's `point`", None, false);
}

/// A sticky run's limits are measured by keys.
#[test]
fn invariant_5_no_sticky_start_while_keys_are_not_counted() {
    let (sticky, day) = (Fault { by: DrawBy::Attribute("account".into()), ..fault() }, day());
    let seen = |distinct, requests, heaviest| Facts {
        keys: Some(KeysSeen { distinct, requests, heaviest }),
        ..facts(&sticky, Some(&day))
    };
    let code = RefusalCode::InsufficientData;
    let unknown = "draws by `account`, and no client has told of its values at `payment.gateway`";
    check(&facts(&sticky, Some(&day)), code, unknown, "the context of requests has `account`", None, false);
    check(&seen(0, 1_000, 0), code, unknown, "context", None, false);
    // 1 % of 10,000 keys are 100.
    assert!(admit(&seen(10_000, 100_000, 1_000)).is_admitted());
    let few = "9999 distinct values of `account` passed `payment.gateway` within the last hour; to draw 1% of them takes 10000";
    check(&seen(9_999, 100_000, 1_000), code, few, "more traffic", None, false);
    let heavy = "one value of `account` carries up to 1.001% of the 100000 requests at `payment.gateway`";
    check(&seen(10_000, 100_000, 1_001), code, heavy, "leave `by` out", None, false);
    check(&seen(9_999, 100_000, 1_001), code, "takes 10000; one value", "; keep it out", None, false);
    // Asking for less takes more keys.
    let start = Start { percentage: Some(percentage("0.5%")), ..Start::default() };
    check(&Facts { start, ..seen(19_999, 100_000, 9) }, code, "to draw 0.5% of them takes 20000", "wait", None, false);
    // Drawn by request, none of this matters.
    let plain = fault();
    assert!(admit(&Facts { keys: None, ..facts(&plain, Some(&day)) }).is_admitted());
}

#[test]
fn invariant_4_no_start_beyond_the_blast_radius() {
    let (plain, day) = (fault(), day());
    let with = |shares: &[Share]| Facts { shares: shares.to_vec(), ..facts(&plain, Some(&day)) };
    let code = RefusalCode::BlastRadius;
    assert!(admit(&with(&[share(0.5, 0.05, 0.0)])).is_admitted());
    let sentence = "runs may touch 5% of a service's requests; shop POST /checkout: 4% asked for, 2% used by other runs \
                    (up to 40% of them pass the point)";
    check(&with(&[share(0.4, 0.04, 0.02)]), code, sentence, "ask for 7.5% or less", None, true);
    check(&with(&[share(1.0, 0.06, 0.0)]), code, "under 1000 requests in 15 minutes", "ask for 5% or less", None, true);
    check(&with(&[share(1.0, 0.2, 0.0)]), code, "20% asked for", "5%", None, true);
    check(&with(&[share(1.0, 0.2, 0.001)]), code, "20% asked for", "4.9%", None, false);
    check(&with(&[share(1.0, 0.01, 0.05)]), code, "5% used by other runs", "wait until the other runs", None, true);
    // The worst place decides, and all are named.
    check(&with(&[share(1.0, 0.21, 0.0), share(0.5, 0.06, 0.0)]), code, "; shop POST /checkout: 6%", "5%", None, false);
    let open = Facts { max_blast_radius: Percentage::FULL, ..with(&[share(1.0, 1.0, 0.0)]) };
    assert!(admit(&open).is_admitted());
}

#[test]
fn the_point() {
    use RefusalCode::{CoolingDown, PointBusy};
    let (plain, day) = (fault(), day());
    let facts = || facts(&plain, Some(&day));
    let busy = vec![(RunId::new(1), at(300)), (RunId::new(2), at(200))];
    let sentence = "`payment.gateway` is taken by run 0000000000000001, 0000000000000002";
    check(&Facts { busy, ..facts() }, PointBusy, sentence, "wait", Some(300), true);
    let ended = |second| Facts { last_ended_at: Some(at(second)), ..facts() };
    check(&ended(-599), CoolingDown, "ended less than 10m ago", "wait", Some(1), false);
    assert!(admit(&ended(-600)).is_admitted());
}

/// The pause between two runs passes while the calendar is open: it opens at `at(-7_200)`, two hours ago.
#[test]
fn the_pause_passes_inside_hours() {
    use RefusalCode::CoolingDown;
    let (plain, day) = (fault(), day());
    let facts = |now: i64, ended: i64| Facts {
        now: at(now - 7_200),
        last_ended_at: Some(at(ended - 7_200)),
        ..facts(&plain, Some(&day))
    };
    let clears_at = |facts: &Facts<'_>| {
        let cooling = admit(facts).refusals.into_iter().find(|refusal| refusal.code == CoolingDown)?;
        cooling.clears_at.map(|moment| moment.as_second() - at(-7_200).as_second())
    };
    let night = -15 * 3_600 - 1_800;
    // It ended four minutes before closing; six minutes of the next day are left.
    assert_eq!(clears_at(&facts(359, night - 240)), Some(360));
    assert_eq!(clears_at(&facts(360, night - 240)), None);
    // It ended in the night, as one does whose hours were waived.
    assert_eq!(clears_at(&facts(0, -3_600)), Some(600));
    assert_eq!(clears_at(&facts(600, -3_600)), None);
    // Where hours are waived, so is this: where they are closed, or close too soon.
    let start = Start { override_reason: Some("I must"), may_override: true, ..Start::default() };
    let closing = 8 * 3_600 + 1_800;
    for now in [-1, closing - 60] {
        assert_eq!(clears_at(&Facts { start, ..facts(now, now - 599) }), Some(now + 1));
        assert_eq!(clears_at(&Facts { start, ..facts(now, now - 600) }), None);
    }
    // Whatever else is waived, it passes inside hours.
    assert_eq!(clears_at(&Facts { start, ..facts(0, -600) }), Some(600));
    assert_eq!(clears_at(&Facts { start, ..facts(359, night - 240) }), Some(360));
}

/// Everything at once: every reason is named, in one order, and an override waives only what can be.
#[test]
fn all_reasons_at_once() {
    let fault = Fault { enabled: false, ..guarded() };
    let hours = Hours { holidays_until: Some(jiff::civil::date(2026, 11, 1)), ..day() };
    let start = |may_override, override_reason| Start {
        percentage: Some(percentage("2%")),
        duration: Some(Millis::from_secs(7_200)),
        shadow: false,
        override_reason,
        may_override,
    };
    let facts = |start| Facts {
        start,
        halted: Some(""),
        point: FaultPoint::default(),
        shares: vec![share(1.0, 1.0, 0.0)],
        busy: vec![(RunId::new(1), at(300))],
        last_ended_at: Some(at(-1)),
        ..facts(&fault, Some(&hours))
    };
    let all = [
        "halted",
        "fault_disabled",
        "percentage_raised",
        "duration_raised",
        "too_long",
        "outside_hours",
        "calendar_ends",
        "insufficient_data",
        "no_clients",
        "blast_radius",
        "point_busy",
        "cooling_down",
    ];
    for start in [start(false, None), start(false, Some("I must")), start(true, None), start(true, Some("  "))] {
        assert_eq!(codes(&admit(&facts(start)).refusals), all);
    }
    let overridden = admit(&facts(start(true, Some("I must"))));
    assert_eq!(codes(&overridden.waived), ["outside_hours", "point_busy"]);
    assert_eq!(overridden.refusals.len(), all.len() - 2);
}

#[test]
fn what_deserves_a_word() {
    let (plain, day) = (fault(), day());
    let check = |point: FaultPoint, shares: Vec<Share>, expected: &[&str]| {
        let admission = admit(&Facts { point, shares, ..facts(&plain, Some(&day)) });
        assert!(admission.is_admitted());
        let codes: Vec<_> = admission.warnings.iter().map(|warning| warning.code.as_str()).collect();
        assert_eq!(codes, expected);
    };
    check(FaultPoint { passes: 0, ..point() }, Vec::new(), &["no_traffic"]);
    check(point(), vec![share(1.0, 0.01, 0.0), share(0.5, 0.01, 0.0)], &["blast_radius_unmeasured"]);
    check(FaultPoint { clients: 2, ..point() }, Vec::new(), &["faults_forbidden"]);
    check(FaultPoint { unscoped: 1, ..point() }, Vec::new(), &["unscoped"]);
}

#[test]
fn codes_are_written_alike_everywhere() {
    for code in RefusalCode::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
    for code in WarningCode::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
    }
}

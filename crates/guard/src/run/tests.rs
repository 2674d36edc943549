use daybreak_model::Millis;
use proptest::prelude::*;

use super::*;
use crate::fixtures::{at, percentage, run};
use crate::span::after;

const ENDED: &[Effect] = &[Effect::AnnounceEnded, Effect::Record];

fn by(actor: &str, reason: &str) -> (Option<String>, Option<String>) {
    (Some(actor.to_owned()), Some(reason.to_owned()))
}

fn stop() -> Event {
    let (actor, reason) = by("ada", "enough");
    Event::Stop { actor, reason }
}

#[test]
fn how_a_run_ends() {
    let (actor, reason) = by("ada", "pager");
    let halt = || Event::Halt { actor: actor.clone(), reason: reason.clone() };
    let removed = || Event::FaultRemoved { actor: actor.clone(), reason: reason.clone() };
    let exceeded = || Event::BlastRadiusExceeded { reason: "3 of 10".to_owned() };
    let aborted = |cause| Some(Ended::Aborted(cause));
    let check = |event: Event, second: i64, expected: Option<Ended>| {
        let mut run = run();
        let effects = run.step(event.clone(), at(second));
        assert_eq!(run.end.as_ref().map(|end| end.ended), expected, "{event:?} at {second}");
        assert_eq!(effects, if expected.is_some() { ENDED } else { &[] }, "{event:?} at {second}");
        assert_eq!(run.is_active(), expected.is_none());
    };
    check(Event::Tick, 0, None);
    check(Event::Tick, 599, None);
    check(Event::Tick, 600, Some(Ended::Completed));
    check(stop(), 1, Some(Ended::Stopped));
    check(stop(), 600, Some(Ended::Completed));
    check(halt(), 1, aborted(Cause::Halted));
    check(removed(), 1, aborted(Cause::FaultRemoved));
    check(Event::ClientsLost { clients: 2 }, 1, aborted(Cause::ClientsLost));
    check(exceeded(), 1, aborted(Cause::BlastRadius));
    check(exceeded(), 600, Some(Ended::Completed));
    check(Event::ServerRestarted, 1, aborted(Cause::ServerRestarted));
    check(Event::ServerRestarted, 6_000, aborted(Cause::ServerRestarted));
}

#[test]
fn the_end_says_who_and_why() {
    let mut run = run();
    assert_eq!(run.step(stop(), at(5)), ENDED);
    let (actor, reason) = by("ada", "enough");
    assert_eq!(run.end, Some(End { ended: Ended::Stopped, at: at(5), actor, reason }));
}

#[test]
fn a_calendar_that_closes_aborts_unless_that_was_waived() {
    let closing = at(6 * 3_600 + 1_800);
    let check = |waived: &[RefusalCode], now: Timestamp, expected: Option<Ended>| {
        let mut run = Run { ends_at: at(7 * 3_600), waived: waived.to_vec(), ..run() };
        let _ = run.step(Event::Tick, now);
        assert_eq!(run.end.map(|end| end.ended), expected, "{waived:?} at {now}");
    };
    let outside = Some(Ended::Aborted(Cause::OutsideHours));
    check(&[], closing.checked_sub(jiff::SignedDuration::from_millis(1)).unwrap(), None);
    check(&[], closing, outside);
    check(&[RefusalCode::PointBusy], closing, outside);
    check(&[RefusalCode::DoesNotFit], closing, None);
    check(&[RefusalCode::OutsideHours], closing, None);
    check(&[RefusalCode::OutsideHours], at(7 * 3_600), Some(Ended::Completed));
}

#[test]
fn a_waived_blast_radius_has_its_own_limit() {
    let waived = Run { waived: vec![RefusalCode::BlastRadius], ..run() };
    let check = |run: &Run, limit: &str, expected: &str| {
        assert_eq!(run.blast_radius_max(percentage(limit)), percentage(expected));
    };
    check(&run(), "5%", "5%");
    check(&waived, "5%", "20%");
    check(&waived, "100%", "100%");
}

#[test]
fn a_run_is_kept_as_json() {
    let mut run = run();
    let _ = run.step(stop(), at(5));
    let text = serde_json::to_string(&run).unwrap();
    assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run);
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => Just(Event::Tick),
        1 => Just(stop()),
        1 => Just(Event::Halt { actor: None, reason: None }),
        1 => Just(Event::FaultRemoved { actor: None, reason: None }),
        1 => (2..5_usize).prop_map(|clients| Event::ClientsLost { clients }),
        1 => Just(Event::BlastRadiusExceeded { reason: String::new() }),
        1 => Just(Event::ServerRestarted),
    ]
}

fn any_waived() -> impl Strategy<Value = Vec<RefusalCode>> {
    prop::collection::vec(prop::sample::select(RefusalCode::ALL), 0..3)
}

proptest! {
    /// Whatever happens, in whatever order of times: one end, announced and recorded once, which stays.
    #[test]
    fn invariant_1_a_run_always_ends_and_ends_once(
        events in prop::collection::vec((any_event(), -100..100_000_i64), 0..40),
        last in any_event(),
        waived in any_waived(),
        late in 0..1_000_000_i64,
    ) {
        let mut run = Run { waived, ..run() };
        let mut ends = 0;
        let mut end = None;
        for (event, second) in events {
            let effects = run.step(event, at(second));
            prop_assert!(effects.is_empty() || effects == ENDED);
            ends += usize::from(!effects.is_empty());
            prop_assert!(end.is_none() || end == run.end, "an end was changed");
            end.clone_from(&run.end);
            prop_assert_eq!(ends, usize::from(end.is_some()));
        }
        // One tick after its time at the latest.
        let effects = run.step(last, at(601 + late));
        ends += usize::from(!effects.is_empty());
        prop_assert_eq!(ends, 1);
        prop_assert!(!run.is_active());
    }

    /// The end never lies beyond what was asked for.
    #[test]
    fn invariant_1_with_a_tick_each_second_no_run_is_active_past_its_time(seconds in 1..2_000_i64) {
        let mut run = Run { ends_at: at(seconds), ..run() };
        let ticks = (0..).find(|second| !run.step(Event::Tick, at(*second)).is_empty()).unwrap();
        prop_assert_eq!(at(ticks), run.ends_at);
        prop_assert!(run.end.unwrap().at < after(run.ends_at, Millis::from_secs(1)));
    }
}

use std::collections::{BTreeMap, BTreeSet};

use daybreak_model::limits::{PAGE_KEYS_MAX, PAGES_MAX};
use daybreak_model::{DateRange, Freeze, Hours, Key, Millis, OnCall, PageMatch, TimeSpan, Weekdays};
use jiff::civil::{Time, date};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::fixtures::key;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn later(from: Timestamp, hours: i64) -> Timestamp {
    from.checked_add(SignedDuration::from_hours(hours)).unwrap()
}

fn on_call() -> OnCall {
    OnCall {
        description: None,
        pages_per_week: 2,
        off_hours_incidents_per_half_year: 1,
        hours: key("office"),
        pages: None,
        freeze: None,
        require_source: None,
    }
}

/// Berlin's working hours, with the holidays of one Christmas.
fn office() -> Hours {
    let days = ["mon", "tue", "wed", "thu", "fri"].map(|day| Weekdays::named(day).unwrap());
    Hours {
        description: None,
        time_zone: "Europe/Berlin".to_owned(),
        weekdays: days.into_iter().fold(Weekdays::NONE, Weekdays::with),
        times: vec![TimeSpan { from: Time::constant(9, 0, 0, 0), to: Some(Time::constant(17, 0, 0, 0)) }],
        holidays: vec![DateRange { first: date(2026, 12, 24), last: date(2026, 12, 26) }],
        holidays_until: Some(date(2027, 6, 30)),
    }
}

fn page(keys: &[&str], when: Timestamp) -> Page {
    Page {
        source: Source::Alertmanager,
        on_call: key("payments"),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        repeat: Repeat::AnyKnown,
        at: when,
        title: None,
        urgency: Urgency::High,
    }
}

fn work(incident: &str, when: Timestamp) -> Work {
    Work {
        source: Source::Pagerduty,
        on_call: key("payments"),
        key: incident.to_owned(),
        at: when,
        person: Some("ada".to_owned()),
        title: None,
        off_hours: false,
    }
}

fn state(people: &People, now: Timestamp) -> PeopleState {
    people.state(&key("payments"), &on_call(), &office(), now)
}

/// What is stored after a store has followed.
fn stored(people: &mut People, store: &mut BTreeMap<String, Record>) {
    let changes = people.unsaved();
    people.saved(&changes);
    for (name, record) in changes {
        match record {
            Some(record) => drop(store.insert(name, record)),
            None => drop(store.remove(&name)),
        }
    }
    assert!(people.unsaved().is_empty());
}

#[test]
fn what_is_a_repeat() {
    let check = |repeat, told: &[(&[&str], Received)]| {
        let mut people = People::default();
        for (keys, expected) in told {
            let now = at("2026-11-25T10:00:00Z");
            let page = Page { repeat, ..page(keys, now) };
            assert_eq!(people.page(page, now), *expected, "{repeat:?} {keys:?} of {told:?}");
        }
    };
    use Received::{Counted, Repeat as Again};
    // An alert joins a group that fires, the first one is resolved, and a third one joins: still the same page.
    let group: [(&[&str], _); 4] = [(&["a"], Counted), (&["a", "b"], Again), (&["b"], Again), (&["b", "c"], Again)];
    check(Repeat::AnyKnown, &group);
    check(Repeat::AnyKnown, &[(&["a"], Counted), (&["b"], Counted), (&["a"], Again)]);
    // The same people are told again, then somebody else is.
    let escalated: [(&[&str], _); 4] =
        [(&["1/ada", "1/bob"], Counted), (&["1/bob"], Again), (&["1/bob", "1/eve"], Counted), (&["1/eve"], Again)];
    check(Repeat::AllKnown, &escalated);
}

#[test]
fn a_week_of_pages() {
    let mut people = People::default();
    let monday = at("2026-11-23T09:00:00Z");
    let check = |people: &People, hours, count, refuses, spent| {
        let now = later(monday, hours);
        let state = state(people, now);
        let found = (state.pages.count, state.pages.refuses_start, state.spent());
        assert_eq!(found, (count, refuses, spent), "{hours} h later");
        assert_eq!(!state.refuses_start(now).is_empty(), refuses, "{hours} h later");
    };
    check(&people, 0, 0, false, false);
    people.page(page(&["a"], monday), monday);
    check(&people, 1, 1, false, false);
    people.page(page(&["b"], later(monday, 50)), later(monday, 50));
    check(&people, 50, 2, true, true);
    assert_eq!(state(&people, later(monday, 60)).pages.clears_at, Some(later(monday, 168)));
    check(&people, 167, 2, true, true);
    check(&people, 168, 1, false, false);
    check(&people, 217, 1, false, false);
    check(&people, 218, 0, false, false);
    // Half a week of repeats is no page, and what repeats is known for as long as it does.
    for hours in (0..24 * 60).step_by(4) {
        people.page(page(&["b"], later(monday, 50)), later(monday, 60 + hours));
        people.forget(later(monday, 60 + hours));
    }
    check(&people, 60 + 24 * 60, 0, false, false);
}

#[test]
fn what_a_further_page_would_do() {
    let now = at("2026-11-25T10:00:00Z");
    let check = |pages: usize, objective, freeze, expected: (bool, bool, bool)| {
        let mut people = People::default();
        for number in 0..pages {
            people.page(page(&[&number.to_string()], now), now);
        }
        let definition = OnCall { pages_per_week: objective, freeze, ..on_call() };
        let further = people.state(&key("payments"), &definition, &office(), now).further_page;
        let found = (further.breaks_objective, further.refuses_start, further.freezes_changes);
        assert_eq!((further.count, found), (pages + 1, expected), "{pages} of {objective}");
    };
    check(0, 2, Some(Freeze::Changes), (false, false, false));
    check(1, 2, Some(Freeze::Changes), (false, true, true));
    check(1, 2, None, (false, true, false));
    check(2, 2, None, (true, true, false));
    check(0, 0, Some(Freeze::Changes), (true, true, true));
}

#[test]
fn no_page_at_all_is_never_allowed_but_freezes_nothing_by_itself() {
    let definition = OnCall { pages_per_week: 0, freeze: Some(Freeze::Changes), ..on_call() };
    let now = at("2026-11-25T10:00:00Z");
    let state = People::default().state(&key("payments"), &definition, &office(), now);
    assert!(state.pages.refuses_start && state.pages.clears_at.is_none());
    assert!(!state.spent() && !state.freezes_changes());
}

#[test]
fn off_hours_by_the_teams_calendar() {
    let check = |when: &str, hours: &Hours, expected| {
        let mut people = People::default();
        people.work(work("1", at(when)), at(when));
        let state = people.state(&key("payments"), &on_call(), hours, at(when));
        assert_eq!(state.off_hours_incidents.count, expected, "{when}");
    };
    let office = office();
    check("2026-11-25T10:00:00Z", &office, 0);
    check("2026-11-25T22:00:00Z", &office, 1);
    // 08:30 UTC is 09:30 in winter, and 10:30 in summer; 07:30 UTC is 08:30, and 09:30.
    check("2027-03-26T07:30:00Z", &office, 1);
    check("2027-03-29T07:30:00Z", &office, 0);
    check("2026-10-23T15:30:00Z", &office, 1);
    check("2026-10-26T15:30:00Z", &office, 0);
    // Christmas Eve is a Thursday.
    check("2026-12-24T10:00:00Z", &office, 1);
    // A Thursday after the days that the calendar knows; and a zone that nobody knows.
    check("2027-07-01T10:00:00Z", &office, 1);
    check("2026-11-25T10:00:00Z", &Hours { time_zone: "Europe/Atlantis".to_owned(), ..office }, 1);
}

#[test]
fn half_a_year_of_incidents() {
    let mut people = People::default();
    let first = at("2026-11-23T22:00:00Z");
    let days = |days: i64| later(first, days * 24);
    people.work(work("1", first), first);
    // The same incident, all night.
    (1..8).for_each(|hours| _ = people.work(work("1", later(first, hours)), later(first, hours)));
    let noon = at("2026-11-24T11:00:00Z");
    let one = state(&people, noon);
    assert_eq!((one.off_hours_incidents.count, one.off_hours_incidents.refuses_start, one.spent()), (1, false, false));
    // At the objective a run must be over two hours before 17:00 in Berlin.
    assert_eq!(one.runs_end_by, Some(at("2026-11-24T14:00:00Z")));
    assert!(one.refuses_start(at("2026-11-24T14:00:00Z")).is_empty());
    assert_eq!(one.refuses_start(at("2026-11-24T14:00:01Z")).len(), 1);
    // Closed is never two hours before closing.
    assert_eq!(state(&people, later(noon, 12)).refuses_start(later(noon, 13)).len(), 1);

    people.work(work("2", days(30)), days(30));
    let two = state(&people, days(31));
    assert!(two.spent() && two.off_hours_incidents.refuses_start && two.runs_end_by.is_none());
    let last_work = later(first, 7);
    assert_eq!(two.off_hours_incidents.clears_at, Some(later(last_work, 182 * 24)));
    assert!(state(&people, later(last_work, 182 * 24 - 1)).spent());
    assert!(!state(&people, later(last_work, 182 * 24)).spent());
    people.forget(later(days(30), 182 * 24));
    assert_eq!(people.incidents_of(&key("payments")).count(), 0);
}

#[test]
fn what_ends_a_run() {
    let (night, noon) = (at("2026-11-23T22:00:00Z"), at("2026-11-24T11:00:00Z"));
    let mut people = People::default();
    let why = |people: &People, now: Timestamp, ends_at: &str| state(people, now).ends_run(at(ends_at));
    people.page(page(&["a"], night), night);
    people.work(work("1", noon), noon);
    assert_eq!(why(&people, noon, "2026-11-24T20:00:00Z"), None, "it was worked by day");
    // One more would break the objective: it must be over two hours before 17:00 in Berlin.
    people.work(work("1", night), noon);
    assert_eq!(why(&people, noon, "2026-11-24T14:00:00Z"), None);
    let late = why(&people, noon, "2026-11-24T14:00:01Z").unwrap();
    assert!(late.ends_with("before its hours close: by Tue 2026-11-24 15:00 CET"), "{late}");
    let closed = why(&people, later(noon, 9), "2026-11-24T20:00:01Z").unwrap();
    assert!(closed.ends_with("and its hours are closed until Wed 2026-11-25 09:00 CET"), "{closed}");
    let reason = state(&people, later(noon, 9)).refuses_start(later(noon, 10)).pop().unwrap();
    assert_eq!(reason.clears, "start it while they are open, so that it is over 2h before they close");
    people.work(work("2", night), noon);
    let worked = why(&people, noon, "2026-11-24T11:00:01Z").unwrap();
    assert_eq!(worked, "`payments` worked 2 incidents off-hours within half a year, of 1 that are fair");
    people.page(page(&["b"], noon), noon);
    let paged = why(&people, noon, "2026-11-24T11:00:01Z").unwrap();
    assert!(paged.starts_with("`payments` was paged twice within a week, of 2 that are fair"), "{paged}");
    let strict = OnCall { pages_per_week: 0, ..on_call() };
    let state = People::default().state(&key("payments"), &strict, &office(), noon);
    assert_eq!(state.ends_run(noon), None, "nobody was paged");
}

#[test]
fn work_that_is_said_to_be_off_hours_is() {
    let noon = at("2026-11-24T11:00:00Z");
    let mut people = People::default();
    people.work(Work { off_hours: true, ..work("1", noon) }, noon);
    assert_eq!(state(&people, noon).off_hours_incidents.count, 1);
}

#[test]
fn invariant_5_silence_is_no_quiet_week() {
    let own = PageMatch { receiver: vec!["payments".to_owned()], ..PageMatch::default() };
    let definition = OnCall { pages: Some(own), require_source: Some(Millis::from_secs(600)), ..on_call() };
    let now = at("2026-11-25T10:00:00Z");
    let refusals = |people: &People, definition: &OnCall, now: Timestamp| {
        people.state(&key("payments"), definition, &office(), now).refuses_start(now).len()
    };
    let mut people = People::default();
    assert_eq!(refusals(&people, &definition, now), 1, "never heard from");
    people.hear(Source::Pagerduty, None, now);
    people.hear(Source::Plain, Some(&key("payments")), now);
    assert_eq!(refusals(&people, &definition, now), 1, "others are not its source");
    people.hear(Source::Alertmanager, None, now);
    let seconds = |seconds| now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    assert_eq!(refusals(&people, &definition, seconds(600)), 0);
    assert_eq!(refusals(&people, &definition, seconds(601)), 1);
    people.hear(Source::Alertmanager, None, seconds(30));
    assert_eq!(refusals(&people, &definition, seconds(630)), 0, "kept to the second");
    // Without a match its pages are posted for it.
    let plain = OnCall { pages: None, ..definition };
    assert_eq!(refusals(&people, &plain, seconds(600)), 0);
    assert_eq!(refusals(&people, &plain, seconds(601)), 1);
    assert_eq!(refusals(&people, &OnCall { require_source: None, ..plain }, seconds(10_000)), 0);
}

#[test]
fn whose_a_page_is() {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let labels: BTreeMap<String, String> =
        [("team", "payments"), ("severity", "page")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let alert = |receiver: &[&str], wanted: &[(&str, &[&str])], expected| {
        let wanted = wanted.iter().map(|(name, values)| ((*name).to_owned(), list(values))).collect();
        let pages = Some(PageMatch { receiver: list(receiver), labels: wanted, service: list(&["P1"]) });
        let definition = OnCall { pages, ..on_call() };
        assert_eq!(owns_alert(&definition, "pager", &labels), expected, "{definition:?}");
    };
    alert(&["pager"], &[], true);
    alert(&["mail", "pager"], &[], true);
    alert(&["mail"], &[("team", &["payments"])], false);
    alert(&[], &[("team", &["orders", "payments"]), ("severity", &["page"])], true);
    alert(&[], &[("team", &["payments"]), ("region", &["eu"])], false);
    alert(&[], &[], false);
    assert!(!owns_alert(&on_call(), "pager", &labels));
    let definition =
        OnCall { pages: Some(PageMatch { service: list(&["P1", "Checkout"]), ..PageMatch::default() }), ..on_call() };
    let cases =
        [("P1", None, true), ("P2", Some("Checkout"), true), ("P2", Some("checkout"), false), ("P2", None, false)];
    for (id, name, expected) in cases {
        assert_eq!(owns_service(&definition, id, name), expected, "{id} {name:?}");
    }
}

#[test]
fn invariant_4_a_storm_is_too_much_for_any_objective() {
    let now = at("2026-11-25T10:00:00Z");
    let mut people = People::default();
    let definition = OnCall { pages_per_week: u32::MAX, off_hours_incidents_per_half_year: u32::MAX, ..on_call() };
    let other = Page { on_call: key("orders"), ..page(&["0"], now) };
    people.page(other, now);
    for number in 0..PAGES_MAX + 10 {
        people.page(page(&[&number.to_string()], now), now);
        people.work(work(&number.to_string(), at("2026-11-25T03:00:00Z")), now);
    }
    let state = people.state(&key("payments"), &definition, &office(), now);
    assert_eq!((state.pages.count, state.off_hours_incidents.count), (PAGES_MAX, PAGES_MAX));
    assert!(state.pages.refuses_start && state.off_hours_incidents.refuses_start && state.spent());
    assert_eq!(people.pages_of(&key("orders")).count(), 1, "another team's pages are not pushed out");
    let keys: Vec<String> = (0..PAGE_KEYS_MAX * 3).map(|number| format!("k{number}")).collect();
    people.page(page(&keys.iter().map(String::as_str).collect::<Vec<_>>(), now), now);
    assert!(people.pages_of(&key("payments")).all(|page| page.keys.len() <= PAGE_KEYS_MAX));
}

#[test]
fn what_came_since() {
    let now = at("2026-11-25T10:00:00Z");
    let mut people = People::default();
    let first = people.next();
    people.page(page(&["a"], later(now, -1)), now);
    assert_eq!(people.page(page(&["b"], later(now, -200)), later(now, 1)), Received::TooOld);
    assert_eq!(people.page(Page { urgency: Urgency::Low, ..page(&["c"], now) }, later(now, 1)), Received::NotUrgent);
    people.work(work("1", now), now);
    let second = people.next();
    people.page(page(&["d"], later(now, 100)), later(now, 1));
    people.page(Page { on_call: key("orders"), ..page(&["d"], now) }, now);
    // The clock is put back.
    people.page(page(&["e"], now), later(now, -5));
    let since = |people: &People, next| people.pages_since(&key("payments"), next);
    assert_eq!((since(&people, first), since(&people, second), since(&people, people.next())), (3, 2, 0));
    assert_eq!(people.page(page(&["d"], now), later(now, 2)), Received::Repeat);
    assert_eq!(since(&people, second), 2);
    // A time that lies ahead is not believed.
    assert_eq!(state(&people, later(now, 169)).pages.count, 0);
}

#[test]
fn a_restart_remembers() {
    let now = at("2026-11-25T23:00:00Z");
    let (mut people, mut store) = (People::default(), BTreeMap::new());
    people.page(page(&["a", "b"], now), now);
    people.work(work("1", now), now);
    people.hear(Source::Alertmanager, None, now);
    people.hear(Source::Plain, Some(&key("pay-ments-1")), now);
    let asked = |receiver: &str| Asked::Alert { receiver: receiver.to_owned(), labels: BTreeMap::new() };
    assert!(people.miss(Source::Alertmanager, asked("paymets"), now));
    assert!(!people.miss(Source::Alertmanager, asked("paymnts"), now), "many at once are told of once");
    stored(&mut people, &mut store);
    let text = serde_json::to_string(&store).unwrap();
    let read: BTreeMap<String, Record> = serde_json::from_str(&text).unwrap();
    let mut again = People::restore(read);
    assert_eq!(state(&again, now), state(&people, now));
    assert_eq!(again.last_heard(Source::Plain, &key("pay-ments-1")), Some(now));
    let last = |people: &People, now| people.last_unmatched(Source::Alertmanager, now).map(|page| page.of.clone());
    assert_eq!(last(&again, later(now, 167)), Some(asked("paymnts")));
    assert_eq!(last(&again, later(now, 168)), None, "it is told of as long as a page counts");
    assert_eq!(again.page(page(&["b"], now), now), Received::Repeat);
    assert_eq!(again.page(page(&["c"], now), now), Received::Counted);
    assert_eq!(again.pages_of(&key("payments")).count(), 2);
}

/// One thing that is told: which alerts or incident, and how many minutes after the last one.
fn told() -> impl Strategy<Value = Vec<(u8, BTreeSet<u8>, i64)>> {
    let one = (0..3u8, proptest::collection::btree_set(0..12u8, 1..4), 0..3_000i64);
    proptest::collection::vec(one, 0..40)
}

proptest! {
    /// What is told twice, or once more later, changes nothing; and what is stored is what is known.
    #[test]
    fn duplicates_change_nothing(told in told(), again in any::<u64>()) {
        let (mut once, mut twice) = (People::default(), People::default());
        let (mut store, mut now) = (BTreeMap::new(), at("2026-09-01T00:00:00Z"));
        let tell = |people: &mut People, (kind, names, _): &(u8, BTreeSet<u8>, i64), now: Timestamp| {
            let names: Vec<String> = names.iter().map(|name| format!("k{name}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            match kind {
                0 => _ = people.page(page(&names, now), now),
                1 => _ = people.page(Page { repeat: Repeat::AllKnown, ..page(&names, now) }, now),
                _ => _ = people.work(work(names[0], now), now),
            }
        };
        for (index, one) in told.iter().enumerate() {
            now = now.checked_add(SignedDuration::from_mins(one.2)).unwrap();
            tell(&mut once, one, now);
            tell(&mut twice, one, now);
            tell(&mut twice, one, now);
            if again >> (index % 64) & 1 == 1 {
                stored(&mut twice, &mut store);
                twice = People::restore(store.clone());
            }
            let key: Key = key("payments");
            prop_assert_eq!(state(&once, now), state(&twice, now));
            prop_assert_eq!(once.pages_of(&key).count(), twice.pages_of(&key).count());
        }
        // In the end everything ages out.
        let end = later(now, 400 * 24);
        once.forget(end);
        prop_assert_eq!(state(&once, end).pages.count, 0);
        prop_assert_eq!(once.pages_of(&key("payments")).count() + once.incidents_of(&key("payments")).count(), 0);
    }
}

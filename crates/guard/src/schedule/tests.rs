//! Schedules in simulated time.

use std::collections::BTreeSet;

use daybreak_model::{DateRange, TimeSpan, Weekdays};
use jiff::civil::{Time, Weekday, date};
use proptest::prelude::*;

use super::*;
use crate::fixtures::{day, key};
use crate::hours::{fits, is_open};

const STORE: StoreId = StoreId::new(7);
const HALF_HOUR: Millis = Millis::from_secs(1_800);

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn span(from: (i8, i8), to: Option<(i8, i8)>) -> TimeSpan {
    let time = |(hour, minute)| Time::new(hour, minute, 0, 0).unwrap();
    TimeSpan { from: time(from), to: to.map(time) }
}

/// Days, counted from Monday.
fn weekdays(days: impl Iterator<Item = i8>) -> Weekdays {
    days.fold(Weekdays::NONE, |set, day| set.with(Weekday::from_monday_zero_offset(day).unwrap()))
}

/// Monday to Friday in Berlin, with a break at noon, and holidays at the end of the year.
fn office() -> Hours {
    Hours {
        time_zone: "Europe/Berlin".to_owned(),
        weekdays: weekdays(0..5),
        times: vec![span((10, 0), Some((12, 0))), span((13, 0), Some((16, 30)))],
        holidays: vec![DateRange { first: date(2026, 12, 24), last: date(2027, 1, 1) }],
        ..day()
    }
}

/// Everything that a schedule asks for from one moment to another, attempted as it comes.
fn all(plan: &Plan<'_>, from: Timestamp, to: Timestamp) -> Vec<Due> {
    let (mut all, mut now, mut attempted) = (Vec::new(), from, None);
    while let Some(due) = plan.next(now, attempted).filter(|due| due.at < to) {
        assert!(!due.is_missed(now));
        (now, attempted) = (now.max(due.at), Some(due.period));
        all.push(due);
    }
    all
}

#[test]
fn a_year_of_daily_starts() {
    let (hours, fault) = (office(), key("gateway-slow"));
    let plan = Plan { fault: &fault, schedule: Schedule::Daily, hours: &hours, duration: HALF_HOUR, store: STORE };
    let starts = all(&plan, moment("2026-01-01T00:00:00Z"), moment("2027-01-01T00:00:00Z"));
    // 261 weekdays, of which six are holidays.
    assert_eq!(starts.len(), 255);
    let zone = TimeZone::get(&hours.time_zone).unwrap();
    let mut halves = [0; 2];
    for due in &starts {
        assert_eq!(zone.to_datetime(due.at).date(), due.period, "on its day");
        for late in [Millis::ZERO, LATE_MAX] {
            assert_eq!(fits(&hours, after(due.at, late), HALF_HOUR), Ok(()), "{due:?}");
        }
        halves[usize::from(zone.to_datetime(due.at).hour() >= 13)] += 1;
    }
    let days: BTreeSet<_> = starts.iter().map(|due| due.period).collect();
    assert_eq!(days.len(), starts.len(), "once a day");
    // 89 of 268 minutes lie before noon: 85 of 255 starts are expected, and a standard deviation is 7.5.
    assert!((55..=115).contains(&halves[0]), "{halves:?}");
    let times: BTreeSet<_> = starts.iter().map(|due| zone.to_datetime(due.at).time()).collect();
    assert!(times.len() > 240, "spread: {} different times", times.len());
}

#[test]
fn weeks_begin_on_monday() {
    let (hours, fault) = (office(), key("gateway-slow"));
    let plan = Plan { fault: &fault, schedule: Schedule::Weekly, hours: &hours, duration: HALF_HOUR, store: STORE };
    // From a Thursday on. The last week of the year has three open days; that of New Year none.
    let starts = all(&plan, moment("2026-01-01T00:00:00Z"), moment("2027-01-08T23:00:00Z"));
    let weeks: BTreeSet<_> = starts.iter().map(|due| due.period).collect();
    assert_eq!(weeks.len(), starts.len(), "once a week");
    assert!((52..=53).contains(&starts.len()), "{}", starts.len());
    assert!(weeks.iter().all(|week| week.weekday() == Weekday::Monday));
    assert!(weeks.contains(&date(2026, 12, 21)) && !weeks.contains(&date(2026, 12, 28)));
    let weekdays: BTreeSet<_> =
        starts.iter().map(|due| due.period.until(due.at.to_zoned(TimeZone::UTC).date()).unwrap().get_days()).collect();
    assert_eq!(weekdays, (0..5).collect(), "on each day of some week");
}

#[test]
fn attempts_are_made_once_and_missed_ones_are_not_made_up_for() {
    let (hours, fault) = (office(), key("gateway-slow"));
    let plan = Plan { fault: &fault, schedule: Schedule::Daily, hours: &hours, duration: HALF_HOUR, store: STORE };
    let morning = moment("2026-11-23T05:00:00Z");
    let (monday, tuesday) = (date(2026, 11, 23), date(2026, 11, 24));
    let due = plan.next(morning, None).unwrap();
    assert_eq!(due.period, monday);
    let seconds = |seconds: i64| due.at.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    let check = |seconds: Timestamp, attempted, period: Date, is_due: bool| {
        let next = plan.next(seconds, attempted).unwrap();
        assert_eq!((next.period, next.is_due(seconds)), (period, is_due), "{seconds} {attempted:?}");
    };
    check(seconds(-1), None, monday, false);
    check(seconds(0), None, monday, true);
    // A little late: the tick was slow, or the server started just now.
    check(seconds(60), None, monday, true);
    check(seconds(61), None, tuesday, false);
    check(seconds(0), Some(monday), tuesday, false);
    check(seconds(60), Some(monday), tuesday, false);
    check(morning, Some(tuesday), date(2026, 11, 25), false);
    // The same at every look, whoever looks; another fault and another store have other times.
    assert_eq!(plan.next(seconds(0), None), Some(due));
    assert_ne!(Plan { store: StoreId::new(8), ..plan }.next(morning, None), Some(due));
    let other = key("gateway-down");
    assert_ne!(Plan { fault: &other, ..plan }.next(morning, None), Some(due));
}

#[test]
fn where_it_never_fits() {
    let fault = key("gateway-slow");
    let now = moment("2026-11-23T05:00:00Z");
    let next = |hours: &Hours, duration| {
        Plan { fault: &fault, schedule: Schedule::Daily, hours, duration, store: STORE }.next(now, None)
    };
    let minutes = |minutes: u64| Millis::from_secs(minutes * 60);
    let narrow = Hours { times: vec![span((10, 0), Some((10, 30)))], ..office() };
    assert_eq!(next(&narrow, minutes(30)), None, "there is no second to spare");
    let start = next(&narrow, minutes(29)).unwrap();
    assert_eq!(start.at, moment("2026-11-23T09:00:00Z"), "the only second");
    assert_eq!(next(&Hours { time_zone: "Mars/Olympus".to_owned(), ..office() }, minutes(1)), None);
    assert_eq!(next(&Hours { holidays_until: Some(date(2026, 11, 22)), ..office() }, minutes(1)), None);
    // It may end after midnight, and after the week.
    let night = Hours { weekdays: Weekdays::ALL, times: vec![span((0, 0), None)], ..office() };
    assert!(next(&night, minutes(60 * 30)).is_some());
}

/// On the day on which clocks are put forward there is no hour from two to three; on the other one it comes twice.
#[test]
fn when_clocks_change() {
    let fault = key("gateway-slow");
    let night = Hours { weekdays: Weekdays::ALL, times: vec![span((1, 30), Some((3, 30)))], ..office() };
    for (day, open) in [("2026-03-29", 3_600), ("2026-10-25", 3 * 3_600)] {
        let now = moment(&format!("{day}T00:00:00+02:00"));
        let mut last = 0;
        for seed in 0..300 {
            let plan = Plan {
                fault: &fault,
                schedule: Schedule::Daily,
                hours: &night,
                duration: HALF_HOUR,
                store: StoreId::new(seed),
            };
            let due = plan.next(now, None).unwrap();
            assert_eq!(fits(&night, due.at, HALF_HOUR), Ok(()), "{due:?}");
            let opens = moment(&format!("{day}T01:30:00{}", if open == 3_600 { "+01:00" } else { "+02:00" }));
            last = last.max(due.at.as_second() - opens.as_second());
        }
        let room = open - 1_800 - 60;
        assert!((room * 9 / 10..=room).contains(&last), "{day}: {last} of {room}");
    }
}

proptest! {
    /// Whatever the hours: inside them, with the whole run, and once in each period.
    #[test]
    fn every_start_fits(
        seed: u64,
        opens in 0_i8..23,
        length in 1_i8..12,
        minutes in 1_u64..600,
        open_on in 1_u8..128,
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"]),
        weekly: bool,
    ) {
        let to = (opens + length < 24).then_some((opens + length, 0));
        let days = (0_i8..7).filter(|day| open_on & (1 << day) != 0);
        let hours = Hours {
            time_zone: zone.to_owned(),
            weekdays: weekdays(days),
            times: vec![span((opens, 0), to)],
            ..day()
        };
        let (fault, duration) = (key("f"), Millis::from_secs(minutes * 60));
        let schedule = if weekly { Schedule::Weekly } else { Schedule::Daily };
        let plan = Plan { fault: &fault, schedule, hours: &hours, duration, store: StoreId::new(seed) };
        let from = moment("2026-03-01T00:00:00Z");
        let starts = all(&plan, from, moment("2026-04-15T00:00:00Z"));
        for pair in starts.windows(2) {
            prop_assert!(pair[0].period < pair[1].period && pair[0].at < pair[1].at);
        }
        for due in starts {
            prop_assert!(is_open(&hours, due.at));
            prop_assert_eq!(fits(&hours, after(due.at, LATE_MAX), duration), Ok(()));
        }
    }
}

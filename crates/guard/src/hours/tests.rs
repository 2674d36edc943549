use daybreak_model::{DateRange, Weekdays};
use jiff::civil::date;
use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn span(text: &str) -> TimeSpan {
    let (from, to) = text.split_once('-').unwrap();
    TimeSpan { from: from.parse().unwrap(), to: (to != "24:00").then(|| to.parse().unwrap()) }
}

fn hours(zone: &str, weekdays: &str, times: &[&str]) -> Hours {
    let days = weekdays.split(' ').map(|day| Weekdays::named(day).unwrap());
    Hours {
        description: None,
        time_zone: zone.to_owned(),
        weekdays: days.fold(Weekdays::NONE, Weekdays::with),
        times: times.iter().map(|text| span(text)).collect(),
        holidays: Vec::new(),
        holidays_until: None,
    }
}

const EVERY_DAY: &str = "mon tue wed thu fri sat sun";
const WORKDAYS: &str = "mon tue wed thu fri";

/// Office hours as DESIGN.md has them, with holidays.
fn office() -> Hours {
    Hours {
        holidays: vec![
            DateRange { first: date(2026, 12, 24), last: date(2026, 12, 27) },
            DateRange { first: date(2027, 1, 1), last: date(2027, 1, 1) },
        ],
        holidays_until: Some(date(2027, 1, 31)),
        ..hours("Europe/Berlin", WORKDAYS, &["10:00-12:00", "13:00-16:30"])
    }
}

#[test]
fn openings_where_clocks_change() {
    let check = |zone: &str, times: &[&str], between: &str, expected: &[&str]| {
        let (from, to) = between.split_once(' ').unwrap();
        let hours = hours(zone, EVERY_DAY, times);
        let zone = TimeZone::get(zone).unwrap();
        let found = openings(&hours, &zone, at(&format!("{from}:00Z")), at(&format!("{to}:00Z")));
        let found: Vec<_> = found
            .map(|Opening { from, to }| format!("{} {}", from.strftime("%m-%dT%H:%M"), to.strftime("%m-%dT%H:%M")))
            .collect();
        assert_eq!(found, expected, "{times:?} in {between}");
    };
    // Put forward at 02:00 CET, which is 01:00 UTC.
    let spring = "2026-03-28T12:00 2026-03-29T12:00";
    check("Europe/Berlin", &["02:30-05:00"], spring, &["03-29T01:00 03-29T03:00"]);
    check("Europe/Berlin", &["02:10-02:50"], spring, &[]);
    check("Europe/Berlin", &["01:00-02:30"], spring, &["03-29T00:00 03-29T01:00"]);
    check("Europe/Berlin", &["01:00-02:30", "02:40-04:00"], spring, &["03-29T00:00 03-29T02:00"]);
    // Put back at 03:00 CEST, which is 01:00 UTC.
    let autumn = "2026-10-24T12:00 2026-10-25T12:00";
    check("Europe/Berlin", &["01:00-05:00"], autumn, &["10-24T23:00 10-25T04:00"]);
    check("Europe/Berlin", &["02:00-03:00"], autumn, &["10-25T00:00 10-25T02:00"]);
    check("Europe/Berlin", &["02:15-02:45"], autumn, &["10-25T00:15 10-25T00:45", "10-25T01:15 10-25T01:45"]);
    check("Europe/Berlin", &["01:00-02:30"], autumn, &["10-24T23:00 10-25T00:30", "10-25T01:00 10-25T01:30"]);
    check("Europe/Berlin", &["02:30-05:00"], autumn, &["10-25T00:30 10-25T01:00", "10-25T01:30 10-25T04:00"]);
    // The office opens an hour earlier by UTC after the change.
    let march = "2026-03-07T05:00 2026-03-09T05:00";
    check("America/New_York", &["09:00-17:00"], march, &["03-07T14:00 03-07T22:00", "03-08T13:00 03-08T21:00"]);
    check("America/New_York", &["01:30-03:30"], march, &["03-07T06:30 03-07T08:30", "03-08T06:30 03-08T07:30"]);
    // A zone that is off by a quarter of an hour.
    let july = "2026-07-01T00:00 2026-07-02T00:00";
    check("Asia/Kathmandu", &["10:00-12:00"], july, &["07-01T04:15 07-01T06:15"]);
    // A change of half an hour: 02:00 becomes 01:30, and 02:00 becomes 02:30.
    let april = "2026-04-04T12:00 2026-04-05T00:00";
    check("Australia/Lord_Howe", &["01:30-02:00"], april, &["04-04T14:30 04-04T15:30"]);
    check("Australia/Lord_Howe", &["01:45-02:15"], april, &["04-04T14:45 04-04T15:00", "04-04T15:15 04-04T15:45"]);
    let october = "2026-10-03T12:00 2026-10-04T00:00";
    check("Australia/Lord_Howe", &["02:15-03:00"], october, &["10-03T15:30 10-03T16:00"]);
    // Samoa had no 30 December 2011.
    let skipped = "2011-12-29T00:00 2011-12-31T12:00";
    check("Pacific/Apia", &["10:00-12:00"], skipped, &["12-29T20:00 12-29T22:00", "12-30T20:00 12-30T22:00"]);
    check("Pacific/Apia", &["00:00-24:00"], skipped, &["12-29T00:00 12-31T12:00"]);
    check(
        "Pacific/Apia",
        &["22:00-24:00"],
        skipped,
        &["12-29T08:00 12-29T10:00", "12-30T08:00 12-30T10:00", "12-31T08:00 12-31T10:00"],
    );
}

#[test]
fn status_of_an_office() {
    let known = Some(at("2027-01-31T23:00:00Z"));
    let check = |now: &str, closes_at: Option<&str>, opens_at: Option<&str>| {
        let status = status(&office(), at(now));
        let expected = HoursStatus {
            open: closes_at.is_some(),
            closes_at: closes_at.map(at),
            opens_at: opens_at.map(at),
            known_until: known,
        };
        assert_eq!(status, expected, "{now}");
        assert_eq!(is_open(&office(), at(now)), status.open, "{now}");
    };
    check("2026-11-23T08:59:59Z", None, Some("2026-11-23T09:00:00Z"));
    check("2026-11-23T09:00:00Z", Some("2026-11-23T11:00:00Z"), None);
    check("2026-11-23T11:00:00Z", None, Some("2026-11-23T12:00:00Z"));
    check("2026-11-23T15:29:59.999Z", Some("2026-11-23T15:30:00Z"), None);
    check("2026-11-23T15:30:00Z", None, Some("2026-11-24T09:00:00Z"));
    // A Friday evening; over Christmas; over New Year's Day, a Friday.
    check("2026-11-27T15:30:00Z", None, Some("2026-11-30T09:00:00Z"));
    check("2026-12-23T15:30:00Z", None, Some("2026-12-28T09:00:00Z"));
    check("2026-12-31T15:30:00Z", None, Some("2027-01-04T09:00:00Z"));
    // The last known day is a Sunday: nothing opens after the Friday before.
    check("2027-01-29T15:30:00Z", None, None);
    check("2027-02-01T10:00:00Z", None, None);
}

#[test]
fn always_open_never_closes() {
    for times in [&["00:00-24:00"][..], &["00:00-12:00", "12:00-24:00"]] {
        let always = hours("Europe/Berlin", EVERY_DAY, times);
        let open = HoursStatus { open: true, closes_at: None, opens_at: None, known_until: None };
        for now in ["2026-03-29T00:59:00Z", "2026-10-25T00:30:00Z", "2026-12-31T23:00:00Z"] {
            assert_eq!(status(&always, at(now)), open, "{now}");
            assert_eq!(fits(&always, at(now), Millis::from_secs(4 * 3_600)), Ok(()), "{now}");
        }
        let known = Some(at("2026-12-31T23:00:00Z"));
        let ending = Hours { holidays_until: Some(date(2026, 12, 31)), ..always };
        let closing = HoursStatus { open: true, closes_at: known, opens_at: None, known_until: known };
        assert_eq!(status(&ending, at("2026-12-01T00:00:00Z")), closing);
    }
}

#[test]
fn a_night_shift_goes_on_past_midnight() {
    let night = hours("Europe/Berlin", EVERY_DAY, &["00:00-06:00", "22:00-24:00"]);
    let status = status(&night, at("2026-11-23T22:30:00Z"));
    assert_eq!(status.closes_at, Some(at("2026-11-24T05:00:00Z")));
}

#[test]
fn known_until_where_midnight_is_skipped() {
    let check = |zone: &str, last: Date, expected: &str| {
        let hours = Hours { holidays_until: Some(last), ..hours(zone, EVERY_DAY, &["00:00-24:00"]) };
        let status = status(&hours, at(expected).checked_sub(1.hour()).unwrap());
        assert_eq!((status.known_until, status.closes_at), (Some(at(expected)), Some(at(expected))), "{zone}");
    };
    check("Pacific/Apia", date(2011, 12, 29), "2011-12-30T10:00:00Z");
    // Clocks were put forward at midnight.
    check("America/Sao_Paulo", date(2018, 11, 3), "2018-11-04T03:00:00Z");
}

#[test]
fn does_a_run_fit() {
    let check = |from: &str, duration: &str, expected: Result<(), Vec<Misfit>>| {
        assert_eq!(fits(&office(), at(from), duration.parse().unwrap()), expected, "{duration} from {from}");
    };
    let short = |closes_at: &str, fits_at: Option<&str>| {
        Err(vec![Misfit::TooShort { closes_at: at(closes_at), fits_at: fits_at.map(at) }])
    };
    let ends = Misfit::CalendarEnds { known_until: at("2027-01-31T23:00:00Z") };
    check("2026-11-23T09:00:00Z", "2h", Ok(()));
    check("2026-11-23T09:00:00Z", "2h1ms", short("2026-11-23T11:00:00Z", Some("2026-11-23T12:00:00Z")));
    check("2026-11-23T15:00:00Z", "1h", short("2026-11-23T15:30:00Z", Some("2026-11-24T09:00:00Z")));
    check("2026-11-23T09:00:00Z", "4h", short("2026-11-23T11:00:00Z", None));
    let closed = |opens_at: Option<&str>| Misfit::Closed { opens_at: opens_at.map(at) };
    check("2026-11-22T12:00:00Z", "10m", Err(vec![closed(Some("2026-11-23T09:00:00Z"))]));
    let opens = closed(Some("2026-11-23T09:00:00Z"));
    let closes_at = at("2026-11-23T11:00:00Z");
    let later = Misfit::TooShort { closes_at, fits_at: Some(at("2026-11-23T12:00:00Z")) };
    check("2026-11-22T12:00:00Z", "3h", Err(vec![opens, later]));
    check("2026-11-22T12:00:00Z", "4h", Err(vec![opens, Misfit::TooShort { closes_at, fits_at: None }]));
    check("2027-01-31T22:55:00Z", "10m", Err(vec![closed(None), ends]));
    check("2027-02-01T10:00:00Z", "10m", Err(vec![closed(None), ends]));

    let always =
        Hours { holidays_until: Some(date(2027, 1, 31)), ..hours("Europe/Berlin", EVERY_DAY, &["00:00-24:00"]) };
    assert_eq!(fits(&always, at("2027-01-31T22:55:00Z"), Millis::from_secs(300)), Ok(()));
    assert_eq!(fits(&always, at("2027-01-31T22:55:00Z"), Millis::from_secs(301)), Err(vec![ends]));
}

#[test]
fn an_unknown_zone_is_never_open() {
    let nowhere = hours("Europe/Nowhere", EVERY_DAY, &["00:00-24:00"]);
    let now = at("2026-11-23T10:00:00Z");
    assert!(!is_open(&nowhere, now));
    assert_eq!(status(&nowhere, now), HoursStatus { open: false, closes_at: None, opens_at: None, known_until: None });
    assert_eq!(fits(&nowhere, now, Millis::from_secs(60)), Err(vec![Misfit::Closed { opens_at: None }]));
}

#[test]
fn no_moment_makes_it_panic() {
    for now in [Timestamp::MIN, Timestamp::MAX] {
        let _ = (is_open(&office(), now), status(&office(), now), fits(&office(), now, Millis::new(u64::MAX)));
    }
    let latest = Hours { holidays_until: Some(Date::MAX), ..office() };
    assert_eq!(status(&latest, at("2026-11-23T10:00:00Z")).known_until, None);
}

/// Days around which clocks change, and one where they do not.
const CHANGES: [(&str, &str); 8] = [
    ("Europe/Berlin", "2026-03-28T00:00:00Z"),
    ("Europe/Berlin", "2026-10-24T00:00:00Z"),
    ("America/New_York", "2026-10-31T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T00:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T00:00:00Z"),
    ("Pacific/Apia", "2011-12-29T00:00:00Z"),
    ("America/Sao_Paulo", "2018-11-03T00:00:00Z"),
    ("Asia/Kathmandu", "2026-06-01T00:00:00Z"),
];

fn any_hours(zone: &'static str) -> impl Strategy<Value = Hours> {
    let times = prop::collection::btree_set(0..=96_u8, 2..8).prop_map(|quarters| {
        let quarters: Vec<_> = quarters.into_iter().collect();
        let time = |quarter: u8| format!("{:02}:{:02}", quarter / 4, quarter % 4 * 15);
        quarters.chunks_exact(2).map(|pair| span(&format!("{}-{}", time(pair[0]), time(pair[1])))).collect()
    });
    (prop::collection::vec(any::<bool>(), 7), times, any::<bool>(), 0..5_i8).prop_map(
        move |(days, times, holiday, until)| {
            let names = EVERY_DAY.split(' ').zip(&days).filter(|(_, open)| **open).map(|(name, _)| name);
            let weekdays = names.fold(Weekdays::NONE, |days, name| days.with(Weekdays::named(name).unwrap()));
            let start = CHANGES.iter().find(|(of, _)| *of == zone).unwrap().1;
            let first = at(start).to_zoned(TimeZone::UTC).date().tomorrow().unwrap();
            let holidays = holiday.then_some(DateRange { first, last: first }).into_iter().collect();
            let holidays_until = (until > 0).then(|| first.checked_add((until - 1).days()).unwrap());
            Hours { weekdays, times, holidays, holidays_until, ..hours(zone, "mon", &[]) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Asks the wall clock at every minute of three days.
    #[test]
    fn status_agrees_with_the_wall_clock(
        (zone, from, hours) in prop::sample::select(&CHANGES[..]).prop_flat_map(|(zone, from)| (Just(zone), Just(from), any_hours(zone))),
        start in 0..1_440_i64,
    ) {
        let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
        let minute = |n: i64| at(from).checked_add((start + n).minutes()).unwrap();
        let open = |n: i64| {
            let wall = minute(n).to_zoned(zone.clone());
            let of_day = i32::from(wall.hour()) * 60 + i32::from(wall.minute());
            let minutes = |time: Time| i32::from(time.hour()) * 60 + i32::from(time.minute());
            let holiday = hours.holidays.iter().any(|day| day.first == wall.date());
            let known = hours.holidays_until.is_none_or(|until| wall.date() <= until);
            let in_time = hours.times.iter().any(|span| (minutes(span.from)..span.to.map_or(1_440, minutes)).contains(&of_day));
            hours.weekdays.contains(wall.weekday()) && !holiday && known && in_time
        };
        const MINUTES: i64 = 3 * 1_440;
        let status = status(&hours, minute(0));
        prop_assert_eq!(status.open, open(0));
        let change = (1..MINUTES).find(|n| open(*n) != status.open).map(minute);
        let said = if status.open { status.closes_at } else { status.opens_at };
        match change {
            Some(change) => prop_assert_eq!(said, Some(change)),
            None => prop_assert!(said.is_none_or(|said| said >= minute(MINUTES))),
        }
        let fits_an_hour = fits(&hours, minute(0), Millis::from_secs(3_600)).is_ok();
        prop_assert_eq!(fits_an_hour, (0..60).all(open));
    }
}

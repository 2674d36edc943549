//! Any faults, and what they refer to.

use std::num::NonZeroU32;

use daybreak_model::{
    DateRange, Distribution, DrawBy, Effect, ErrorEffect, Fault, Freeze, Good, Guard, GuardPolicy, Hang, Hours,
    Indicator, Latency, Millis, OnCall, PageMatch, Percentage, PrometheusQueries, Ramp, Resources, Schedule, Slo,
    StatusBound, StopWhen, TimeSpan, Weekdays, Window,
};
use jiff::civil::Time;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::conditions::condition;
use super::{date, json, key, metadata, name, percentage, tags, text, words};

fn millis(range: std::ops::RangeInclusive<u64>) -> impl Strategy<Value = Millis> {
    range.prop_map(Millis::new)
}

fn latency() -> impl Strategy<Value = Latency> {
    let sigma = prop_oneof![Just(0.5), 0.001..10.0];
    (1_u64..=30_000, 0_u64..=30_000, 0_u64..=30_000, sigma, 0..6).prop_map(|(max, first, second, shape, kind)| {
        let within = |length: u64| Millis::new(length.min(max));
        let distribution = match kind {
            0 => Distribution::Fixed(within(first)),
            1 => Distribution::Uniform { from: within(first.min(second)), to: within(first.max(second)) },
            2 => Distribution::Normal { mean: within(first), sd: Millis::new(second) },
            3 => Distribution::Lognormal { median: within(first), sigma: shape },
            4 => Distribution::Exponential { mean: within(first) },
            _ => Distribution::Pareto { min: within(first), shape },
        };
        Latency { distribution, max: Millis::new(max) }
    })
}

fn effect() -> impl Strategy<Value = Effect> {
    let error = (option::of(400_u16..=599), option::of(words()), option::of(text()))
        .prop_map(|(status, code, message)| ErrorEffect { status, code, message });
    let hang = millis(1..=30_000).prop_map(|max| Hang { max });
    (option::of(latency()), option::of(hang), option::of(json()), option::of(error), any::<bool>()).prop_map(
        |(latency, hang, data, error, abort)| {
            let does_nothing = latency.is_none() && hang.is_none() && data.is_none() && error.is_none();
            let abort = does_nothing || (abort && error.is_none());
            Effect { latency, hang, data, error, abort }
        },
    )
}

fn guard() -> impl Strategy<Value = Guard> {
    let above_zero = || (1..=100_000_u32).prop_map(|share| Percentage::from_thousandths(share).unwrap());
    let defaults = Just((GuardPolicy::MAX_SPEND_DEFAULT, GuardPolicy::HARM_DEFAULT));
    let shares = prop_oneof![defaults, (above_zero(), above_zero())];
    let policy = (percentage(), shares, any::<bool>(), option::of(Just(StopWhen::Resilient)));
    let policy = policy.prop_map(|(min_budget, (max_spend, harm), is_on_call, stop_when)| {
        let on_call = is_on_call.then(|| key("payments"));
        Guard::Policy(GuardPolicy { slo: key("checkout"), min_budget, max_spend, harm, on_call, stop_when })
    });
    prop_oneof![Just(Guard::None), policy]
}

fn host() -> impl Strategy<Value = String> {
    select(&["pay.example", "pay.example:8443", "10.0.0.1", "[::1]"][..]).prop_map(str::to_owned)
}

/// A ramp of two steps, where there is room for them.
fn ramp_below(percentage: Percentage) -> Ramp {
    let steps = [percentage.thousandths() / 4, percentage.thousandths() / 2];
    let steps = steps.map(|share| format!("{} for 7m", Percentage::from_thousandths(share).unwrap()));
    steps.join(", then ").parse().unwrap_or_default()
}

fn fault() -> impl Strategy<Value = Fault> {
    let texts = (option::of(text()), option::of(text()), tags(), metadata(), option::of(words()));
    let place = (select(&["payment.gateway", "http.client"][..]), option::of(words()), host(), option::of(condition()));
    let by = prop_oneof![Just(DrawBy::Request), name().prop_map(|name| DrawBy::Attribute(name.into()))];
    let share = (percentage(), by, option::of(1..=u32::MAX), any::<bool>());
    let schedule = option::of(select(&[Schedule::Daily, Schedule::Weekly][..]));
    let run = (effect(), guard(), millis(1..=14_400_000), schedule);
    (texts, place, share, run).prop_map(|(texts, place, share, run)| {
        let (description, owner, tags, metadata, salt) = texts;
        let (point, operation, host, when) = place;
        let (percentage, by, times, enabled) = share;
        let (effect, guard, max_duration, schedule) = run;
        let (point, host, hours) = (key(point), Some(host), key("office"));
        let times = times.and_then(NonZeroU32::new);
        Fault {
            description,
            owner,
            tags,
            metadata,
            enabled,
            point,
            operation,
            host,
            when,
            ramp: ramp_below(percentage),
            percentage,
            by,
            effect,
            times,
            hours,
            guard,
            max_duration,
            schedule,
            salt,
        }
    })
}

fn hours() -> impl Strategy<Value = Hours> {
    let spans = (0_i8..12, 0_i8..60, option::of(13_i8..24)).prop_map(|(hour, minute, end)| {
        let noon = Time::constant(12, 0, 0, 0);
        let later = TimeSpan { from: Time::constant(12, 30, 0, 0), to: end.map(|end| Time::constant(end, 0, 0, 0)) };
        vec![TimeSpan { from: Time::constant(hour, minute, 0, 0), to: Some(noon) }, later]
    });
    let holidays = vec((date(), date()), 0..3);
    (option::of(text()), select(&["Europe/Berlin", "UTC"][..]), 1_u8..128, spans, holidays).prop_map(
        |(description, zone, days, times, holidays)| {
            let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
            let open = names.into_iter().enumerate().filter(|(day, _)| days & 1 << day != 0);
            let weekdays = open.fold(Weekdays::NONE, |week, (_, name)| week.with(Weekdays::named(name).unwrap()));
            let range = |(one, other): (jiff::civil::Date, jiff::civil::Date)| DateRange {
                first: one.min(other),
                last: one.max(other),
            };
            let holidays: Vec<DateRange> = holidays.into_iter().map(range).collect();
            let holidays_until = holidays.iter().map(|range| range.last).max();
            Hours { description, time_zone: zone.into(), weekdays, times, holidays, holidays_until }
        },
    )
}

fn slo() -> impl Strategy<Value = Slo> {
    let window = prop_oneof![
        (1..=366_u64).prop_map(|days| Window::Rolling(Millis::from_secs(days * 86_400))),
        Just(Window::Month)
    ];
    let good = (option::of(101_u16..=600), millis(0..=60_000));
    let texts = (option::of(text()), option::of(text()), words());
    let queries = (words(), words()).prop_map(|(good, total)| PrometheusQueries { good, total });
    let prometheus = option::of(queries);
    // Above what an alert can fire for, in the longest window.
    (texts, 99_500..100_000_u32, window, good, prometheus).prop_map(
        |((description, owner, operation), objective, window, (status, latency), prometheus)| {
            let good = Good { status: status.map(StatusBound), latency: Some(latency) };
            let objective = Percentage::from_thousandths(objective).unwrap();
            Slo { description, owner, objective, window, sli: Indicator { operation, good, prometheus } }
        },
    )
}

fn on_call() -> impl Strategy<Value = OnCall> {
    let matched = (vec(words(), 0..3), btree_map(name(), vec(words(), 1..3), 0..3), vec(words(), 0..3));
    let matched = matched.prop_map(|(receiver, labels, service)| PageMatch { receiver, labels, service });
    let matched = option::of(matched.prop_filter("it matches something", |matched| *matched != PageMatch::default()));
    let freeze = option::of(Just(Freeze::Changes));
    let required = option::of(millis(60_000..=182 * 86_400_000));
    (option::of(text()), any::<(u32, u32)>(), matched, freeze, required).prop_map(
        |(description, (pages, incidents), matched, freeze, require_source)| OnCall {
            description,
            pages_per_week: pages,
            off_hours_incidents_per_half_year: incidents,
            hours: key("office"),
            pages: matched,
            freeze,
            require_source,
        },
    )
}

/// Any faults, with the calendar and the objectives that they name.
pub(crate) fn all() -> impl Strategy<Value = Resources> {
    (vec(fault(), 0..3), hours(), slo(), on_call()).prop_map(|(faults, hours, slo, on_call)| {
        let mut resources = Resources::default();
        let named = faults.into_iter().enumerate().map(|(index, fault)| (key(&format!("fault-{index}")), fault));
        resources.faults = named.collect();
        resources.hours.insert(key("office"), hours);
        resources.slos.insert(key("checkout"), slo);
        resources.on_call.insert(key("payments"), on_call);
        resources
    })
}

//! The fields of calendars, SLOs and on-call SLOs.

use daybreak_model::Kind;

use super::{Noun, Shape, optional, required};

const DATES: Shape = Shape::Matching(r"^\s*\d{4}-\d{2}-\d{2}\s*(\.\.\s*\d{4}-\d{2}-\d{2}\s*)?$");
const SPAN: Shape = Shape::Matching(r"^\s*([01]?\d|2[0-3]):[0-5]\d\s*-\s*(([01]?\d|2[0-3]):[0-5]\d|24:00)\s*$");

pub(crate) static HOURS: Noun = Noun {
    name: "a calendar",
    id: "hours",
    doc: "A named calendar. Runs happen inside.",
    fields: &[
        optional("description", Shape::Text, "What they are for."),
        required(
            "time_zone",
            Shape::Text,
            "write an IANA name, as in `time_zone: Europe/Berlin`",
            "The IANA name of the time zone.",
        ),
        required(
            "weekdays",
            Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]),
            "write the days on which it is open, as in `weekdays: mon..fri`",
            "The days of the week on which it is open: `mon..fri`, `[mon, wed..fri]`.",
        ),
        required(
            "times",
            Shape::OneOf(&[SPAN, Shape::Several(&SPAN)]),
            "write the times at which it is open, as in `times: [\"10:00-16:30\"]`",
            "The spans of each such day, in order: `10:00-12:00`.",
        ),
        optional(
            "holidays",
            Shape::List(&DATES),
            "Days on which it is closed all the same: `2026-12-24`, `2026-12-24..2027-01-01`.",
        ),
        optional(
            "holidays_until",
            Shape::Date,
            "The last day for which `holidays` is complete. Required where there are holidays.",
        ),
    ],
};

pub(crate) static SLO: Noun = Noun {
    name: "an SLO",
    id: "slo",
    doc: "An objective, a window and an indicator.",
    fields: &[
        optional("description", Shape::Text, "What it promises, and to whom."),
        optional("owner", Shape::Text, "Who answers for it."),
        required(
            "objective",
            Shape::Percentage,
            "write the share of good requests, as in `objective: 99.9%`",
            "The share of good requests, below 100%.",
        ),
        required(
            "window",
            Shape::OneOf(&[Shape::Duration, Shape::Words(&["month"])]),
            "write over which time, as in `window: 28d`",
            "Over which time: days such as `28d`, or `month`.",
        ),
        required(
            "sli",
            Shape::Object(&SLI),
            "write what is counted, as in `sli: { operation: \"POST /checkout\", good: { status: \"<500\" } }`",
            "Which requests count, and which of them are good.",
        ),
    ],
};

pub(crate) static SLI: Noun = Noun {
    name: "an SLI",
    id: "sli",
    doc: "A service level indicator: over root requests, as Prometheus counts, or both.",
    fields: &[
        optional("operation", Shape::Text, "The root operation. It and `good`, or `prometheus`, or all of them."),
        optional("good", Shape::Object(&GOOD), "What makes a request of this operation good: all that is said here."),
        optional(
            "prometheus",
            Shape::Object(&PROMETHEUS),
            "Where the budget comes from, if not from what clients report. Arms of runs never do.",
        ),
    ],
};

pub(crate) static PROMETHEUS: Noun = Noun {
    name: "a Prometheus source",
    id: "prometheus",
    doc: "Two counters, each a query that gives one number, which only grows.",
    fields: &[
        required(
            "good",
            Shape::Text,
            "write the counter of good requests, as in `good: \"sum(http_requests_total{code!~'5..'})\"`",
            "A query in PromQL: good requests so far.",
        ),
        required(
            "total",
            Shape::Text,
            "write the counter of all requests, as in `total: sum(http_requests_total)`",
            "A query in PromQL: all requests so far.",
        ),
    ],
};

pub(crate) static GOOD: Noun = Noun {
    name: "a good request",
    id: "good",
    doc: "What makes a request good: all that is said here. At least one is.",
    fields: &[
        optional("status", Shape::Matching(r"^<\s*\d{3}$"), "The status is below this: `<500`."),
        optional(
            "latency",
            Shape::Matching(r"^<\s*(\d+(ms|s|m|h|d))+$"),
            "The time to the response's head is less than this: `<400ms`.",
        ),
    ],
};

pub(crate) static ON_CALL: Noun = Noun {
    name: "an on-call SLO",
    id: "on_call",
    doc: "The objective of people: how often on-call may hurt.",
    fields: &[
        optional("description", Shape::Text, "Which rotation."),
        required(
            "pages_per_week",
            Shape::Integer { min: 0, max: u32::MAX as u64 },
            "write how many pages a week are fair, as in `pages_per_week: 2`",
            "Pages in any 168 hours.",
        ),
        required(
            "off_hours_incidents_per_half_year",
            Shape::Integer { min: 0, max: u32::MAX as u64 },
            "write how many are fair, as in `off_hours_incidents_per_half_year: 1`",
            "Incidents worked off-hours in any 182 days.",
        ),
        required(
            "hours",
            Shape::Reference(Kind::Hours),
            "write `hours:` and the rotation's working hours",
            "The rotation's working hours.",
        ),
        optional("match", Shape::Object(&MATCH), "Which pages of Alertmanager and PagerDuty are its own."),
        optional(
            "freeze",
            Shape::Words(&["changes"]),
            "What a spent budget freezes, beside starts: changes by hand that do not only turn things off.",
        ),
        optional(
            "require_source",
            Shape::Duration,
            "Within which time its sources of pages must have been heard from; else no run starts.",
        ),
    ],
};

const SOME: Shape = Shape::OneOf(&[Shape::Text, Shape::Several(&Shape::Text)]);

pub(crate) static MATCH: Noun = Noun {
    name: "a match of pages",
    id: "match",
    doc: "Which pages are an on-call's own. What is said of receiver and labels must all hold. At least one is.",
    fields: &[
        optional("receiver", SOME, "Alertmanager's receiver, or several of them: `payments-pager`."),
        optional("labels", Shape::Names(&SOME), "Labels of an alert, each with its value or several of them."),
        optional("service", SOME, "PagerDuty's service by id or name, or several of them: `PABC123`."),
    ],
};

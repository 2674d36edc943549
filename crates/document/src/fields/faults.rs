//! The fields of faults, their effects and their guards.

use daybreak_model::Kind;

use super::{Noun, Shape, optional, required};

const MEAN: &str = "write `mean:` and a duration, as in `mean: 300ms`";

pub(crate) static FAULT: Noun = Noun {
    name: "a fault",
    id: "fault",
    doc: "A flag that injects an effect at a fault point, for a percentage of the traffic that its condition selects.",
    fields: &[
        optional("description", Shape::Text, "What is believed to hold while it runs."),
        optional("owner", Shape::Text, "Who answers for it."),
        optional("tags", Shape::List(&Shape::Text), "Words to find it by."),
        optional("metadata", Shape::Names(&Shape::Scalar), "Scalars handed on with every run."),
        optional("enabled", Shape::Boolean, "When false it cannot start, and a run of it ends; true unless said."),
        required(
            "point",
            Shape::Key,
            "write `point:` and the name of a fault point, as in `point: payment.gateway`",
            "The place in the application where it strikes.",
        ),
        optional("operation", Shape::Text, "Only root requests of this operation: `POST /checkout`."),
        optional("host", Shape::Text, "Only calls to this host: `pay.example`."),
        optional("when", Shape::Condition, "Whom it selects; everyone unless said."),
        required(
            "percentage",
            Shape::Percentage,
            "write the share of requests to treat, as in `percentage: 1%`; there is no default",
            "The share of eligible requests that are treated.",
        ),
        optional(
            "ramp",
            Shape::Text,
            "How a run grows to that share, as in `1% for 5m, then 2% for 5m`; at most 10 steps.",
        ),
        optional(
            "by",
            Shape::Attribute,
            "What is drawn: `request` (unless said), or an attribute, whose values then are drawn once each.",
        ),
        required(
            "effect",
            Shape::Object(&EFFECT),
            "write what a strike does, as in `effect: { error: { status: 503 } }`",
            "What a strike does.",
        ),
        optional(
            "times",
            Shape::Integer { min: 1, max: u32::MAX as u64 },
            "How many passes of one treated request are struck; every one unless said.",
        ),
        required(
            "hours",
            Shape::Reference(Kind::Hours),
            "write `hours:` and the calendar in which it may run",
            "The calendar in which it may run.",
        ),
        required(
            "guard",
            Shape::OneOf(&[Shape::Words(&["none"]), Shape::Object(&GUARD)]),
            "write what watches over it, as in `guard: { slo: checkout, min_budget: 20% }`; if nothing does, write `guard: none`",
            "What watches over it; `none` must be written.",
        ),
        required(
            "max_duration",
            Shape::Duration,
            "write how long a run lasts at most, as in `max_duration: 30m`",
            "The longest that one run of it lasts.",
        ),
        optional(
            "schedule",
            Shape::Words(&["daily", "weekly"]),
            "How often Daybreak starts it by itself, at a random time inside its hours; never unless said.",
        ),
        optional("salt", Shape::Text, "What its draws are made with; fresh for each run unless said."),
    ],
};

pub(crate) static EFFECT: Noun = Noun {
    name: "an effect",
    id: "effect",
    doc: "Everything that one strike does, in this order: latency, hang, data, then error or abort.",
    fields: &[
        optional(
            "latency",
            Shape::OneOf(&[Shape::Duration, Shape::Object(&LATENCY)]),
            "Wait before going on: a duration, or a distribution and its `max`.",
        ),
        optional("hang", Shape::Object(&HANG), "Wait for nothing, until the run ends or `max` has passed."),
        optional("data", Shape::Json, "A JSON value handed to the application."),
        optional("error", Shape::Object(&ERROR), "Fail instead of going on."),
        optional("abort", Shape::Boolean, "Break the connection instead of going on."),
    ],
};

pub(crate) static LATENCY: Noun = Noun {
    name: "a latency",
    id: "latency",
    doc: "One distribution, and the longest sample.",
    fields: &[
        optional("fixed", Shape::Duration, "Always the same."),
        optional("uniform", Shape::Object(&UNIFORM), "Every length between two alike."),
        optional("normal", Shape::Object(&NORMAL), "The bell curve."),
        optional("lognormal", Shape::Object(&LOGNORMAL), "The usual shape of service latencies."),
        optional("exponential", Shape::Object(&EXPONENTIAL), "Memoryless."),
        optional("pareto", Shape::Object(&PARETO), "A heavy tail."),
        optional("max", Shape::Duration, "No sample is longer than this; at most 30s. Only `fixed` may leave it out."),
    ],
};

pub(crate) static UNIFORM: Noun = Noun {
    name: "a uniform distribution",
    id: "uniform",
    doc: "Every length from `from` to `to` alike.",
    fields: &[
        required("from", Shape::Duration, "write the shortest, as in `from: 100ms`", "The shortest."),
        required("to", Shape::Duration, "write the longest, as in `to: 300ms`", "The longest."),
    ],
};

pub(crate) static NORMAL: Noun = Noun {
    name: "a normal distribution",
    id: "normal",
    doc: "The bell curve.",
    fields: &[
        required("mean", Shape::Duration, MEAN, "Its mean."),
        required("sd", Shape::Duration, "write the standard deviation, as in `sd: 50ms`", "Its standard deviation."),
    ],
};

pub(crate) static LOGNORMAL: Noun = Noun {
    name: "a lognormal distribution",
    id: "lognormal",
    doc: "Its logarithm is normal.",
    fields: &[
        required(
            "median",
            Shape::Duration,
            "write `median:` and a duration, as in `median: 200ms`",
            "Half of the samples are longer.",
        ),
        required(
            "sigma",
            Shape::Number,
            "write `sigma:` and a number, as in `sigma: 0.5`",
            "The standard deviation of the logarithm, above 0 and at most 10.",
        ),
    ],
};

pub(crate) static EXPONENTIAL: Noun = Noun {
    name: "an exponential distribution",
    id: "exponential",
    doc: "Memoryless.",
    fields: &[required("mean", Shape::Duration, MEAN, "Its mean.")],
};

pub(crate) static PARETO: Noun = Noun {
    name: "a pareto distribution",
    id: "pareto",
    doc: "A heavy tail.",
    fields: &[
        required("min", Shape::Duration, "write `min:` and a duration, as in `min: 100ms`", "The shortest."),
        required(
            "shape",
            Shape::Number,
            "write `shape:` and a number, as in `shape: 2`",
            "Above 0 and at most 100; the smaller, the heavier the tail.",
        ),
    ],
};

pub(crate) static HANG: Noun = Noun {
    name: "a hang",
    id: "hang",
    doc: "A wait that nothing ends but its `max` or the end of the run.",
    fields: &[required("max", Shape::Duration, "write how long it hangs at most, as in `max: 10s`", "At most 30s.")],
};

pub(crate) static ERROR: Noun = Noun {
    name: "an error",
    id: "error",
    doc: "An injected error.",
    fields: &[
        optional(
            "status",
            Shape::Integer { min: 400, max: 599 },
            "The HTTP status that a middleware answers with; 500 unless said.",
        ),
        optional("code", Shape::Text, "A word for programs."),
        optional("message", Shape::Text, "A sentence for people."),
    ],
};

pub(crate) static GUARD: Noun = Noun {
    name: "a guard",
    id: "guard",
    doc: "What must hold for a run to start, and what ends it.",
    fields: &[
        required(
            "slo",
            Shape::Reference(Kind::Slo),
            "write `slo:` and the objective to watch",
            "The SLO whose arms and budget are watched.",
        ),
        required(
            "min_budget",
            Shape::Percentage,
            "write how much of the error budget must be left, as in `min_budget: 20%`",
            "The share of the error budget that must be left after all reservations.",
        ),
        optional(
            "max_spend",
            Shape::Percentage,
            "The share of the window's budget that the run may spend; 2% unless said.",
        ),
        optional(
            "harm",
            Shape::Percentage,
            "The harm that resilience must rule out, in percentage points of struck requests; 1% unless said.",
        ),
        optional("on_call", Shape::Reference(Kind::OnCall), "The on-call SLO that must have budget left."),
        optional("stop_when", Shape::Words(&["resilient"]), "What ends the run early."),
    ],
};

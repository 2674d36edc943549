//! Reads SLOs and on-call SLOs.

use std::collections::BTreeMap;

use daybreak_model::{
    Freeze, Good, Indicator, Key, Millis, MillisError, OnCall, PageMatch, Percentage, PrometheusQueries, Slo,
    StatusBound, Window,
};

use super::reader::Reader;
use crate::fields::{GOOD, MATCH, ON_CALL, PROMETHEUS, SLI, SLO};
use crate::tree::{Node, Tree, shorten};

const OPERATION_HELP: &str = "write the root operation, as in `operation: \"POST /checkout\"`";
const GOOD_HELP: &str = "write what makes a request good, as in `good: { status: \"<500\" }`";

impl Reader<'_> {
    pub(crate) fn slo(&mut self, node: &Node) -> Option<Slo> {
        let fields = &self.fields(node, &SLO)?;
        Some(Slo {
            description: self.field(fields, "description", Self::text),
            owner: self.field(fields, "owner", Self::text),
            objective: self.field(fields, "objective", Self::percentage).unwrap_or(Percentage::ZERO),
            window: self.field(fields, "window", Self::window).unwrap_or(Window::Month),
            sli: self.field(fields, "sli", Self::indicator).unwrap_or_default(),
        })
    }

    fn window(&mut self, node: &Node) -> Option<Window> {
        match &node.tree {
            Tree::Text { text, .. } if text == "month" => Some(Window::Month),
            Tree::Number(number) => self.window_without_unit(&number.to_json().to_string(), node),
            Tree::Text { text, .. } if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.window_without_unit(text, node)
            }
            _ => self.duration(node).map(Window::Rolling),
        }
    }

    fn window_without_unit(&mut self, number: &str, node: &Node) -> Option<Window> {
        let help = match number.bytes().all(|byte| byte.is_ascii_digit()) {
            true => format!("write `{number}d`, or `month`"),
            false => "write days, as in `28d`, or `month`".to_owned(),
        };
        self.error("invalid_duration", node.head, "a window needs its unit", help);
        None
    }

    fn indicator(&mut self, node: &Node) -> Option<Indicator> {
        let fields = &self.fields(node, &SLI)?;
        // Either requests or Prometheus, or both; but never half of the requests.
        let has = |name| fields.was_meant(name);
        for (name, other, help) in [("operation", "good", OPERATION_HELP), ("good", "operation", GOOD_HELP)] {
            if !has(name) && (has(other) || !has("prometheus")) {
                self.within(name, |reader| {
                    reader.error("missing_field", fields.head, format!("an SLI needs `{name}`"), help);
                });
            }
        }
        let operation = self.field(fields, "operation", Self::words);
        if operation.is_none() && has("operation") {
            self.stand_in("operation");
        }
        Some(Indicator {
            operation: operation.unwrap_or_default(),
            good: self.field(fields, "good", Self::good).unwrap_or_default(),
            prometheus: self.field(fields, "prometheus", Self::prometheus),
        })
    }

    fn prometheus(&mut self, node: &Node) -> Option<PrometheusQueries> {
        let fields = &self.fields(node, &PROMETHEUS)?;
        let (good, total) = (self.field(fields, "good", Self::words), self.field(fields, "total", Self::words));
        Some(PrometheusQueries { good: good?, total: total? })
    }

    fn good(&mut self, node: &Node) -> Option<Good> {
        let fields = &self.fields(node, &GOOD)?;
        if fields.is_empty() {
            let help = "write `status: \"<500\"`, `latency: \"<400ms\"`, or both";
            self.error("empty_value", fields.head, "nothing says what makes a request good", help);
        }
        Some(Good {
            status: self.field(fields, "status", Self::status),
            latency: self.field(fields, "latency", Self::latency_bound),
        })
    }

    /// What follows the `<` of a bound.
    fn bound(&mut self, node: &Node, help: &str) -> Option<String> {
        let text = match &node.tree {
            Tree::Number(number) => number.to_json().to_string(),
            _ => self.text(node)?,
        };
        match text.strip_prefix('<').map(str::trim_start) {
            Some(bound) if !bound.starts_with('=') => Some(bound.to_owned()),
            _ => {
                self.error("invalid_bound", node.head, format!("`{}` is no upper bound", shorten(&text)), help);
                None
            }
        }
    }

    fn status(&mut self, node: &Node) -> Option<StatusBound> {
        let help = "write the status below which a response is good, as in `\"<500\"`";
        let bound = self.bound(node, help)?;
        match bound.parse() {
            Ok(status @ 101..=600) => Some(StatusBound(status)),
            _ => {
                self.error("invalid_bound", node.head, format!("`{}` bounds no HTTP status", shorten(&bound)), help);
                None
            }
        }
    }

    fn latency_bound(&mut self, node: &Node) -> Option<Millis> {
        let help = "write the time below which a response is good, as in `\"<400ms\"`";
        let bound = self.bound(node, help)?;
        match bound.parse() {
            Ok(bound) => Some(bound),
            Err(error) => {
                let help = match error {
                    MillisError::NoUnit(number) => format!("write `\"<{number}ms\"` or `\"<{number}s\"`"),
                    _ => help.to_owned(),
                };
                let message = format!("`{}` bounds no time: it is no duration with its unit", shorten(&bound));
                self.error("invalid_duration", node.head, message, help);
                None
            }
        }
    }

    pub(crate) fn on_call(&mut self, key: &Key, node: &Node) -> Option<OnCall> {
        let fields = &self.fields(node, &ON_CALL)?;
        let count =
            |reader: &mut Self, name| reader.field(fields, name, |reader, node| reader.integer(node, 0, u32::MAX));
        Some(OnCall {
            pages_per_week: count(self, "pages_per_week").unwrap_or_default(),
            off_hours_incidents_per_half_year: count(self, "off_hours_incidents_per_half_year").unwrap_or_default(),
            description: self.field(fields, "description", Self::text),
            hours: self.field(fields, "hours", Self::key).unwrap_or_else(|| key.clone()),
            pages: self.field(fields, "match", Self::page_match),
            freeze: self.field(fields, "freeze", Self::freeze),
            require_source: self.field(fields, "require_source", Self::duration),
        })
    }

    fn page_match(&mut self, node: &Node) -> Option<PageMatch> {
        let fields = &self.fields(node, &MATCH)?;
        if fields.is_empty() {
            let help = "write `receiver`, `labels` or `service`, or leave the field out";
            self.error("empty_value", fields.head, "nothing says which pages are its own", help);
        }
        Some(PageMatch {
            receiver: self.field(fields, "receiver", Self::some_words).unwrap_or_default(),
            labels: self.field(fields, "labels", Self::labels).unwrap_or_default(),
            service: self.field(fields, "service", Self::some_words).unwrap_or_default(),
        })
    }

    /// A text, or several of them.
    fn some_words(&mut self, node: &Node) -> Option<Vec<String>> {
        const HELP: &str = "write a text, or a list of texts";
        match &node.tree {
            Tree::List(items) if items.is_empty() => {
                self.error("empty_value", node.head, "an empty list matches nothing", HELP);
                None
            }
            Tree::List(_) => self.list(node, HELP, Self::words),
            _ => self.words(node).map(|text| vec![text]),
        }
    }

    fn labels(&mut self, node: &Node) -> Option<BTreeMap<String, Vec<String>>> {
        let mut labels = BTreeMap::new();
        self.entries(node, "write labels and their values, as in `{ team: payments }`", |reader, entry| {
            let values = reader.some_words(&entry.value);
            labels.insert(entry.key.clone(), values.unwrap_or_default());
        })?;
        if labels.is_empty() {
            let help = "write labels and their values, as in `{ team: payments }`";
            self.error("empty_value", node.head, "no label is no match", help);
        }
        Some(labels)
    }

    fn freeze(&mut self, node: &Node) -> Option<Freeze> {
        const HELP: &str = "write `changes`, or leave the field out";
        match self.formed(node, "a word", HELP)? {
            "changes" => Some(Freeze::Changes),
            other => {
                let message = format!("`{}` cannot be frozen", shorten(other));
                self.error("invalid_value", node.head, message, HELP);
                None
            }
        }
    }
}

//! What each route asks of its caller: the one table. What has no row is refused.

use std::sync::LazyLock;

use daybreak_control::Right;
use daybreak_model::Kind;

use crate::door::Lane;
use crate::ofrep::events;
use crate::routes::fits;

/// The pages that show the API's description.
const DOCS: &str = "/docs";

/// What the server counts and measures.
pub const METRICS: &str = "/metrics";

/// One flag, by OFREP; and how people write that.
const FLAG: &str = "/ofrep/v1/evaluate/flags/{key*}";
const FLAG_ROUTE: &str = "/ofrep/v1/evaluate/flags/{key}";

/// Changes, as they happen.
const STREAM: &str = "/api/v1/stream";

/// The big red button.
const HALT: &str = "/api/v1/halt";
/// PagerDuty's webhook.
const PAGERDUTY: &str = "/api/v1/pages/pagerduty";

/// It hands out the hashes of tokens.
const BACKUP: &str = "/api/v1/backup";

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its method; HEAD is GET.
    pub method: &'static str,
    /// Its path, with names in braces where anything may stand.
    pub template: String,
    /// What it asks for; nothing of what is public.
    pub right: Option<Right>,
    /// Whether it comes at any rate: what takes risk away, reports, without which leases lapse, and probes.
    pub unlimited: bool,
    /// Whether pages of origins that an operator names may ask.
    pub browsers: bool,
    /// Whether a ticket in the URL takes the place of a token.
    pub tickets: bool,
    /// Its place in the table; none of what is not in it.
    pub place: Option<usize>,
    /// Bytes of its path before the first name in braces; all of them where there is none.
    fixed: usize,
}

impl Row {
    /// What spans and metrics call it: its path, with names in braces where anything may stand.
    #[must_use]
    pub fn route(&'static self) -> &'static str {
        self.path()
    }

    /// Its path, as people write it.
    #[must_use]
    pub fn path(&self) -> &str {
        if self.template == FLAG { FLAG_ROUTE } else { &self.template }
    }

    /// Whether it is asked by people who change something, or pages them.
    #[must_use]
    pub fn changes(&self) -> bool {
        let reads = matches!(self.right, Some(Right::Read | Right::Evaluate | Right::Follow | Right::Report));
        self.method != "GET" && !reads
    }

    /// Whether a path is one of its own. Most are not by how they begin.
    fn fits(&self, path: &str) -> bool {
        let (before, names) = self.template.split_at(self.fixed);
        match path.strip_prefix(before) {
            None => false,
            Some(rest) if names.is_empty() => rest.is_empty(),
            // A flag's key may hold a slash, which OpenFeature clients send as it is.
            Some(_) if names == "{key*}" => true,
            Some(_) => fits(&self.template, path),
        }
    }

    /// What a connection is for that begins with it. Of what comes at any rate reports alone are many. Whoever has halted
    /// everything has to see that, and to lift it.
    #[must_use]
    pub fn lane(&self) -> Lane {
        match self.template.as_str() {
            STREAM | events::PATH => Lane::Streams,
            HALT | PAGERDUTY => Lane::Urgent,
            _ if self.unlimited && self.right != Some(Right::Report) => Lane::Urgent,
            _ => Lane::Common,
        }
    }

    /// Whether it changes nothing, and hands out nothing secret.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        self.method == "GET" && self.template != BACKUP
    }
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(rows);

/// What a route asks for; none where there is no such route. What is asked most stands first.
#[must_use]
pub fn find(method: &str, path: &str) -> Option<&'static Row> {
    static DOCS_ROW: LazyLock<Row> = LazyLock::new(|| row("GET", DOCS, None));
    let is_page = |rest: &str| rest.is_empty() || rest.starts_with('/');
    if method == "GET" && path.strip_prefix(DOCS).is_some_and(is_page) {
        return Some(&DOCS_ROW);
    }
    ROWS.iter().find(|row| row.method == method && row.fits(path))
}

/// The whole table.
#[must_use]
pub fn all() -> &'static [Row] {
    &ROWS
}

fn row(method: &'static str, template: &str, right: Option<Right>) -> Row {
    let (fixed, template, place) = (template.find('{').unwrap_or(template.len()), template.to_owned(), None);
    Row { method, template, right, unlimited: false, browsers: false, tickets: false, place, fixed }
}

fn rows() -> Vec<Row> {
    use Right::{Administer, Evaluate, Follow, Operate, Page, Read, Report};
    let asks = |method, template: &str, right| row(method, template, Some(right));
    let unlimited = |method, template: &str, right| Row { unlimited: true, ..row(method, template, Some(right)) };
    let browsers = |method, template: &str, right| Row { browsers: true, ..row(method, template, Some(right)) };
    let mut rows = vec![
        browsers("POST", "/ofrep/v1/evaluate/flags", Evaluate),
        browsers("POST", FLAG, Evaluate),
        Row { tickets: true, ..browsers("GET", events::PATH, Evaluate) },
        unlimited("POST", "/api/v1/reports", Report),
        asks("GET", "/api/v1/snapshot", Follow),
        asks("GET", STREAM, Follow),
        // Behind a proxy all strangers share an address; none of them is to make probes find the server dead.
        Row { unlimited: true, ..row("GET", "/healthz", None) },
        // Without the right to read it says no more than yes or no.
        Row { unlimited: true, ..row("GET", "/readyz", None) },
        row("GET", "/", None),
        row("GET", "/openapi.json", None),
        // It names flags, faults and SLOs.
        asks("GET", METRICS, Read),
        unlimited("PUT", HALT, Right::Halt),
        asks("GET", HALT, Read),
        asks("DELETE", HALT, Operate),
        asks("POST", "/api/v1/flags/{key}/enable", Operate),
        unlimited("POST", "/api/v1/flags/{key}/disable", Operate),
        asks("POST", "/api/v1/flags/{key}/evaluate", Read),
        asks("GET", "/api/v1/flags/{key}/life", Read),
        asks("POST", "/api/v1/faults/{key}/start", Operate),
        unlimited("POST", "/api/v1/faults/{key}/stop", Operate),
        asks("GET", "/api/v1/faults/{key}/schedule", Read),
        asks("GET", "/api/v1/runs", Read),
        asks("GET", "/api/v1/runs/{id}", Read),
        asks("GET", "/api/v1/runs/{id}/report", Read),
        unlimited("POST", "/api/v1/runs/{id}/stop", Operate),
        asks("GET", "/api/v1/hours/{key}/status", Read),
        asks("GET", "/api/v1/slos/{key}/status", Read),
        asks("GET", "/api/v1/on-call/{key}/status", Read),
        // What comes in takes risk away, and its senders give up sooner or later.
        unlimited("POST", "/api/v1/pages", Page),
        unlimited("POST", "/api/v1/pages/alertmanager", Page),
        // It can show no token: it signs.
        row("POST", PAGERDUTY, None),
        asks("GET", "/api/v1/export", Read),
        asks("POST", "/api/v1/apply", Administer),
        asks("GET", "/api/v1/origins", Read),
        asks("POST", "/api/v1/files/apply", Administer),
        asks("GET", BACKUP, Administer),
        asks("POST", "/api/v1/restore", Administer),
        asks("GET", "/api/v1/events", Read),
        asks("GET", "/api/v1/webhooks", Read),
        asks("POST", "/api/v1/webhooks/{name}/test", Administer),
        asks("GET", "/api/v1/clients", Read),
        asks("GET", "/api/v1/fault-points", Read),
        asks("GET", "/api/v1/delivery", Read),
        asks("GET", "/api/v1/stale-flags", Read),
        asks("GET", "/api/v1/tokens", Administer),
        asks("POST", "/api/v1/tokens", Administer),
        asks("DELETE", "/api/v1/tokens/{id}", Administer),
    ];
    rows.extend(Kind::ALL.into_iter().flat_map(rows_of));
    rows.iter_mut().enumerate().for_each(|(place, row)| row.place = Some(place));
    rows
}

/// What is the same for every kind of resource.
fn rows_of(kind: Kind) -> Vec<Row> {
    let path = format!("/api/v1/{}", kind.path());
    let reads = ["", "/{key}", "/{key}/history", "/{key}/origin"];
    let changes = [("POST", "/{key}/revert"), ("PUT", "/{key}"), ("PATCH", "/{key}"), ("DELETE", "/{key}")];
    let reads = reads.map(|rest| row("GET", &format!("{path}{rest}"), Some(Right::Read)));
    let changes = changes.map(|(method, rest)| row(method, &format!("{path}{rest}"), Some(Right::Administer)));
    reads.into_iter().chain(changes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invariant_10_what_has_no_row_is_no_route() {
        let cases = [
            ("GET", "/api/v1/flags/a", Some(Some(Right::Read))),
            ("POST", "/ofrep/v1/evaluate/flags/a/b", Some(Some(Right::Evaluate))),
            ("POST", "/ofrep/v1/evaluate/flags", Some(Some(Right::Evaluate))),
            ("GET", "/docs/swagger-ui.css", Some(None)),
            ("GET", "/docsy", None),
            ("POST", "/docs/", None),
            ("GET", "/", Some(None)),
            ("GET", "//", None),
            ("GET", "/api/v1/flags/a/b", None),
            ("GET", "/api/v1/flags/", None),
            ("GET", "/api/v1//flags", None),
            ("GET", "/API/V1/flags", None),
            ("GET", "/api/v1/anything", None),
            ("PATCH", "/api/v1/halt", None),
            ("get", "/api/v1/halt", None),
            ("", "", None),
        ];
        for (method, path, expected) in cases {
            assert_eq!(find(method, path).map(|row| row.right), expected, "{method} {path}");
        }
    }

    #[test]
    fn no_row_stands_twice() {
        for (at, row) in ROWS.iter().enumerate() {
            let same = |other: &&Row| other.method == row.method && other.template == row.template;
            assert_eq!(ROWS.iter().filter(same).count(), 1, "{at}: {row:?}");
        }
    }
}

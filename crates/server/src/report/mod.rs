//! The report of a run: one page of HTML to attach to a ticket. It holds everything that it shows: no script, nothing
//! from elsewhere, plots as inline SVG; and everything that anybody wrote is text in it.

mod escape;
mod plot;
mod plots;
mod tables;
#[cfg(test)]
mod tests;

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::readable::{Evidence, Seen};
use escape::Text;

/// How the page looks; light, dark and on paper.
const STYLE: &str = include_str!("style.css");

/// What is said of a run of which nothing is known but that it was.
const NOTHING_KEPT: &str =
    "the server ended before anything was kept of what the run counted, so nobody knows whom it struck";

/// The report of a run, from its JSON form and that of its events, the oldest first. What is missing there is missing
/// in the report.
#[must_use]
pub fn html(run: &Json, events: &[Json], environment: &str) -> String {
    let seen: Seen = serde_json::from_value(run.clone()).unwrap_or_default();
    let events: Vec<tables::Event> =
        events.iter().filter_map(|event| serde_json::from_value(event.clone()).ok()).collect();
    let sentence = if seen.verdict.is_some() { NOTHING_KEPT } else { "nothing is counted of it yet" };
    let nothing = Evidence { sentence: sentence.to_owned(), ..Evidence::default() };
    let evidence = seen.evidence.as_ref().unwrap_or(&nothing);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{} at {}: {}</title>\n<style>\n{STYLE}</style></head><body>\n",
        Text(&seen.fault),
        Text(&seen.point),
        Text(verdict(&seen).0)
    );
    head(&mut page, &seen, evidence, environment);
    tables::facts(&mut page, &seen);
    if let Some(evidence) = &seen.evidence {
        tables::counted(&mut page, &seen, evidence);
        tables::arms(&mut page, evidence);
        plots::all(&mut page, &seen, evidence);
    }
    tables::events(&mut page, &events);
    page + "</body></html>\n"
}

/// The word for what it showed, and the class that colours it.
fn verdict(seen: &Seen) -> (&str, &'static str) {
    match seen.verdict.as_deref() {
        Some("resilient") => ("resilient", "resilient"),
        Some("harmful") => ("harmful", "harmful"),
        Some(other) => (other, "inconclusive"),
        None => ("no verdict yet", "open"),
    }
}

fn head(page: &mut String, seen: &Seen, evidence: &Evidence, environment: &str) {
    let (word, class) = verdict(seen);
    let shadow = if seen.shadow { ", a shadow run" } else { "" };
    let _ = writeln!(
        page,
        "<h1>{} at {}{shadow}</h1>\n<p class=\"dim\">run {} in {}, {}</p>",
        Text(&seen.fault),
        Text(&seen.point),
        Text(&seen.id),
        Text(environment),
        moment(seen.started_at)
    );
    let so_far = match (seen.verdict.is_none(), evidence.verdict.as_str()) {
        (true, verdict) if !verdict.is_empty() => format!("so far {verdict}: "),
        _ => String::new(),
    };
    let _ = writeln!(
        page,
        "<p class=\"verdict {class}\"><b>{}</b>: {}{}</p>",
        Text(word),
        Text(so_far),
        Text(&evidence.sentence)
    );
    if let Some(hypothesis) = &seen.hypothesis {
        let _ = writeln!(page, "<blockquote><span class=\"dim\">believed:</span> {}</blockquote>", Text(hypothesis));
    }
    for warning in &seen.warnings {
        let _ = writeln!(page, "<p class=\"inconclusive\">{}</p>", Text(&warning.sentence));
    }
}

/// A moment, to the second.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

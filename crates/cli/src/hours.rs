//! `daybreak hours`: open now? closes when? opens when?

use std::process::ExitCode;

use anyhow::bail;
use daybreak_guard::hours::{HoursStatus, SEARCH_DAYS, status};
use jiff::Timestamp;

use crate::args::Hours;
use crate::remote::{Remote, Target};
use crate::{folder, remote};

pub(crate) fn run(options: &Hours) -> anyhow::Result<ExitCode> {
    // A server tells of now. The variable may stand for other commands: it is no reason to refuse `--at`.
    if let Some(url) = options.url.as_ref().filter(|_| options.at.is_none()) {
        let target = Target { url: url.clone(), token: options.token.clone(), client_cert: None };
        let path = format!("/api/v1/hours/{}/status", options.key);
        let answer = remote::block_on(async { Remote::new(&target)?.get(&path).await })?;
        print!("{answer}");
        return Ok(ExitCode::SUCCESS);
    }
    let resources = folder::decode(&options.flags)?;
    let Some(hours) = resources.hours.get(options.key.as_str()) else {
        let known = resources.hours.keys().map(|key| key.as_str());
        bail!(
            "there are no hours `{}` in {}{}",
            options.key,
            options.flags.display(),
            folder::hint(&options.key, known)
        );
    };
    let now = options.at.unwrap_or_else(Timestamp::now);
    println!("{}", describe(&options.key, &hours.time_zone, &status(hours, now)));
    Ok(ExitCode::SUCCESS)
}

/// The status in a sentence or two.
fn describe(key: &str, time_zone: &str, status: &HoursStatus) -> String {
    let local = |at: Timestamp| match at.in_tz(time_zone) {
        Ok(local) => local.strftime("%A, %-d %B %Y at %H:%M (%Z)").to_string(),
        Err(_) => at.to_string(),
    };
    let mut text = match (status.open, status.closes_at, status.opens_at) {
        (true, Some(closes), _) => format!("`{key}` is open; it closes on {}", local(closes)),
        (true, None, _) => format!("`{key}` is open; it does not close within {SEARCH_DAYS} days"),
        (false, _, Some(opens)) => format!("`{key}` is closed; it opens on {}", local(opens)),
        (false, _, None) => format!("`{key}` is closed; it does not open within {SEARCH_DAYS} days"),
    };
    if let Some(known_until) = status.known_until {
        text.push_str(&format!("\nholidays are known until {}; after that it counts as closed", local(known_until)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let none = HoursStatus { open: false, closes_at: None, opens_at: None, known_until: None };
        let cases = [
            (
                HoursStatus { open: true, closes_at: at("2026-11-23T11:00:00Z"), ..none },
                "`office` is open; it closes on Monday, 23 November 2026 at 12:00 (CET)",
            ),
            (
                HoursStatus { opens_at: at("2026-07-01T08:00:00Z"), ..none },
                "`office` is closed; it opens on Wednesday, 1 July 2026 at 10:00 (CEST)",
            ),
            (none, "`office` is closed; it does not open within 400 days"),
        ];
        for (status, expected) in cases {
            assert_eq!(describe("office", "Europe/Berlin", &status), expected);
        }
    }
}

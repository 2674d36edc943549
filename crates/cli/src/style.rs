//! How text is printed: in colour or not, moments with their zone, and what others wrote so that it moves no cursor.

use std::ffi::OsStr;
use std::io::IsTerminal;

use clap::ValueEnum;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// How something is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Lines for people.
    Text,
    /// JSON, for programs.
    Json,
}

/// Whether what is written there is to be coloured: on a terminal alone, and not where `NO_COLOR` is set
/// (<https://no-color.org>) or the terminal is dumb.
pub(crate) fn is_colored(to: &impl IsTerminal) -> bool {
    let variable = |name| std::env::var_os(name);
    to.is_terminal() && wants_color(variable("NO_COLOR").as_deref(), variable("TERM").as_deref())
}

fn wants_color(no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
}

/// A moment to the second, in UTC; a text that is none stays as it is.
pub(crate) fn moment(text: &str) -> String {
    text.parse::<Timestamp>().map_or_else(|_| printable(text), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// A moment to the minute as a clock on the wall shows it, with its zone.
pub(crate) fn on_the_wall(at: Timestamp, zone: TimeZone) -> String {
    at.to_zoned(zone).strftime("%a %Y-%m-%d %H:%M %Z").to_string()
}

/// Text of somebody else's: on a terminal it must do nothing.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_left_out_where_nobody_wants_them() {
        let cases = [
            (None, Some("xterm"), true),
            (Some(""), None, true),
            (Some("1"), Some("xterm"), false),
            (Some("0"), None, false),
            (None, Some("dumb"), false),
        ];
        for (no_color, term, expected) in cases {
            assert_eq!(wants_color(no_color.map(OsStr::new), term.map(OsStr::new)), expected, "{no_color:?} {term:?}");
        }
    }

    #[test]
    fn moments_have_a_zone() {
        let at: Timestamp = "2026-11-23T10:00:00.5Z".parse().unwrap();
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(on_the_wall(at, berlin), "Mon 2026-11-23 11:00 CET");
        assert_eq!(moment("2026-11-23T10:00:00.5Z"), "2026-11-23 10:00:00 UTC");
        assert_eq!(moment("so\u{1b}on"), "so on");
    }
}

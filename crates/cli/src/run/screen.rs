//! Standard error, on which a run is seen: a block redrawn in place on a terminal, a line every ten seconds elsewhere.

use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

use daybreak_server::readable::Seen;
use tokio::time::Instant;

use super::live::{self, Progress};
use crate::style::printable;

/// How far apart lines are where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Columns, where the terminal does not say.
const COLUMNS: usize = 80;

/// What is drawn on.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: bool,
    /// Lines that the next block takes the place of.
    drawn: usize,
    /// What was said last.
    said: Option<String>,
    last_line: Option<(Instant, bool)>,
}

impl Screen {
    pub(super) fn new() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { terminal: stderr().is_terminal() && !dumb, drawn: 0, said: None, last_line: None }
    }

    /// Shows how the run goes.
    pub(super) fn draw(&mut self, run: &Seen, progress: Progress) {
        if self.terminal {
            let mut lines = live::block(run, progress);
            lines.extend(self.said.as_ref().map(|said| format!("  {said}")));
            let lines: Vec<String> = lines.iter().flat_map(|line| wrapped(&printable(line), columns())).collect();
            let text = redrawn(self.drawn, &lines, columns());
            self.drawn = lines.len();
            write(&text);
            return;
        }
        let ended = progress.ended.is_some();
        // Once it has ended, little changes.
        let due = |(at, was_ended): (Instant, bool)| (at.elapsed() >= LINE_EVERY && !ended) || ended != was_ended;
        if self.last_line.is_none_or(due) {
            self.last_line = Some((Instant::now(), ended));
            write(&format!("{}\n", printable(&live::line(run, progress))));
        }
    }

    /// Says something: below the block, or on a line.
    pub(super) fn say(&mut self, what: &str) {
        let what = printable(what);
        match self.terminal {
            true => self.said = Some(what),
            false => write(&format!("{what}\n")),
        }
    }

    /// Takes the block away.
    pub(super) fn clear(&mut self) {
        if self.terminal {
            write(&redrawn(self.drawn, &[], columns()));
            self.drawn = 0;
        }
    }
}

/// What stands before the rest of a line that is too long.
const INDENT: &str = "           ";

/// A line as several that fit, broken between words.
fn wrapped(line: &str, columns: usize) -> Vec<String> {
    let width = columns.saturating_sub(1).max(2 * INDENT.len());
    let (mut lines, mut last) = (Vec::new(), String::new());
    // The space stays before its word, so that what a line begins with stays as it is.
    for word in line.split_inclusive(' ') {
        let word_end = last.chars().count() + word.trim_end().chars().count();
        if word_end > width && !last.trim().is_empty() {
            lines.push(std::mem::replace(&mut last, INDENT.to_owned()).trim_end().to_owned());
        }
        last += word;
    }
    lines.push(last);
    lines
}

/// Lines in the place of those before. A word that is too long is cut: wrapped it would be two lines.
fn redrawn(before: usize, lines: &[String], columns: usize) -> String {
    let up = if before > 0 { format!("\x1b[{before}A") } else { String::new() };
    let cut = |line: &String| {
        let cut: String = printable(line).chars().take(columns.saturating_sub(1).max(1)).collect();
        format!("{cut}\n")
    };
    format!("{up}\r\x1b[J{}", lines.iter().map(cut).collect::<String>())
}

fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(stderr()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(COLUMNS)
}

/// Whoever does not read any more misses nothing that the end does not say.
fn write(text: &str) {
    let mut out = stderr().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_becomes_several() {
        let bar = "█".repeat(30);
        let line = format!("  drain    {bar}  completed; 29s until its last requests are through");
        let expected =
            [format!("  drain    {bar}  completed; 29s until its last"), "           requests are through".to_owned()];
        assert_eq!(wrapped(&line, 80), expected);
        assert_eq!(wrapped(&line, 200), std::slice::from_ref(&line));
        assert_eq!(wrapped("", 80), [""]);
    }

    #[test]
    fn a_block_takes_the_place_of_the_one_before() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let cases = [
            (0, lines(&["one", "two"]), 80, "\r\x1b[Jone\ntwo\n"),
            (2, lines(&["abcdef", "\x1b[2J"]), 5, "\x1b[2A\r\x1b[Jabcd\n [2J\n"),
            (3, Vec::new(), 80, "\x1b[3A\r\x1b[J"),
        ];
        for (before, lines, columns, expected) in cases {
            assert_eq!(redrawn(before, &lines, columns), expected);
        }
    }
}

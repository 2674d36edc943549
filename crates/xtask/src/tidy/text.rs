//! What no text file should hold, and what every Rust file but a module's `tests.rs` begins with.

use super::Finding;
use crate::workspace::File;

/// Words that must not be committed, and what to do instead. They are joined here, so that this file does not
/// find itself.
const FORBIDDEN: &[(&[&str], &str, &str)] = &[
    (&["to", "do!("], "an unfinished place", "finish it, or leave the feature out"),
    (&["unimple", "mented!("], "an unfinished place", "finish it, or leave the feature out"),
    (&["/ho", "me/"], "a path of somebody's machine", "write a path from the workspace's root"),
    (&["/ro", "ot/"], "a path of somebody's machine", "write a path from the workspace's root"),
    (&["FIX", "ME"], "an unfinished place", "mend it, or open an issue"),
    (&["TO", "DO"], "an unfinished place", "do it, or open an issue"),
    (&["<<<<", "<<< "], "a merge conflict", "settle it"),
];

/// Finds them.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    files.iter().flat_map(check_one).collect()
}

fn check_one(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let forbidden = FORBIDDEN.iter().map(|(parts, what, help)| (parts.concat(), what, help)).collect::<Vec<_>>();
    for (number, line) in (1..).zip(file.text.lines()) {
        for (word, what, help) in &forbidden {
            if line.contains(word.as_str()) {
                findings.push(Finding::new(&file.path, format!("{what}: `{word}`"), **help).at(number));
            }
        }
        if line.ends_with([' ', '\t', '\r']) {
            findings.push(Finding::new(&file.path, "white space at the end of the line", "remove it").at(number));
        }
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        findings.push(Finding::new(&file.path, "the last line does not end", "end it with a newline"));
    }
    let is_tests = file.path.ends_with("/tests.rs");
    if file.path.ends_with(".rs") && !is_tests && !file.text.starts_with("//!") {
        let help = "begin it with `//!` and its one subject: what is kept here, and why";
        findings.push(Finding::new(&file.path, "no module documentation", help));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::{file, shown};

    fn check(path: &str, text: &str, expected: &[&str]) {
        assert_eq!(shown(&super::check(&[file(path, text)])), expected, "{text:?}");
    }

    #[test]
    fn a_good_file() {
        check("a.rs", "//! Its subject.\n\nfn a() {}\n", &[]);
        check("a/tests.rs", "fn a() {}\n", &[]);
        check("a.yaml", "flags: {}\n", &[]);
        check("empty.md", "", &[]);
    }

    #[test]
    fn what_no_file_should_hold() {
        check("a.rs", "fn a() {}\n", &["a.rs: no module documentation"]);
        check(
            "a.md",
            "a \nb\t\n",
            &["a.md:1: white space at the end of the line", "a.md:2: white space at the end of the line"],
        );
        check("a.md", "a", &["a.md: the last line does not end"]);
        check(
            "a.md",
            &["see /ho", "me/me/a\n"].concat(),
            &[&["a.md:1: a path of somebody's machine: `/ho", "me/`"].concat()],
        );
        check("a.rs", &["//! A.\nto", "do!()\n"].concat(), &[&["a.rs:2: an unfinished place: `to", "do!(`"].concat()]);
    }
}

//! Relative links in Markdown lead somewhere.

use super::Finding;
use crate::workspace::File;

/// Finds links to files that do not exist, or to headings that a file does not have.
pub(super) fn check(files: &[File], exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (number, line) in prose(&file.text) {
            for target in targets(line) {
                if let Some(message) = broken(file, target, files, &exists) {
                    findings.push(
                        Finding::new(&file.path, message, "correct the link, or write what it leads to").at(number),
                    );
                }
            }
        }
    }
    findings
}

/// The numbered lines outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// The targets of `[text](target)` on a line.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

fn broken(file: &File, target: &str, files: &[File], exists: &impl Fn(&str) -> bool) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
    let path = if path.is_empty() { file.path.clone() } else { resolve(&file.path, path) };
    if !exists(&path) {
        return Some(format!("the link `{target}` leads nowhere"));
    }
    let heading = heading?;
    let text = &files.iter().find(|other| other.path == path)?.text;
    let found = prose(text).any(|(_, line)| line.starts_with('#') && slug(line.trim_start_matches('#')) == heading);
    (!found).then(|| format!("the link `{target}` names a heading that {path} does not have"))
}

/// `target` as seen from the file `from`, from the root.
fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// A heading's anchor, as GitHub makes it.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{file, shown};

    fn check(text: &str, expected: &[&str]) {
        let files = [file("docs/a.md", text), file("README.md", "# Two words, and `code`\n")];
        let exists = |path: &str| ["docs/a.md", "README.md", "docs/pictures"].contains(&path);
        assert_eq!(shown(&super::check(&files, exists)), expected, "{text}");
    }

    #[test]
    fn links_that_lead_somewhere() {
        check("[a](../README.md) [b](https://example.org/x) [c](pictures/) [d](a.md)\n", &[]);
        check("# Here\n[a](#here) [b](../README.md#two-words-and-code)\n", &[]);
        check("```\n[a](nowhere.md)\n```\n", &[]);
    }

    #[test]
    fn links_that_do_not() {
        check("x\n[a](b.md)\n", &["docs/a.md:2: the link `b.md` leads nowhere"]);
        check("[a](README.md)\n", &["docs/a.md:1: the link `README.md` leads nowhere"]);
        check("[a](#there)\n", &["docs/a.md:1: the link `#there` names a heading that docs/a.md does not have"]);
    }
}

//! The changelog keeps a place for what is not released yet.

use super::Finding;
use crate::workspace::File;

/// Finds that the place is missing.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let path = "CHANGELOG.md";
    let Some(file) = files.iter().find(|file| file.path == path) else {
        return vec![Finding::new(path, "it is missing", "write one after https://keepachangelog.com")];
    };
    if file.text.lines().any(|line| line.trim() == "## [Unreleased]") {
        return Vec::new();
    }
    vec![Finding::new(path, "it has no place for what comes next", "add the heading `## [Unreleased]`")]
}

#[cfg(test)]
mod tests {
    use super::super::{file, shown};
    use super::*;

    #[test]
    fn a_place_for_what_comes_next() {
        assert_eq!(shown(&check(&[file("CHANGELOG.md", "# Changelog\n\n## [Unreleased]\n")])), [""; 0]);
        assert_eq!(
            shown(&check(&[file("CHANGELOG.md", "## [0.1.0]\n")])),
            ["CHANGELOG.md: it has no place for what comes next"]
        );
        assert_eq!(shown(&check(&[])), ["CHANGELOG.md: it is missing"]);
    }
}

//! The README shows the two commands that a newcomer needs.

use super::Finding;
use crate::workspace::File;

/// The commands.
const COMMANDS: &[&str] = &["cargo run --release", "cargo xtask test"];

/// Finds those that are missing.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let text = files.iter().find(|file| file.path == "README.md").map_or("", |file| file.text.as_str());
    let shown = |command: &str| text.lines().any(|line| line.trim().starts_with(command));
    let missing = COMMANDS.iter().filter(|command| !shown(command));
    let finding = |command: &&str| {
        Finding::new(
            "README.md",
            format!("it does not show `{command}`"),
            "show it on a line of its own, in a fenced block",
        )
    };
    missing.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{file, shown};
    use super::*;

    #[test]
    fn two_commands() {
        let readme = file("README.md", "```sh\ncargo run --release   # the server\n```\nthen `cargo xtask test`\n");
        assert_eq!(shown(&check(&[readme])), ["README.md: it does not show `cargo xtask test`"]);
        assert_eq!(check(&[]).len(), COMMANDS.len());
    }
}

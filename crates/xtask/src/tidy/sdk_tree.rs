//! What an application takes on with the SDK, its default features alone.
//!
//! `cargo metadata` cannot tell: features unify over a workspace. `cargo tree -p` can.

use std::path::Path;

use anyhow::{Result, bail};

use super::Finding;
use crate::workspace;

/// What must never be in the tree.
const FORBIDDEN: &[&str] = &[
    "actix-web",
    "actix-http",
    "daybreak-server",
    "daybreak-control",
    "daybreak-guard",
    "daybreak-store",
    "daybreak-document",
];

/// Asks cargo for the tree.
pub(super) fn read(root: &Path) -> Result<String> {
    let arguments = ["tree", "--locked", "-p", "daybreak-sdk", "-e", "normal", "--prefix", "none", "--format", "{p}"];
    let output = workspace::cargo(root).args(arguments).output()?;
    if !output.status.success() {
        bail!("`cargo {}` failed:\n{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Finds forbidden crates in `tree`, a crate a line.
pub(super) fn check(tree: &str) -> Vec<Finding> {
    let names = || tree.lines().filter_map(|line| line.split_whitespace().next());
    if !names().any(|name| name == "daybreak-sdk") {
        return vec![Finding::new("daybreak-sdk", "`cargo tree` does not show it", "the check reads nothing: mend it")];
    }
    let help =
        "make it optional, behind a feature; find the way in with `cargo tree -p daybreak-sdk -e normal -i NAME`";
    let found = FORBIDDEN.iter().filter(|forbidden| names().any(|name| name == **forbidden));
    found.map(|name| Finding::new("daybreak-sdk", format!("with default features it brings {name}"), help)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    #[test]
    fn what_an_application_must_not_take_on() {
        let fine = "daybreak-sdk v0.1.0 (/x)\narc-swap v1.9.5\ntower-layer v0.3.3\ndaybreak-engine v0.1.0 (/x) (*)\n";
        assert_eq!(shown(&check(fine)), [""; 0]);
        let bad = format!("{fine}actix-web v4.18.1\ndaybreak-store v0.1.0 (/x)\n");
        let expected = [
            "daybreak-sdk: with default features it brings actix-web",
            "daybreak-sdk: with default features it brings daybreak-store",
        ];
        assert_eq!(shown(&check(&bad)), expected);
        assert_eq!(shown(&check("")), ["daybreak-sdk: `cargo tree` does not show it"]);
    }
}

//! Which crate may use which: the floors of the house, as a table.

use cargo_metadata::Metadata;

use super::Finding;

/// The arrows that may exist between our crates. They only go down; the server never uses the SDK, and the
/// SDK never uses control, guard, store or document.
const ALLOWED: &[(&str, &[&str])] = &[
    ("daybreak-model", &[]),
    ("daybreak-engine", &["daybreak-model"]),
    ("daybreak-document", &["daybreak-model"]),
    ("daybreak-guard", &["daybreak-model"]),
    ("daybreak-store", &["daybreak-model"]),
    (
        "daybreak-control",
        &["daybreak-document", "daybreak-engine", "daybreak-guard", "daybreak-model", "daybreak-store"],
    ),
    (
        "daybreak-server",
        &["daybreak-control", "daybreak-document", "daybreak-engine", "daybreak-guard", "daybreak-model"],
    ),
    (
        "daybreak-cli",
        &[
            "daybreak-control",
            "daybreak-document",
            "daybreak-engine",
            "daybreak-guard",
            "daybreak-model",
            "daybreak-server",
            "daybreak-store",
        ],
    ),
    ("daybreak-sdk", &["daybreak-engine", "daybreak-model"]),
    ("daybreak-tests", &["daybreak-sdk"]),
    // It asks any server, and knows nothing of ours.
    ("daybreak-ofrep-conformance", &[]),
    ("daybreak-instructions", &[]),
    ("daybreak-xtask", &[]),
];

/// The crates that do no I/O, read no clock and own no randomness.
pub(super) const PURE: &[&str] = &["model", "engine", "document", "guard"];

/// What a pure crate may use from outside: libraries that only compute.
const PURE_LIBRARIES: &[&str] = &[
    "annotate-snippets",
    "granit-parser",
    "hashbrown",
    "ipnet",
    "jiff",
    "libm",
    "rand",
    "rand_distr",
    "regex",
    "regex-automata",
    "rustc-hash",
    "serde",
    "serde_json",
    "smol_str",
    "strsim",
    "thiserror",
    "xxhash-rust",
    "yaml_serde",
];

/// Arrows out of the workspace that must never exist, though their crates do I/O.
const NEVER: &[(&str, &[&str], &str)] = &[
    ("daybreak-control", &["actix-web", "http", "utoipa"], "control knows no HTTP: the server translates"),
    ("daybreak-store", &["actix-web", "http", "reqwest"], "a store is asked by control, not over HTTP"),
    ("daybreak-server", &["reqwest", "notify"], "the server answers; calling out and watching files are control's"),
];

/// A crate of ours and what it uses when it is built (tests and benches aside).
#[derive(Clone, Debug)]
pub(super) struct Package {
    name: String,
    uses: Vec<String>,
}

/// Reads the crates from cargo's metadata.
pub(super) fn packages(metadata: &Metadata) -> Vec<Package> {
    let normal =
        |dependency: &&cargo_metadata::Dependency| dependency.kind != cargo_metadata::DependencyKind::Development;
    let read = |package: &&cargo_metadata::Package| Package {
        name: package.name.to_string(),
        uses: package.dependencies.iter().filter(normal).map(|dependency| dependency.name.clone()).collect(),
    };
    metadata.workspace_packages().iter().map(read).collect()
}

/// Finds arrows that the tables do not allow.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    packages.iter().flat_map(check_one).collect()
}

fn check_one(package: &Package) -> Vec<Finding> {
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
        let message = "this crate stands on no floor of the house";
        return vec![Finding::new(
            &package.name,
            message,
            "give it a line in `ALLOWED` (crates/xtask/src/tidy/arrows.rs)",
        )];
    };
    let mut findings = Vec::new();
    for used in &package.uses {
        if used.starts_with("daybreak-") {
            if !allowed.contains(&used.as_str()) {
                findings.push(Finding::new(
                    &package.name,
                    format!("it uses {used}"),
                    "arrows only go down, see docs/architecture.md; move what is shared to a lower floor",
                ));
            }
        } else if PURE.iter().any(|pure| package.name == format!("daybreak-{pure}")) {
            if !PURE_LIBRARIES.contains(&used.as_str()) {
                let help =
                    "take what is needed as an argument; a library that only computes belongs in `PURE_LIBRARIES`";
                findings.push(Finding::new(&package.name, format!("it is pure and uses {used}"), help));
            }
        } else if let Some((.., why)) =
            NEVER.iter().find(|(name, never, _)| *name == package.name && never.contains(&used.as_str()))
        {
            findings.push(Finding::new(&package.name, format!("it uses {used}"), *why));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::shown;
    use super::*;

    fn check(name: &str, uses: &[&str], expected: &[&str]) {
        let package = Package { name: name.into(), uses: uses.iter().map(ToString::to_string).collect() };
        assert_eq!(shown(&super::check(&[package])), expected, "{name} -> {uses:?}");
    }

    #[test]
    fn arrows_only_go_down() {
        check("daybreak-engine", &["daybreak-model", "regex"], &[]);
        check("daybreak-engine", &["daybreak-document"], &["daybreak-engine: it uses daybreak-document"]);
        check(
            "daybreak-sdk",
            &["daybreak-engine", "tokio", "daybreak-guard"],
            &["daybreak-sdk: it uses daybreak-guard"],
        );
        check("daybreak-server", &["daybreak-sdk"], &["daybreak-server: it uses daybreak-sdk"]);
        check("daybreak-store", &["daybreak-server"], &["daybreak-store: it uses daybreak-server"]);
        check("daybreak-new", &[], &["daybreak-new: this crate stands on no floor of the house"]);
    }

    #[test]
    fn pure_crates_use_only_what_computes() {
        for used in ["tokio", "actix-web", "reqwest", "notify", "tracing-subscriber", "rustix"] {
            check("daybreak-guard", &[used], &[&format!("daybreak-guard: it is pure and uses {used}")]);
        }
    }

    #[test]
    fn control_and_store_know_no_http() {
        check("daybreak-control", &["actix-web", "notify"], &["daybreak-control: it uses actix-web"]);
        check("daybreak-store", &["reqwest"], &["daybreak-store: it uses reqwest"]);
    }
}

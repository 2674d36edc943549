//! Every invariant that is claimed is tested: a test that guards one bears its number, `invariant_N_…`.

use super::Finding;
use crate::workspace::File;

/// The invariants of docs/architecture.md that have tests; 8 comes with the store that lasts.
const GUARDED: &[u32] = &[1, 2, 3, 4, 5, 6, 7, 9, 10];

/// Finds invariants without a test.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let tested: Vec<u32> =
        files.iter().filter(|file| file.path.ends_with(".rs")).flat_map(|file| tests(&file.text)).collect();
    let missing = GUARDED.iter().filter(|number| !tested.contains(number));
    let finding = |number: &u32| {
        let help = format!("write a test `invariant_{number}_…` that fails when it does not hold");
        Finding::new("docs/architecture.md", format!("no test names invariant {number}"), help)
    };
    missing.map(finding).collect()
}

/// The numbers in the names of a file's functions; proptest's have no attribute that a parser would see, so
/// this reads text.
fn tests(text: &str) -> Vec<u32> {
    let names = text.lines().filter_map(|line| line.trim_start().split_once("fn ").map(|(_, name)| name));
    let rest = names.filter_map(|name| name.strip_prefix("invariant_"));
    rest.filter_map(|rest| rest.split_once('_')?.0.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{file, shown};
    use super::*;

    #[test]
    fn each_has_a_test() {
        let name = |number: &u32| format!("#[test]\n    async fn invariant_{number}_holds() {{}}\n");
        let all: String = GUARDED.iter().map(name).collect();
        assert_eq!(shown(&check(&[file("a.rs", &all)])), [""; 0]);
        let but_one = all.replace("invariant_7_", "invariant_70_");
        assert_eq!(shown(&check(&[file("a.rs", &but_one)])), ["docs/architecture.md: no test names invariant 7"]);
        let prose = "// fn invariant_7 is tested elsewhere\n";
        assert_eq!(tests(prose), [0; 0]);
    }
}

//! Counts beside those that were accepted.

use anyhow::{Result, ensure};

use super::Counts;

/// A count may be so much more, or less, than was accepted, in per cent.
const TOLERANCE: u64 = 5;

/// What a comparison found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// All counts, for people.
    pub(super) table: String,
    /// What must be accepted by name.
    pub(super) failures: Vec<String>,
    /// What may be.
    pub(super) hints: Vec<String>,
}

/// Compares what was counted with what was accepted.
pub(super) fn compare(accepted: &Counts, counted: &Counts) -> Found {
    let mut found = Found::default();
    let width = counted.keys().map(String::len).max().unwrap_or_default();
    for (name, new) in counted {
        let how = format!("accept it by `cargo xtask instructions --accept {name}`");
        let change = match accepted.get(name) {
            None => {
                found.failures.push(format!("{name}: {new} instructions, and no count was accepted; {how}"));
                "new".to_owned()
            }
            Some(old) => {
                let percent = percent(*old, *new);
                let what = format!("{name}: {new} instructions, {old} were accepted ({percent:+.1} %)");
                if new.saturating_mul(100) > old.saturating_mul(100 + TOLERANCE) {
                    found.failures.push(format!("{what}; find out why, or {how}"));
                } else if new.saturating_mul(100) < old.saturating_mul(100 - TOLERANCE) {
                    found.hints.push(format!("{what}; so that it stays so, {how}"));
                }
                format!("{percent:+.1} %")
            }
        };
        found.table += &format!("{name:width$}  {new:>7}  {change:>8}\n");
    }
    for name in accepted.keys().filter(|name| !counted.contains_key(*name)) {
        let how = format!("forget it by `cargo xtask instructions --accept {name}`");
        found.failures.push(format!("{name}: a count was accepted, but there is no such benchmark; {how}"));
    }
    found
}

/// Accepts what was counted for these names, and forgets those that are no benchmark any more.
pub(super) fn accept(accepted: &mut Counts, counted: &Counts, names: &[String]) -> Result<()> {
    let unknown = names.iter().find(|name| !counted.contains_key(*name) && !accepted.contains_key(*name));
    let known: Vec<&str> = counted.keys().map(String::as_str).collect();
    ensure!(
        unknown.is_none(),
        "there is no benchmark {}; write one of {}",
        unknown.map_or("", |name| name),
        known.join(", ")
    );
    for name in names {
        match counted.get(name) {
            Some(new) => accepted.insert(name.clone(), *new),
            None => accepted.remove(name),
        };
    }
    Ok(())
}

fn percent(old: u64, new: u64) -> f64 {
    if old == new { 0.0 } else { (new as f64 / old as f64 - 1.0) * 100.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(counts: &[(&str, u64)]) -> Counts {
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn a_rise_over_five_percent_fails_and_a_fall_is_a_hint() {
        // Accepted, counted; whether it fails, whether it is a hint.
        let cases = [
            (Some(1_000), Some(1_000), false, false),
            (Some(1_000), Some(1_050), false, false),
            (Some(1_000), Some(1_051), true, false),
            (Some(1_000), Some(950), false, false),
            (Some(1_000), Some(949), false, true),
            (Some(0), Some(0), false, false),
            (Some(0), Some(1), true, false),
            (None, Some(1), true, false),
            (Some(1_000), None, true, false),
            (None, None, false, false),
        ];
        for (accepted, counted, fails, hints) in cases {
            let of = |count: Option<u64>| count.map(|count| ("one", count)).into_iter().collect::<Vec<_>>();
            let found = compare(&counts(&of(accepted)), &counts(&of(counted)));
            let shown = (found.failures.len(), found.hints.len());
            assert_eq!(shown, (usize::from(fails), usize::from(hints)), "{accepted:?} {counted:?}: {found:?}");
            let how = "`cargo xtask instructions --accept one`";
            assert!(found.failures.iter().chain(&found.hints).all(|what| what.contains(how)), "{found:?}");
        }
    }

    #[test]
    fn a_failure_names_the_benchmark_and_both_counts() {
        let found = compare(&counts(&[("one", 200), ("two", 7)]), &counts(&[("one", 300), ("two", 7)]));
        let [failure] = &found.failures[..] else { panic!("{found:?}") };
        assert!(["one", "300", "200", "+50.0 %"].iter().all(|part| failure.contains(part)), "{failure}");
        assert_eq!(found.table.lines().count(), 2, "{}", found.table);
    }

    #[test]
    fn only_what_is_named_is_accepted() {
        let mut accepted = counts(&[("one", 1), ("two", 2), ("gone", 3)]);
        let counted = counts(&[("one", 10), ("two", 20), ("new", 30)]);
        accept(&mut accepted, &counted, &["one".into(), "new".into(), "gone".into()]).unwrap();
        assert_eq!(accepted, counts(&[("one", 10), ("two", 2), ("new", 30)]));
        let before = accepted.clone();
        let error = accept(&mut accepted, &counted, &["two".into(), "tow".into()]).unwrap_err();
        assert!(error.to_string().contains("no benchmark tow; write one of new, one, two"), "{error}");
        assert_eq!(accepted, before, "nothing is accepted in part");
    }
}

//! Flags that were asked for and are not there: a name misspelt, or of a flag that was removed too early.

use std::collections::BTreeMap;

use daybreak_model::limits::UNKNOWN_FLAGS_OF_CLIENT_MAX;
use daybreak_model::shown_name;
use parking_lot::Mutex;

/// The names that were asked for most, and how often each was at most.
///
/// Where there are more names than may be kept, a new one takes the place of the one that was asked for least, and its
/// count on top of its own: so a name that is asked for often is never missed, and no count ever shrinks.
#[derive(Debug, Default)]
pub(crate) struct UnknownFlags(Mutex<Vec<(String, u64)>>);

impl UnknownFlags {
    /// Counts one. It waits for nobody: two threads at the same moment may be counted as one.
    #[cold]
    pub(crate) fn count(&self, name: &str) {
        let Some(mut names) = self.0.try_lock() else { return };
        let name = shown_name(name);
        if let Some((_, count)) = names.iter_mut().find(|(known, _)| *known == name) {
            *count = count.saturating_add(1);
        } else if names.len() < UNKNOWN_FLAGS_OF_CLIENT_MAX {
            names.push((name.into_owned(), 1));
        } else if let Some(least) = names.iter_mut().min_by_key(|(_, count)| *count) {
            *least = (name.into_owned(), least.1.saturating_add(1));
        }
    }

    /// All that is kept.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        self.0.lock().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_often_is_kept_among_any_number_of_names() {
        let unknown = UnknownFlags::default();
        for number in 0..10_000 {
            unknown.count(&format!("user-{number}"));
            if number % 10 == 0 {
                unknown.count("new-chekout");
            }
        }
        let counts = unknown.counts();
        assert_eq!(counts.len(), UNKNOWN_FLAGS_OF_CLIENT_MAX);
        assert!(counts["new-chekout"] >= 1_000, "{counts:?}");
    }

    #[test]
    fn a_name_does_nothing_on_a_terminal() {
        let unknown = UnknownFlags::default();
        unknown.count("a\u{1b}[31mb");
        unknown.count("a\u{1b}[31mb");
        let long = "é".repeat(5_000);
        unknown.count(&long);
        let counts = unknown.counts();
        assert_eq!(counts.get("a\u{fffd}[31mb"), Some(&2));
        assert!(counts.keys().all(|name| name.chars().count() <= 100));
    }
}

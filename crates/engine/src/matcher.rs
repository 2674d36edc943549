//! Regular expressions, as evaluation asks them.

use daybreak_model::Pattern;
use regex_automata::Input;
use regex_automata::dfa::Automaton;
use regex_automata::dfa::dense::{Config, DFA};
use regex_automata::util::syntax;

/// A pattern; where it is small, as an automaton that is complete.
///
/// The `regex` crate builds its automaton while it matches, in a cache that it allocates and that threads share
/// under a lock. A complete one only reads.
#[derive(Debug)]
pub(crate) struct Matcher {
    pattern: Pattern,
    automaton: Option<Box<DFA<Vec<u32>>>>,
}

/// An automaton may take so many bytes, and so many while it is built. Larger ones are left to `regex`.
const AUTOMATON_BYTES_MAX: usize = 64 * 1024;
const BUILDING_BYTES_MAX: usize = 256 * 1024;

impl Matcher {
    pub(crate) fn new(pattern: &Pattern) -> Self {
        let limits = Config::new()
            .dfa_size_limit(Some(AUTOMATON_BYTES_MAX))
            .determinize_size_limit(Some(BUILDING_BYTES_MAX))
            // A word boundary is told from ASCII alone; beside other letters the automaton gives up.
            .unicode_word_boundary(true);
        let syntax = syntax::Config::new().case_insensitive(pattern.ignore_case());
        let automaton = DFA::builder().configure(limits).syntax(syntax).build(pattern.as_str());
        Self { pattern: pattern.clone(), automaton: automaton.ok().map(Box::new) }
    }

    pub(crate) const fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Whether it matches somewhere in a text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let input = Input::new(text).earliest(true);
        let found = self.automaton.as_ref().and_then(|automaton| automaton.try_search_fwd(&input).ok());
        found.map_or_else(|| self.pattern.regex().is_match(text), |found| found.is_some())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn matches_what_the_library_matches(
            expression in r"(\^)?[ab.]{0,3}(\(a\|b\)[*+?]|\[a-c\]\{1,3\}|\\b[aä]|\\w)?[ab]{0,2}\$?", text in "[abcä .]{0,8}", ignore_case: bool,
        ) {
            let Ok(pattern) = Pattern::new(&expression, ignore_case) else { return Ok(()) };
            let matcher = Matcher::new(&pattern);
            prop_assert_eq!(matcher.matches(&text), pattern.regex().is_match(&text), "{} {:?}", expression, text);
        }
    }

    #[test]
    fn small_patterns_have_an_automaton_and_large_ones_match_all_the_same() {
        let cases = [("^q+$", true), (r"(?i)(firefox|chrome|safari)/[0-9]{2,3}", true), (r"^\w{5}$", false)];
        for (expression, small) in cases {
            let matcher = Matcher::new(&Pattern::new(expression, false).unwrap());
            assert_eq!(matcher.automaton.is_some(), small, "{expression}");
        }
        let large = Matcher::new(&Pattern::new(r"^\w{5}$", false).unwrap());
        assert!(large.matches("größe") && !large.matches("groß"));
    }
}

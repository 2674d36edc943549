//! Where in a document something stands, in words: `flags.new-checkout.rules[1].when.country`.

use std::collections::BTreeSet;
use std::fmt;

/// The way from a document's root to one of its values.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Path(Vec<Step>);

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    /// Into the value of a key.
    Field(String),
    /// Into an item of a list.
    Item(usize),
}

impl Path {
    pub(crate) fn push(&mut self, step: impl Into<Step>) {
        self.0.push(step.into());
    }

    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }

    /// The same path with one more step.
    pub(crate) fn then(&self, step: impl Into<Step>) -> Self {
        let mut longer = self.clone();
        longer.push(step);
        longer
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// Whether one of the others leads through it, or it through one of them.
    pub(crate) fn overlaps_any(&self, others: &BTreeSet<Self>) -> bool {
        let above = (0..=self.0.len()).any(|length| others.contains(&Self(self.0[..length].to_vec())));
        // What lies below a path follows it in order.
        above || others.range(self..).next().is_some_and(|other| other.0.starts_with(&self.0))
    }

    /// Whether one of the two leads through the other.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }
}

impl From<&str> for Step {
    fn from(name: &str) -> Self {
        Self::Field(name.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Item(index)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-$".contains(c));
        for (depth, step) in self.0.iter().enumerate() {
            match step {
                Step::Item(index) => write!(f, "[{index}]")?,
                Step::Field(name) if !plain(name) => write!(f, "[{name:?}]")?,
                Step::Field(name) if depth == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_overlap_where_one_leads_through_the_other() {
        let path = |names: &str| names.split('.').fold(Path::default(), |path, name| path.then(name));
        let others = BTreeSet::from([path("a.b.c"), path("a.b-.x"), path("d")]);
        let cases = [
            ("a.b.c", true),
            ("a.b", true),
            ("a", true),
            ("a.b.c.d", true),
            ("d.e", true),
            ("a.c", false),
            ("a.b.d", false),
            ("e", false),
        ];
        for (names, expected) in cases {
            assert_eq!(path(names).overlaps_any(&others), expected, "{names}");
            assert_eq!(others.iter().any(|other| other.overlaps(&path(names))), expected, "{names}");
        }
    }

    #[test]
    fn names_with_dots_are_set_apart() {
        let path = Path::default().then("flags").then("a.b").then("rules").then(1).then("when");
        assert_eq!(path.to_string(), r#"flags["a.b"].rules[1].when"#);
    }
}

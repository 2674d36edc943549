//! What was asked, what the specification says of it, and how the server did.

use std::fmt;

use anyhow::Error;

/// How much a check demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// The specification says so.
    Must,
    /// The specification leaves it open, and published clients need it, or other specifications say so.
    Should,
}

/// How a check went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should: what was seen.
    Failed(String),
    /// It was not taken: why.
    Skipped(String),
}

/// One check.
#[derive(Clone, Debug)]
pub struct Check {
    /// The paragraph of the specification.
    pub paragraph: &'static str,
    /// How much it demands.
    pub demand: Demand,
    /// What it holds the server to.
    pub says: String,
    /// How it went.
    pub outcome: Outcome,
}

/// All checks, in the order in which they were taken.
#[derive(Clone, Debug, Default)]
pub struct Report(Vec<Check>);

/// Why a check cannot be taken: an error that is none of the server's.
#[derive(Debug)]
pub(crate) struct Skip(pub(crate) String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// A check that is not taken.
pub(crate) fn skip<T>(why: &str) -> anyhow::Result<T> {
    Err(Skip(why.to_owned()).into())
}

impl Report {
    /// Takes what the specification demands.
    pub(crate) fn must(&mut self, paragraph: &'static str, says: impl Into<String>, done: Result<(), Error>) {
        self.take(paragraph, Demand::Must, says.into(), done);
    }

    /// Takes what clients need besides.
    pub(crate) fn should(&mut self, paragraph: &'static str, says: impl Into<String>, done: Result<(), Error>) {
        self.take(paragraph, Demand::Should, says.into(), done);
    }

    fn take(&mut self, paragraph: &'static str, demand: Demand, says: String, done: Result<(), Error>) {
        let outcome = match done {
            Ok(()) => Outcome::Passed,
            Err(error) => match error.downcast::<Skip>() {
                Ok(skip) => Outcome::Skipped(skip.0),
                Err(error) => Outcome::Failed(format!("{error:#}")),
            },
        };
        self.0.push(Check { paragraph, demand, says, outcome });
    }

    /// All checks.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.0
    }

    /// How many checks of this demand went in such a way.
    #[must_use]
    pub fn count(&self, demand: Demand, kind: fn(&Outcome) -> bool) -> usize {
        self.0.iter().filter(|check| check.demand == demand && kind(&check.outcome)).count()
    }

    /// Whether everything that was taken and that the specification demands is so.
    #[must_use]
    pub fn conforms(&self) -> bool {
        self.count(Demand::Must, Outcome::failed) == 0
    }
}

impl Outcome {
    /// Whether it failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// Whether it passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        matches!(self, Self::Passed)
    }

    /// Whether it was not taken.
    #[must_use]
    pub fn skipped(&self) -> bool {
        matches!(self, Self::Skipped(_))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut paragraph = "";
        for check in &self.0 {
            if check.paragraph != paragraph {
                paragraph = check.paragraph;
                writeln!(f, "{paragraph}")?;
            }
            let says = &check.says;
            match (&check.outcome, check.demand) {
                (Outcome::Passed, _) => writeln!(f, "  pass     {says}")?,
                (Outcome::Failed(why), Demand::Must) => writeln!(f, "  FAIL     {says}\n           {why}")?,
                (Outcome::Failed(why), Demand::Should) => writeln!(f, "  advice   {says}\n           {why}")?,
                (Outcome::Skipped(why), _) => writeln!(f, "  skipped  {says}\n           {why}")?,
            }
        }
        let of = |kind| (self.count(Demand::Must, kind), self.count(Demand::Should, kind));
        let ((passed, well), (failed, badly)) = (of(Outcome::passed), of(Outcome::failed));
        let (skipped, also) = of(Outcome::skipped);
        writeln!(f, "demanded: {passed} passed, {failed} failed, {skipped} skipped")?;
        write!(f, "advised:  {well} passed, {badly} failed, {also} skipped")
    }
}

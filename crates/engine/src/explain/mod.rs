//! Explanations: why a flag answers as it does, rule by rule, with why not.
//!
//! They are made from the same programs and the same truth values that evaluation uses; only the words are
//! added. They allocate, and are for people.

mod condition;
mod words;

use daybreak_model::limits::BUCKETS;
use daybreak_model::{Context, Key, Percentage, Reason, TARGETING_KEY};
use serde::Serialize;

use crate::evaluate::{self, bucket_by};
use crate::program::{ENABLED, Program, Rule, Split};
use crate::{Detail, Snapshot};

pub(crate) use words::quoted;

/// Why a flag answers a context as it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The answer, in a sentence.
    pub summary: String,
    /// The flag's prerequisites, in key order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prerequisites: Vec<PrerequisiteTrace>,
    /// Its rules, in order. Those after the one that matched were not asked.
    pub rules: Vec<RuleTrace>,
}

/// What became of one prerequisite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PrerequisiteTrace {
    /// The flag that must serve a variant first.
    pub flag: Key,
    /// Whether it does.
    pub met: bool,
    /// Why, or why not.
    pub why: String,
}

/// What became of one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleTrace {
    /// The rule.
    pub rule: Key,
    /// What became of it.
    pub outcome: RuleOutcome,
    /// Why, or why not.
    pub why: String,
}

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleOutcome {
    /// It answered.
    Matched,
    /// It did not take this context.
    NotMatched,
    /// It splits by a key that the context does not have.
    Failed,
    /// The flag had answered before.
    NotAsked,
}

impl Snapshot {
    /// Explains what [`Snapshot::evaluate`] answers; `None` where there is no such flag.
    #[must_use]
    pub fn explain(&self, key: &str, context: &Context) -> Option<Explanation> {
        let index = self.index(key)?;
        let program = self.programs.get(index.position())?;
        let facts = &program.facts;
        let detail = self.evaluate_at(index, context);
        let broken = self.why_broken(index, program);
        let asked = broken.is_none() && program.head().is(ENABLED);
        let prerequisites = match asked {
            true => facts.prerequisites.iter().map(|(flag, wanted)| self.prerequisite(flag, wanted, context)).collect(),
            false => Vec::new(),
        };
        let mut answered = !asked || detail.prerequisite().is_some();
        let mut rules = Vec::with_capacity(facts.names.len());
        for (name, rule) in facts.names.iter().zip(program.rules()) {
            let (outcome, why) = match answered {
                true => (RuleOutcome::NotAsked, "the flag had answered before".to_owned()),
                false => self.rule(program, rule, context),
            };
            answered |= matches!(outcome, RuleOutcome::Matched | RuleOutcome::Failed);
            rules.push(RuleTrace { rule: name.clone(), outcome, why });
        }
        Some(Explanation { summary: summary(broken, &detail), prerequisites, rules })
    }

    fn prerequisite(&self, flag: &Key, wanted: &Key, context: &Context) -> PrerequisiteTrace {
        let detail = self.evaluate(flag.as_str(), context);
        let met = evaluate::meets(&detail, wanted);
        let why = match (detail.variant(), detail.reason()) {
            (_, Reason::Disabled) => format!("`{flag}` is disabled, which never counts as met"),
            (Some(variant), _) if met => format!("it serves `{variant}`"),
            (Some(variant), _) => format!("it serves `{variant}`, not `{wanted}`"),
            (None, _) => format!("it fails: {}", detail.message().unwrap_or_default()),
        };
        PrerequisiteTrace { flag: flag.clone(), met, why }
    }

    fn rule(&self, program: &Program, rule: Rule<'_>, context: &Context) -> (RuleOutcome, String) {
        if rule.conditional()
            && let Err(why) = self.why_not(rule.code, context)
        {
            return (RuleOutcome::NotMatched, why);
        }
        let selected = if rule.conditional() { "its condition holds" } else { "it takes everybody" };
        match rule.divides().map_or(Ok(Vec::new()), |split| divides(&split, program, context)) {
            Ok(reasons) => {
                let all: Vec<String> = std::iter::once(selected.to_owned()).chain(reasons).collect();
                (RuleOutcome::Matched, all.join("; "))
            }
            Err(why) => why,
        }
    }
}

/// Why a split takes a context, and to which variant; or what became of the rule instead.
fn divides(split: &Split<'_>, program: &Program, context: &Context) -> Result<Vec<String>, (RuleOutcome, String)> {
    let by = split.by.name();
    let bucket = |head| bucket_by(split.by, head, context);
    let mut reasons = Vec::new();
    match (split.percentage, bucket(program.rule_head())) {
        (0, _) => return Err((RuleOutcome::NotMatched, "its percentage is 0%".to_owned())),
        (BUCKETS, _) => {}
        (_, None) => return Err((RuleOutcome::Failed, key_missing(by))),
        (share, Some(bucket)) => {
            let (inside, percentage) = (bucket < share, percent(share));
            let side = if inside { "within" } else { "not within" };
            let why = format!("the bucket {bucket} of its `{by}` is {side} the first {share} ({percentage})");
            match inside {
                true => reasons.push(why),
                false => return Err((RuleOutcome::NotMatched, why)),
            }
        }
    }
    if split.shares().next().is_some() {
        match (split.falls_to(program, context), bucket(program.rollout_head())) {
            (Ok(variant), Some(bucket)) => {
                let variant = program.facts.variants.get(usize::from(variant)).map_or("", |(name, _)| name.as_str());
                reasons.push(format!("the bucket {bucket} of its `{by}` falls to `{variant}`"));
            }
            (Ok(_), None) => reasons.push("one variant has everybody".to_owned()),
            (Err(_), _) => return Err((RuleOutcome::Failed, key_missing(by))),
        }
    }
    Ok(reasons)
}

fn percent(share: u32) -> String {
    Percentage::from_thousandths(share).map(|percentage| percentage.to_string()).unwrap_or_default()
}

fn key_missing(by: &str) -> String {
    let hint = if by == TARGETING_KEY { "; give the context a `targetingKey`" } else { "" };
    format!("it splits by `{by}`, which the context does not have{hint}")
}

fn summary(broken: Option<&str>, detail: &Detail<'_>) -> String {
    let variant = detail.variant().map_or("", |variant| variant.as_str());
    match (detail.reason(), detail.rule()) {
        (Reason::Disabled, _) => match detail.prerequisite() {
            Some(flag) => format!("the prerequisite `{flag}` is not met, so `{variant}` is served"),
            None => format!("the flag is disabled, so `{variant}` is served"),
        },
        (Reason::Static, _) => format!("the flag has no rules, so `{variant}` is served"),
        (Reason::Error, _) => match broken {
            Some(why) => format!("the flag cannot be evaluated: {why}"),
            None => detail.message().unwrap_or_default(),
        },
        (_, Some(rule)) => format!("the rule `{rule}` serves `{variant}`"),
        (_, None) => format!("no rule matched, so the default `{variant}` is served"),
    }
}

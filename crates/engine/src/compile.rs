//! From resources to programs.

use std::collections::BTreeMap;

use daybreak_model::limits::BUCKETS;
use daybreak_model::{Condition as Source, Flag, Key, Serve as ServeSource, TARGETING_KEY};

use crate::operand::Operand;
use crate::program::{Attribute, Condition, Node, Program, Rule, Serve};

/// The segments by key, and where each is compiled to; one that is missing is broken.
pub(crate) type SegmentIndex = BTreeMap<Key, u32>;

/// Compiles a condition, or says why it cannot be.
pub(crate) fn condition(source: &Source, segments: &SegmentIndex) -> Result<Condition, String> {
    let mut nodes = Vec::new();
    push(source, segments, &mut nodes)?;
    Ok(Condition { nodes: nodes.into() })
}

fn push(source: &Source, segments: &SegmentIndex, nodes: &mut Vec<Node>) -> Result<(), String> {
    let at = nodes.len();
    let parts: &[Source] = match source {
        Source::Attribute(test) => {
            nodes.push(Node::Test(Attribute::new(&test.attribute), Operand::new(&test.test, test.ignore_case)));
            return Ok(());
        }
        Source::Segment(key) => {
            let index = segments.get(key).ok_or_else(|| format!("there is no segment `{key}`"))?;
            nodes.push(Node::Segment(*index));
            return Ok(());
        }
        Source::Not(inner) => std::slice::from_ref(&**inner),
        Source::All(parts) | Source::Any(parts) => parts,
    };
    nodes.push(Node::All { end: 0 });
    for part in parts {
        push(part, segments, nodes)?;
    }
    let end = u32::try_from(nodes.len()).map_err(|_| "a condition of more than 2³² parts".to_owned())?;
    nodes[at] = match source {
        Source::Not(_) => Node::Not { end },
        Source::Any(_) => Node::Any { end },
        _ => Node::All { end },
    };
    Ok(())
}

/// Compiles a flag. One that cannot be is broken, and says why.
pub(crate) fn flag(key: &Key, flag: &Flag, revision: u64, segments: &SegmentIndex) -> Program {
    let rules: Result<Box<[Rule]>, String> = flag.rules.iter().map(|source| rule(source, flag, segments)).collect();
    let off = variant(flag, flag.off_variant());
    let default = variant(flag, &flag.default);
    let broken = [rules.as_ref().err(), off.as_ref().err(), default.as_ref().err()].into_iter().flatten().next();
    Program {
        key: key.clone(),
        revision,
        client: flag.client,
        enabled: flag.enabled,
        value_type: flag.value_type(),
        variants: flag.variants.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        broken: broken.cloned(),
        off: off.ok(),
        default: default.unwrap_or_default(),
        rules: rules.unwrap_or_default(),
        prerequisites: flag.prerequisites.iter().map(|(key, variant)| (key.clone(), variant.clone())).collect(),
        salt: flag.salt.as_deref().unwrap_or(key.as_str()).into(),
        metadata: flag.metadata.clone(),
    }
}

fn variant(flag: &Flag, name: &Key) -> Result<u16, String> {
    let index = flag.variants.keys().position(|known| known == name);
    index.and_then(|index| index.try_into().ok()).ok_or_else(|| format!("there is no variant `{name}`"))
}

fn rule(source: &daybreak_model::Rule, flag: &Flag, segments: &SegmentIndex) -> Result<Rule, String> {
    let serve = match &source.serve {
        ServeSource::Serve(name) => Serve::One(variant(flag, name)?),
        ServeSource::Rollout(shares) => {
            let mut end = 0;
            let share = |(name, share): (&Key, &daybreak_model::Percentage)| {
                end += share.thousandths();
                Ok((end, variant(flag, name)?))
            };
            let shares = shares.iter().map(share).collect::<Result<_, String>>()?;
            if end != BUCKETS {
                return Err(format!("the rollout of rule `{}` does not sum to 100%", source.name));
            }
            Serve::Rollout(shares)
        }
    };
    Ok(Rule {
        name: source.name.clone(),
        condition: source.when.as_ref().map(|when| condition(when, segments)).transpose()?,
        percentage: source.percentage.map(daybreak_model::Percentage::thousandths),
        by: Attribute::new(source.by.as_deref().unwrap_or(TARGETING_KEY)),
        serve,
    })
}

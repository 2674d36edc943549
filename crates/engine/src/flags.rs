//! From flags to programs.

use daybreak_model::limits::BUCKETS;
use daybreak_model::{Flag, Key, Percentage, Rule as Source, Serve as ServeSource, TARGETING_KEY};

use crate::assemble::Assembler;
use crate::code::Segments;
use crate::program::{Facts, Program, Rule, Serve, Split};

/// Compiles a flag. One that cannot be is broken, and says why.
pub(crate) fn compile(key: &Key, flag: &Flag, revision: u64, segments: &Segments) -> Program {
    let mut assembler = Assembler::default();
    let mut splits = Vec::new();
    let rules: Result<Box<[Rule]>, String> =
        flag.rules.iter().map(|source| rule(source, flag, segments, &mut assembler, &mut splits)).collect();
    let off = variant(flag, flag.off_variant());
    let default = variant(flag, &flag.default);
    let broken = [rules.as_ref().err(), off.as_ref().err(), default.as_ref().err()].into_iter().flatten().next();
    let facts = Facts {
        key: key.clone(),
        revision,
        variants: flag.variants.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        names: flag.rules.iter().map(|rule| rule.name.clone()).collect(),
        splits: splits.into(),
        salt: flag.salt.as_deref().unwrap_or(key.as_str()).into(),
        prerequisites: flag.prerequisites.iter().map(|(key, variant)| (key.clone(), variant.clone())).collect(),
        metadata: flag.metadata.clone(),
        value_type: flag.value_type(),
        client: flag.client,
        broken: broken.cloned(),
    };
    Program {
        code: assembler.finish(),
        broken: facts.broken.is_some(),
        rules: rules.unwrap_or_default(),
        off: off.ok(),
        default: default.unwrap_or_default(),
        enabled: flag.enabled,
        has_prerequisites: !facts.prerequisites.is_empty(),
        facts: Box::new(facts),
    }
}

fn variant(flag: &Flag, name: &Key) -> Result<u16, String> {
    let index = flag.variants.keys().position(|known| known == name);
    index.and_then(|index| index.try_into().ok()).ok_or_else(|| format!("there is no variant `{name}`"))
}

fn rule(
    source: &Source,
    flag: &Flag,
    segments: &Segments,
    assembler: &mut Assembler,
    splits: &mut Vec<Split>,
) -> Result<Rule, String> {
    let when = source.when.as_ref().map(|when| assembler.condition(when, segments)).transpose()?;
    let percentage = source.percentage.map(Percentage::thousandths);
    let (shares, one) = match &source.serve {
        ServeSource::Serve(name) => (Box::default(), Some(variant(flag, name)?)),
        ServeSource::Rollout(shares) => {
            let mut end = 0;
            let share = |(name, share): (&Key, &Percentage)| {
                end += share.thousandths();
                Ok((end, variant(flag, name)?))
            };
            let shares = shares.iter().map(share).collect::<Result<Box<[_]>, String>>()?;
            if end != BUCKETS {
                return Err(format!("the rollout of rule `{}` does not sum to 100%", source.name));
            }
            (shares, None)
        }
    };
    let serve = match (one, percentage) {
        (Some(variant), None) => Serve::One(variant),
        (one, percentage) => {
            let at = u16::try_from(splits.len()).map_err(|_| "it has too many rules that split".to_owned())?;
            let by = assembler.attribute(source.by.as_deref().unwrap_or(TARGETING_KEY))?;
            splits.push(Split { by, percentage: percentage.unwrap_or(BUCKETS), shares });
            one.map_or(Serve::Rollout(at), |variant| Serve::Share(variant, at))
        }
    };
    Ok(Rule { when, serve })
}

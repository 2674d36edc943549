//! From conditions to [`Code`](crate::code::Code).

use daybreak_model::condition::{AttributeTest, Test};
use daybreak_model::{
    Condition, Scalar, ScalarRef, Values, Version, VersionComparator, VersionRange, name_word, short_word,
};

use crate::code::{ALL, ANY, HEAD, NOT, OwnCode, SEGMENT, Segments, TEST};
use crate::matcher::Matcher;
use crate::operand::{Op, SIGNS};
use crate::rare::{Mixed, Rare, Rares};

/// Writes the conditions of one flag, run or segment.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    pub(crate) bytes: Vec<u8>,
    rares: Vec<Rare>,
}

/// Short texts beyond this are looked up by hash.
const SHORTS_MAX: usize = 64;

impl Assembler {
    /// What was written.
    pub(crate) fn finish(self) -> OwnCode {
        OwnCode { bytes: self.bytes.into(), rares: Rares(self.rares.into()) }
    }

    /// Writes a condition; or tells why it cannot be compiled.
    pub(crate) fn condition(&mut self, source: &Condition, segments: &Segments) -> Result<(), String> {
        match source {
            Condition::Attribute(test) => self.test(test),
            Condition::Segment(key) => {
                let index = segments.index(key).ok_or_else(|| format!("there is no segment `{key}`"))?;
                self.node(SEGMENT, false, 0, |code| {
                    code.bytes.extend(index.to_le_bytes());
                    Ok(())
                })
            }
            Condition::Not(inner) => self.node(NOT, false, 0, |code| code.condition(inner, segments)),
            Condition::All(parts) => self.node(ALL, false, 0, |code| code.conditions(parts, segments)),
            Condition::Any(parts) => self.node(ANY, false, 0, |code| code.conditions(parts, segments)),
        }
    }

    fn conditions(&mut self, parts: &[Condition], segments: &Segments) -> Result<(), String> {
        parts.iter().try_for_each(|part| self.condition(part, segments))
    }

    /// Writes an attribute.
    pub(crate) fn attribute(&mut self, name: &str) {
        self.bytes.extend(name_word(name.as_bytes()).to_le_bytes());
        self.bytes.extend(name.as_bytes());
    }

    /// Writes a node around what is its own.
    fn node(
        &mut self,
        op: u8,
        flag: bool,
        name: u16,
        own: impl FnOnce(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let at = self.bytes.len();
        self.bytes.extend([op, u8::from(flag)]);
        self.bytes.extend(name.to_le_bytes());
        self.bytes.extend([0; 4]);
        own(self)?;
        let length = narrow(self.bytes.len() - at - HEAD)?;
        self.bytes[at + HEAD - 4..at + HEAD].copy_from_slice(&length.to_le_bytes());
        Ok(())
    }

    fn test(&mut self, source: &AttributeTest) -> Result<(), String> {
        let ignore_case = source.ignore_case;
        let name = &*source.attribute;
        match &source.test {
            Test::Equals(Scalar::Text(text)) => self.ask(name, Op::Text, ignore_case, text.as_bytes()),
            Test::Equals(Scalar::Number(number)) => self.ask(name, Op::Number, false, &number.to_le_bytes()),
            Test::Equals(Scalar::Boolean(boolean)) => self.ask(name, Op::Boolean, *boolean, &[]),
            Test::In(values) => self.set(name, values, ignore_case),
            Test::NotIn(values) => self.node(NOT, false, 0, |code| code.set(name, values, ignore_case)),
            Test::Contains(value) => self.rare(name, Rare::Contains { value: value.clone(), ignore_case }),
            Test::StartsWith(texts) => self.ask(name, Op::StartsWith, ignore_case, &list(texts)?),
            Test::EndsWith(texts) => self.ask(name, Op::EndsWith, ignore_case, &list(texts)?),
            Test::Matches(pattern) => self.rare(name, Rare::Matches(Matcher::new(pattern))),
            Test::Gt(number) => self.ask(name, Op::Gt, false, &number.to_le_bytes()),
            Test::Gte(number) => self.ask(name, Op::Gte, false, &number.to_le_bytes()),
            Test::Lt(number) => self.ask(name, Op::Lt, false, &number.to_le_bytes()),
            Test::Lte(number) => self.ask(name, Op::Lte, false, &number.to_le_bytes()),
            Test::Before(time) => self.rare(name, Rare::Before(*time)),
            Test::After(time) => self.rare(name, Rare::After(*time)),
            Test::Semver(range) => self.ask(name, Op::Semver, false, &bounds(range)?),
            Test::Cidr(networks) => self.rare(name, Rare::Cidr(networks.clone().into())),
            Test::Exists(expected) => self.ask(name, Op::Exists, *expected, &[]),
        }
    }

    fn ask(&mut self, name: &str, op: Op, flag: bool, operand: &[u8]) -> Result<(), String> {
        self.node(TEST + op as u8, flag, narrower(name.len(), "an attribute's name")?, |code| {
            code.attribute(name);
            code.bytes.extend(operand);
            Ok(())
        })
    }

    fn rare(&mut self, name: &str, rare: Rare) -> Result<(), String> {
        let index = narrow(self.rares.len())?;
        self.rares.push(rare);
        self.ask(name, Op::Rare, false, &index.to_le_bytes())
    }

    fn set(&mut self, name: &str, values: &Values, ignore_case: bool) -> Result<(), String> {
        let short = |value| match value {
            ScalarRef::Text(text) => short_word(text.as_bytes()),
            _ => None,
        };
        let few = (1..=SHORTS_MAX).contains(&values.len()) && !ignore_case;
        match few.then(|| values.iter().map(short).collect::<Option<Vec<u64>>>()).flatten() {
            Some(shorts) => {
                let operand: Vec<u8> = shorts.into_iter().flat_map(u64::to_le_bytes).collect();
                self.ask(name, Op::In, false, &operand)
            }
            None => self.rare(name, Rare::In(Mixed::new(values, ignore_case))),
        }
    }
}

fn list(texts: &[Box<str>]) -> Result<Vec<u8>, String> {
    let mut list = Vec::new();
    for text in texts {
        list.extend(narrow(text.len())?.to_le_bytes());
        list.extend(text.as_bytes());
    }
    Ok(list)
}

fn bounds(range: &VersionRange) -> Result<Vec<u8>, String> {
    let mut bounds = Vec::new();
    let number = |sign: &VersionComparator| SIGNS.iter().position(|known| known == sign);
    for (sign, version) in range.bounds() {
        let sign = number(sign).and_then(|sign| u8::try_from(sign).ok()).ok_or("an unknown sign")?;
        bounds.push(sign);
        bounds.extend(Version::numbers(version).into_iter().flat_map(u64::to_le_bytes));
        bounds.extend(narrow(version.pre().len())?.to_le_bytes());
        bounds.extend(version.pre().as_bytes());
    }
    Ok(bounds)
}

pub(crate) fn narrow(at: usize) -> Result<u32, String> {
    u32::try_from(at).map_err(|_| "its conditions are too large: more than 4 GiB".to_owned())
}

pub(crate) fn narrower(length: usize, what: &str) -> Result<u16, String> {
    u16::try_from(length).map_err(|_| format!("{what} is longer than 65,535"))
}

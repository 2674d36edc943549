//! From conditions to [`Code`].

use daybreak_model::condition::{AttributeTest, Test};
use daybreak_model::{Condition, Scalar, Version, VersionComparator};
use rustc_hash::FxHashMap;

use crate::code::{Attribute, Code, List, Node, Segments, Span};
use crate::operand::Operand;
use crate::rare::{Mixed, Rare};
use crate::set::{self, Entry};

/// Gathers the conditions of one flag, run or segment.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    nodes: Vec<Node>,
    texts: String,
    entries: Vec<Entry>,
    versions: Vec<(VersionComparator, Version)>,
    /// Names of attributes stand once.
    names: FxHashMap<Box<str>, Span>,
}

const TOO_LARGE: &str = "its conditions are too large: more than 4 GiB";

impl Assembler {
    /// What was gathered.
    pub(crate) fn finish(self) -> Code {
        Code {
            nodes: self.nodes.into(),
            texts: self.texts.into(),
            entries: self.entries.into(),
            versions: self.versions.into(),
        }
    }

    /// Adds a condition, and tells where it begins; or why it cannot be compiled.
    pub(crate) fn condition(&mut self, source: &Condition, segments: &Segments) -> Result<u32, String> {
        let at = self.nodes.len();
        self.push(source, segments)?;
        narrow(at)
    }

    /// Adds an attribute's name.
    pub(crate) fn attribute(&mut self, name: &str) -> Result<Attribute, String> {
        let span = match self.names.get(name) {
            Some(span) => *span,
            None => {
                let span = self.text(name)?;
                self.names.insert(name.into(), span);
                span
            }
        };
        Ok(Attribute::new(name, span))
    }

    fn push(&mut self, source: &Condition, segments: &Segments) -> Result<(), String> {
        let at = self.nodes.len();
        let parts: &[Condition] = match source {
            Condition::Attribute(test) => return self.test(test),
            Condition::Segment(key) => {
                let index = segments.index(key).ok_or_else(|| format!("there is no segment `{key}`"))?;
                self.nodes.push(Node::Segment(index));
                return Ok(());
            }
            Condition::Not(inner) => std::slice::from_ref(&**inner),
            Condition::All(parts) | Condition::Any(parts) => parts,
        };
        self.nodes.push(Node::All { end: 0 });
        for part in parts {
            self.push(part, segments)?;
        }
        let end = narrow(self.nodes.len())?;
        self.nodes[at] = match source {
            Condition::Not(_) => Node::Not { end },
            Condition::Any(_) => Node::Any { end },
            _ => Node::All { end },
        };
        Ok(())
    }

    fn test(&mut self, source: &AttributeTest) -> Result<(), String> {
        let attribute = self.attribute(&source.attribute)?;
        let ignore_case = source.ignore_case;
        let operand = match &source.test {
            Test::Equals(Scalar::Text(text)) => Operand::Text { text: self.text(text)?, ignore_case },
            Test::Equals(Scalar::Number(number)) => Operand::Number(*number),
            Test::Equals(Scalar::Boolean(boolean)) => Operand::Boolean(*boolean),
            Test::In(scalars) => self.set(scalars, ignore_case)?,
            Test::NotIn(scalars) => {
                let end = narrow(self.nodes.len() + 2)?;
                self.nodes.push(Node::Not { end });
                self.set(scalars, ignore_case)?
            }
            Test::Contains(value) => rare(Rare::Contains { value: value.clone(), ignore_case }),
            Test::StartsWith(texts) => Operand::StartsWith { texts: self.list(texts)?, ignore_case },
            Test::EndsWith(texts) => Operand::EndsWith { texts: self.list(texts)?, ignore_case },
            Test::Matches(pattern) => rare(Rare::Matches(pattern.clone())),
            Test::Gt(number) => Operand::Gt(*number),
            Test::Gte(number) => Operand::Gte(*number),
            Test::Lt(number) => Operand::Lt(*number),
            Test::Lte(number) => Operand::Lte(*number),
            Test::Before(time) => rare(Rare::Before(*time)),
            Test::After(time) => rare(Rare::After(*time)),
            Test::Semver(range) => {
                let at = self.versions.len();
                self.versions.extend_from_slice(range.bounds());
                Operand::Semver(list(at, self.versions.len())?)
            }
            Test::Cidr(networks) => rare(Rare::Cidr(networks.clone().into())),
            Test::Exists(expected) => Operand::Exists(*expected),
        };
        self.nodes.push(Node::Test(attribute, operand));
        Ok(())
    }

    fn set(&mut self, scalars: &[Scalar], ignore_case: bool) -> Result<Operand, String> {
        let texts = scalars.iter().map(|scalar| match scalar {
            Scalar::Text(text) if !ignore_case => Some(&**text),
            _ => None,
        });
        let Some(mut texts) = texts.collect::<Option<Vec<&str>>>() else {
            return Ok(rare(Rare::In(Mixed::new(scalars, ignore_case))));
        };
        texts.sort_unstable();
        texts.dedup();
        let spans = texts.into_iter().map(|text| Ok((text, self.text(text)?))).collect::<Result<Vec<_>, String>>()?;
        let at = self.entries.len();
        self.entries.extend(set::places(&spans));
        Ok(Operand::In(list(at, self.entries.len())?))
    }

    fn list(&mut self, texts: &[Box<str>]) -> Result<List, String> {
        let at = self.entries.len();
        for text in texts {
            let span = self.text(text)?;
            self.entries.push(Entry::listed(span));
        }
        list(at, self.entries.len())
    }

    fn text(&mut self, text: &str) -> Result<Span, String> {
        let at = narrow(self.texts.len())?;
        self.texts.push_str(text);
        narrow(self.texts.len())?;
        Ok(Span { at, len: narrow(text.len())? })
    }
}

fn rare(rare: Rare) -> Operand {
    Operand::Rare(Box::new(rare))
}

fn list(at: usize, end: usize) -> Result<List, String> {
    Ok(List { at: narrow(at)?, len: narrow(end - at)? })
}

fn narrow(at: usize) -> Result<u32, String> {
    u32::try_from(at).map_err(|_| TOO_LARGE.to_owned())
}

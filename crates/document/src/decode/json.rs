//! Reads values that are the application's own: any JSON.

use serde_json::Value;

use daybreak_model::limits::DEPTH_MAX;

use super::reader::Reader;
use crate::tree::{Node, Tree};

/// A value of any shape, not too deep.
pub(crate) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Value> {
    if depth(node) > DEPTH_MAX {
        let message = format!("this value nests more than {DEPTH_MAX} levels deep");
        reader.error("too_deep", node.head, message, "flatten it");
        return None;
    }
    convert(node)
}

/// `None` where a part of it was reported.
fn convert(node: &Node) -> Option<Value> {
    Some(match &node.tree {
        Tree::Null => Value::Null,
        Tree::Boolean(value) => (*value).into(),
        Tree::Number(number) => number.to_json(),
        Tree::Text { text, .. } => text.as_str().into(),
        Tree::List(items) => Value::Array(items.iter().map(convert).collect::<Option<_>>()?),
        Tree::Map(entries) => {
            let member = |entry: &crate::tree::Entry| Some((entry.key.clone(), convert(&entry.value)?));
            Value::Object(entries.iter().map(member).collect::<Option<_>>()?)
        }
        Tree::Reported => return None,
    })
}

fn depth(node: &Node) -> usize {
    match &node.tree {
        Tree::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Tree::Map(entries) => 1 + entries.iter().map(|entry| depth(&entry.value)).max().unwrap_or(0),
        _ => 1,
    }
}

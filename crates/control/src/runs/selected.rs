//! What a run selects requests by: its condition, and the segments that it reaches, which are sent to each client.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_guard::admission::{self, RefusalCode};
use daybreak_model::condition::{AttributeTest, Test};
use daybreak_model::limits::RUN_VALUES_MAX;
use daybreak_model::wire::RunSpec;
use daybreak_model::{Condition, Key, Resources};

/// The segments that a fault's condition and the `protect` list name, and those that these name.
pub(super) fn reached(resources: &Resources, when: Option<&Condition>, protect: &[Key]) -> BTreeMap<Key, Condition> {
    let mut reached = BTreeMap::new();
    let mut open: BTreeSet<Key> = protect.iter().cloned().collect();
    open.extend(when.into_iter().flat_map(Condition::segments));
    while let Some(key) = open.pop_first() {
        let Some(segment) = resources.segments.get(&key) else { continue };
        let named = segment.when.segments().into_iter().filter(|named| !reached.contains_key(named));
        open.extend(named);
        reached.insert(key, segment.when.clone());
    }
    reached
}

/// What stands against a run whose lists would be too long to be sent to each client with it.
pub(super) fn lists_too_long(spec: &RunSpec) -> Option<admission::Refusal> {
    let mut values = 0;
    for condition in spec.when.iter().chain(spec.segments.values()) {
        condition.walk(&mut |part| {
            if let Condition::Attribute(AttributeTest { test: Test::In(list) | Test::NotIn(list), .. }) = part {
                values += list.len();
            }
        });
    }
    (values > RUN_VALUES_MAX).then(|| admission::Refusal {
        code: RefusalCode::ListsTooLong,
        sentence: format!(
            "its condition, the protected segments and those that they name have lists of {values} values together; they are \
             sent to each client, and may have {RUN_VALUES_MAX}"
        ),
        clears: "select by an attribute, such as a plan, in the place of a long list of ids".to_owned(),
        clears_at: None,
        waivable: false,
    })
}

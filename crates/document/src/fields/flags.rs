//! The fields of flags, rules, segments, and the tests of conditions.

use super::{Noun, Shape, optional, required};

const TEXTS: Shape = Shape::OneOf(&[Shape::Text, Shape::Several(&Shape::Text)]);

pub(crate) static FLAG: Noun = Noun {
    name: "a flag",
    id: "flag",
    doc: "A key, its variants and its targeting rules.",
    fields: &[
        optional("description", Shape::Text, "What it is for."),
        optional("owner", Shape::Text, "Who answers for it."),
        optional("tags", Shape::List(&Shape::Text), "Words to find it by."),
        optional("metadata", Shape::Names(&Shape::Scalar), "Scalars handed on with every answer."),
        optional("client", Shape::Boolean, "Whether browsers may see it; false unless said."),
        optional("enabled", Shape::Boolean, "When false, `off` is served; true unless said."),
        optional("expires", Shape::Date, "The day from which it is listed as due for removal. It changes no answer."),
        optional(
            "variants",
            Shape::Map(&Shape::Json),
            "What it can serve, by name, all of one type: boolean, string, number or object; {on: true, off: false} unless said.",
        ),
        optional(
            "off",
            Shape::Key,
            "The variant served when disabled; of a boolean flag the one that is false unless said, else the default.",
        ),
        required(
            "default",
            Shape::Key,
            "write `default:` and the variant to serve when no rule matches",
            "The variant served when no rule matched.",
        ),
        optional("rules", Shape::List(&Shape::Object(&RULE)), "In order: the first that matches answers."),
        optional(
            "prerequisites",
            Shape::Map(&Shape::Key),
            "Flags that must serve the named variant; otherwise `off` is served.",
        ),
        optional(
            "salt",
            Shape::Text,
            "What its buckets are drawn with; the flag's key unless said. Flags that share one share cohorts.",
        ),
    ],
};

pub(crate) static RULE: Noun = Noun {
    name: "a rule",
    id: "rule",
    doc: "One targeting rule: whom it selects, and what it serves to them.",
    fields: &[
        required(
            "name",
            Shape::Key,
            "write `name:` and a name that no other rule of the flag has",
            "Unique in its flag; how a patch addresses it.",
        ),
        optional("description", Shape::Text, "What it is for."),
        optional("when", Shape::Condition, "Whom it selects; everyone unless said."),
        optional(
            "percentage",
            Shape::Percentage,
            "The share of those whom it takes; the others fall on to the next rule.",
        ),
        optional("serve", Shape::Key, "The variant that it serves. Either this or `rollout`."),
        optional(
            "rollout",
            Shape::Map(&Shape::Percentage),
            "Shares of several variants, which sum to 100%. Either this or `serve`.",
        ),
        optional("by", Shape::Attribute, "The attribute that buckets are drawn by; targetingKey unless said."),
    ],
};

pub(crate) static SEGMENT: Noun = Noun {
    name: "a segment",
    id: "segment",
    doc: "A named condition that rules and faults share.",
    fields: &[
        optional("description", Shape::Text, "Who they are."),
        optional("owner", Shape::Text, "Who answers for it."),
        required("when", Shape::Condition, "write `when:` and a test, as in `when: { plan: pro }`", "Whom it holds."),
    ],
};

/// The tests of one attribute.
pub(crate) static TESTS: Noun = Noun {
    name: "a test",
    id: "tests",
    doc: "What must hold of an attribute; of several tests all must hold. On a list, a test holds if any element makes it hold.",
    fields: &[
        optional("equals", Shape::Scalar, "Equal to the value; usually written without `equals`, as in `plan: pro`."),
        optional("in", Shape::Several(&Shape::Scalar), "Equal to one of the values."),
        optional("not_in", Shape::Several(&Shape::Scalar), "Equal to none of the values."),
        optional("contains", Shape::Scalar, "A part of a text, or an element of a list."),
        optional("starts_with", TEXTS, "Begins with the text, or with one of them."),
        optional("ends_with", TEXTS, "Ends with the text, or with one of them."),
        optional("matches", Shape::Text, "A regular expression that matches somewhere in the text."),
        optional("gt", Shape::Number, "A number greater than this."),
        optional("gte", Shape::Number, "A number greater than or equal to this."),
        optional("lt", Shape::Number, "A number less than this."),
        optional("lte", Shape::Number, "A number less than or equal to this."),
        optional("before", Shape::Timestamp, "An RFC 3339 time before this."),
        optional("after", Shape::Timestamp, "An RFC 3339 time after this."),
        optional("semver", Shape::Text, "A version within the range: `>=2.3.0`, `>=2.3 <3`."),
        optional("cidr", TEXTS, "An IP address within the network, or one of them: `10.0.0.0/8`."),
        optional("exists", Shape::Boolean, "Present and not null; with false, absent or null."),
        optional("ignore_case", Shape::Boolean, "The tests of text beside it fold case."),
    ],
};

/// The keys of a condition that combine others; every other key is an attribute.
pub(crate) const COMBINATORS: [&str; 4] = ["all", "any", "not", "segment"];

//! What stands against a start of a fault that draws by an attribute.

use daybreak_model::limits::BUCKETS;
use daybreak_model::{DrawBy, Percentage};

use super::checks::refusal;
use super::{Facts, Refusal, RefusalCode};
use crate::clients::KeysSeen;

/// So many keys must be expected to be drawn: of fewer, one more or less makes too much of a difference.
const TREATED_KEYS_MIN: u64 = 100;
/// The share of a point's requests that one key may carry. Any key may be drawn, so it holds for all.
const KEY_SHARE_MAX: Percentage = match Percentage::from_thousandths(1_000) {
    Some(percentage) => percentage,
    None => Percentage::ZERO,
};

/// A sticky run is bounded by its keys: how many there are, and how much of the traffic one of them carries. What is
/// not known is not fine.
pub(super) fn insufficient_data(facts: &Facts<'_>) -> Option<Refusal> {
    let DrawBy::Attribute(name) = &facts.fault.by else { return None };
    let point = &facts.fault.point;
    let Some(seen) = facts.keys.filter(|seen| seen.distinct > 0) else {
        return Some(refusal(
            RefusalCode::InsufficientData,
            format!(
                "the fault draws by `{name}`, and no client has told of its values at `{point}` within the last hour, \
                 so nothing says how much one draw would strike"
            ),
            format!("clients count them from when the fault is there; see that the context of requests has `{name}`"),
        ));
    };
    let KeysSeen { distinct, requests, heaviest } = seen;
    let asked = facts.start.percentage(facts.fault);
    let needed = keys_needed(asked);
    let mut sentences = Vec::new();
    let mut clears = Vec::new();
    if distinct < needed {
        sentences.push(format!(
            "{distinct} distinct values of `{name}` passed `{point}` within the last hour; to draw {asked} of them takes \
             {needed}"
        ));
        clears.push("wait for more traffic, or ask for more, as far as the blast radius goes");
    }
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2⁵³")]
    let share = heaviest as f64 / requests.max(1) as f64;
    if share > KEY_SHARE_MAX.ratio() {
        let share = 100.0 * share;
        sentences.push(format!(
            "one value of `{name}` carries up to {share:.3}% of the {requests} requests at `{point}`, and a draw of it \
             would strike them all; {KEY_SHARE_MAX} is the most"
        ));
        clears.push("keep it out by `when` or `protect`, wait for an hour, or draw by request: leave `by` out");
    }
    let refused = !sentences.is_empty();
    refused.then(|| refusal(RefusalCode::InsufficientData, sentences.join("; "), clears.join("; ")))
}

/// How many distinct keys there must be for a percentage.
fn keys_needed(percentage: Percentage) -> u64 {
    (TREATED_KEYS_MIN * u64::from(BUCKETS)).div_ceil(u64::from(percentage.thousandths().max(1)))
}

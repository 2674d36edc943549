//! Clients: how they get their changes, how far behind they are, and what they evaluated.

use daybreak_control::{Answered, Asked, ClientView, Control, Standing};
use daybreak_model::Millis;
use daybreak_model::wire::Position;

use super::server::{float, float_of};
use crate::metrics::family::{Labels, Metrics, label};
use crate::metrics::totals::Totals;

/// How far they are behind: at most so many revisions, and the words for it.
const BEHIND: [(u64, &str); 4] = [(0, "0"), (1, "1"), (10, "2..10"), (u64::MAX, "more")];
/// Names that are no flag and were asked for within this time are counted.
const UNKNOWN_WITHIN: Millis = Millis::from_secs(5 * 60);
/// They serve another store's flags, or none.
const ELSEWHERE: &str = "unknown";

pub(super) fn read(control: &Control, totals: &Totals, metrics: &mut Metrics) {
    let (clients, position) = (control.clients(), control.position());
    let standings = control.standings();
    let standing = |standing: Standing| float_of(standings.get(&standing).copied().unwrap_or_default());
    let states = Standing::ALL.map(|state| (label("state", state.as_str()), standing(state)));
    metrics.gauges("daybreak_clients", "Clients of the last ten minutes, by how they stand", states.into());
    let live: Vec<Option<u64>> =
        clients.iter().filter(|client| client.live).map(|client| behind(client, position)).collect();
    let words = BEHIND.iter().map(|(_, word)| *word).chain([ELSEWHERE]);
    let count = |word: &str| float_of(live.iter().filter(|behind| band(**behind) == word).count());
    let bands: Vec<(Labels, f64)> = words.map(|word| (label("revisions", word), count(word))).collect();
    // Idle clients tell every ten seconds: many are behind here for a while that have everything.
    metrics.gauges(
        "daybreak_clients_behind",
        "Live clients, by how many revisions they were behind when they told last",
        bands,
    );
    let most = live.iter().flatten().max().copied().unwrap_or_default();
    metrics.gauge("daybreak_client_lag_revisions", "How many revisions the client that is most behind is", float(most));
    let help = "Names that are no flag, and were asked for within the last five minutes";
    metrics.gauge("daybreak_unknown_flags", help, float_of(control.unknown_flags(UNKNOWN_WITHIN)));
    delivery(control, metrics);
    evaluations(control, totals, metrics);
    ofrep(control, metrics);
}

/// How many revisions a client is behind; none where that cannot be told.
fn behind(client: &ClientView, position: Position) -> Option<u64> {
    let at = client.client.position.filter(|at| at.store == position.store)?;
    // It may have reported what was published since the position was read.
    Some(position.revision.saturating_sub(at.revision))
}

fn band(behind: Option<u64>) -> &'static str {
    let band = |behind| BEHIND.iter().find(|(most, _)| behind <= *most).map(|(_, word)| *word);
    behind.and_then(band).unwrap_or(ELSEWHERE)
}

/// How long changes took to reach clients.
fn delivery(control: &Control, metrics: &mut Metrics) {
    let (streaming, polling) = control.deliveries();
    let help = "From the publication of a change until a client served it, by how it gets its changes";
    let series = vec![(label("way", "streaming"), streaming), (label("way", "polling"), polling)];
    metrics.histograms("daybreak_delivery_duration_seconds", help, series);
}

/// What this server itself evaluates, for those that ask by OFREP.
fn ofrep(control: &Control, metrics: &mut Metrics) {
    let series = [("flag", Asked::Flag), ("all", Asked::All)].into_iter().flat_map(|(word, asked)| {
        let Answered { served, errors } = control.answered(asked);
        let labels = |outcome: &str| vec![("asked", word.to_owned()), ("outcome", outcome.to_owned())];
        [(labels("served"), served), (labels("error"), errors)]
    });
    let help = "Evaluations that were asked for by OFREP, of one flag or of all at once, by outcome";
    metrics.counters("daybreak_ofrep_evaluations", help, series.collect());
}

/// What clients report of flags that there are, by name; of all others, as one.
fn evaluations(control: &Control, totals: &Totals, metrics: &mut Metrics) {
    let evaluated = totals.evaluated(control.state().resources().flags.keys(), || control.evaluations());
    let series = evaluated.into_iter().flat_map(|(flag, of)| {
        [("served", of.served), ("error", of.errors)]
            .map(|(outcome, count)| (vec![("flag", flag.clone()), ("outcome", outcome.to_owned())], count))
    });
    let help = "Evaluations of flags that clients reported, by flag and outcome";
    metrics.counters("daybreak_evaluations", help, series.collect());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_of_revisions() {
        let cases = [
            (None, "unknown"),
            (Some(0), "0"),
            (Some(1), "1"),
            (Some(2), "2..10"),
            (Some(10), "2..10"),
            (Some(11), "more"),
        ];
        cases.iter().for_each(|(behind, expected)| assert_eq!(band(*behind), *expected, "{behind:?}"));
    }
}

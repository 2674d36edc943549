//! What active runs may still spend.

use std::collections::BTreeMap;

use daybreak_model::{Key, Percentage, RunId};

/// The share of each SLO's budget that is set aside for active runs: each may spend up to its `max_spend`, and so nobody
/// else may count on it. What a run has spent already stays set aside until it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reservations {
    runs: BTreeMap<RunId, (Key, Percentage)>,
}

impl Reservations {
    /// Sets a share of the budget aside for a run.
    pub fn hold(&mut self, run: RunId, slo: Key, max_spend: Percentage) {
        self.runs.insert(run, (slo, max_spend));
    }

    /// Gives back what was set aside for a run that ended.
    pub fn release(&mut self, run: RunId) {
        self.runs.remove(&run);
    }

    /// The share of an SLO's budget that is set aside; above 1 where more was promised than there is.
    #[must_use]
    pub fn share(&self, slo: &Key) -> f64 {
        let of = self.runs.values().filter(|(of, _)| of == slo);
        let thousandths: u64 = of.map(|(_, share)| u64::from(share.thousandths())).sum();
        #[expect(clippy::cast_precision_loss, reason = "a few thousand runs of 100,000 each")]
        let thousandths = thousandths as f64;
        thousandths / f64::from(Percentage::FULL.thousandths())
    }
}

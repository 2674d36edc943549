//! The evaluators, a file each.

mod daybreak;
mod eppo;
mod launchdarkly;
mod yggdrasil;

use crate::peer::{Contestant, Peer, contestant};
use crate::workload::Workload;

/// The one who the others are compared to: asked by key, as they are, and it counts what is asked.
pub(crate) const BASE: &str = daybreak::ByKey::NAME;

/// All evaluators.
pub(crate) fn contestants() -> Vec<Contestant<Workload>> {
    vec![
        contestant::<daybreak::ByKey>(),
        contestant::<daybreak::ByHandle>(),
        contestant::<daybreak::Engine>(),
        contestant::<yggdrasil::Yggdrasil>(),
        contestant::<yggdrasil::Counted>(),
        contestant::<eppo::Eppo>(),
        contestant::<launchdarkly::LaunchDarkly>(),
    ]
}

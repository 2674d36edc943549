//! The evaluators, a file each.

mod configcat;
mod daybreak;
mod eppo;
mod featureprobe;
mod flagd;
mod flagsmith;
mod growthbook;
mod launchdarkly;
mod statsig;
mod yggdrasil;

use std::sync::LazyLock;

use tokio::runtime::Runtime;

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
        contestant::<statsig::Statsig>(),
        contestant::<configcat::ConfigCat>(),
        contestant::<featureprobe::FeatureProbe>(),
        contestant::<flagsmith::Flagsmith>(),
        contestant::<growthbook::GrowthBook>(),
        contestant::<growthbook::Core>(),
        contestant::<flagd::Flagd>(),
    ]
}

/// What the SDKs run on that are asynchronous.
static RUNTIME: LazyLock<std::io::Result<Runtime>> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build());

/// Waits for something asynchronous.
fn wait<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    match &*RUNTIME {
        Ok(runtime) => Ok(runtime.block_on(future)),
        Err(error) => anyhow::bail!("no runtime: {error}"),
    }
}

//! Guarded runs whose budget Prometheus counts: while it tells nothing, none starts, and none goes on.

use daybreak_document::Source;
use daybreak_guard::admission::RefusalCode::{CoolingDown, InsufficientData};
use daybreak_model::{Kind, RunId};

use super::guarded::Shop;
use crate::Actor;
use crate::prometheus::fake::{Failure, Fake};

const SLO: &str = r#"
objective: 99.9%
window: 28d
sli: { operation: "POST /checkout", good: { status: "<500" }, prometheus: { good: good_total, total: all_total } }
"#;

/// A shop, and the Prometheus that counts for it.
struct Watched {
    shop: Shop,
    prometheus: Fake,
}

impl Watched {
    /// Open, with much counted, and a shadow run that has run its course.
    async fn open() -> Self {
        let shop = Shop::open().await;
        let source = Source::new("slo.yaml", SLO);
        shop.control().put(Kind::Slo, "checkout", source, Default::default(), Actor::default()).await.unwrap();
        let mut prometheus = Fake::new(shop.control()).await;
        prometheus.tells(0).await;
        prometheus.tells(1_000_000).await;
        let mut watched = Self { shop, prometheus };
        watched.rounds(1, [0, 50]).await;
        watched.shop.start(true).await.unwrap();
        watched.rounds(2, [1, 99]).await;
        watched.shop.control().stop("guarded", Actor::default()).await.unwrap();
        watched.rounds(3, [0, 100]).await;
        watched
    }

    /// So many times between two questions to Prometheus, and its answers.
    async fn rounds(&mut self, count: u32, requests: [u64; 2]) {
        for _ in 0..count {
            self.shop.serve(15, requests, [0, 0]).await;
            self.prometheus.tells(15 * requests.iter().sum::<u64>()).await;
        }
    }

    fn ended(&self, run: RunId) -> Option<String> {
        self.shop.view(run).ended.map(|ended| ended.to_string())
    }
}

#[tokio::test]
async fn invariant_5_while_prometheus_tells_nothing_no_run_starts_or_goes_on() {
    for failure in Failure::ALL {
        let mut watched = Watched::open().await;
        let run = watched.shop.start(false).await.unwrap();
        watched.rounds(8, [1, 99]).await;
        assert_eq!(watched.ended(run), None, "{failure:?}: it goes on while it tells");
        watched.prometheus.fails(failure).await;
        // What it told last holds for a while, unless it says that there is nothing.
        let at_once = [Failure::NotANumber, Failure::Empty].contains(&failure);
        watched.shop.control().tick().await;
        assert_eq!(watched.ended(run).is_some(), at_once, "{failure:?}");
        for _ in 0..7 {
            watched.shop.serve(15, [1, 99], [0, 0]).await;
            watched.prometheus.fails(failure).await;
        }
        assert_eq!(watched.ended(run).as_deref(), Some("aborted: stale_reports"), "{failure:?}");
        let why = watched.shop.view(run).end_reason.unwrap();
        assert!(why.contains("the indicator of `checkout` has brought nothing"), "{failure:?}: {why}");
        assert_eq!(watched.shop.start(false).await, Err(vec![InsufficientData, CoolingDown]), "{failure:?}");
        // It tells again.
        watched.prometheus.tells(1).await;
        assert_eq!(watched.shop.start(false).await, Err(vec![CoolingDown]), "{failure:?}");
    }
}

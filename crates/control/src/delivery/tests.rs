//! Changes that somebody waits for, and how clients stand.

use std::time::Duration;

use daybreak_model::wire::{ClientState, Position, StoreId};
use daybreak_model::{Kind, Millis};

use super::*;
use crate::testing::{Bench, TestClient};
use crate::{Actor, Precondition};

const SECOND: Duration = Duration::from_secs(1);

/// Clients that serve what the server does now.
fn clients(bench: &Bench, count: u128) -> Vec<TestClient> {
    let mut clients: Vec<_> = (0..count).map(TestClient::new).collect();
    clients.iter_mut().for_each(|client| stands(bench, client, bench.control.position(), 0));
    clients
}

/// A client tells that it has stood there for so many milliseconds.
fn stands(bench: &Bench, client: &mut TestClient, position: Position, age: u64) {
    client.report.position = Some(position);
    client.report.position_age = Some(Millis::new(age));
    client.report(&bench.control);
}

async fn toggle(bench: &Bench, on: bool) -> Position {
    let actor = Actor { waits: true, ..Actor::default() };
    let (kind, key, any) = (Kind::Flag, "new-checkout", Precondition::None);
    let changed = match on {
        true => bench.control.enable(kind, key, any, actor).await,
        false => bench.control.disable(kind, key, any, actor).await,
    };
    changed.unwrap().position
}

#[tokio::test(start_paused = true)]
async fn an_answer_comes_once_all_have_it() {
    let bench = Bench::new().await;
    let mut clients = clients(&bench, 3);
    let position = toggle(&bench, false).await;
    bench.clock.advance(Duration::from_millis(50));
    stands(&bench, &mut clients[0], position, 30);
    let (reached, ()) = tokio::join!(bench.control.reached(position, 30 * SECOND), async {
        tokio::task::yield_now().await;
        stands(&bench, &mut clients[1], position, 9);
        clients[2].report.goodbye = true;
        clients[2].report(&bench.control);
    });
    let summary = "all 2 clients have it, slowest 41ms; 1 left meanwhile";
    assert_eq!((reached.summary.as_str(), reached.clients, reached.having, reached.left), (summary, 2, 2, 1));
    assert!(reached.missing.is_empty());
    assert_eq!(bench.control.delivery().streaming.count, 2);
}

#[tokio::test(start_paused = true)]
async fn those_that_have_it_not_are_named() {
    let bench = Bench::new().await;
    let mut clients = clients(&bench, 30);
    let before = bench.control.position();
    let position = toggle(&bench, false).await;
    bench.clock.advance(SECOND);
    clients[5].report.state = ClientState::Polling;
    stands(&bench, &mut clients[5], before, 0);
    stands(&bench, &mut clients[6], position, 1_000);
    let reached = bench.control.reached(position, 2 * SECOND).await;
    assert_eq!((reached.clients, reached.having, reached.slowest), (30, 1, Millis::ZERO));
    assert_eq!(reached.summary, "1 of 30 clients have it, slowest 0s");
    assert_eq!(reached.missing.len(), MISSING_SHOWN, "no more than that are named");
    let polling = &reached.missing[5];
    assert_eq!((polling.state, polling.position, polling.silent), (ClientState::Polling, Some(before), Millis::ZERO));
    assert_eq!(reached.missing[0].silent, Millis::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn without_clients_nothing_is_waited_for() {
    let bench = Bench::new().await;
    let position = toggle(&bench, false).await;
    let reached = bench.control.reached(position, 30 * SECOND).await;
    assert_eq!((reached.summary.as_str(), reached.clients), ("no client is there to have it", 0));
}

#[tokio::test(start_paused = true)]
async fn a_wait_holds_up_nobody_and_ends_with_its_caller() {
    let bench = Bench::new().await;
    let mut clients = clients(&bench, 1);
    let first = toggle(&bench, false).await;
    let control = bench.control.clone();
    let waiting = tokio::spawn(async move { control.reached(first, 30 * SECOND).await });
    let gone = tokio::time::timeout(SECOND, bench.control.reached(first, 30 * SECOND)).await;
    assert!(gone.is_err(), "nobody has it");
    assert!(!waiting.is_finished());
    let second = toggle(&bench, true).await;
    stands(&bench, &mut clients[0], second, 0);
    assert_eq!(waiting.await.unwrap().having, 1, "a later revision will do");
    assert_eq!(bench.control.reached(second, 30 * SECOND).await.having, 1);
}

#[tokio::test]
async fn acknowledgements_are_asked_for_where_somebody_waits() {
    let bench = Bench::new().await;
    let mut streams = Vec::new();
    for _ in 0..50 {
        streams.push(bench.control.subscribe(Some(bench.control.position())).await);
    }
    toggle(&bench, false).await;
    bench.control.enable(Kind::Flag, "new-checkout", Precondition::None, Actor::default()).await.unwrap();
    let mut heard = || String::from_utf8(streams[0].live.try_recv().unwrap().to_vec()).unwrap();
    assert!(heard().contains(r#""ack":true,"jitter":2"#), "50 clients tell within 2 ms");
    assert!(!heard().contains("ack"));
}

/// Also where nothing was changed, and so nothing has asked yet: once for each revision, and only where somebody lacks it.
#[tokio::test(start_paused = true)]
async fn acknowledgements_are_asked_for_where_nothing_was_changed() {
    let bench = Bench::new().await;
    let mut clients = clients(&bench, 1);
    let mut stream = bench.control.subscribe(Some(bench.control.position())).await;
    let off = async |actor: Actor| {
        bench.control.disable(Kind::Flag, "new-checkout", Precondition::None, actor).await.unwrap()
    };
    let first = off(Actor::default()).await;
    let mut heard = || stream.live.try_recv().ok().map(|frame| String::from_utf8(frame.to_vec()).unwrap());
    assert!(heard().is_some_and(|frame| !frame.contains("ack")), "nobody waits for it");
    let again = off(Actor { waits: true, ..Actor::default() }).await;
    assert_eq!((again.changed, again.position), (false, first.position));
    assert_eq!(heard(), None);
    for asked in [true, false] {
        assert_eq!(bench.control.reached(again.position, SECOND).await.having, 0);
        let wanted = format!("id: {at}\ndata: {{\"position\":\"{at}\",\"ack\":true}}\n\n", at = first.position);
        assert_eq!(heard().is_some_and(|frame| frame.ends_with(&wanted)), asked);
    }
    let third = bench.control.enable(Kind::Flag, "new-checkout", Precondition::None, Actor::default()).await.unwrap();
    assert!(heard().is_some());
    stands(&bench, &mut clients[0], third.position, 0);
    assert_eq!(bench.control.reached(third.position, SECOND).await.having, 1);
    assert_eq!(heard(), None, "all have told already");
}

/// A wait does not hold up the end of the server, whether it began before or after that.
#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_server() {
    let bench = Bench::new().await;
    let _clients = clients(&bench, 2);
    let position = toggle(&bench, false).await;
    bench.control.halt(Actor::default()).await.unwrap();
    let began = tokio::time::Instant::now();
    let (reached, halt, ()) =
        tokio::join!(bench.control.reached(position, 30 * SECOND), bench.control.halt_confirmed(30 * SECOND), async {
            tokio::task::yield_now().await;
            bench.control.shut_down(Millis::ZERO);
        });
    let missing: Vec<_> = reached.missing.iter().map(|one| one.client).collect();
    assert_eq!((reached.clients, reached.having, missing.len()), (2, 0, 2), "it tells how things stand");
    assert_eq!((halt.halted, halt.clients, halt.confirmed), (true, 2, 0));
    assert_eq!(bench.control.reached(position, 30 * SECOND).await, reached);
    assert!(!bench.control.halt_confirmed(30 * SECOND).await.unconfirmed.is_empty());
    assert_eq!(began.elapsed(), Duration::ZERO, "nobody has waited");
}

#[test]
fn standings_have_one_word_everywhere() {
    for standing in Standing::ALL {
        assert_eq!(serde_json::to_value(standing).unwrap(), standing.as_str());
    }
}

#[tokio::test]
async fn how_clients_stand() {
    let bench = Bench::new().await;
    let mut clients = clients(&bench, 6);
    let before = bench.control.position();
    let check = |bench: &Bench, expected: [Standing; 6]| {
        let standings: Vec<_> = bench.control.client_summaries().iter().map(|client| client.standing).collect();
        assert_eq!(standings, expected);
    };
    check(&bench, [Standing::Connected; 6]);
    toggle(&bench, false).await;
    bench.clock.advance(SECOND);
    stands(&bench, &mut clients[0], before, 0);
    bench.clock.advance(2 * SECOND);
    stands(&bench, &mut clients[1], before, 0);
    clients[2].report.state = ClientState::Disconnected;
    stands(&bench, &mut clients[2], before, 0);
    clients[3].report.goodbye = true;
    stands(&bench, &mut clients[3], before, 0);
    stands(&bench, &mut clients[4], Position { store: StoreId::new(9), revision: 900 }, 0);
    use Standing::{Connected, Gone, Lagging, Lost, Stale};
    check(&bench, [Connected, Lagging, Stale, Gone, Lagging, Connected]);
    let behind: Vec<_> = bench.control.client_summaries().iter().map(|client| client.behind).collect();
    assert_eq!(behind, [Some(1), Some(1), Some(1), Some(1), None, Some(1)]);
    bench.clock.advance(29 * SECOND);
    check(&bench, [Lost, Lagging, Stale, Gone, Lagging, Lost]);
    assert_eq!(bench.control.standings()[&Lost], 2);
    clients[0].report.position = None;
    clients[0].report(&bench.control);
    assert_eq!(bench.control.client_summaries()[0].standing, Standing::Starting);
}

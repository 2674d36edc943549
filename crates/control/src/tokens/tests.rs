//! What tokens let in, and until when.

use std::sync::Arc;
use std::time::Duration;

use daybreak_model::Millis;
use daybreak_store::{EventFilter, Store};

use super::*;
use crate::testing::{Bench, Flaky};
use crate::{Options, clock::Clock};

fn new(name: &str, role: Role, expires: Option<&str>) -> NewToken {
    NewToken { name: name.to_owned(), role, expires: expires.map(|text| text.parse().unwrap()) }
}

async fn make(bench: &Bench, name: &str, role: Role, expires: Option<&str>) -> (TokenView, Secret) {
    bench.control.create_token(new(name, role, expires), Actor::named("ada")).await.unwrap()
}

/// The same store in a server that was started anew.
async fn restarted(bench: &Bench) -> Control {
    let (store, clock) = (Arc::<Flaky>::clone(&bench.store), Arc::clone(&bench.clock));
    Control::open(Options::new("test"), store, clock, [8; 32]).await.unwrap()
}

#[tokio::test]
async fn invariant_10_a_token_lets_in_until_it_is_revoked() {
    let bench = Bench::new().await;
    assert!(!bench.control.tokens_required());
    let (admin, _) = make(&bench, "root", Role::Admin, None).await;
    let (view, secret) = make(&bench, "ci", Role::Operator, None).await;
    assert!(bench.control.tokens_required());
    let again = restarted(&bench).await;
    for control in [&bench.control, &again] {
        let token = control.authenticate(secret.reveal()).unwrap();
        assert_eq!((token.id(), token.name(), token.role()), (view.id, "ci", Role::Operator));
    }
    let token = bench.control.authenticate(secret.reveal()).unwrap();
    let ends = token.ends();
    let revoked = bench.control.revoke_token(view.id, false, Actor::named("ada")).await.unwrap();
    assert_eq!((revoked.name.as_str(), *ends.borrow()), ("ci", true));
    let again = restarted(&bench).await;
    for control in [&bench.control, &again] {
        assert_eq!(control.authenticate(secret.reveal()).err(), Some(Denied::Unknown));
        assert_eq!(control.tokens().iter().map(|token| token.id).collect::<Vec<_>>(), [admin.id]);
    }
}

#[tokio::test]
async fn invariant_10_a_token_expires_and_the_server_stays_shut() {
    let bench = Bench::new().await;
    let (_, secret) = make(&bench, "root", Role::Admin, Some("1h")).await;
    let ends = bench.control.authenticate(secret.reveal()).unwrap().ends();
    bench.clock.advance(Duration::from_secs(3_599));
    bench.control.tick().await;
    assert!(bench.control.authenticate(secret.reveal()).is_ok() && !*ends.borrow());
    bench.clock.advance(Duration::from_secs(1));
    bench.control.tick().await;
    assert_eq!(bench.control.authenticate(secret.reveal()).err(), Some(Denied::Expired));
    assert!(*ends.borrow(), "its streams end");
    assert!(bench.control.tokens_required() && restarted(&bench).await.tokens_required());
}

#[tokio::test]
async fn invariant_8_what_could_not_be_stored_is_no_token_but_a_revoked_one_stays_out() {
    let bench = Bench::new().await;
    bench.store.fail(true);
    assert!(bench.control.create_token(new("root", Role::Admin, None), Actor::default()).await.is_err());
    assert!(!bench.control.tokens_required() && bench.control.tokens().is_empty());
    bench.store.fail(false);
    make(&bench, "root", Role::Admin, None).await;
    let (view, secret) = make(&bench, "leaked", Role::Admin, None).await;
    bench.store.fail(true);
    let refusal = bench.control.revoke_token(view.id, false, Actor::default()).await.unwrap_err();
    assert_eq!(refusal.code(), "revoked_not_recorded");
    assert_eq!(bench.control.authenticate(secret.reveal()).err(), Some(Denied::Unknown));
    bench.store.fail(false);
    bench.control.revoke_token(view.id, false, Actor::default()).await.unwrap();
    assert_eq!(bench.control.tokens().len(), 1);
}

/// Two admins revoke each other at the same moment: neither may count on the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_admins_stays() {
    let bench = Bench::new().await;
    let (mut view, mut secret) = make(&bench, "root", Role::Admin, None).await;
    for round in 0..200 {
        let (other, others) = make(&bench, &format!("admin-{round}"), Role::Admin, None).await;
        let revoke = |id| {
            let control = bench.control.clone();
            tokio::spawn(async move { control.revoke_token(id, false, Actor::default()).await.is_ok() })
        };
        let (first, second) = (revoke(view.id), revoke(other.id));
        let gone = (first.await.unwrap(), second.await.unwrap());
        let lives = |secret: &Secret| bench.control.authenticate(secret.reveal()).is_ok();
        assert_eq!((lives(&secret), lives(&others)), (gone.1, gone.0), "round {round}");
        assert!(gone.0 != gone.1, "round {round}");
        if gone.0 {
            (view, secret) = (other, others);
        }
    }
}

#[tokio::test]
async fn what_is_refused() {
    let bench = Bench::new().await;
    let refused = async |token: NewToken| {
        let made = bench.control.create_token(token, Actor::default()).await;
        made.map(|(view, _)| view).map_err(|refusal| refusal.code())
    };
    assert_eq!(refused(new("app", Role::Sdk, None)).await, Err("no_admin"));
    let (root, _) = make(&bench, "root", Role::Admin, None).await;
    let cases = [
        (new("root", Role::Sdk, None), "name_taken"),
        (new("", Role::Sdk, None), "bad_key"),
        (new("no spaces", Role::Sdk, None), "bad_key"),
        (new("app", Role::Sdk, Some("0s")), "bad_lifetime"),
        (new("app", Role::Sdk, Some("4000d")), "bad_lifetime"),
    ];
    for (token, code) in cases {
        assert_eq!(refused(token.clone()).await, Err(code), "{token:?}");
    }
    let revoke = async |id, force| {
        let revoked = bench.control.revoke_token(id, force, Actor::default()).await;
        revoked.map(drop).map_err(|refusal| refusal.code())
    };
    assert_eq!(revoke("0123456789ab".parse().unwrap(), true).await, Err("not_found"));
    assert_eq!(revoke(root.id, false).await, Err("no_admin"));
    // One that is soon no more is nobody to count on.
    make(&bench, "short", Role::Admin, Some("24h")).await;
    assert_eq!(revoke(root.id, false).await, Err("no_admin"));
    let (long, _) = make(&bench, "long", Role::Admin, Some("25h")).await;
    assert_eq!(revoke(root.id, false).await, Ok(()));
    let (root, _) = make(&bench, "root", Role::Admin, None).await;
    assert_eq!(revoke(long.id, false).await, Ok(()));
    assert_eq!(revoke(root.id, true).await, Ok(()));
    assert!(bench.control.tokens_required(), "never open again while it runs");
    assert!(restarted(&bench).await.tokens_required());
}

#[tokio::test]
async fn an_expired_token_gives_its_name_back() {
    let bench = Bench::new().await;
    make(&bench, "root", Role::Admin, None).await;
    make(&bench, "ci", Role::Sdk, Some("1h")).await;
    bench.clock.advance(Duration::from_secs(3_600));
    make(&bench, "ci", Role::Sdk, None).await;
}

#[tokio::test]
async fn uses_are_noted_to_a_minute() {
    let bench = Bench::new().await;
    let (view, secret) = make(&bench, "root", Role::Admin, None).await;
    let used = |control: &Control| control.tokens()[0].last_used;
    assert_eq!(used(&bench.control), None);
    let first = bench.clock.now();
    for _ in 0..59 {
        bench.control.authenticate(secret.reveal()).unwrap();
        bench.clock.advance(Duration::from_secs(1));
        bench.control.tick().await;
    }
    assert_eq!(used(&bench.control), Some(first));
    assert_eq!(used(&restarted(&bench).await), Some(first), "it lasts");
    bench.clock.advance(Duration::from_secs(1));
    bench.control.authenticate(secret.reveal()).unwrap();
    assert_eq!(used(&bench.control), Some(bench.clock.now()));
    let position = bench.control.position();
    bench.control.tick().await;
    assert_eq!(bench.control.position(), position, "a use is no change");
    make(&bench, "other", Role::Admin, None).await;
    bench.control.revoke_token(view.id, false, Actor::default()).await.unwrap();
    assert!(bench.store.notes(USED.to_owned()).await.unwrap().is_empty());
}

#[tokio::test]
async fn every_token_is_audited_and_none_is_told() {
    let bench = Bench::new().await;
    let (view, secret) = make(&bench, "root", Role::Admin, None).await;
    let (other, second) = make(&bench, "other", Role::Admin, Some("30d")).await;
    bench.control.revoke_token(other.id, false, Actor::named("root")).await.unwrap();
    let filter = EventFilter { subject: Some("tokens".to_owned()), ..EventFilter::default() };
    let page = bench.control.events(filter, 100).await.unwrap();
    let told: Vec<_> =
        page.events.iter().map(|event| (event.event.kind.as_str(), event.event.actor.as_deref())).collect();
    let expected = [("token.revoked", Some("root")), ("token.created", Some("ada")), ("token.created", Some("ada"))];
    assert_eq!(told, expected);
    let contents = bench.store.load().await.unwrap();
    let token = bench.control.authenticate(secret.reveal()).unwrap();
    let shown = format!("{page:?} {contents:?} {view:?} {token:?} {secret:?} {:?}", bench.control);
    for text in [secret.reveal(), second.reveal()] {
        let random = text.rsplit('_').next().unwrap();
        assert!(!shown.contains(&random[..20]), "a secret is told");
    }
}

#[tokio::test]
async fn invariant_10_offline_the_first_is_made_and_the_last_opens() {
    let bench = Bench::new().await;
    let (store, now): (Arc<dyn Store>, _) = (Arc::<Flaky>::clone(&bench.store), bench.clock.now());
    let mut random = rand::rng();
    let mut offline = OfflineTokens::open(Arc::clone(&store)).await.unwrap();
    let root = new("root", Role::Admin, None);
    let (view, secret) = offline.create(&root, &Actor::named("offline"), now, &mut random).await.unwrap();
    let control = restarted(&bench).await;
    assert!(control.tokens_required() && control.authenticate(secret.reveal()).is_ok());
    let mut offline = OfflineTokens::open(store).await.unwrap();
    assert_eq!(offline.revoke(view.id, false, &Actor::default(), now).await.map_err(|why| why.code()), Err("no_admin"));
    offline.revoke(view.id, true, &Actor::default(), now).await.unwrap();
    assert!(!offline.required() && !restarted(&bench).await.tokens_required());
}

#[test]
fn rights() {
    use Right::{Administer, Evaluate, Follow, Halt, Operate, Read, Report};
    let cases = [
        (Role::Evaluate, vec![Evaluate]),
        (Role::Sdk, vec![Evaluate, Follow, Report]),
        (Role::Viewer, vec![Evaluate, Follow, Read, Halt]),
        (Role::Operator, vec![Evaluate, Follow, Read, Halt, Operate]),
        (Role::Admin, vec![Evaluate, Follow, Report, Read, Halt, Operate, Administer]),
    ];
    for (role, rights) in cases {
        for right in [Evaluate, Follow, Report, Read, Halt, Operate, Administer] {
            assert_eq!(role.may(right), rights.contains(&right), "{role} {right:?}");
        }
        assert_eq!(role.to_string().parse(), Ok(role));
    }
    let lifetime: Millis = "90d".parse().unwrap();
    assert_eq!(lifetime, Millis::from_secs(90 * 86_400));
    assert!("root".parse::<Role>().unwrap_err().to_string().contains("`viewer`"));
}

#[tokio::test]
async fn invariant_10_a_ticket_opens_for_its_token_and_not_for_long() {
    let bench = Bench::new().await;
    make(&bench, "root", Role::Admin, None).await;
    let (view, secret) = make(&bench, "web", Role::Evaluate, Some("170m")).await;
    let (_, other) = make(&bench, "other", Role::Evaluate, None).await;
    let token = bench.control.authenticate(secret.reveal()).unwrap();
    let ticket = bench.control.ticket(&token);
    assert!(!secret.reveal().contains(ticket.rsplit('-').next().unwrap()), "it tells nothing of the token");

    let again = restarted(&bench).await;
    for control in [&bench.control, &again] {
        assert_eq!(control.redeem(&ticket).map(|token| token.id()), Ok(view.id));
        assert_eq!(control.ticket(&control.authenticate(secret.reveal()).unwrap()), ticket, "it stays the same");
    }
    let (claim, signature) = ticket.rsplit_once('-').unwrap();
    let foreign = bench.control.ticket(&bench.control.authenticate(other.reveal()).unwrap());
    let forged = [
        String::new(),
        secret.reveal().to_owned(),
        view.id.to_string(),
        claim.to_owned(),
        format!("{claim}-"),
        format!("{claim}-zz"),
        format!("{claim}-{}", &signature[2..]),
        format!("{claim}-{signature}00"),
        format!("{claim}-{}", foreign.rsplit_once('-').unwrap().1),
        format!("{}-9999999999-{signature}", view.id),
        ticket.replacen(&view.id.to_string(), "ffffffffffff", 1),
    ];
    for forged in forged {
        assert_eq!(bench.control.redeem(&forged).err(), Some(Denied::Ticket), "{forged}");
    }

    assert!(bench.control.authenticate(&ticket).is_err(), "it is no token");

    // For an hour at least, and for two at most.
    bench.clock.advance(Duration::from_secs(3_600));
    assert!(bench.control.redeem(&ticket).is_ok());
    let fresh = bench.control.ticket(&token);
    assert_ne!(fresh, ticket);
    bench.clock.advance(Duration::from_secs(3_600));
    assert_eq!(bench.control.redeem(&ticket).err(), Some(Denied::Ticket));
    assert!(bench.control.redeem(&fresh).is_ok());
    // And never longer than its token.
    bench.clock.advance(Duration::from_secs(3_000));
    let last = bench.control.ticket(&token);
    assert_eq!(bench.control.redeem(&last).err(), Some(Denied::Expired));
    let living = bench.control.authenticate(other.reveal()).unwrap();
    let ticket = bench.control.ticket(&living);
    bench.control.revoke_token(living.id(), false, Actor::default()).await.unwrap();
    assert_eq!(bench.control.redeem(&ticket).err(), Some(Denied::Ticket), "it went with its token");
}

//! What an evaluator has to say, and the work that is made of it.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use crate::workload::{FIRST, Flag, SECOND, User, Workload};

/// Work to be done so many times, on the thread that it was made on.
pub(crate) type Work = Box<dyn FnMut(u64)>;
/// Makes work for a thread.
pub(crate) type Make = Box<dyn Fn() -> Result<Work> + Send + Sync>;

/// An evaluator, with flags in its own format.
pub(crate) trait Peer: Sized + Send + Sync + 'static {
    /// Its name in the tables, without a version.
    const NAME: &'static str;
    /// Its package in `Cargo.lock`.
    const PACKAGE: &'static str;
    /// A sentence on what differs in its expression of a workload; empty where nothing does.
    const HOW: &'static str;

    /// By what it is asked for a flag: the key, or a handle.
    type Key;
    /// A user in its own form, made before anything is timed.
    type User;
    /// A text that it serves.
    type Text<'p>: AsRef<str>
    where
        Self: 'p;

    /// Whether it knows this workload.
    fn knows(_: Workload) -> bool {
        true
    }

    /// Takes these flags.
    fn load(flags: &[Flag]) -> Result<Self>;

    fn key(&self, key: &str) -> Self::Key;

    fn user(&self, user: &User) -> Result<Self::User>;

    fn boolean(&self, key: &Self::Key, user: &Self::User) -> bool;

    fn text<'p>(&'p self, key: &'p Self::Key, user: &'p Self::User) -> Self::Text<'p>;
}

/// Somebody who may take part in what is asked as a `W`, with his types forgotten.
#[derive(Debug)]
pub(crate) struct Contestant<W> {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    pub(crate) how: &'static str,
    /// His work, its answers asserted; `None` where it is not his.
    pub(crate) make: fn(W) -> Result<Option<Make>>,
}

/// An evaluator as a contestant.
pub(crate) const fn contestant<P: Peer>() -> Contestant<Workload> {
    Contestant { name: P::NAME, package: P::PACKAGE, how: P::HOW, make: make::<P> }
}

fn make<P: Peer>(workload: Workload) -> Result<Option<Make>> {
    if !P::knows(workload) {
        return Ok(None);
    }
    let name = || format!("{}, {}", P::NAME, workload.name());
    let peer = Arc::new(P::load(&workload.flags()).with_context(name)?);
    assert_answers(&*peer, workload).with_context(name)?;
    Ok(Some(match workload {
        Workload::Boolean => Box::new(move || boolean(&peer)),
        _ => Box::new(move || texts(&peer, workload)),
    }))
}

fn boolean<P: Peer>(peer: &Arc<P>) -> Result<Work> {
    let peer = Arc::clone(peer);
    let key = peer.key(&Workload::Boolean.keys()[0]);
    let user = peer.user(&Workload::Boolean.users()[0])?;
    Ok(Box::new(move |times: u64| {
        for _ in 0..times {
            black_box(peer.boolean(black_box(&key), black_box(&user)));
        }
    }))
}

/// Asks for texts, flag after flag and user after user, and reads them.
fn texts<P: Peer>(peer: &Arc<P>, workload: Workload) -> Result<Work> {
    let peer = Arc::clone(peer);
    let keys: Vec<P::Key> = workload.keys().iter().map(|key| peer.key(key)).collect();
    let users = workload.users().iter().map(|user| peer.user(user)).collect::<Result<Vec<P::User>>>()?;
    let (mut key, mut user) = (0, 0);
    Ok(Box::new(move |times: u64| {
        for _ in 0..times {
            black_box(peer.text(black_box(&keys[key]), black_box(&users[user])).as_ref().len());
            key = if key + 1 < keys.len() { key + 1 } else { 0 };
            user = if user + 1 < users.len() { user + 1 } else { 0 };
        }
    }))
}

/// Asserts that it answers as asked: nobody is timed who does something else.
fn assert_answers<P: Peer>(peer: &P, workload: Workload) -> Result<()> {
    /// How many flags are asked for, of many: some take long.
    const ASKED: usize = 20;

    let keys: Vec<P::Key> = workload.keys().iter().take(ASKED).map(|key| peer.key(key)).collect();
    let users = workload.users();
    let ask = |key: &P::Key, user: &User| -> Result<String> {
        let user = peer.user(user)?;
        Ok(peer.text(key, &user).as_ref().to_owned())
    };
    match workload {
        Workload::Boolean => ensure!(peer.boolean(&keys[0], &peer.user(&users[0])?), "it does not serve true"),
        Workload::Rules | Workload::Many | Workload::Threads => {
            let stranger = User::with_attributes("user-100");
            for key in &keys {
                let (served, to_stranger) = (ask(key, &users[0])?, ask(key, &stranger)?);
                ensure!(served == SECOND, "it serves `{served}` to whom the last rule selects");
                ensure!(to_stranger == FIRST, "it serves `{to_stranger}` to whom no rule selects");
            }
        }
        Workload::Split => {
            let served = users.iter().map(|user| ask(&keys[0], user)).collect::<Result<Vec<_>>>()?;
            ensure!(served.iter().all(|text| [FIRST, SECOND].contains(&text.as_str())), "it serves something else");
            let firsts = served.iter().filter(|text| *text == FIRST).count();
            let percent = firsts * 100 / served.len();
            ensure!((20..=30).contains(&percent), "it serves the first to {percent} %, not to about 25");
        }
    }
    Ok(())
}

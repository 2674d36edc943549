//! What it costs that evaluations are counted: the engine alone, which counts nothing, beside the client.

use std::collections::BTreeMap;
use std::hint::black_box;

use daybreak_engine::{ValueRef, compile};
use daybreak_model::wire::Enveloped;
use daybreak_model::{Flag, Key};
use daybreak_sdk::{Client, Context};

use crate::rows::{Row, print};
use crate::snapshots::{self, Kept};

const TIMES: u64 = 200_000;

/// A flag with a rule that decides by the context: so it is evaluated each time.
pub(crate) fn measure() -> anyhow::Result<()> {
    let flags = snapshots::flags(100);
    let (keys, decoded): (Vec<Key>, Vec<Flag>) = decode(&flags)?.into_iter().unzip();
    let snapshot = compile(keys.iter().zip(&decoded).map(|(key, flag)| (key, flag, 1)), &BTreeMap::new());
    let kept = Kept::write(&flags, BTreeMap::new())?;
    let client = Client::builder(snapshots::NOWHERE).service("costs").bootstrap_file(kept.path()).build()?;
    let (name, context) = ("flag-7", Context::new("user-7").with("plan", "pro"));
    let place = snapshot.index(name).ok_or_else(|| anyhow::anyhow!("the flag is there"))?;
    let flag = client.flag::<bool>(name);
    let alone = |of: &daybreak_engine::Detail<'_>| matches!(of.value(), Some(ValueRef::Boolean(true)));
    anyhow::ensure!(alone(&snapshot.evaluate_at(place, &context)), "the engine says so");
    anyhow::ensure!(flag.get(&context, false) && client.bool(name, &context, false), "so does the client");
    let by_handle = vec![
        Row::new("the engine alone, by place: nothing is counted", TIMES, |times| {
            (0..times).for_each(|_| _ = black_box(alone(&snapshot.evaluate_at(black_box(place), &context))));
        }),
        Row::new("the client, by handle: counted", TIMES, |times| {
            (0..times).for_each(|_| _ = black_box(flag.get(black_box(&context), false)));
        }),
    ];
    print("one evaluation of a flag of two rules, by handle", by_handle);
    let by_key = vec![
        Row::new("the engine alone, by key: nothing is counted", TIMES, |times| {
            (0..times).for_each(|_| _ = black_box(alone(&snapshot.evaluate(black_box(name), &context))));
        }),
        Row::new("the client, by key: counted", TIMES, |times| {
            (0..times).for_each(|_| _ = black_box(client.bool(black_box(name), &context, false)));
        }),
    ];
    print("the same, by key", by_key);
    Ok(())
}

fn decode(flags: &BTreeMap<Key, Enveloped>) -> anyhow::Result<Vec<(Key, Flag)>> {
    flags.iter().map(|(key, flag)| Ok((key.clone(), flag.decode()?))).collect()
}

//! Copies of a store's file that are cut off or have bytes that fell over: refused, or served with all that was there.

use anyhow::{Context, Result, ensure};
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use tempfile::TempDir;

use super::Counts;
use crate::{Process, Server, curl, eventually};

/// The file that is damaged.
const FILE: &str = "store.redb";

/// Damages so many copies of what a server that has ended left behind, and starts a server on each.
pub(super) fn damage(server: &Server, copies: u32, random: &mut ChaCha8Rng, counts: &mut Counts) -> Result<()> {
    let whole = std::fs::read(server.data().join(FILE))?;
    let expected = serve(server, &whole)?.ok().context("what a killed server left cannot be served")?;
    for _ in 0..copies {
        let (what, bytes) = damaged(&whole, random);
        match serve(server, &bytes).with_context(|| what.clone())? {
            Ok(export) => {
                ensure!(export == expected, "{what}: it serves something else:\n{export}\ninstead of\n{expected}");
                counts.harmless += 1;
            }
            Err(why) => {
                ensure!(why.contains(FILE) && why.contains("restore"), "{what}: it does not say what to do: {why}");
                ensure!(!why.contains("panicked"), "{what}: {why}");
                counts.refused += 1;
            }
        }
    }
    Ok(())
}

/// The bytes with something done to them, and what that was.
fn damaged(whole: &[u8], random: &mut ChaCha8Rng) -> (String, Vec<u8>) {
    let mut bytes = whole.to_vec();
    let place = random.random_range(0..bytes.len());
    let end = bytes.len().min(place + random.random_range(1..=8_192));
    let what = match random.random_range(0..4) {
        0 => {
            bytes.truncate(place);
            "cut off"
        }
        1 => {
            bytes[place..end].fill(0);
            "zeroes"
        }
        2 => {
            bytes[place..end].iter_mut().for_each(|byte| *byte = random.random());
            "noise"
        }
        _ => {
            bytes[place] ^= 1 << random.random_range(0..8);
            "a bit"
        }
    };
    (format!("{what} at {place} to {end} of {}", whole.len()), bytes)
}

/// What a server exports that is started on these bytes, or why it does not serve them; then they are as they were.
fn serve(server: &Server, bytes: &[u8]) -> Result<Result<String, String>> {
    let folder = TempDir::new()?;
    std::fs::write(folder.path().join(FILE), bytes)?;
    let mut process = Process::start("daybreak", &mut server.another(folder.path())?)?;
    let address = process.wait_for(|line| line.split_once("http://")?.1.split_whitespace().next().map(str::to_owned));
    if let Ok(address) = address {
        let url = format!("http://{address}/api/v1/export");
        let export = eventually("an export", || curl(&[&url])?.expect_status(200))?;
        return Ok(Ok(export.body));
    }
    ensure!(!process.wait()?.success(), "it ended as if all were well");
    ensure!(std::fs::read(folder.path().join(FILE))? == bytes, "it changed what it refused");
    Ok(Err(process.output()))
}

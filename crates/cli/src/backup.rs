//! `daybreak backup` and `daybreak restore`: everything out into one file, and back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use daybreak_control::TOKEN_ENTRIES;
use daybreak_control::tokens::TokenView;
use daybreak_model::wire::{POSITION_HEADER, Position, StoreId};
use daybreak_store::{EmbeddedOptions, EmbeddedStore, RestoreOptions, Restored, Store, verify};
use futures_util::StreamExt;
use jiff::Timestamp;
use rand::RngExt;
use reqwest::Method;
use serde_json::Value;

use crate::check::counted;
use crate::remote::{Remote, Target, block_on};

/// How long a server may take to start anew with what was restored.
const RESTART_WAIT: Duration = Duration::from_secs(30);
/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, Args)]
pub(crate) struct Backup {
    /// The file to write, or `-` for the output. It holds the hashes of tokens: keep it as secret as the data folder.
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Replace the file that is there.
    #[arg(long)]
    force: bool,
    /// Read the data folder of a server that is stopped, instead of asking one that runs.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct Restore {
    /// The backup.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Restore into the data folder of a server that is stopped, instead of one that runs.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Replace the store that the data folder holds; it is kept beside.
    #[arg(long, requires = "data")]
    force: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn take(options: &Backup) -> anyhow::Result<ExitCode> {
    if options.file.as_os_str() == "-" {
        block_on(write(options, &mut io::stdout().lock()))?;
        return Ok(ExitCode::SUCCESS);
    }
    free(&options.file, options.force)?;
    let mut partial = options.file.clone().into_os_string();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let taken = taken(options, &partial);
    let position = taken.inspect_err(|_| drop(fs::remove_file(&partial)))?;
    let bytes = fs::metadata(&options.file).map_or(0, |metadata| metadata.len());
    eprintln!(
        "{} has everything as of {position} ({bytes} bytes); it holds the hashes of tokens, so keep it as secret as the \
         data folder",
        options.file.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// Takes a backup into a file beside, which gets its name once it is whole and on disk.
fn taken(options: &Backup, partial: &Path) -> anyhow::Result<Position> {
    let mut file = private(partial).with_context(|| format!("{} cannot be written", partial.display()))?;
    block_on(write(options, &mut file))?;
    file.sync_all()?;
    let position = verify(&mut BufReader::new(File::open(partial)?))
        .map_err(|why| anyhow::anyhow!("the backup that was received is not whole: {why}"))?;
    fs::rename(partial, &options.file).with_context(|| format!("{} cannot be written", options.file.display()))?;
    Ok(position)
}

/// That a backup may be written there: a link or a device would take it elsewhere, or lose it.
fn free(file: &Path, force: bool) -> anyhow::Result<()> {
    let shown = file.display();
    match fs::symlink_metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{shown} cannot be written")),
        Ok(there) if !there.is_file() => {
            bail!("{shown} is no regular file (a folder, a link or a device); name a file, or `-` for the output")
        }
        Ok(_) if !force => bail!("{shown} is there already, and was not changed; `--force` replaces it"),
        Ok(_) => Ok(()),
    }
}

/// A new file that only its owner may read.
fn private(path: &Path) -> io::Result<File> {
    // Perhaps a backup before broke off. Whatever else lies there is not written through.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

async fn write(options: &Backup, to: &mut impl Write) -> anyhow::Result<()> {
    let Some(folder) = &options.data else {
        let remote = Remote::new(&options.target)?;
        let mut answer = remote.send(remote.request(Method::GET, "/api/v1/backup")).await?;
        while let Some(piece) = answer.chunk().await.context("the backup broke off")? {
            to.write_all(&piece)?;
        }
        return Ok(to.flush()?);
    };
    if !EmbeddedStore::is_in(folder) {
        bail!("{} holds no store; `--data DIR` names the folder of the server", folder.display());
    }
    let store = EmbeddedStore::open(EmbeddedOptions::new(folder, new_id()))
        .context("to back up a server that runs, leave `--data` away")?;
    let mut backup = store.backup().await?;
    while let Some(piece) = backup.next().await {
        to.write_all(&piece?)?;
    }
    Ok(to.flush()?)
}

pub(crate) fn restore(options: &Restore) -> anyhow::Result<ExitCode> {
    let file = options.file.display();
    let open = || File::open(&options.file).map(BufReader::new).with_context(|| format!("{file} cannot be read"));
    let Some(folder) = &options.data else {
        verify(&mut open()?).map_err(|why| anyhow::anyhow!("{file} cannot be restored: {why}"))?;
        return block_on(into_running(options));
    };
    let (new_id, force, now) = (new_id(), options.force, Timestamp::now());
    let plan = RestoreOptions { folder, new_id, force, keep: TOKEN_ENTRIES, now };
    let restored = daybreak_store::restore(&mut open()?, plan)?;
    let tokens = block_on(crate::token::living(folder))?;
    println!("{}\n{}", told(&restored, &folder.display().to_string()), who_gets_in(&restored, &tokens));
    Ok(ExitCode::SUCCESS)
}

/// Sends a backup to a server, and waits until it has started anew with it.
async fn into_running(options: &Restore) -> anyhow::Result<ExitCode> {
    let remote = Remote::new(&options.target)?;
    let request = remote.request(Method::POST, "/api/v1/restore").header("content-type", "application/jsonl");
    let answer = remote.send(request.body(fs::read(&options.file)?)).await?;
    let answer: Value = serde_json::from_str(&answer.text().await?)?;
    let position = answer["position"].as_str().unwrap_or_default().to_owned();
    let store = position.split(':').next().unwrap_or_default();
    let again = async {
        loop {
            let health = remote.send(remote.request(Method::GET, "/healthz")).await.ok();
            let stands = health.as_ref().and_then(|health| health.headers().get(POSITION_HEADER)?.to_str().ok());
            if stands.is_some_and(|stands| stands.starts_with(store)) {
                return;
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    if tokio::time::timeout(RESTART_WAIT, again).await.is_err() {
        bail!("the backup is in place, but the server has not come back within {RESTART_WAIT:?}; start it again");
    }
    println!("{} has {} at {position} and starts from there", options.target.url, options.file.display());
    Ok(ExitCode::SUCCESS)
}

/// What somebody who restored wants to know.
fn told(restored: &Restored, folder: &str) -> String {
    let Restored { position, from, resources, events, halted, kept, .. } = restored;
    let mut text = format!(
        "{folder} has {} and {}, as {from} had them; it is {position} now, and runs that were active are aborted",
        counted(*resources, "resource"),
        counted(*events, "event"),
    );
    if *halted {
        text += "\neverything is halted, as it was in the backup; lift it with `curl -X DELETE …/api/v1/halt`";
    }
    if let Some(kept) = kept {
        text += &format!("\nthe store that was there is kept as {}", kept.display());
    }
    text
}

/// Which tokens get in from now on, and why these.
fn who_gets_in(restored: &Restored, tokens: &[TokenView]) -> String {
    let names: Vec<_> = tokens.iter().map(|token| format!("{} ({})", token.name, token.role)).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let of = "tokens that get in, the backup's unless the store that was there had its own";
    match &restored.lost {
        None => format!("{of}: {names}"),
        Some(why) => format!(
            "the tokens of the store that was there are lost ({why})\n\
             the backup's get in again, also those that were revoked since: {names}; revoke what should not"
        ),
    }
}

fn new_id() -> StoreId {
    StoreId::new(rand::rng().random())
}

//! `daybreak token`: make, list and revoke tokens.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use daybreak_control::Actor;
use daybreak_control::tokens::{NewToken, OfflineTokens, Role, Secret, TokenId, TokenView};
use daybreak_model::Millis;
use daybreak_model::wire::StoreId;
use daybreak_store::{EmbeddedOptions, EmbeddedStore, Store};
use jiff::Timestamp;
use rand::RngExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::out;
use crate::remote::{Remote, Target, block_on};

#[derive(Clone, Debug, Args)]
pub(crate) struct Token {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum TokenCommand {
    /// Make a token, and print it: this once.
    Create(Create),
    /// List all tokens, without their secrets.
    List(List),
    /// Revoke a token, now: it is refused, and its streams end.
    Revoke(Revoke),
}

/// Where the tokens are: on a running server, or in the data folder of one that is stopped.
#[derive(Clone, Debug, Args)]
struct Place {
    #[command(flatten)]
    target: Target,
    /// The data folder of a stopped server: for the first token, or where the last one was lost.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
struct Create {
    /// Its name, for people and the audit log.
    name: String,
    /// What it may do: `evaluate`, `sdk`, `viewer`, `operator` or `admin`.
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// How long it lives, as in `90d`; for ever unless said.
    #[arg(long, value_name = "DURATION")]
    expires: Option<Millis>,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Debug, Args)]
struct List {
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Debug, Args)]
struct Revoke {
    /// Its name or its id.
    #[arg(value_name = "TOKEN")]
    which: String,
    /// The last admin's, too.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(options: Token) -> anyhow::Result<ExitCode> {
    block_on(async {
        match options.command {
            TokenCommand::Create(options) => create(options).await,
            TokenCommand::List(options) => list(options).await,
            TokenCommand::Revoke(options) => revoke(options).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn create(options: Create) -> anyhow::Result<()> {
    let Create { name, role, expires, place } = options;
    let secret = match &place.data {
        Some(folder) => {
            let (mut tokens, mut random) = (open(folder, true).await?, rand::rng());
            let new = NewToken { name, role, expires };
            let (_, secret): (TokenView, Secret) = tokens.create(&new, &actor(), Timestamp::now(), &mut random).await?;
            secret.reveal().to_owned()
        }
        None => {
            let remote = Remote::new(&place.target)?;
            let body = json!({ "name": name, "role": role, "expires": expires.map(|expires| expires.to_string()) });
            let answer = remote.send(remote.request(Method::POST, "/api/v1/tokens").json(&body)).await?;
            let answer: Value = answer.json().await.context("the answer is no JSON")?;
            answer["secret"].as_str().context("the answer has no token")?.to_owned()
        }
    };
    eprintln!("This is the token. It is shown this once; what gets it can do what it may.");
    anyhow::ensure!(out::print(&format!("{secret}\n"))?, "nobody took the token: revoke it, and make another");
    Ok(())
}

async fn list(options: List) -> anyhow::Result<()> {
    for token in tokens(&options.place).await? {
        let field = |name: &str| token[name].as_str().unwrap_or("-").to_owned();
        let expires = if token["expired"] == true { "expired".to_owned() } else { field("expires") };
        let (id, name, role, used) = (field("id"), field("name"), field("role"), field("last_used"));
        println!("{id}  {role:<8}  {name:<24}  expires {expires:<20}  last used {used}");
    }
    Ok(())
}

async fn revoke(options: Revoke) -> anyhow::Result<()> {
    let Revoke { which, force, place } = options;
    let listed = tokens(&place).await?;
    let id = id_of(&listed, &which)?;
    match &place.data {
        Some(folder) => {
            let mut tokens = open(folder, false).await?;
            let id: TokenId = id.parse()?;
            tokens.revoke(id, force, &actor(), Timestamp::now()).await?;
            if !tokens.required() {
                eprintln!("No token is left: the server asks nobody for one, and listens on loopback only.");
            }
        }
        None => {
            let remote = Remote::new(&place.target)?;
            let path = format!("/api/v1/tokens/{id}?force={force}");
            remote.send(remote.request(Method::DELETE, &path)).await?;
        }
    }
    eprintln!("The token `{which}` is revoked.");
    Ok(())
}

/// The id of the token with this name or id. Of those of one name the last is the one that lives.
fn id_of(tokens: &[Value], wanted: &str) -> anyhow::Result<String> {
    let named = |field: &str| tokens.iter().rev().find(|token| token[field] == wanted);
    let Some(token) = named("id").or_else(|| named("name")) else {
        bail!("there is no token `{wanted}`; `daybreak token list` lists them");
    };
    Ok(token["id"].as_str().unwrap_or_default().to_owned())
}

/// All tokens, the oldest first, as the API lists them.
async fn tokens(place: &Place) -> anyhow::Result<Vec<Value>> {
    let listed = match &place.data {
        Some(folder) => json!({ "tokens": open(folder, false).await?.list(Timestamp::now()) }),
        None => serde_json::from_str(&Remote::new(&place.target)?.get("/api/v1/tokens").await?)?,
    };
    Ok(listed["tokens"].as_array().cloned().unwrap_or_default())
}

/// The tokens in a data folder that no server uses.
async fn open(folder: &Path, make: bool) -> anyhow::Result<OfflineTokens> {
    let shown = folder.display();
    if !folder.is_dir() {
        bail!("there is no folder {shown}; name the server's, or make it first: `install -d -m 700 {shown}`");
    }
    if !make && !EmbeddedStore::is_in(folder) {
        bail!("{shown} holds no store; `--data DIR` names the folder of the server");
    }
    let id = StoreId::new(rand::rng().random());
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(EmbeddedOptions::new(folder, id))?);
    Ok(OfflineTokens::open(store).await?)
}

/// The tokens in the store of a data folder that get in now.
///
/// # Errors
/// When it cannot be read.
pub(crate) async fn living(folder: &Path) -> anyhow::Result<Vec<TokenView>> {
    let mut tokens = open(folder, false).await?.list(Timestamp::now());
    tokens.retain(|token| !token.expired);
    Ok(tokens)
}

/// Whoever can write the data folder.
fn actor() -> Actor {
    Actor::named("offline")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_named_by_name_or_id() {
        let tokens = json!([{"id": "a1", "name": "ci"}, {"id": "b2", "name": "ci"}, {"id": "c3", "name": "a1"}]);
        let tokens = tokens.as_array().unwrap();
        for (wanted, expected) in [("ci", Some("b2")), ("a1", Some("a1")), ("c3", Some("c3")), ("x", None)] {
            assert_eq!(id_of(tokens, wanted).ok().as_deref(), expected, "{wanted}");
        }
    }

    #[test]
    fn the_first_is_made_offline() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place {
            target: Target { url: String::new(), token: None, client_cert: None },
            data: Some(folder.path().to_owned()),
        };
        let named = |name: &str, role| Create { name: name.to_owned(), role, expires: None, place: place.clone() };
        block_on(async {
            let mut elsewhere = named("root", Role::Admin);
            elsewhere.place.data = Some(folder.path().join("dta"));
            let refused = create(elsewhere).await.unwrap_err().to_string();
            assert!(refused.contains("there is no folder") && !folder.path().join("dta").exists(), "{refused}");
            assert!(tokens(&place).await.is_err(), "looking makes no store");
            assert!(!EmbeddedStore::is_in(folder.path()));
            assert!(create(named("app", Role::Sdk)).await.is_err(), "the first is an admin's");
            create(named("root", Role::Admin)).await?;
            create(named("app", Role::Sdk)).await?;
            assert_eq!(tokens(&place).await?.len(), 2);
            let gone = Revoke { which: "app".to_owned(), force: false, place: place.clone() };
            revoke(gone).await?;
            assert_eq!(tokens(&place).await?[0]["name"], "root");
            Ok(())
        })
        .unwrap();
    }
}

//! What outlives a server, and backups of it.

use std::fs;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use daybreak_tests::{Server, binary, eventually};
use serde_json::Value;
use tempfile::TempDir;

const DOCUMENT: &str = "flags:\n  feature: { default: on, owner: payments }\n";

/// Runs `daybreak` with these words.
fn daybreak(words: &[&str]) -> Result<Output> {
    let mut command = Command::new(binary()?);
    command.args(words).env_remove("DAYBREAK_URL").env_remove("DAYBREAK_TOKEN");
    command.output().context("daybreak does not run")
}

fn done(words: &[&str]) -> Result<String> {
    let output = daybreak(words)?;
    ensure!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// That it fails, and says all of this.
fn refused(words: &[&str], says: &[&str]) -> Result<()> {
    let output = daybreak(words)?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success(), "{words:?} was done");
    ensure!(says.iter().all(|part| error.contains(part)), "{words:?}: {error}");
    Ok(())
}

fn put(server: &Server, key: &str) -> Result<Value> {
    let answer = server.send("PUT", &format!("/api/v1/flags/{key}"), r#"{"default": "off"}"#)?;
    ensure!(answer.status < 300, "{}", answer.body);
    answer.json()
}

/// The store's id, out of a position.
fn store_of(position: &str) -> &str {
    position.split(':').next().unwrap_or_default()
}

fn events(server: &Server, query: &str) -> Result<Vec<Value>> {
    let page = server.get(&format!("/api/v1/events{query}"))?.expect_status(200)?.json()?;
    page["events"].as_array().cloned().context("a page of events")
}

#[test]
fn invariant_8_what_was_acknowledged_survives_a_kill() -> Result<()> {
    let mut server = Server::start(DOCUMENT)?;
    put(&server, "mine")?;
    server.post("/api/v1/flags/mine/disable", r#"{"reason": "smoke"}"#)?.expect_status(200)?;
    server.send("PUT", "/api/v1/halt", "pager")?.expect_status(200)?;
    let before = server.state()?;
    let events = events(&server, "")?;
    server.restart()?;
    ensure!(server.state()? == before, "{:?}", server.state()?);
    eventually("the start after the kill", || {
        let now = self::events(&server, "")?;
        let (start, others) = now.split_first().context("there are events")?;
        ensure!(others == events && start["data"]["previous"] == "killed", "{now:?}");
        Ok(())
    })?;
    let halt = server.get("/api/v1/halt")?.json()?;
    ensure!(halt["halted"] == true && halt["reason"] == "pager", "{halt}");
    // What the files say wrong at the start is a refused edit.
    server.write("flags.yaml", "flags: { broken: { default: nothing } }")?;
    server.restart()?;
    ensure!(server.state()? == before, "{:?}", server.state()?);
    eventually("the refusal's event", || {
        let refused = self::events(&server, "?kind=files")?;
        ensure!(refused.len() == 1 && refused[0]["data"]["diagnostics"][0]["line"] == 1, "{refused:?}");
        Ok(())
    })?;
    server.write("flags.yaml", &DOCUMENT.replace("payments", "storefront"))?;
    eventually("the edit that mends it", || {
        let body = server.get("/api/v1/flags/feature")?.body;
        if body.contains("storefront") { Ok(()) } else { Err(anyhow::anyhow!(body)) }
    })
}

#[test]
fn a_server_that_runs_is_backed_up_and_restored() -> Result<()> {
    let mut server = Server::start(DOCUMENT)?;
    put(&server, "mine")?;
    let before = server.state()?;
    let folder = TempDir::new()?;
    let file = folder.path().join("backup.jsonl");
    let (file, url) = (file.display().to_string(), server.url("/"));
    done(&["backup", &file, "--url", &url])?;
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file)?.permissions());
    ensure!(mode & 0o777 == 0o600, "{mode:o}");
    ensure!(done(&["backup", "--url", &url])?.lines().count() == fs::read_to_string(&file)?.lines().count());

    put(&server, "later")?;
    let process = server.process().id();
    let told = done(&["restore", &file, "--url", &url])?;
    let (export, position) = server.state()?;
    ensure!(export == before.0, "{export}");
    ensure!(store_of(&position) != store_of(&before.1) && told.contains(&position), "{position}: {told}");
    ensure!(server.process().id() == process);
    ensure!(server.get("/api/v1/flags/later")?.status == 404);
    // It goes on as any other.
    put(&server, "anew")?;
    server.restart()?;
    ensure!(server.get("/api/v1/flags/anew")?.status == 200);

    let state = server.state()?;
    let broken = folder.path().join("broken.jsonl");
    let whole = fs::read(&file)?;
    fs::write(&broken, whole.get(..whole.len() / 2).context("half of it")?)?;
    refused(&["restore", &broken.display().to_string(), "--url", &url], &["broken.jsonl", "cannot be restored"])?;
    let answer = server.send("POST", "/api/v1/restore", &format!("@{}", broken.display()))?;
    ensure!(answer.status == 422 && answer.body.contains("bad_backup"), "{}", answer.body);
    ensure!(server.state()? == state);
    Ok(())
}

#[test]
fn a_folder_is_one_servers() -> Result<()> {
    let server = Server::start(DOCUMENT)?;
    let folder = TempDir::new()?;
    let [file, data, flags] = ["backup.jsonl", "data", "flags"].map(|name| folder.path().join(name));
    let [file, data, flags] = [&file, &data, &flags].map(|path| path.display().to_string());
    fs::create_dir(&flags)?;
    fs::write(format!("{flags}/flags.yaml"), DOCUMENT)?;
    done(&["backup", &file, "--url", &server.url("")])?;
    done(&["restore", &file, "--data", &data])?;
    refused(&["restore", &file, "--data", &data], &["--force", "store.redb"])?;
    done(&["restore", &file, "--data", &data, "--force"])?;
    refused(&["backup", &file, "--data", &data], &["is there already", "--force"])?;
    done(&["backup", &file, "--data", &data, "--force"])?;
    for no_file in ["/dev/null", &data] {
        refused(&["backup", no_file, "--data", &data, "--force"], &[no_file, "no regular file"])?;
    }
    let serve = ["serve", "--flags", &flags, "--data", &data, "--listen", "127.0.0.1:0"];
    fs::write(format!("{data}/store.redb"), b"torn")?;
    refused(&serve, &["store.redb", "nothing was changed", "daybreak restore"])?;
    ensure!(fs::read(format!("{data}/store.redb"))? == b"torn");
    Ok(())
}

/// What is wrong with the options is said before anything is written.
#[test]
fn options_are_checked_before_anything_is_written() -> Result<()> {
    let folder = TempDir::new()?;
    let [data, flags, broken] = ["data", "flags", "broken"].map(|name| folder.path().join(name).display().to_string());
    for (name, text) in [(&flags, DOCUMENT), (&broken, "flags: { a: { default: nothing } }")] {
        fs::create_dir(name)?;
        fs::write(format!("{name}/flags.yaml"), text)?;
    }
    let cases: [(&[&str], &str); 6] = [
        (&["--flags", &flags, "--listen", "0.0.0.0:0"], "daybreak token create"),
        (&["--flags", &broken], "daybreak check"),
        (&["--flags", &data], "--flags DIR"),
        (&["--flags", &flags, "--environment", " "], "environment"),
        (&["--flags", &flags, "--webhooks", "/none"], "/none"),
        (&["--flags", &flags, "--events-age", "0s"], "dropped at once"),
    ];
    for (options, says) in cases {
        let mut words = vec!["serve", "--data", &data];
        if !options.contains(&"--listen") {
            words.extend(["--listen", "127.0.0.1:0"]);
        }
        words.extend(options);
        refused(&words, &[says])?;
        ensure!(!fs::exists(&data)?, "{options:?} made the data folder");
    }
    Ok(())
}

/// Whoever was let out is not let in again by a restore; where nothing tells who that was, the names are said.
#[test]
fn a_restore_into_a_stopped_server_tells_who_gets_in() -> Result<()> {
    let folder = TempDir::new()?;
    let [data, file] = ["data", "backup.jsonl"].map(|name| folder.path().join(name).display().to_string());
    fs::create_dir(&data)?;
    let create = |name: &str, role: &str| done(&["token", "create", name, "--role", role, "--data", &data]);
    create("root", "admin")?;
    create("mallory", "operator")?;
    done(&["backup", &file, "--data", &data])?;
    done(&["token", "revoke", "mallory", "--data", &data])?;
    create("grace", "operator")?;
    let told = done(&["restore", &file, "--data", &data, "--force"])?;
    ensure!(told.contains("grace") && told.contains("root") && !told.contains("mallory"), "{told}");
    let listed = done(&["token", "list", "--data", &data])?;
    ensure!(listed.contains("grace") && !listed.contains("mallory"), "{listed}");
    fs::write(format!("{data}/store.redb"), b"torn")?;
    let told = done(&["restore", &file, "--data", &data, "--force"])?;
    ensure!(told.contains("revoked since") && told.contains("mallory (operator)") && !told.contains("grace"), "{told}");
    Ok(())
}

#[test]
fn two_servers_do_not_share_a_folder() -> Result<()> {
    let folder = TempDir::new()?;
    let data = folder.path().display().to_string();
    let mut server = Server::with(DOCUMENT, &[])?;
    let theirs = server.data().display().to_string();
    let flags = TempDir::new()?;
    fs::write(flags.path().join("flags.yaml"), DOCUMENT)?;
    let flags = flags.path().display().to_string();
    let process = server.process().id().to_string();
    let serve = |data: &str| ["serve", "--flags", &flags, "--listen", "127.0.0.1:0", "--data", data].map(str::to_owned);
    let words = serve(&theirs);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    refused(&words, &["another server", &process, &theirs, "--data DIR"])?;
    refused(&["restore", "/dev/null", "--data", &theirs, "--force"], &["another server"])?;
    refused(&["backup", "--data", &theirs], &["leave `--data` away"])?;
    refused(&["backup", "--data", &data], &["holds no store"])
}

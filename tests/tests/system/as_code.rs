//! Files as code: apply, export, diff and promote, and what survives a restart.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use daybreak_tests::{Server, binary, eventually};
use tempfile::TempDir;

const DOCUMENT: &str = "flags:\n  feature: { default: on, owner: payments }\n";

/// What a command printed, and its exit status.
#[derive(Debug)]
struct Ran {
    text: String,
    status: i32,
}

fn daybreak(arguments: &[&str]) -> Result<Ran> {
    let mut command = Command::new(binary()?);
    for name in ["DAYBREAK_URL", "DAYBREAK_TOKEN", "DAYBREAK_FROM_TOKEN", "DAYBREAK_TO_TOKEN"] {
        command.env_remove(name);
    }
    let output = command.args(arguments).output().context("daybreak cannot be run")?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok(Ran { text, status: output.status.code().context("it ended by itself")? })
}

/// Runs a command, which is to end so and to print all of these.
#[track_caller]
fn check(arguments: &[&str], status: i32, printed: &[&str]) -> Result<String> {
    let ran = daybreak(arguments)?;
    let missing: Vec<_> = printed.iter().filter(|text| !ran.text.contains(**text)).collect();
    ensure!(ran.status == status && missing.is_empty(), "{arguments:?} lacks {missing:?}: {ran:#?}");
    Ok(ran.text)
}

fn path(folder: &TempDir, file: &str) -> String {
    folder.path().join(file).display().to_string()
}

fn revision(server: &Server) -> Result<u64> {
    let (_, position) = server.state()?;
    Ok(position.split_once(':').context("a position")?.1.parse()?)
}

/// Runs a command at a terminal, where somebody types this and Enter.
fn at_a_terminal(arguments: &[&str], typed: &str, status: i32, printed: &[&str]) -> Result<()> {
    // The terminal shows what comes, and is typed into once it asks.
    const TERMINAL: &str = "import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
text = b''
asked = False
while True:
    try:
        more = os.read(terminal, 4096)
    except OSError:
        break
    if not more:
        break
    text += more
    if b'[y/N]' in text and not asked:
        asked = True
        os.write(terminal, sys.argv[1].encode() + b'\\n')
print(text.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))";
    let binary = binary()?;
    let output = Command::new("python3").args(["-c", TERMINAL, typed]).arg(binary).args(arguments).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let all = printed.iter().all(|part| text.contains(part));
    ensure!(output.status.code() == Some(status) && all, "{arguments:?} {typed}: {output:?}");
    Ok(())
}

#[test]
fn many_files_are_one_revision_or_nothing() -> Result<()> {
    let server = Server::start(DOCUMENT)?;
    let (url, folder) = (server.url(""), TempDir::new()?);
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text);
    write("flags.yaml", "flags:\n  new: { default: off, rules: [{ name: eu, when: { segment: eu }, serve: on }] }\n")?;
    write("segments.yaml", "segments:\n  eu: { when: { country: DE } }\nprotect: [eu]\n")?;
    let (apply, before) = (["apply", "-f", &path(&folder, ""), "--url", &url], server.state()?);
    let dry = check(&[&apply[..], &["--dry-run"]].concat(), 0, &["+ flag new", "+ segment eu", "a dry run"])?;
    assert_eq!(server.state()?, before, "{dry}");
    let revision_before = revision(&server)?;
    check(&[&apply[..], &["--reason", "wanted & needed"]].concat(), 0, &["+ flag new", "done, as one revision"])?;
    assert_eq!(revision(&server)?, revision_before + 1);
    check(&apply, 0, &["nothing differs"])?;
    assert_eq!(revision(&server)?, revision_before + 1);
    assert!(server.get("/api/v1/flags/new/history")?.body.contains("wanted & needed"));
    // A reference may lead to what only the server has; one that leads nowhere is named where it stands.
    write("more.yaml", "flags:\n  more: { default: on, prerequisites: { feature: on } }\n")?;
    check(&apply, 0, &["+ flag more"])?;
    write("more.yaml", "flags:\n  more: { default: on, prerequisites: { featur: on } }\n")?;
    let before = server.state()?;
    check(&apply, 1, &["more.yaml:2:", "write `feature`", "nothing is sent"])?;
    write("more.yaml", "flags:\n  more: { default: on, percentage: 120% }\n")?;
    let nobody = ["apply", "-f", &path(&folder, ""), "--url", "http://127.0.0.1:9"];
    check(&nobody, 1, &["more.yaml:2:", "nothing is sent"])?;
    std::fs::remove_file(folder.path().join("more.yaml"))?;
    assert_eq!(server.state()?, before);
    check(&nobody, 1, &["does not answer", "is the server running?"])?;
    server.post("/api/v1/flags/new/disable", "")?.expect_status(200)?;
    check(&[&apply[..], &["--keep-state"]].concat(), 0, &["nothing differs"])?;
    check(&[&apply[..], &["--dry-run"]].concat(), 0, &["enabled: false → (default)"])?;
    let pruned = ["- flag feature", "- flag more"];
    let before = server.state()?;
    let prune = [&apply[..], &["--prune"]].concat();
    // Nobody can be asked here.
    check(&prune, 1, &["- flag feature", "would remove flag `feature`, flag `more`", "`--yes`", "nothing is sent"])?;
    check(&[&prune[..], &["--dry-run"]].concat(), 0, &["- flag feature", "a dry run"])?;
    for (answer, status) in [("", 1), ("n", 1), ("whatever", 1)] {
        at_a_terminal(&prune, answer, status, &["- flag feature", "[y/N]", "nothing is changed"])?;
    }
    assert_eq!(server.state()?, before);
    at_a_terminal(&prune, "y", 0, &[&pruned[..], &["[y/N]", "done, as one revision"]].concat())?;
    check(&prune, 0, &["nothing differs"])?;
    server.send("PUT", "/api/v1/flags/feature", "default: on")?.expect_status(201)?;
    check(&[&prune[..], &["--yes"]].concat(), 0, &["- flag feature", "done, as one revision"])?;
    check(&["diff", &path(&folder, ""), &url, "--exit-code"], 0, &[])?;
    Ok(())
}

#[test]
fn applying_an_export_changes_nothing() -> Result<()> {
    let server = Server::on_copy_of("flags", &[])?;
    let (url, folder, before) = (server.url(""), TempDir::new()?, server.state()?);
    let printed = check(&["export", "--url", &url], 0, &["flags:", "faults:"])?;
    assert_eq!(printed, before.0);
    check(&["export", "--url", &url, "-o", &path(&folder, "")], 0, &[])?;
    check(&["export", "--url", &url, "-o", &path(&folder, "")], 0, &[])?;
    check(&["export", "--url", &url, "-o", &path(&folder, ".made/as/asked")], 0, &[])?;
    check(&["check", &path(&folder, ".made/as/asked")], 0, &[])?;
    check(&["export", "--url", &url, "-o", &path(&folder, ".made/one.yaml")], 0, &[])?;
    check(&["check", &path(&folder, ".made/one.yaml")], 0, &[])?;
    std::fs::remove_dir_all(folder.path().join(".made"))?;
    check(&["check", &path(&folder, "")], 0, &[])?;
    check(&["apply", "--prune", "-f", &path(&folder, ""), "--url", &url], 0, &["nothing differs"])?;
    check(&["diff", "--exit-code", &path(&folder, ""), &url], 0, &[])?;
    assert_eq!(server.state()?, before);
    std::fs::write(folder.path().join("own.yaml"), "flags: {}\n")?;
    check(&["export", "--url", &url, "-o", &path(&folder, "")], 1, &["own.yaml", "document already"])?;
    Ok(())
}

#[test]
fn a_diff_shows_the_drift() -> Result<()> {
    let server = Server::start(DOCUMENT)?;
    let (url, folder) = (server.url(""), TempDir::new()?);
    std::fs::write(folder.path().join("flags.yaml"), DOCUMENT)?;
    server.post("/api/v1/flags/feature/disable", "")?.expect_status(200)?;
    let file = path(&folder, "flags.yaml");
    let drift = ["~ flag feature", "enabled: (default) → false"];
    check(&["diff", &file, &url], 0, &drift)?;
    check(&["diff", "--exit-code", &file, &url], 1, &drift)?;
    check(&["diff", "--exit-code", &url, &url], 0, &[])?;
    check(&["diff", "--exit-code", &path(&folder, "none"), &url], 2, &["cannot be read"])?;
    check(&["diff", &file, "http://127.0.0.1:9"], 1, &["does not answer"])?;
    Ok(())
}

#[test]
fn promoting_is_one_revision_of_the_target() -> Result<()> {
    let staging = Server::start(
        "segments:\n  eu: { when: { country: DE } }\nflags:\n  feature: { default: off, owner: shop }\n  new:\n    \
         default: off\n    rules: [{ name: eu, when: { segment: eu }, serve: on }]\n",
    )?;
    let production = Server::start(DOCUMENT)?;
    let (from, to) = (staging.url(""), production.url(""));
    let promote = |more: &[&'static str], status, printed: &[&str]| {
        let servers = ["promote", "--from", &from, "--to", &to];
        check(&[&servers[..], more].concat(), status, printed)
    };
    let before = production.state()?;
    promote(&["new"], 1, &["segments/eu", "--with-dependencies"])?;
    promote(&["nwe"], 1, &["did you mean `new`?"])?;
    promote(&["new", "--with-dependencies", "--dry-run"], 0, &["+ flag new", "+ segment eu", "a dry run"])?;
    assert_eq!(production.state()?, before);
    production.post("/api/v1/flags/feature/disable", "")?.expect_status(200)?;
    let revision_before = revision(&production)?;
    promote(
        &["new", "feature", "--with-dependencies"],
        0,
        &["arrives disabled", "~ flag feature", "owner: payments → shop"],
    )?;
    assert_eq!(revision(&production)?, revision_before + 1);
    for flag in ["feature", "new"] {
        let flag = production.get(&format!("/api/v1/flags/{flag}"))?.expect_status(200)?.json()?;
        assert_eq!(flag["enabled"], false, "{flag}");
    }
    promote(&["new", "--with-state"], 0, &["enabled: false → (default)"])?;
    promote(&["segments/eu"], 0, &["nothing differs"])?;
    Ok(())
}

/// Invariant 8: after `kill -9` the merge goes on from where it stood.
#[test]
fn invariant_8_files_and_curl_go_on_after_a_crash() -> Result<()> {
    let mut server = Server::start(DOCUMENT)?;
    server.post("/api/v1/flags/feature/disable", "")?.expect_status(200)?;
    server.send("PUT", "/api/v1/flags/own", "default: off")?.expect_status(201)?;
    let before = server.state()?;
    server.restart()?;
    assert_eq!(server.state()?, before, "a restart is no edit");
    let origin = server.get("/api/v1/flags/feature/origin")?.expect_status(200)?.json()?;
    assert_eq!((&origin["file"], &origin["line"]), (&"flags.yaml".into(), &2.into()), "{origin}");
    assert_eq!(origin["differences"][0]["field"], "enabled");
    let differing = server.get("/api/v1/origins?differs")?.expect_status(200)?.json()?;
    assert_eq!(differing["origins"].as_array().map(Vec::len), Some(1), "{differing}");
    // An edit that the server did not see, and one that it does.
    server.process().kill()?;
    server.write("flags.yaml", &DOCUMENT.replace("payments", "storefront"))?;
    server.restart()?;
    let feature = server.get("/api/v1/flags/feature")?.expect_status(200)?.json()?;
    assert_eq!((&feature["owner"], &feature["enabled"]), (&"storefront".into(), &false.into()));
    server.write("flags.yaml", "flags:\n  other: { default: off }\n")?;
    eventually("the file's flag is gone, the operator's stays", || {
        server.get("/api/v1/flags/feature")?.expect_status(404)?;
        server.get("/api/v1/flags/own")?.expect_status(200)
    })?;
    // A folder that is gone at a start removes nothing.
    let before = server.state()?;
    server.process().kill()?;
    server.write("flags.yaml", "flags: [")?;
    server.restart()?;
    assert_eq!(server.state()?, before);
    assert!(server.get("/readyz")?.body.contains("was refused"));
    Ok(())
}

/// Whoever writes at the same time: each apply is made on what it saw, and none is lost.
#[test]
fn applies_at_once_lose_nothing() -> Result<()> {
    let server = Server::start(DOCUMENT)?;
    let (url, folder) = (server.url(""), TempDir::new()?);
    let apply = |number: usize| {
        let file = folder.path().join(format!("{number}.yaml"));
        std::fs::write(&file, format!("flags:\n  f{number}: {{ default: off }}\n"))?;
        check(&["apply", "-f", &shown(&file), "--url", &url], 0, &["done"])
    };
    binary()?;
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..3).map(|number| scope.spawn(move || apply(number))).collect();
        all.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("it panicked"))?.map(drop))
    })?;
    (0..3).try_for_each(|number| server.get(&format!("/api/v1/flags/f{number}"))?.expect_status(200).map(drop))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

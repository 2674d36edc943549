//! The page on operating, from top to bottom, as an operator would type it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use daybreak_tests::{Process, binary, root};
use tempfile::TempDir;

use crate::documents::blocks;

/// The port that the page's server listens on.
const PORT: &str = "8080";

/// A folder to operate in: with the shop's documents.
fn folder() -> Result<TempDir> {
    let folder = TempDir::new()?;
    fs::create_dir(folder.path().join("flags"))?;
    for entry in fs::read_dir(root().join("flags"))? {
        let entry = entry?;
        fs::copy(entry.path(), folder.path().join("flags").join(entry.file_name()))?;
    }
    Ok(folder)
}

/// A port that is free at this moment.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// All blocks as one script, in which each block's output goes to a file of its own.
fn script(blocks: &[String]) -> String {
    let block = |(number, block): (usize, &String)| format!("{{\n{block}\n}} > block{number}.out\n");
    let blocks: Vec<_> = blocks.iter().enumerate().map(block).collect();
    // Whatever happens, no server stays behind.
    format!("set -eu\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n{}", blocks.concat())
}

#[test]
fn the_page_on_operating_is_true() -> Result<()> {
    let page = fs::read_to_string(root().join("docs/operating.md"))?;
    let blocks = blocks(&page, "sh");
    ensure!(blocks.len() >= 8, "only {} blocks were found", blocks.len());
    let (folder, port) = (folder()?, free_port()?);
    let path = std::env::var("PATH").unwrap_or_default();
    let binaries = binary()?.parent().map(Path::to_owned).context("a binary is in a folder")?;
    let mut shell = Command::new("sh");
    shell.args(["-c", &script(&blocks).replace(PORT, &port.to_string())]).current_dir(folder.path());
    shell.env("PATH", format!("{}:{path}", binaries.display())).env("DAYBREAK_URL", format!("http://localhost:{port}"));
    let output = shell.output().context("sh cannot be run")?;
    let log = fs::read_to_string(folder.path().join("daybreak.log")).unwrap_or_default();
    ensure!(output.status.success(), "{}\n{log}", String::from_utf8_lossy(&output.stderr));
    for (number, block) in blocks.iter().enumerate() {
        let printed = fs::read_to_string(folder.path().join(format!("block{number}.out")))?;
        for expected in block.lines().filter_map(|line| line.strip_prefix("# => ")) {
            ensure!(printed.contains(expected), "`{expected}` is not in what\n{block}\nprinted:\n{printed}\n{log}");
        }
    }
    Ok(())
}

/// The command in a file that has it on one line after `key`, with other folders.
fn options(line: &str, folder: &Path) -> Vec<String> {
    let words = line.split_whitespace().map(|word| word.trim_matches(['"', ',', '[', ']']));
    let words = words.map(|word| match word {
        "/etc/daybreak/flags" | "/flags" => folder.join("flags").display().to_string(),
        "/var/lib/daybreak" | "/data" => folder.join("data").display().to_string(),
        "0.0.0.0:8080" => "0.0.0.0:0".to_owned(),
        other => other.to_owned(),
    });
    words.collect()
}

#[test]
fn the_unit_and_the_container_start_it_with_options_that_it_knows() -> Result<()> {
    let cases = [
        ("docs/operating/daybreak.service", "ExecStart=/usr/local/bin/daybreak "),
        ("docs/operating/Containerfile", "CMD "),
    ];
    for (file, key) in cases {
        let text = fs::read_to_string(root().join(file))?;
        let line = text.lines().find_map(|line| line.strip_prefix(key)).context(file)?;
        let folder = folder()?;
        let daybreak = || -> Result<Command> {
            let mut command = Command::new(binary()?);
            command.current_dir(folder.path()).env_remove("DAYBREAK_TOKEN");
            Ok(command)
        };
        let options = options(line, folder.path());
        let refused = daybreak()?.args(&options).output()?;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        ensure!(!refused.status.success() && said.contains("daybreak token create"), "{file}: {said}");
        let data = folder.path().join("data");
        ensure!(!data.exists(), "{file}: it wrote before it refused");
        fs::create_dir(&data)?;
        let made = daybreak()?.args(["token", "create", "admin", "--role", "admin", "--data"]).arg(&data).output()?;
        ensure!(made.status.success(), "{made:?}");
        let server = Process::start(file, daybreak()?.args(&options))?;
        server.wait_for(|line| line.contains("listening on http://0.0.0.0:").then_some(()))?;
    }
    Ok(())
}

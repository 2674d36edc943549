//! From the start of the process until the server is ready, how long an edited file takes until it is served, and what the server
//! holds in memory; over the number of flags, booleans of one rule.
//!
//! Ready is when `/readyz` answers 200. The flags come from files, of which the store knows nothing yet, as at the first start; from
//! files that the store knows, as at every later one; or from the store alone, where they were made through the API.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use daybreak_tests::measure::{self, Memory, Plots, Spread, thousands};
use daybreak_tests::{Process, binary, curl};
use tempfile::TempDir;

const FLAGS: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
/// Flags of one file, and of one request: both have at most 4 MiB.
const EACH: usize = 20_000;
const PAUSE: Duration = Duration::from_micros(200);
const PATIENCE: Duration = Duration::from_secs(120);

/// A server, and what it took until it was ready.
struct Started {
    process: Process,
    address: SocketAddr,
    took: Duration,
}

/// What was measured of one number of flags, in seconds and bytes.
#[derive(Debug, Default)]
struct Figures {
    first: Vec<f64>,
    again: Vec<f64>,
    alone: Vec<f64>,
    reload: Vec<f64>,
    memory: u64,
    most: u64,
}

fn main() -> Result<()> {
    println!(
        "| flags | start, files that are new | start, files that are known | start, from the store alone | edited file to served | \
         memory | at most |\n|{}",
        "---|".repeat(7)
    );
    let mut lines: [(String, Vec<(f64, f64)>); 4] =
        ["files that are new", "files that are known", "the store alone", "an edited file"]
            .map(|name| (name.to_owned(), Vec::new()));
    let mut memory = Vec::new();
    for flags in FLAGS {
        let figures = measured(flags)?;
        let columns = [&figures.first, &figures.again, &figures.alone, &figures.reload];
        let medians = columns.map(|seconds| Spread::of(seconds.iter().map(|seconds| seconds * 1_000.0)));
        let cells = medians.map(|spread| spread.map_or_else(|| "–".to_owned(), millis));
        let [held, most] = [figures.memory, figures.most].map(Memory::megabytes);
        println!("| {} | {} | {held} | {most} |", thousands(float(flags)), cells.join(" | "));
        for ((_, line), median) in lines.iter_mut().zip(medians) {
            line.extend(median.map(|spread| (float(flags), spread.median)));
        }
        memory.push((float(flags), float(usize::try_from(figures.memory)?) / 1e6));
    }
    let mut plots = Plots::default();
    let note = "Every flag is read, checked and compiled, so ten times as many take ten times as long once there are enough to outweigh \
        the start of the process; an edit waits 200 ms until the folder has come to rest.";
    plots.add("startup", "Start until ready, and reload", ("flags", "ms"), lines.into(), note);
    let note = "A flag is kept as it was written, as it is sent, and as it is evaluated.";
    plots.add("memory-flags", "Memory over flags", ("flags", "MB"), vec![("Daybreak".to_owned(), memory)], note);
    plots.leave("startup")
}

/// Of a few starts; fewer where they are long.
fn measured(flags: usize) -> Result<Figures> {
    let rounds = match flags {
        ..=1_000 => 5,
        1_001..=10_000 => 3,
        _ => 1,
    };
    let mut figures = Figures::default();
    for round in 0..rounds {
        eprintln!("{flags} flags: round {} of {rounds}", round + 1);
        let folder = TempDir::new()?;
        let documents = measure::plain_flags(flags, EACH);
        write(&folder.path().join("flags"), &documents)?;
        let mut first = start(folder.path())?;
        figures.first.push(first.took.as_secs_f64());
        first.process.kill()?;
        let again = start(folder.path())?;
        figures.again.push(again.took.as_secs_f64());
        let memory = Memory::of(again.process.id())?;
        (figures.memory, figures.most) = (memory.resident, memory.most);
        figures.reload.push(edit(&again, folder.path(), &documents[0])?.as_secs_f64());
        drop(again);
        figures.alone.push(alone(&documents)?.as_secs_f64());
    }
    Ok(figures)
}

/// How long a server takes that has its flags from the API.
fn alone(documents: &[String]) -> Result<Duration> {
    let folder = TempDir::new()?;
    write(&folder.path().join("flags"), &["flags: {}\n".to_owned()])?;
    let mut server = start(folder.path())?;
    let body = folder.path().join("body.yaml");
    for document in documents {
        std::fs::write(&body, document)?;
        let url = format!("http://{}/api/v1/apply", server.address);
        curl(&["--request", "POST", "--data-binary", &format!("@{}", body.display()), &url])?.expect_status(200)?;
    }
    server.process.kill()?;
    Ok(start(folder.path())?.took)
}

/// How long it takes until a server serves what a file has come to say.
fn edit(server: &Started, folder: &Path, document: &str) -> Result<Duration> {
    let edited = document.replace("toggled: { default: on }", "toggled: { default: on, description: edited }");
    ensure!(edited != document, "the document has the flag");
    let temporary = folder.join("edited");
    std::fs::write(&temporary, edited)?;
    let began = Instant::now();
    std::fs::rename(&temporary, folder.join("flags/0.yaml"))?;
    until(began, || {
        let answer = get(server.address, "/api/v1/flags/toggled")?;
        Ok(answer.contains("edited"))
    })
}

fn write(folder: &Path, documents: &[String]) -> Result<()> {
    std::fs::create_dir(folder)?;
    for (number, document) in documents.iter().enumerate() {
        std::fs::write(folder.join(format!("{number}.yaml")), document)?;
    }
    Ok(())
}

/// Starts a server on the folders in a folder.
fn start(folder: &Path) -> Result<Started> {
    let mut command = Command::new(binary()?);
    command.current_dir(folder).args(["serve", "--flags", "flags", "--data", "data", "--log", "warn"]);
    command.args(["--listen", "127.0.0.1:0"]);
    let began = Instant::now();
    let process = Process::start("daybreak", &mut command)?;
    let address = process.wait_for(measure::listening)?;
    let took = until(began, || Ok(get(address, "/readyz")?.starts_with("HTTP/1.1 200")))?;
    Ok(Started { process, address, took })
}

/// How long it takes until something is so.
fn until(began: Instant, mut is: impl FnMut() -> Result<bool>) -> Result<Duration> {
    loop {
        if is()? {
            return Ok(began.elapsed());
        }
        ensure!(began.elapsed() < PATIENCE, "it does not come");
        std::thread::sleep(PAUSE);
    }
}

/// GET, without the time that curl takes to start.
fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).with_context(|| format!("no answer to {path}"))?;
    Ok(answer)
}

fn millis(spread: Spread) -> String {
    if spread.median < 100.0 { format!("{:.1} ms", spread.median) } else { format!("{} ms", thousands(spread.median)) }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
fn float(number: usize) -> f64 {
    number as f64
}

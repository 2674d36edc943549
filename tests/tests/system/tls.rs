//! TLS: real certificates, real curl, the SDK and the command line.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use daybreak_tests::{Answer, Process, Server, binary, curl, eventually};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const FLAGS: &str = r"
flags:
  feature: { default: on }
  burst: { enabled: false, default: on }
hours:
  always: { time_zone: UTC, weekdays: mon..sun, times: ['00:00-24:00'] }
";

/// An authority, and the folder where its certificates are.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// A certificate for loopback, and its key.
    fn issue(&self) -> Result<(String, String)> {
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        Ok((params.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
    }
}

/// Files with certificates.
struct Files(TempDir);

impl Files {
    /// The server's certificate and key, and the authority of both sides.
    fn of(authority: &Authority) -> Result<Self> {
        let files = Self(TempDir::new()?);
        files.put("ca.pem", &authority.pem)?;
        files.renew(authority)?;
        Ok(files)
    }

    fn renew(&self, authority: &Authority) -> Result<()> {
        let (certificate, key) = authority.issue()?;
        self.put("cert.pem", &certificate)?;
        self.put("key.pem", &key)
    }

    /// Writes a file in one step, as tools for certificates do.
    fn put(&self, name: &str, text: &str) -> Result<()> {
        let temporary = self.0.path().join("new");
        fs::write(&temporary, text)?;
        Ok(fs::rename(temporary, self.path(name))?)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn serve(&self, more: &[&str]) -> Result<Server> {
        let (certificate, key) = (self.text("cert.pem"), self.text("key.pem"));
        Server::with(FLAGS, &[&["--tls-cert", certificate.as_str(), "--tls-key", &key], more].concat())
    }
}

fn ask(server: &Server, path: &str, options: &[&str]) -> Result<Answer> {
    curl(&[options, &[server.url(path).as_str()]].concat())
}

#[test]
fn curl_the_sdk_and_the_command_line_speak_tls() -> Result<()> {
    let files = Files::of(&Authority::new("ours")?)?;
    let server = files.serve(&[])?;
    let ca = files.text("ca.pem");
    ask(&server, "/healthz", &["--cacert", &ca])?.expect_status(200)?;
    let answer = ask(&server, "/api/v1/flags", &["--cacert", &ca, "--header", "Origin: https://evil.example"])?;
    answer.expect_status(403)?;
    let own = format!("Origin: {}", server.url(""));
    ask(&server, "/api/v1/flags", &["--cacert", &ca, "--header", &own])?.expect_status(200)?;
    ensure!(ask(&server, "/healthz", &[]).is_err(), "an authority that nobody named was believed");
    ensure!(curl(&[server.url("/healthz").replace("https", "http")]).is_err(), "it answered in the clear");

    let mut application = Command::new(env!("CARGO_BIN_EXE_application"));
    let application =
        Process::start("application", application.arg(server.url("")).arg("0").env("SSL_CERT_FILE", &ca))?;
    application.wait_for(|line| (line.starts_with("passed") && line.ends_with("spared on")).then_some(()))?;
    let hours = Command::new(binary()?)
        .args(["hours", "always", "--url", &server.url("")])
        .env("SSL_CERT_FILE", &ca)
        .output()?;
    ensure!(hours.status.success() && String::from_utf8_lossy(&hours.stdout).contains("\"open\": true"), "{hours:?}");
    let (here, clear) = (server.url(""), server.url("").replace("https", "http"));
    for (url, expected) in [(&here, "name a file with that authority in `SSL_CERT_FILE`"), (&clear, "write `https://`")]
    {
        let export = Command::new(binary()?).args(["export", "--url", url]).env_remove("SSL_CERT_FILE").output()?;
        let said = String::from_utf8_lossy(&export.stderr);
        ensure!(!export.status.success() && said.contains(expected) && !said.contains("running?"), "{url}: {said}");
    }
    Ok(())
}

#[test]
fn new_certificates_are_served_without_a_restart() -> Result<()> {
    let (old, new) = (Authority::new("old")?, Authority::new("new")?);
    let files = Files::of(&old)?;
    files.put("new-ca.pem", &new.pem)?;
    let server = files.serve(&[])?;
    let (old_ca, new_ca) = (files.text("ca.pem"), files.text("new-ca.pem"));
    ask(&server, "/healthz", &["--cacert", &old_ca])?.expect_status(200)?;
    // What is broken is refused: the old one is served on, until there is a sound one.
    files.put("cert.pem", "no certificate")?;
    files.renew(&new)?;
    eventually("the new certificate", || ask(&server, "/healthz", &["--cacert", &new_ca]))?.expect_status(200)?;
    ensure!(ask(&server, "/healthz", &["--cacert", &old_ca]).is_err(), "the old certificate is still served");
    Ok(())
}

#[test]
fn clients_may_have_to_show_a_certificate() -> Result<()> {
    let (ours, other) = (Authority::new("ours")?, Authority::new("other")?);
    let files = Files::of(&ours)?;
    for (name, authority) in [("client.pem", &ours), ("stranger.pem", &other)] {
        let (certificate, key) = authority.issue()?;
        files.put(name, &(certificate + &key))?;
    }
    let ca = files.text("ca.pem");
    let server = files.serve(&["--tls-client-ca", &ca])?;
    let (client, stranger) = (files.text("client.pem"), files.text("stranger.pem"));
    ask(&server, "/healthz", &["--cacert", &ca, "--cert", &client])?.expect_status(200)?;
    ensure!(ask(&server, "/healthz", &["--cacert", &ca]).is_err(), "it asked for no certificate");
    ensure!(ask(&server, "/healthz", &["--cacert", &ca, "--cert", &stranger]).is_err(), "a stranger got in");

    let mut application = Command::new(env!("CARGO_BIN_EXE_application"));
    application.arg(server.url("")).arg("0").env("SSL_CERT_FILE", &ca).env("DAYBREAK_CLIENT_CERT", &client);
    let application = Process::start("application", &mut application)?;
    application.wait_for(|line| (line.starts_with("passed") && line.ends_with("spared on")).then_some(()))?;
    // Another authority from now on: who was let in before is a stranger.
    files.put("ca.pem", &other.pem)?;
    files.put("old-ca.pem", &ours.pem)?;
    let old_ca = files.text("old-ca.pem");
    eventually("the new authority", || ask(&server, "/healthz", &["--cacert", &old_ca, "--cert", &stranger]))?;
    ensure!(ask(&server, "/healthz", &["--cacert", &old_ca, "--cert", &client]).is_err(), "the old authority counts");
    Ok(())
}

/// Those who begin handshakes at the same time, again and again.
const FLOOD: u64 = 300;

/// What a client says first in a handshake: the server works out a secret and signs for it.
fn hello() -> Result<Vec<u8>> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions()?.with_root_certificates(RootCertStore::empty());
    let mut client = ClientConnection::new(Arc::new(config.with_no_client_auth()), "localhost".try_into()?)?;
    let mut hello = Vec::new();
    client.write_tls(&mut hello)?;
    Ok(hello)
}

/// Begins a handshake, waits for the server's part of it, and goes; whether there was one.
async fn begin_and_go(address: SocketAddr, hello: &[u8]) -> Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    // Nothing of it stays behind: there are not so many ports.
    stream.set_zero_linger()?;
    stream.write_all(hello).await?;
    Ok(stream.read(&mut [0; 1_024]).await? > 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_3_a_halt_comes_in_beside_a_flood_of_handshakes() -> Result<()> {
    let files = Files::of(&Authority::new("ours")?)?;
    let server = files.serve(&["--log", "error"])?;
    let (ca, address) = (files.text("ca.pem"), server.address());
    let (hello, begun) = (Arc::new(hello()?), Arc::new(AtomicU64::new(0)));
    let mut flood = JoinSet::<()>::new();
    for _ in 0..FLOOD {
        let (hello, begun) = (Arc::clone(&hello), Arc::clone(&begun));
        flood.spawn(async move {
            loop {
                let answered = begin_and_go(address, &hello).await;
                begun.fetch_add(answered.is_ok_and(|answered| answered).into(), Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        });
    }
    let flooded = |since: u64| match begun.load(Ordering::SeqCst) {
        now if now >= since + FLOOD => Ok(()),
        now => Err(now),
    };
    eventually("the flood", || flooded(0))?;
    for _ in 0..10 {
        let (asked, before) = (Instant::now(), begun.load(Ordering::SeqCst));
        let halt = ["--cacert", ca.as_str(), "--request", "PUT"];
        ask(&server, "/api/v1/halt?wait=1ms", &halt)?.expect_status(200)?;
        println!("the halt was answered {:?} after curl was started", asked.elapsed());
        ask(&server, "/api/v1/halt", &["--cacert", &ca, "--request", "DELETE"])?.expect_status(200)?;
        eventually("the flood to go on", || flooded(before))?;
    }
    flood.shutdown().await;
    ask(&server, "/api/v1/flags", &["--cacert", &ca])?.expect_status(200).map(drop)
}

#[test]
fn certificates_that_cannot_be_used_are_no_start() -> Result<()> {
    let files = Files::of(&Authority::new("ours")?)?;
    let serve = |certificate: &str, key: &str| -> Result<String> {
        let mut command = Command::new(binary()?);
        command.current_dir(files.0.path()).args(["serve", "--listen", "127.0.0.1:0", "--tls-cert", certificate]);
        let output = command.args(["--tls-key", key]).output().context("it cannot be run")?;
        ensure!(!output.status.success(), "it was served");
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (certificate, key, expected) in
        [("missing.pem", "key.pem", "missing.pem cannot be read"), ("cert.pem", "cert.pem", "holds no private key")]
    {
        let said = serve(certificate, key)?;
        said.contains(expected).then_some(()).ok_or_else(|| anyhow!("{expected}: {said}"))?;
    }
    Ok(())
}

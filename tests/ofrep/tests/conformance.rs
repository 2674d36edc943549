//! Daybreak conforms; and the suite finds out who does not.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use daybreak_ofrep_conformance::{Demand, Options, Outcome, Report, run};
use daybreak_tests::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const FIXTURE: &str = include_str!("../fixture/daybreak.yaml");

fn switch(server: &Server, how: &str) -> String {
    format!("curl -sSf -X POST {} -o /dev/null", server.url(&format!("/api/v1/flags/ofrep-switched/{how}")))
}

fn failed(report: &Report) -> Vec<&str> {
    let failed = |outcome: &Outcome| outcome.failed();
    report.checks().iter().filter(|check| failed(&check.outcome)).map(|check| check.says.as_str()).collect()
}

#[tokio::test]
async fn daybreak_conforms() -> Result<()> {
    let server = Server::start(FIXTURE)?;
    let (on, off) = (Some(switch(&server, "enable")), Some(switch(&server, "disable")));
    let report = run(Options { url: server.url(""), on, off, ..Options::default() }).await?;
    assert_eq!(failed(&report), [""; 0], "{report}");
    // Without tokens nobody is refused; that is asked with a token, by the test command.
    assert_eq!(report.count(Demand::Must, Outcome::skipped), 3, "{report}");
    assert!(report.conforms());
    Ok(())
}

/// Passes everything on to a server but the header that says what a client was told last.
async fn without_last_event_id(server: SocketAddr) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut asks, mut hears) = client.into_split();
                let (mut answers, mut server) = TcpStream::connect(server).await?.into_split();
                let answers = async move { tokio::io::copy(&mut answers, &mut hears).await };
                let asks = async move {
                    let mut bytes = [0; 16_384];
                    loop {
                        let length = asks.read(&mut bytes).await?;
                        if length == 0 {
                            return server.shutdown().await;
                        }
                        let text =
                            String::from_utf8_lossy(&bytes[..length]).replace("last-event-id:", "x-nobody-reads:");
                        server.write_all(text.as_bytes()).await?;
                    }
                };
                tokio::try_join!(answers, asks)
            });
        }
    });
    Ok(url)
}

/// The URL of the stream says what a client had when it first connected: who heeds that alone is found out.
#[tokio::test]
async fn who_does_not_heed_the_last_event_is_found_out() -> Result<()> {
    let server = Server::start(FIXTURE)?;
    let (on, off) = (Some(switch(&server, "enable")), Some(switch(&server, "disable")));
    let url = without_last_event_id(server.address()).await?;
    let patience = Some(Duration::from_secs(3));
    let report = run(Options { url, on, off, patience, ..Options::default() }).await?;
    assert_eq!(failed(&report), ["what was missed is told of, after `Last-Event-ID`"], "{report}");
    Ok(())
}

/// Answers everything with this, on as many connections as are made.
async fn stub(answer: &'static str) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 16_384];
            let _ = connection.read(&mut request).await;
            let _ = connection.write_all(answer.as_bytes()).await;
            let _ = connection.shutdown().await;
        }
    });
    Ok(url)
}

/// Whatever a wrong server answers, no check that is taken of it passes but for what it happens to do right.
#[tokio::test]
async fn who_does_not_conform_is_found_out() -> Result<()> {
    let empty = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{}";
    let broken = "HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nno";
    let stale = "HTTP/1.1 304 Not Modified\r\netag: x\r\nconnection: close\r\n\r\n";
    for answer in [empty, broken, stale] {
        let options = Options {
            url: stub(answer).await?,
            token: Some("t".to_owned()),
            on: Some("true".to_owned()),
            off: Some("true".to_owned()),
            flood: 1,
            patience: Some(Duration::from_millis(200)),
        };
        let report = run(options).await?;
        assert!(!report.conforms(), "{report}");
        let passed = report.count(Demand::Must, Outcome::passed) + report.count(Demand::Should, Outcome::passed);
        assert!(passed <= 3, "{passed} of {} pass: {report}", report.checks().len());
    }
    Ok(())
}

//! What is answered to a connection that there is no place for.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Lane;
use crate::answer;
use crate::problem::{Code, MEDIA_TYPE};

/// How long a refused client may take to read why.
const READ_WAIT: Duration = Duration::from_secs(1);
/// Bytes of a refused request that are read: a connection that is closed with bytes unread takes its answer with it.
const READ_MAX: u64 = 64 * 1024;

static OVERLOADED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let detail =
        "as many connections are open as there may be; come again in a second. Halts and stops come in all the same";
    answer_of(Code::Overloaded, detail, 1)
});
static URGENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let detail = "as many halts, stops and probes are under way as there may be; come again in a second, or on a connection that is open";
    answer_of(Code::Overloaded, detail, 1)
});
static TOO_MANY_STREAMS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let detail = "as many streams are open as there may be; connect elsewhere, or poll /api/v1/snapshot";
    answer_of(Code::TooManyStreams, detail, 10)
});

/// A whole answer, as bytes.
fn answer_of(code: Code, detail: &str, seconds: u32) -> Vec<u8> {
    let problem = json!({
        "type": format!("urn:daybreak:problem:{}", code.as_str()),
        "title": code.title(),
        "status": code.status().as_u16(),
        "code": code.as_str(),
        "detail": detail,
        "errorCode": "GENERAL",
        "errorDetails": detail,
    });
    let body = answer::pretty(&problem);
    let head = format!(
        "HTTP/1.1 {}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {}\r\nretry-after: {seconds}\r\n\
         x-content-type-options: nosniff\r\nconnection: close\r\n\r\n",
        code.status(),
        body.len()
    );
    [head.into_bytes(), body].concat()
}

/// Says why there is no place, and when to come again.
pub(super) async fn refuse(mut stream: impl AsyncRead + AsyncWrite + Unpin, lane: Lane) {
    let answer = match lane {
        Lane::Urgent => &URGENT,
        Lane::Streams => &TOO_MANY_STREAMS,
        Lane::Common => &OVERLOADED,
    };
    let told = async {
        stream.write_all(answer).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(READ_MAX), &mut tokio::io::sink()).await
    };
    // Whoever does not read it does not want to know.
    let _ = tokio::time::timeout(READ_WAIT, told).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn why_and_when_to_come_again() {
        for (lane, code, seconds) in [
            (Lane::Common, "overloaded", "retry-after: 1\r\n"),
            (Lane::Streams, "too_many_streams", "retry-after: 10\r\n"),
        ] {
            let (mut client, server) = tokio::io::duplex(4096);
            let refusing = tokio::spawn(refuse(server, lane));
            let mut text = String::new();
            client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
            client.read_to_string(&mut text).await.unwrap();
            drop(client);
            refusing.await.unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n") && head.contains(seconds), "{head}");
            assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!((&body["code"], &body["status"]), (&json!(code), &json!(503)));
        }
    }
}

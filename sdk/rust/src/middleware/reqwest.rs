//! Calls to other services by reqwest, as the fault point `http.client`.

use std::future::Future;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, Request, RequestBuilder, Response};

use super::{CLIENT_POINT, INJECTED_HEADER};
use crate::Scope;
use crate::faults::{Faults, InjectedFault};
use crate::scope::OFF_HEADER;

const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A fault broke the connection.
    #[error(transparent)]
    Injected(#[from] InjectedFault),
    /// The call failed by itself.
    #[error(transparent)]
    Call(#[from] reqwest::Error),
}

/// Sends requests past the fault point `http.client`.
///
/// ```no_run
/// use daybreak_sdk::Client;
/// use daybreak_sdk::middleware::reqwest::SendThrough as _;
///
/// # async fn pay(daybreak: &Client) -> Result<(), Box<dyn std::error::Error>> {
/// let http = reqwest::Client::new();
/// let answer = http.post("https://pay.example/charges").send_through(daybreak.faults()).await?;
/// # Ok(())
/// # }
/// ```
pub trait SendThrough {
    /// Sends the request, unless a fault strikes: an injected error answers with its status, an abort is an
    /// error. The request's own timeout does not cover an injected latency: put one around this call.
    ///
    /// # Errors
    /// When the request cannot be made or sent, or when a fault breaks the connection.
    fn send_through(self, faults: &Faults) -> impl Future<Output = Result<Response, Error>> + Send;
}

impl SendThrough for RequestBuilder {
    async fn send_through(self, faults: &Faults) -> Result<Response, Error> {
        let (client, request) = self.build_split();
        execute(&client, request?, faults).await
    }
}

/// Executes a request that is built already: see [`SendThrough::send_through`].
///
/// # Errors
/// When the request cannot be sent, or when a fault breaks the connection.
pub async fn execute(client: &Client, mut request: Request, faults: &Faults) -> Result<Response, Error> {
    let host = request.url().host_str().unwrap_or_default();
    match faults.point(CLIENT_POINT).pass_to(host).await {
        Ok(_) => {}
        Err(fault) if fault.is_abort() => return Err(fault.into()),
        Err(fault) => return Ok(answer(&fault)),
    }
    let scope = Scope::current();
    if scope.as_ref().is_some_and(|scope| !scope.eligible()) {
        // Who is exempt here is exempt in every service behind: this can only lower.
        request.headers_mut().insert(OFF_HEADER, HeaderValue::from_static("off"));
    }
    if faults.settings().send_baggage {
        let own = scope.and_then(|scope| scope.baggage());
        if let Some(value) = own.and_then(|own| HeaderValue::from_str(&own.to_string()).ok()) {
            // Other members of the baggage travel in headers of their own, which HTTP allows.
            request.headers_mut().append(BAGGAGE, value);
        }
    }
    Ok(client.execute(request).await?)
}

/// What the other side would have answered.
fn answer(fault: &InjectedFault) -> Response {
    let mut answer = http::Response::new(fault.message().unwrap_or_default().to_owned());
    *answer.status_mut() =
        http::StatusCode::from_u16(fault.status()).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(key) = HeaderValue::from_str(fault.fault().as_str()) {
        answer.headers_mut().insert(INJECTED_HEADER, key);
    }
    answer.into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use daybreak_model::Context;

    use super::*;
    use crate::faults::Settings;
    use crate::faults::TestClock;
    use crate::faults::fixtures::{error, grant_all, spec};

    const HOST: &str = "127.0.0.1";
    /// Nobody listens there: a call that is really made fails.
    const URL: &str = "http://127.0.0.1:9/charges";

    async fn call(faults: &Faults) -> Result<Response, Error> {
        // Another test may have been faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().build().unwrap();
        faults.request("POST /checkout", Context::default(), http.get(URL).send_through(faults)).await
    }

    fn faults(spec: daybreak_model::wire::RunSpec) -> Faults {
        let faults = Faults::with_clock(Settings::default(), Arc::new(TestClock::new()));
        grant_all(&faults, [(1, spec)]);
        faults
    }

    #[tokio::test]
    async fn an_injected_error_is_the_other_sides_answer() {
        let spec = daybreak_model::wire::RunSpec { host: Some(HOST.into()), ..spec(CLIENT_POINT, error(429)) };
        let answer = call(&faults(spec)).await.unwrap();
        assert_eq!(answer.status(), 429);
        assert_eq!(answer.headers()[INJECTED_HEADER], "fault");
    }

    #[tokio::test]
    async fn an_abort_is_an_error_and_another_host_is_called() {
        let abort = daybreak_model::Effect { abort: true, ..Default::default() };
        let at =
            |host: &str| daybreak_model::wire::RunSpec { host: Some(host.into()), ..spec(CLIENT_POINT, abort.clone()) };
        assert!(matches!(call(&faults(at(HOST))).await, Err(Error::Injected(_))));
        assert!(matches!(call(&faults(at("pay.example"))).await, Err(Error::Call(_))));
    }

    /// Invariant 4: a header can only lower, and it does so in every service behind.
    #[tokio::test]
    async fn invariant_4_who_is_exempt_stays_exempt_downstream() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let heard = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            String::from_utf8_lossy(&head[..length]).to_lowercase()
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().build().unwrap();
        let faults = Faults::new(Settings::default());
        let open = faults.open(|| crate::scope::RootRequest::new("GET /", Context::default()).exempt());
        open.scope().clone().instrument(http.get(url).send_through(&faults)).await.unwrap();
        assert!(heard.await.unwrap().contains("\r\ndaybreak-fault: off\r\n"));
    }
}

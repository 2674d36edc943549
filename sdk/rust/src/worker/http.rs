//! The client's own HTTP: its TLS, its token, and answers of bounded length.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, Response, StatusCode};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::unpack::{Bounded, Unpack};
use crate::core::Settings;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The HTTP clients, of which each has connections of its own.
pub(super) struct Http {
    /// For reports, and for snapshots that are polled.
    pub(super) asks: Client,
    /// For the stream. A server tells by a connection's first request what it is for, and serves streams apart from all others: one
    /// that followed a report on its connection would wait among evaluations.
    pub(super) follows: Client,
}

impl Http {
    /// They leave nothing behind in the process: no TLS provider is installed.
    pub(super) fn new(settings: &Settings) -> Result<Self, String> {
        // The machine's roots are read once, and the session of one is resumed by the other.
        let (tls, headers) = (tls(settings)?, headers(settings)?);
        let own = || {
            let builder = Client::builder().connect_timeout(CONNECT_TIMEOUT).default_headers(headers.clone());
            builder
                .tls_backend_preconfigured(tls.clone())
                .user_agent(concat!("daybreak-sdk/", env!("CARGO_PKG_VERSION")))
        };
        let built = |builder: ClientBuilder| builder.build().map_err(|error| chain(&error));
        Ok(Self { asks: built(own())?, follows: built(own().pool_max_idle_per_host(0))? })
    }
}

/// What every request says of who asks.
fn headers(settings: &Settings) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    if let Some(token) = &settings.token {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| "the token has characters that no header can carry".to_owned())?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        if in_the_clear(&settings.url) {
            tracing::warn!(url = settings.url, "the token travels in the clear; use https");
        }
    }
    Ok(headers)
}

/// Whether others can read what is sent there.
fn in_the_clear(url: &str) -> bool {
    let host = url.strip_prefix("http://").and_then(|rest| rest.split(['/', '?', '#']).next());
    let host = host.map(|host| host.rsplit('@').next().unwrap_or(host));
    host.is_some_and(|host| {
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        let loopback = name.parse().is_ok_and(|address: IpAddr| address.to_canonical().is_loopback());
        !loopback && !name.eq_ignore_ascii_case("localhost")
    })
}

/// TLS as reqwest has it by default: the machine's own roots, and the provider of the host where it has one.
fn tls(settings: &Settings) -> Result<ClientConfig, String> {
    let provider = CryptoProvider::get_default().cloned();
    let provider = provider.unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let builder = match Verifier::new(provider) {
        Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
        // A machine without roots can trust nobody, which a server without TLS does not ask for.
        Err(_) if settings.url.starts_with("http:") => builder.with_root_certificates(RootCertStore::empty()),
        Err(error) => return Err(error.to_string()),
    };
    let mut config = match &settings.client_certificate {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let unusable = |why: String| format!("the client certificate {} cannot be used: {why}", path.display());
            let (chain, key) = certificate(path).map_err(unusable)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| unusable(error.to_string()))?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A certificate, those that lead from it to a root, and its key, out of one PEM file.
fn certificate(path: &Path) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| format!("it has no private key: {error}"))?;
    Ok((chain, key))
}

/// What a refusal means, and what to do. Secrets are no part of it.
pub(super) fn refused(status: StatusCode) -> String {
    let help = match status {
        StatusCode::UNAUTHORIZED => {
            "; it asks for a valid token: `daybreak token create NAME --role sdk` makes one, for `Builder::token` or \
             DAYBREAK_TOKEN"
        }
        StatusCode::FORBIDDEN => "; the token's role may not: an application's is `sdk`",
        _ => "",
    };
    format!("the server answers {status}{help}")
}

/// An answer's body, if it is no longer than this, in bytes: as it was before it was compressed.
pub(super) async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, String> {
    let mut unpack = Unpack::new(response.headers(), Bounded { text: Vec::new(), limit })?;
    while let Some(piece) = response.chunk().await.map_err(|error| chain(&error))? {
        unpack.take(&piece).map_err(|error| chain(&error))?;
    }
    unpack.finish().map_err(|error| chain(&error))?;
    Ok(std::mem::take(&mut unpack.target().text))
}

/// An error with what caused it: reqwest's own text leaves that out.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_can_read() {
        let cases = [
            ("http://localhost:8080", false),
            ("http://127.0.0.1", false),
            ("http://[::1]:8080/path", false),
            ("https://flags.example", false),
            ("http://flags.example", true),
            ("http://10.0.0.1:8080", true),
            ("http://localhost@flags.example/", true),
            ("http://localhost.flags.example", true),
        ];
        for (url, expected) in cases {
            assert_eq!(in_the_clear(url), expected, "{url}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        assert!(refused(StatusCode::UNAUTHORIZED).contains("--role sdk"));
        assert!(refused(StatusCode::FORBIDDEN).contains("`sdk`"));
        assert_eq!(refused(StatusCode::BAD_GATEWAY), "the server answers 502 Bad Gateway");
    }
}

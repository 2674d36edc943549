//! The client's own HTTP: its TLS, its token, and answers of bounded length.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Response};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::core::Settings;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The HTTP client. It leaves nothing behind in the process: no TLS provider is installed.
pub(super) fn client(settings: &Settings) -> Result<Client, String> {
    let mut headers = HeaderMap::new();
    if let Some(token) = &settings.token {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| "the token has characters that no header can carry".to_owned())?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    let builder = Client::builder().connect_timeout(CONNECT_TIMEOUT).default_headers(headers);
    let builder = builder.tls_backend_preconfigured(tls(&settings.url)?);
    builder.user_agent(concat!("daybreak-sdk/", env!("CARGO_PKG_VERSION"))).build().map_err(|error| chain(&error))
}

/// TLS as reqwest has it by default: the machine's own roots, and the provider of the host where it has one.
fn tls(url: &str) -> Result<ClientConfig, String> {
    let provider = CryptoProvider::get_default().cloned();
    let provider = provider.unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    let mut config = match Verifier::new(provider) {
        Ok(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth(),
        // A machine without roots can trust nobody, which a server without TLS does not ask for.
        Err(_) if url.starts_with("http:") => {
            builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
        }
        Err(error) => return Err(error.to_string()),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// An answer's body, if it is no longer than this, in bytes.
pub(super) async fn body(mut response: Response, limit: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| chain(&error))? {
        if piece.len() > limit.saturating_sub(body.len()) {
            return Err(format!("the answer is longer than {limit} bytes"));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// An error with what caused it: reqwest's own text leaves that out.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

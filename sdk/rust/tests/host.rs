//! What a client leaves alone in its host's process.

use daybreak_sdk::Client;
use rustls::crypto::CryptoProvider;

/// In a process of its own: the choice of a TLS provider is the host's, for the whole process.
#[test]
fn invariant_6_no_tls_provider_is_installed() {
    for url in ["http://127.0.0.1:9", "https://127.0.0.1:9"] {
        drop(Client::builder(url).service("test").build().unwrap());
        assert!(CryptoProvider::get_default().is_none(), "{url}");
    }
}

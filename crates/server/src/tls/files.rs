//! Certificates in PEM files.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;

use super::{TlsError, TlsFiles};

/// What the files hold, as text. It may be of a moment between two edits; then it does not load.
#[derive(PartialEq, Eq)]
pub(super) struct Texts {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Texts { … }")
    }
}

/// What the files mean.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) certificate: Arc<CertifiedKey>,
    pub(super) clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl Texts {
    pub(super) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let read = |path: &Path| std::fs::read(path).map_err(|why| TlsError::Read { path: path.to_owned(), why });
        Ok(Self {
            certificate: read(&files.certificate)?,
            key: read(&files.key)?,
            client_ca: files.client_ca.as_deref().map(read).transpose()?,
        })
    }

    pub(super) fn load(&self, files: &TlsFiles, provider: &Arc<CryptoProvider>) -> Result<Loaded, TlsError> {
        let chain = certificates(&files.certificate, &self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| {
            let why = reason(&error);
            TlsError::Content { path: files.key.clone(), what: "private key", begin: "PRIVATE KEY", why }
        })?;
        // It also finds out whether the two fit each other.
        let certificate = CertifiedKey::from_der(chain, key, provider).map_err(|error| TlsError::Unusable {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            why: error.to_string(),
        })?;
        let clients = files.client_ca.as_deref().zip(self.client_ca.as_deref());
        let clients = clients.map(|(path, text)| verifier(path, text, provider)).transpose()?;
        Ok(Loaded { certificate: Arc::new(certificate), clients })
    }
}

fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let content = |why| TlsError::Content { path: path.to_owned(), what: "certificate", begin: "CERTIFICATE", why };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let chain = chain.map_err(|error| content(reason(&error)))?;
    if chain.is_empty() { Err(content(String::new())) } else { Ok(chain) }
}

fn verifier(path: &Path, text: &[u8], provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let refused = |why: String| TlsError::ClientCa { path: path.to_owned(), why };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, text)? {
        roots.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let built = builder.build();
    built.map_err(|error| refused(error.to_string()))
}

/// What PEM says of itself: nothing where there simply is none.
fn reason(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::NoItemsFound => String::new(),
        other => format!(": {other}"),
    }
}

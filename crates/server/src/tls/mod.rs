//! TLS: certificates out of files, taken anew when the files change.
//!
//! Who must show a certificate shows it for each connection: a session that is resumed would be believed as long as it
//! lasts, whatever became of its certificate and of the authorities. Clients keep their connections, so this costs little.
//!
//! A connection that stands keeps the certificate that it began with; the next one gets the new. Files that are
//! changed to something unusable are refused, and what was served before is served on.

mod files;
mod verifier;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoClientAuth, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use files::{Loaded, Texts};
use verifier::Clients;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Where the certificates are, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, followed by those that lead from it to a root.
    pub certificate: PathBuf,
    /// Its private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
    /// The authorities of clients' certificates. With it, a client without a certificate of theirs does not get in.
    pub client_ca: Option<PathBuf>,
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{} cannot be read: {why}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} holds no {what}{why}; write PEM, as in `-----BEGIN {begin}-----`", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should hold: `certificate`.
        what: &'static str,
        /// How that begins in PEM: `CERTIFICATE`.
        begin: &'static str,
        /// What is wrong with it; begins with a colon, or is empty.
        why: String,
    },
    /// The certificate and the key do not fit each other, or cannot be used.
    #[error("the certificate {} and the key {} cannot be used: {why}", certificate.display(), key.display())]
    Unusable {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why not.
        why: String,
    },
    /// The authorities of clients cannot be used.
    #[error("the authorities of clients in {} cannot be used: {why}", path.display())]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// TLS itself cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// The certificates that are served at this time.
#[derive(Debug)]
struct Now {
    certificate: RwLock<Arc<CertifiedKey>>,
    clients: RwLock<Arc<dyn ClientCertVerifier>>,
}

/// TLS with certificates from files.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    now: Arc<Now>,
    read: Texts,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read, or does not hold what it should.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let read = Texts::read(&files)?;
        let Loaded { certificate, clients } = read.load(&files, &provider)?;
        let clients = clients.unwrap_or_else(|| Arc::new(NoClientAuth));
        let now = Arc::new(Now { certificate: RwLock::new(certificate), clients: RwLock::new(clients) });
        Ok(Self { files, provider, now, read })
    }

    /// Whether clients must show a certificate.
    #[must_use]
    pub fn asks_clients(&self) -> bool {
        self.files.client_ca.is_some()
    }

    /// What connections are made with: always the certificates of the time.
    ///
    /// # Errors
    /// When TLS itself cannot be set up.
    pub fn config(&self) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::clone(&self.provider));
        let builder = builder.with_safe_default_protocol_versions()?;
        let certificate = Arc::clone(&self.now) as Arc<dyn ResolvesServerCert>;
        Ok(match self.asks_clients() {
            false => builder.with_no_client_auth().with_cert_resolver(certificate),
            true => {
                let clients = Arc::new(Clients(Arc::clone(&self.now)));
                let mut config = builder.with_client_cert_verifier(clients).with_cert_resolver(certificate);
                (config.session_storage, config.send_tls13_tickets) = (Arc::new(NoServerSessionStorage {}), 0);
                config
            }
        })
    }

    /// Takes over what the files become, until it is dropped.
    pub async fn watch(mut self) {
        let mut refused: Option<Texts> = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let files = self.files.clone();
            let Ok(read) = tokio::task::spawn_blocking(move || Texts::read(&files)).await else { continue };
            match read {
                // Between two renames a file may be missing for a moment.
                Err(error) => tracing::debug!(%error, "the certificates cannot be read"),
                Ok(read) if read == self.read || Some(&read) == refused.as_ref() => {}
                Ok(read) => match self.take(&read) {
                    Ok(()) => {
                        tracing::info!(certificate = %shown(&self.files.certificate), "new certificates are served");
                        (self.read, refused) = (read, None);
                    }
                    Err(error) => {
                        tracing::error!("the new certificates are refused, the old ones are served on: {error}");
                        refused = Some(read);
                    }
                },
            }
        }
    }

    fn take(&self, read: &Texts) -> Result<(), TlsError> {
        let Loaded { certificate, clients } = read.load(&self.files, &self.provider)?;
        *self.now.certificate.write() = certificate;
        if let Some(clients) = clients {
            *self.now.clients.write() = clients;
        }
        Ok(())
    }
}

impl ResolvesServerCert for Now {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.certificate.read()))
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests;

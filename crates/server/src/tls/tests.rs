use std::fs;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{
    ClientConfig, ClientConnection, Connection, HandshakeKind, RootCertStore, ServerConnection,
    SupportedProtocolVersion, version,
};
use tempfile::TempDir;

use super::*;

/// A certificate of its own, and its key, as PEM.
fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn files(folder: &TempDir) -> TlsFiles {
    let path = |name: &str| folder.path().join(name);
    TlsFiles { certificate: path("cert.pem"), key: path("key.pem"), client_ca: None }
}

fn load(certificate: &str, key: &str, client_ca: Option<&str>) -> Result<Tls, TlsError> {
    let folder = TempDir::new().unwrap();
    let mut files = files(&folder);
    fs::write(&files.certificate, certificate).unwrap();
    fs::write(&files.key, key).unwrap();
    files.client_ca = client_ca.map(|text| {
        let path = folder.path().join("ca.pem");
        fs::write(&path, text).unwrap();
        path
    });
    let tls = Tls::load(files)?;
    tls.config().map(|_| tls)
}

#[test]
fn what_is_unusable_is_said() {
    let ((certificate, key), (other, other_key)) = (pair(), pair());
    let both = format!("{certificate}{key}");
    let cases = [
        (certificate.as_str(), key.as_str(), None, ""),
        (&both, &both, None, ""),
        (&certificate, &key, Some(other.as_str()), ""),
        (&certificate, &other_key, None, "cannot be used"),
        ("", &key, None, "cert.pem holds no certificate; write PEM, as in `-----BEGIN CERTIFICATE-----`"),
        (&key, &key, None, "holds no certificate"),
        (&certificate, "secret", None, "key.pem holds no private key; write PEM, as in `-----BEGIN PRIVATE KEY-----`"),
        (&certificate, &certificate, None, "holds no private key"),
        ("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", &key, None, "holds no certificate: "),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key, None, "cannot be used"),
        (&certificate, &key, Some(""), "ca.pem holds no certificate"),
        (&certificate, &key, Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "authorities"),
    ];
    for (certificate, key, client_ca, expected) in cases {
        match load(certificate, key, client_ca) {
            Ok(_) => assert_eq!(expected, ""),
            Err(error) => {
                let error = error.to_string();
                assert!(!expected.is_empty() && error.contains(expected), "{expected:?}: {error}");
            }
        }
    }
}

#[test]
fn what_is_missing_is_said() {
    let folder = TempDir::new().unwrap();
    let error = Tls::load(files(&folder)).unwrap_err().to_string();
    assert!(error.contains("cert.pem cannot be read"), "{error}");
}

#[test]
fn keys_are_not_shown() {
    let (certificate, key) = pair();
    let shown = format!("{:?}", load(&certificate, &key, None).unwrap());
    let secret = key.lines().nth(1).unwrap();
    assert!(!shown.contains(secret), "{shown}");
}

/// An authority, and one of its certificates with its key, as PEM.
fn authority() -> (String, String, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let (its_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let pem = params.self_signed(&its_key).unwrap().pem();
    let issuer = Issuer::new(params, its_key);
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (pem, certificate.pem(), key.serialize_pem())
}

/// A client that shows a certificate, and keeps sessions.
fn client(ca: &str, certificate: &str, key: &str, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    Arc::new(builder.with_root_certificates(roots).with_client_auth_cert(chain, key).unwrap())
}

/// What one side has to say, said to the other.
fn pass(from: &mut Connection, to: &mut Connection) -> Result<(), rustls::Error> {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    let mut rest = wire.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

/// How a connection is made; the server's error where it refuses.
fn connect(client: &Arc<ClientConfig>, server: ServerConfig) -> Result<HandshakeKind, rustls::Error> {
    let mut client = ClientConnection::new(Arc::clone(client), "localhost".try_into().unwrap()).unwrap().into();
    let mut server = ServerConnection::new(Arc::new(server)).unwrap().into();
    for _ in 0..4 {
        pass(&mut client, &mut server)?;
        pass(&mut server, &mut client).unwrap();
    }
    assert!(!server.is_handshaking() && !client.is_handshaking());
    Ok(server.handshake_kind().unwrap())
}

/// A session that began under an authority does not outlive it.
#[test]
fn invariant_10_no_session_outlives_the_authority_of_its_client() {
    for version in [&version::TLS12, &version::TLS13] {
        let (ca, certificate, key) = authority();
        let (other_ca, ..) = authority();
        let folder = TempDir::new().unwrap();
        let client_ca = folder.path().join("ca.pem");
        let files = TlsFiles { client_ca: Some(client_ca.clone()), ..files(&folder) };
        for (path, text) in [(&files.certificate, &certificate), (&files.key, &key), (&client_ca, &ca)] {
            fs::write(path, text).unwrap();
        }
        let tls = Tls::load(files.clone()).unwrap();
        let (client, config) = (client(&ca, &certificate, &key, version), tls.config().unwrap());
        assert_eq!(connect(&client, config.clone()), Ok(HandshakeKind::Full), "{version:?}");
        fs::write(&client_ca, &other_ca).unwrap();
        tls.take(&Texts::read(&files).unwrap()).unwrap();
        let refused = connect(&client, config.clone());
        assert!(matches!(refused, Err(rustls::Error::InvalidCertificate(_))), "{version:?}: {refused:?}");
    }
}

/// Where nobody has to show anything, sessions are resumed, and no connection asks for more than it did.
#[test]
fn sessions_are_resumed_where_clients_show_nothing() {
    let (ca, certificate, key) = authority();
    let config = load(&certificate, &key, None).unwrap().config().unwrap();
    let client = client(&ca, &certificate, &key, &version::TLS13);
    assert_eq!(connect(&client, config.clone()), Ok(HandshakeKind::Full));
    assert_eq!(connect(&client, config), Ok(HandshakeKind::Resumed));
}

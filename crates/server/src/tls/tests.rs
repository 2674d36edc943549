use std::fs;

use rcgen::{CertificateParams, KeyPair};
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

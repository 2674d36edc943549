//! Why a server could not be asked: each reason by what it is, with what to do about it.

use std::error::Error;
use std::io::{self, ErrorKind};

use rustls::{AlertDescription, CertificateError, InvalidMessage};

/// What stands before the cause where a name cannot be resolved. The HTTP client gives it no type.
const DNS: &str = "dns error";

/// Why a request to a server got no answer.
pub(crate) fn explain(url: &str, error: reqwest::Error) -> anyhow::Error {
    if error.is_builder() {
        return anyhow::Error::new(error)
            .context(format!("`{url}` cannot be asked; write it as `http://localhost:8080`"));
    }
    if let Some(why) = cause(&error) {
        return anyhow::anyhow!("{url} {why}");
    }
    let what = match url.starts_with("http://") && !error.is_connect() {
        true => "did not answer in HTTP; if it speaks TLS, write `https://`",
        false => "could not be asked",
    };
    anyhow::Error::new(error).context(format!("{url} {what}"))
}

/// The first cause for which there is a sentence.
fn cause(error: &(dyn Error + 'static)) -> Option<String> {
    if error.to_string().starts_with(DNS) {
        return Some("cannot be reached: its name is not known here; look whether it is spelt right".to_owned());
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(tls(error));
    }
    let Some(failure) = error.downcast_ref::<io::Error>() else { return cause(error.source()?) };
    // What an I/O error was made of is not what it calls its source.
    if let Some(why) = failure.get_ref().and_then(|inner| cause(inner)) {
        return Some(why);
    }
    let why = match failure.kind() {
        ErrorKind::ConnectionRefused => "does not answer: the connection is refused; is the server running?",
        ErrorKind::TimedOut => "does not answer in time; a firewall may swallow what is sent there",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => "cannot be reached from this machine: no route",
        _ => return None,
    };
    Some(why.to_owned())
}

/// What went wrong with TLS.
fn tls(error: &rustls::Error) -> String {
    use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage as Unreadable};
    let certificate = |what: &str| format!("was not believed: its certificate {what}");
    match error {
        Unreadable(InvalidMessage::InvalidContentType) => "does not speak TLS; write `http://`".to_owned(),
        InvalidCertificate(CertificateError::UnknownIssuer) => {
            certificate("is of an authority that is not known here; name a file with that authority in `SSL_CERT_FILE`")
        }
        InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
            certificate("is for another name; ask by the name that stands in it")
        }
        InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            certificate("has expired")
        }
        InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            certificate("is not valid yet; look at the clock of this machine")
        }
        InvalidCertificate(why) => certificate(&format!("cannot be used ({why:?})")),
        AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::DecryptError,
        ) => format!("asks for a client's certificate that it believes ({error}); give it with `--client-cert FILE`"),
        other => format!("could not be asked over TLS: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    async fn ask(url: &str) -> String {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let error = reqwest::Client::new().get(url).send().await.unwrap_err();
        format!("{:#}", explain(url, error))
    }

    /// Where somebody listens who answers whatever comes with this, once.
    fn listener(answer: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let _ = connection.read(&mut [0; 1024]);
            let _ = connection.write_all(answer);
        });
        port
    }

    #[tokio::test]
    async fn each_reason_is_called_by_its_name() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (plain, secure) =
            (listener(b"HTTP/1.1 400 Bad Request\r\n\r\n"), listener(b"\x15\x03\x03\x00\x02\x02\x46"));
        let cases = [
            (format!("http://127.0.0.1:{free}"), "is refused; is the server running?"),
            ("http://flags.invalid".to_owned(), "its name is not known here"),
            (format!("https://127.0.0.1:{plain}"), "does not speak TLS; write `http://`"),
            (format!("http://127.0.0.1:{secure}"), "if it speaks TLS, write `https://`"),
            ("localhost:8080".to_owned(), "write it as `http://localhost:8080`"),
            ("flags".to_owned(), "write it as `http://localhost:8080`"),
        ];
        for (url, expected) in cases {
            let said = ask(&url).await;
            assert!(said.contains(expected), "{url}: {said}");
            let running = said.contains("is the server running");
            assert_eq!(
                running,
                expected.contains("is the server running"),
                "only where a connection is refused: {said}"
            );
        }
    }

    #[test]
    fn tls_is_called_by_its_name() {
        let cases = [
            (rustls::Error::InvalidCertificate(CertificateError::Expired), "has expired"),
            (rustls::Error::InvalidCertificate(CertificateError::NotValidForName), "is for another name"),
            (rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer), "`SSL_CERT_FILE`"),
            (rustls::Error::InvalidCertificate(CertificateError::BadSignature), "BadSignature"),
            (rustls::Error::AlertReceived(AlertDescription::CertificateRequired), "`--client-cert FILE`"),
            (rustls::Error::HandshakeNotComplete, "over TLS"),
        ];
        for (error, expected) in cases {
            // As the HTTP client hands it on: wrapped twice.
            let error = io::Error::other(io::Error::new(ErrorKind::InvalidData, error));
            let said = cause(&error).unwrap_or_default();
            assert!(said.contains(expected), "{expected}: {said}");
        }
        assert_eq!(cause(&io::Error::from(ErrorKind::TimedOut)).map(|why| why.contains("in time")), Some(true));
        assert_eq!(cause(&io::Error::other("anything")), None);
    }
}

//! PagerDuty's signatures: <https://developer.pagerduty.com/docs/verifying-webhook-signatures>.

use std::path::PathBuf;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Secrets that are tried at most.
const SECRETS_MAX: usize = 10;
/// Signatures that are looked at, at most.
const SIGNATURES_MAX: usize = 10;

/// A secret; never printed.
pub(super) struct Secret(String);

/// Why there is no secret to know PagerDuty by.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}; it should hold the secret that PagerDuty showed when the webhook was made, one a line", path.display())]
pub struct SecretError {
    path: PathBuf,
    why: String,
}

/// The secrets of a file, one a line.
pub(super) async fn read(path: PathBuf) -> Result<Vec<Secret>, SecretError> {
    let file = path.clone();
    let text = tokio::task::spawn_blocking(move || std::fs::read_to_string(file)).await;
    let error = |why: String| SecretError { path: path.clone(), why };
    let text = text.map_err(|failed| error(failed.to_string()))?.map_err(|failed| error(failed.to_string()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let secrets: Vec<Secret> = lines.map(|line| Secret(line.to_owned())).collect();
    match secrets.len() {
        0 => Err(error("it is empty".to_owned())),
        1..=SECRETS_MAX => Ok(secrets),
        many => Err(error(format!("it has {many} lines, and {SECRETS_MAX} are tried"))),
    }
}

/// Whether a body is signed by one of the secrets. How long it takes tells nothing of them.
pub(super) fn check(secrets: &[Secret], header: Option<&str>, body: &[u8]) -> Result<(), &'static str> {
    let header = header.ok_or("it is not signed: the header `X-PagerDuty-Signature` is missing")?;
    let mut is_signed = subtle::Choice::from(0);
    for secret in secrets {
        let wanted = signature(secret, body);
        for given in header.split(',').take(SIGNATURES_MAX) {
            is_signed |= given.trim().as_bytes().ct_eq(wanted.as_bytes());
        }
    }
    let why = "its signature is by none of the secrets that are known; compare the file with the webhook's secret";
    if bool::from(is_signed) { Ok(()) } else { Err(why) }
}

/// `v1=` and the HMAC-SHA256 of the body in lower-case hexadecimal digits.
fn signature(secret: &Secret, body: &[u8]) -> String {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.0.as_bytes()) else { return String::new() };
    mac.update(body);
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1={digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second test case of RFC 4231.
    const BODY: &[u8] = b"what do ya want for nothing?";
    const SIGNED: &str = "v1=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

    #[test]
    fn invariant_10_only_what_is_signed_by_a_known_secret() {
        let secrets = |texts: &[&str]| texts.iter().map(|text| Secret((*text).to_owned())).collect::<Vec<_>>();
        let both = format!("v1=00, {SIGNED}");
        let cases = [
            (&["Jefe"][..], Some(SIGNED), true),
            (&["other", "Jefe"], Some(SIGNED), true),
            (&["Jefe"], Some(both.as_str()), true),
            (&["other"], Some(SIGNED), false),
            (&["Jefe"], Some("v1="), false),
            (&["Jefe"], Some(""), false),
            (&["Jefe"], Some(&SIGNED[3..]), false),
            (&["Jefe"], None, false),
            (&[], Some(SIGNED), false),
            (&[], Some(""), false),
        ];
        for (known, header, expected) in cases {
            assert_eq!(check(&secrets(known), header, BODY).is_ok(), expected, "{known:?} {header:?}");
        }
        assert!(check(&secrets(&["Jefe"]), Some(SIGNED), b"another body").is_err());
    }
}

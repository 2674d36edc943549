//! How a token is written: `daybreak_<role>_<id>_<secret><checksum>`.
//!
//! The prefix and the checksum let scanners of source code find one that was published, and tell it from what only
//! looks like one, without asking a server. The id finds the token; the secret is 43 random characters of 62, which is
//! 256 bits; the checksum is CRC-32 of all before it, in six characters.

use std::fmt;
use std::str::FromStr;

use rand::{Rng, RngExt};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::Role;

const PREFIX: &str = "daybreak_";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SECRET_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;
const ID_LENGTH: usize = 12;
const ID_BITS: u32 = 48;

/// Which token; no secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId(u64);

/// A token as its holder has it. It is shown once, and never printed by accident.
#[derive(Clone)]
pub struct Secret(String);

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It does not have the form.
    #[error("this is no token; a token looks like `daybreak_viewer_0123456789ab_…`")]
    Form,
    /// It has the form, but something was cut off or mistyped.
    #[error("the token's checksum is wrong; was it copied as a whole?")]
    Checksum,
}

impl TokenId {
    /// A random one.
    pub(super) fn random(random: &mut impl Rng) -> Self {
        Self(random.random::<u64>() >> (u64::BITS - ID_BITS))
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TokenId {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != ID_LENGTH || !text.bytes().all(hexadecimal) {
            return Err(TextError::Form);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| TextError::Form)
    }
}

impl Serialize for TokenId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TokenId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Secret {
    /// A new token of this role and id.
    pub(super) fn random(role: Role, id: TokenId, random: &mut impl Rng) -> Self {
        let mut text = format!("{PREFIX}{role}_{id}_");
        text.extend((0..SECRET_LENGTH).map(|_| digit(random.random_range(0..DIGITS.len()))));
        let checksum = checksum(&text);
        text.extend(checksum);
        Self(text)
    }

    /// The text, to be shown to whoever made it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What the store keeps of a token. A fast hash is right here, unlike for passwords: 256 random bits cannot be guessed
/// however fast one tries, and a slow one would be paid with each request.
pub(super) fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// The id in a token's text. It allocates nothing.
///
/// # Errors
/// When the text does not have the form, or its checksum does not fit.
pub(super) fn id(text: &str) -> Result<TokenId, TextError> {
    let mut parts = text.strip_prefix(PREFIX).ok_or(TextError::Form)?.split('_');
    let (Some(role), Some(id), Some(rest), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(TextError::Form);
    };
    let id: TokenId = id.parse()?;
    if role.parse::<Role>().is_err() || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(TextError::Form);
    }
    let (before, given) = text.split_at_checked(text.len() - CHECKSUM_LENGTH.min(rest.len())).ok_or(TextError::Form)?;
    if rest.len() != SECRET_LENGTH + CHECKSUM_LENGTH || !checksum(before).into_iter().eq(given.chars()) {
        return Err(TextError::Checksum);
    }
    Ok(id)
}

fn checksum(text: &str) -> [char; CHECKSUM_LENGTH] {
    let mut rest = usize::try_from(crc32fast::hash(text.as_bytes())).unwrap_or_default();
    let mut digits = ['0'; CHECKSUM_LENGTH];
    for place in digits.iter_mut().rev() {
        *place = digit(rest % DIGITS.len());
        rest /= DIGITS.len();
    }
    digits
}

fn digit(value: usize) -> char {
    DIGITS.get(value).copied().map_or('0', char::from)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha12Rng;

    use super::*;

    #[test]
    fn form() {
        let mut random = ChaCha12Rng::from_seed([3; 32]);
        for role in Role::ALL {
            let token = TokenId::random(&mut random);
            let secret = Secret::random(role, token, &mut random);
            let text = secret.reveal();
            assert!(text.starts_with(&format!("daybreak_{role}_{token}_")), "{text}");
            assert_eq!(id(text), Ok(token));
            assert!(!format!("{secret:?}").contains("daybreak_"));
            for at in 0..text.len() {
                assert_eq!(id(&text[..at]).ok(), None, "cut at {at}");
                let mut other = text.to_owned();
                other.replace_range(at..=at, if &text[at..=at] == "a" { "b" } else { "a" });
                assert_eq!(id(&other).ok(), None, "mistyped at {at}");
            }
            assert_eq!(id(&format!("{text}0")), Err(TextError::Checksum));
        }
    }

    #[test]
    fn what_is_none() {
        let texts = [
            "",
            "daybreak_",
            "daybreak_admin_0123456789ab_",
            "daybreak___",
            "Bearer x",
            "ghp_x",
            "é",
            "daybreak_é_é_é",
        ];
        for text in texts {
            assert!(id(text).is_err(), "{text}");
        }
        for text in ["0123456789AB", "123", "0123456789abc", "+123456789ab", "g123456789ab"] {
            assert!(text.parse::<TokenId>().is_err(), "{text}");
        }
    }
}

//! What a request is drawn by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// 128 random bits that identify a root request for its draws: minted by the root scope, carried downstream,
/// written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DrawKey(u128);

/// The text is not 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a draw key is 32 lower-case hexadecimal digits")]
pub struct DrawKeyError;

impl DrawKey {
    /// A key of these bits; they should be random.
    #[must_use]
    pub const fn new(bits: u128) -> Self {
        Self(bits)
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// The 32 digits, without allocating: draws hash this text, so that any language can.
    #[must_use]
    pub fn digits(self) -> [u8; 32] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0.to_be_bytes()) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        digits
    }
}

/// Reads lower-case hexadecimal digits: exactly `length` of them.
pub(crate) fn hexadecimal(text: &str, length: usize) -> Option<u128> {
    let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == length && text.bytes().all(digit)).then(|| u128::from_str_radix(text, 16).ok())?
}

impl FromStr for DrawKey {
    type Err = DrawKeyError;

    fn from_str(text: &str) -> Result<Self, DrawKeyError> {
        hexadecimal(text, 32).map(Self).ok_or(DrawKeyError)
    }
}

impl TryFrom<String> for DrawKey {
    type Error = DrawKeyError;

    fn try_from(text: String) -> Result<Self, DrawKeyError> {
        text.parse()
    }
}

impl From<DrawKey> for String {
    fn from(key: DrawKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for DrawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for DrawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_its_text() {
        let key = DrawKey::new(0x0123_4567_89ab_cdef_0000_0000_0000_00ff);
        assert_eq!(key.digits(), key.to_string().as_bytes());
        assert_eq!(key.to_string().parse(), Ok(key));
        for bad in ["", "ff", &"F".repeat(32), &"0".repeat(33), &format!("+{}", "0".repeat(31))] {
            assert_eq!(bad.parse::<DrawKey>(), Err(DrawKeyError), "{bad}");
        }
    }
}

//! What comes compressed, unpacked into bounded memory.
//!
//! reqwest could do it, but its feature would have the application's own requests ask for it, too.

use std::io::{self, Write};

use flate2::write::GzDecoder;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

/// How answers may be compressed.
pub(super) const ACCEPTED: &str = "gzip";

/// Takes an answer as it comes, and hands it on as it was meant. Who takes it says when it is too much: it is handed on piece
/// by piece, however much a few bytes unpack to.
#[derive(Debug)]
pub(super) enum Unpack<W: Write> {
    Plain(W),
    // Its tables are large.
    Gzip(Box<GzDecoder<W>>),
}

impl<W: Write> Unpack<W> {
    /// Hands on to `into` what comes after these headers.
    ///
    /// # Errors
    /// When it comes in a form that was not asked for.
    pub(super) fn new(headers: &HeaderMap, into: W) -> Result<Self, String> {
        match headers.get(CONTENT_ENCODING).map(|value| value.as_bytes()) {
            None => Ok(Self::Plain(into)),
            Some(plain) if plain.eq_ignore_ascii_case(b"identity") => Ok(Self::Plain(into)),
            Some(gzip) if gzip.eq_ignore_ascii_case(b"gzip") => Ok(Self::Gzip(Box::new(GzDecoder::new(into)))),
            Some(other) => Err(format!("the answer is encoded as {}", String::from_utf8_lossy(other))),
        }
    }

    /// Takes a piece, and hands on all that is in it.
    ///
    /// # Errors
    /// When it cannot be unpacked, or whoever it is handed on to refuses it.
    pub(super) fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(into) => into.write_all(piece),
            Self::Gzip(decoder) => {
                decoder.write_all(piece)?;
                decoder.flush()
            }
        }
    }

    /// Whoever it is handed on to.
    pub(super) fn target(&mut self) -> &mut W {
        match self {
            Self::Plain(into) => into,
            Self::Gzip(decoder) => decoder.get_mut(),
        }
    }

    /// The answer is at its end.
    ///
    /// # Errors
    /// When something is missing, or it is not what was packed.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(decoder) => decoder.try_finish(),
        }
    }
}

/// A text of bounded length.
#[derive(Debug)]
pub(super) struct Bounded {
    pub(super) text: Vec<u8>,
    pub(super) limit: usize,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if piece.len() > self.limit.saturating_sub(self.text.len()) {
            return Err(io::Error::other(format!("the answer is longer than {} bytes", self.limit)));
        }
        self.text.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(encoding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(encoding))])
    }

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(packed: &[u8], limit: usize) -> Result<Vec<u8>, String> {
        let mut unpack = Unpack::new(&headers("gzip"), Bounded { text: Vec::new(), limit })?;
        for piece in packed.chunks(7) {
            unpack.take(piece).map_err(|error| error.to_string())?;
        }
        unpack.finish().map_err(|error| error.to_string())?;
        Ok(std::mem::take(&mut unpack.target().text))
    }

    #[test]
    fn forms() {
        let bounded = || Bounded { text: Vec::new(), limit: 100 };
        for (headers, expected) in [
            (HeaderMap::new(), Ok(false)),
            (headers("identity"), Ok(false)),
            (headers("GZIP"), Ok(true)),
            (headers("br"), Err("the answer is encoded as br".to_owned())),
            (headers("gzip, gzip"), Err("the answer is encoded as gzip, gzip".to_owned())),
        ] {
            let form = Unpack::new(&headers, bounded()).map(|unpack| matches!(unpack, Unpack::Gzip(_)));
            assert_eq!(form, expected, "{headers:?}");
        }
    }

    #[test]
    fn invariant_6_what_unpacks_to_more_than_is_taken_is_refused() {
        let bomb = packed(&vec![0; 64 * 1024 * 1024]);
        assert!(bomb.len() < 100_000);
        let mut unpack = Unpack::new(&headers("gzip"), Bounded { text: Vec::new(), limit: 100_000 }).unwrap();
        // All of it in one piece.
        let error = unpack.take(&bomb).unwrap_err().to_string();
        assert_eq!(error, "the answer is longer than 100000 bytes");
        assert!(unpack.target().text.capacity() <= 200_000, "{}", unpack.target().text.capacity());
        assert_eq!(unpacked(&packed(&[1; 1_000]), 1_000), Ok(vec![1; 1_000]));
        assert!(unpacked(&packed(&[1; 1_000]), 999).is_err());
    }

    #[test]
    fn what_is_broken_is_refused() {
        let whole = packed(b"all flags, in order");
        assert!(unpacked(&whole[..whole.len() - 9], 100).is_err(), "it breaks off");
        let mut changed = whole.clone();
        let at = changed.len() - 6;
        changed[at] ^= 1;
        assert!(unpacked(&changed, 100).is_err(), "the checksum is of something else");
        assert!(unpacked(&[whole, b"more".to_vec()].concat(), 100).is_err(), "there is more");
        assert!(unpacked(b"{\"position\": \"this is no gzip\"}", 100).is_err());
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in prop::collection::vec(any::<u8>(), 0..2_000)) {
            prop_assert_eq!(unpacked(&packed(&text), text.len()), Ok(text));
        }

        #[test]
        fn any_bytes_are_unpacked_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let _ = unpacked(&bytes, 10_000);
            let mut begun = packed(b"x")[..10].to_vec();
            begun.extend(bytes);
            let _ = unpacked(&begun, 10_000);
        }
    }
}

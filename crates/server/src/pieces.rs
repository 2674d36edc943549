//! Long bodies in pieces. They are shared by many, and what is written to a connection is copied for it first: whoever reads
//! slowly holds a piece, not a copy of the whole.

use std::collections::VecDeque;
use std::convert::Infallible;

use actix_web::body::{MessageBody, SizedStream};
use actix_web::web::Bytes;

use crate::limits::PIECE_MAX;

/// What is still to be written, in order.
#[derive(Debug, Default)]
pub(crate) struct Pieces(VecDeque<Bytes>);

impl Pieces {
    /// Adds what comes after that.
    pub(crate) fn extend(&mut self, more: Vec<Bytes>) {
        self.0.extend(more.into_iter().filter(|bytes| !bytes.is_empty()));
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let first = self.0.front_mut()?;
        if first.len() > PIECE_MAX {
            return Some(first.split_to(PIECE_MAX));
        }
        self.0.pop_front()
    }
}

/// A body of these bytes.
pub(crate) fn body(bytes: Bytes) -> impl MessageBody + 'static {
    let length = bytes.len() as u64;
    let pieces = Pieces(VecDeque::from([bytes]));
    SizedStream::new(length, futures_util::stream::iter(pieces.map(Ok::<_, Infallible>)))
}

#[cfg(test)]
mod tests {
    use actix_web::body::{BodySize, to_bytes};

    use super::*;

    fn long() -> Bytes {
        (0..2 * PIECE_MAX + 7).map(|at| (at % 251) as u8).collect()
    }

    #[test]
    fn pieces_are_short_and_not_copied() {
        let long = long();
        let mut pieces = Pieces::default();
        pieces.extend(vec![Bytes::new(), long.clone()]);
        pieces.extend(vec![Bytes::from_static(b"short")]);
        let all: Vec<Bytes> = pieces.collect();
        let lengths: Vec<usize> = all.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [PIECE_MAX, PIECE_MAX, 7, 5]);
        assert_eq!(all[1].as_ptr(), long[PIECE_MAX..].as_ptr());
        assert_eq!(all[..3].concat(), long);
    }

    #[actix_web::test]
    async fn a_body_has_its_length() {
        let body = body(long());
        assert_eq!(body.size(), BodySize::Sized(2 * PIECE_MAX as u64 + 7));
        assert_eq!(to_bytes(body).await.ok(), Some(long()));
    }
}

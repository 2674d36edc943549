//! Long bodies in pieces. They are shared by many, and what is written to a connection is copied for it first: whoever reads
//! slowly holds a piece, not a copy of the whole.

use std::collections::VecDeque;
use std::convert::Infallible;

use actix_web::body::{MessageBody, SizedStream};
use actix_web::web::Bytes;
use daybreak_control::Packing;

use crate::limits::PIECE_MAX;
use crate::room::Taken;

/// What is still to be written, in order.
#[derive(Debug, Default)]
pub(crate) struct Pieces(VecDeque<Part>);

/// A part of it.
#[derive(Debug)]
enum Part {
    /// As it is written.
    Ready(Bytes),
    /// To be packed piece by piece: of a long message, all at once would be many pieces for each who is to have it.
    Unpacked(Packing, Bytes),
}

impl Pieces {
    /// Adds what comes after that.
    pub(crate) fn extend(&mut self, more: impl IntoIterator<Item = Bytes>) {
        self.0.extend(more.into_iter().filter(|bytes| !bytes.is_empty()).map(Part::Ready));
    }

    /// Adds a message that is not packed yet.
    pub(crate) fn pack(&mut self, packing: Packing, message: Bytes) {
        self.0.push_back(Part::Unpacked(packing, message));
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.0.pop_front()? {
                Part::Ready(bytes) if bytes.len() <= PIECE_MAX => return Some(bytes),
                Part::Ready(mut bytes) => {
                    let piece = bytes.split_to(PIECE_MAX);
                    self.0.push_front(Part::Ready(bytes));
                    return Some(piece);
                }
                Part::Unpacked(packing, mut message) => {
                    let piece = message.split_to(message.len().min(PIECE_MAX));
                    if !message.is_empty() {
                        self.0.push_front(Part::Unpacked(packing, message));
                    }
                    let packed = packing.pack(piece).into_iter().filter(|bytes| !bytes.is_empty());
                    packed.rev().for_each(|bytes| self.0.push_front(Part::Ready(bytes)));
                }
            }
        }
    }
}

/// A body of these bytes, which keeps their room until they are written or given up.
pub(crate) fn body(bytes: Bytes, taken: Taken) -> impl MessageBody + 'static {
    let length = bytes.len() as u64;
    let mut pieces = Pieces::default();
    pieces.extend([bytes]);
    let pieces = pieces.map(move |piece| {
        let _kept = &taken;
        Ok::<_, Infallible>(piece)
    });
    SizedStream::new(length, futures_util::stream::iter(pieces))
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

    #[test]
    fn a_message_is_packed_piece_by_piece() {
        for packing in [Packing::Plain, Packing::Gzip] {
            let mut pieces = Pieces::default();
            pieces.extend([Bytes::from_static(b"before")]);
            pieces.pack(packing, long());
            pieces.pack(packing, Bytes::new());
            pieces.pack(packing, Bytes::from_static(b"after"));
            assert_eq!(pieces.0.len(), 4);
            let mut expected = vec![Bytes::from_static(b"before")];
            for piece in long().chunks(PIECE_MAX).chain([&b"after"[..]]) {
                expected.extend(packing.pack(Bytes::copy_from_slice(piece)));
            }
            assert_eq!(pieces.collect::<Vec<_>>(), expected, "{packing:?}");
        }
    }

    #[actix_web::test]
    async fn a_body_has_its_length() {
        let body = body(long(), Taken::default());
        assert_eq!(body.size(), BodySize::Sized(2 * PIECE_MAX as u64 + 7));
        assert_eq!(to_bytes(body).await.ok(), Some(long()));
    }
}

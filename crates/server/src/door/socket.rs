//! The bytes of a connection, in the clear or over TLS, on the way from the door's threads to a worker's.
//!
//! Whoever waits for bytes is woken by the thread on which the connection is registered. So it is registered anew where
//! it arrives: else each of its bytes would pass the door.

use std::io::{self, IoSlice};
use std::net::TcpStream as Unregistered;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::web::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::Link;

/// A connection at a worker.
pub(super) struct Socket {
    io: Io,
    /// What was read already.
    first: Bytes,
    link: Link,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<Seat>>),
}

/// A connection on its way.
pub(super) enum Parked {
    Plain(Unregistered),
    /// With what was read already.
    Tls(Box<TlsStream<Seat>>, Bytes),
}

/// A TCP connection below TLS: registered with a thread, or on its way to another.
pub(super) struct Seat(Option<Seated>);

enum Seated {
    Here(TcpStream),
    Away(Unregistered),
}

impl Seat {
    pub(super) const fn new(stream: TcpStream) -> Self {
        Self(Some(Seated::Here(stream)))
    }

    fn leave(&mut self) -> io::Result<()> {
        if let Some(Seated::Here(stream)) = self.0.take() {
            self.0 = Some(Seated::Away(stream.into_std()?));
        }
        Ok(())
    }

    fn arrive(&mut self) -> io::Result<()> {
        if let Some(Seated::Away(stream)) = self.0.take() {
            self.0 = Some(Seated::Here(TcpStream::from_std(stream)?));
        }
        Ok(())
    }

    fn here(self: Pin<&mut Self>) -> io::Result<Pin<&mut TcpStream>> {
        match &mut self.get_mut().0 {
            Some(Seated::Here(stream)) => Ok(Pin::new(stream)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Parked {
    /// In the clear.
    ///
    /// # Errors
    /// When the system cannot take it from its thread.
    pub(super) fn plain(stream: TcpStream) -> io::Result<Self> {
        stream.into_std().map(Self::Plain)
    }

    /// Over TLS.
    ///
    /// # Errors
    /// When the system cannot take it from its thread.
    pub(super) fn tls(mut stream: Box<TlsStream<Seat>>, first: Bytes) -> io::Result<Self> {
        stream.get_mut().0.leave()?;
        Ok(Self::Tls(stream, first))
    }

    /// Registers it with the thread that it is on.
    ///
    /// # Errors
    /// When the system cannot.
    pub(super) fn arrive(self, link: Link) -> io::Result<Socket> {
        Ok(match self {
            Self::Plain(stream) => Socket { io: Io::Plain(TcpStream::from_std(stream)?), first: Bytes::new(), link },
            Self::Tls(mut stream, first) => {
                stream.get_mut().0.arrive()?;
                Socket { io: Io::Tls(stream), first, link }
            }
        })
    }
}

impl Socket {
    /// What is known of it.
    pub(super) const fn link(&self) -> &Link {
        &self.link
    }
}

/// What is written goes through as it is.
macro_rules! through {
    ($self:ident, $stream:ident => $done:expr) => {
        match &mut $self.get_mut().io {
            Io::Plain(stream) => {
                let $stream = Pin::new(stream);
                $done
            }
            Io::Tls(stream) => {
                let $stream = Pin::new(&mut **stream);
                $done
            }
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.has_remaining() {
            let length = self.first.len().min(into.remaining());
            into.put_slice(&self.first.split_to(length));
            return Poll::Ready(Ok(()));
        }
        through!(self, stream => stream.poll_read(cx, into))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        through!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        through!(self, stream => stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(stream) => stream.is_write_vectored(),
            Io::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        through!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        through!(self, stream => stream.poll_shutdown(cx))
    }
}

impl AsyncRead for Seat {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.here()?.poll_read(cx, into)
    }
}

impl AsyncWrite for Seat {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.here()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.here()?.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.here()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.here()?.poll_shutdown(cx)
    }
}

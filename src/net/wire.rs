//! The byte stream under a connection, which notes when and how much.
//!
//! Two layers, because they answer different questions. *How much* is counted on the TCP side, as k6 does, so
//! that TLS records and handshakes are part of it. *When* is stamped on the plaintext side: a TLS 1.3 server sends
//! session tickets whenever it likes, and the first byte of one is not the first byte of a response.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::connections::Open;

/// What a connection notes about its traffic. The byte counters only grow; [`Marks::take`] hands out what came
/// since it was last called, so that every byte is reported exactly once, also those between two requests.
#[derive(Debug, Default)]
pub(super) struct Marks {
    sent: Cell<u64>,
    received: Cell<u64>,
    taken: Cell<(u64, u64)>,
    first_write: Cell<Option<Instant>>,
    last_write: Cell<Option<Instant>>,
    first_read: Cell<Option<Instant>>,
    /// Exchanges under way: more than one only on HTTP/2.
    streams: Cell<u32>,
}

impl Marks {
    /// An exchange begins: forget the previous one's times, unless another one is under way.
    pub(super) fn begin(&self) {
        if self.streams.replace(self.streams.get() + 1) == 0 {
            self.first_write.set(None);
            self.last_write.set(None);
            self.first_read.set(None);
        }
    }

    /// An exchange ends, in whatever way.
    pub(super) fn end(&self) {
        self.streams.set(self.streams.get().saturating_sub(1));
    }

    /// Bytes (sent, received) since the last call.
    pub(super) fn take(&self) -> (u64, u64) {
        let (sent, received) = (self.sent.get(), self.received.get());
        let (before_sent, before_received) = self.taken.replace((sent, received));
        (sent - before_sent, received - before_received)
    }

    pub(super) fn first_write(&self) -> Option<Instant> {
        self.first_write.get()
    }

    pub(super) fn last_write(&self) -> Option<Instant> {
        self.last_write.get()
    }

    pub(super) fn first_read(&self) -> Option<Instant> {
        self.first_read.get()
    }

    fn wrote(&self) {
        let now = Instant::now();
        if self.first_write.get().is_none() {
            self.first_write.set(Some(now));
        }
        self.last_write.set(Some(now));
    }
}

/// A TCP stream that counts its bytes.
#[derive(Debug)]
pub(super) struct Metered {
    tcp: TcpStream,
    marks: Rc<Marks>,
    _open: Open,
}

impl Metered {
    pub(super) fn new(tcp: TcpStream, marks: Rc<Marks>, open: Open) -> Metered {
        Metered {
            tcp,
            marks,
            _open: open,
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.tcp).poll_read(cx, buf))?;
        let more = (buf.filled().len() - before) as u64;
        self.marks.received.set(self.marks.received.get() + more);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.tcp).poll_write(cx, buf))?;
        self.marks.sent.set(self.marks.sent.get() + written as u64);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A request without a body is one slice, and the kernel is quicker with a plain send than with a vector.
        if let [only] = bufs {
            return self.poll_write(cx, only);
        }
        let written = ready!(Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs))?;
        self.marks.sent.set(self.marks.sent.get() + written as u64);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// A plain or encrypted stream that stamps when plaintext is written and read.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    marks: Rc<Marks>,
    /// TLS accepted plaintext that may not have reached the kernel: the flush that follows is the last write.
    unflushed: bool,
}

#[derive(Debug)]
enum Stream {
    Plain(Metered),
    Tls(Box<TlsStream<Metered>>),
}

impl Wire {
    pub(super) fn plain(stream: Metered) -> Wire {
        let marks = Rc::clone(&stream.marks);
        Wire {
            stream: Stream::Plain(stream),
            marks,
            unflushed: false,
        }
    }

    pub(super) fn tls(stream: TlsStream<Metered>) -> Wire {
        let marks = Rc::clone(&stream.get_ref().0.marks);
        Wire {
            stream: Stream::Tls(Box::new(stream)),
            marks,
            unflushed: false,
        }
    }
}

impl Wire {
    /// Bytes (sent, received) on the TCP side since this was last asked.
    pub(super) fn take_bytes(&self) -> (u64, u64) {
        self.marks.take()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(match &mut self.stream {
            Stream::Plain(plain) => Pin::new(plain).poll_read(cx, buf),
            Stream::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        })?;
        if self.marks.first_read.get().is_none() && buf.filled().len() > before {
            self.marks.first_read.set(Some(Instant::now()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(match &mut this.stream {
            Stream::Plain(plain) => Pin::new(plain).poll_write(cx, buf),
            Stream::Tls(tls) => {
                this.unflushed = true;
                Pin::new(tls).poll_write(cx, buf)
            }
        })?;
        this.marks.wrote();
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(match &mut this.stream {
            Stream::Plain(plain) => Pin::new(plain).poll_write_vectored(cx, bufs),
            Stream::Tls(tls) => {
                this.unflushed = true;
                Pin::new(tls).poll_write_vectored(cx, bufs)
            }
        })?;
        this.marks.wrote();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(plain) => plain.is_write_vectored(),
            Stream::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &mut this.stream {
            Stream::Plain(plain) => Pin::new(plain).poll_flush(cx),
            Stream::Tls(tls) => {
                ready!(Pin::new(tls).poll_flush(cx))?;
                if std::mem::take(&mut this.unflushed) {
                    this.marks.wrote();
                }
                Poll::Ready(Ok(()))
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(plain) => Pin::new(plain).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

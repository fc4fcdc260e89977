//! The last place at which a destructive request can be stopped: the moment its first byte is handed to TLS.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use jiff::Timestamp;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// When the first byte of the request was handed to TLS; empty where none was.
pub(super) type FirstByte = Arc<OnceLock<Timestamp>>;

/// Stands above TLS and below HTTP, so that it sees the request's bytes and not the handshake's.
///
/// Nothing passes for the first time after `first_byte_before`, and nothing at all after `end`: a process that was stopped in
/// between must not complete an old request. A timer round the call could not do that, because a timeout polls what it wraps
/// before it looks at the clock. Source: reliability.md 2.4 rule 3.
pub(super) struct FirstByteGuard<S> {
    stream: S,
    first_byte_before: Instant,
    end: Instant,
    clock: fn() -> Timestamp,
    handed: FirstByte,
    /// Whether the stream has taken bytes; `handed` is set earlier, when they are offered.
    under_way: bool,
}

impl<S> FirstByteGuard<S> {
    pub(super) fn new(
        stream: S,
        first_byte_before: Instant,
        end: Instant,
        clock: fn() -> Timestamp,
        handed: FirstByte,
    ) -> Self {
        Self { stream, first_byte_before, end, clock, handed, under_way: false }
    }

    fn check(&self) -> io::Result<()> {
        let now = Instant::now();
        if now >= self.end || (!self.under_way && now >= self.first_byte_before) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "too late to send"));
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstByteGuard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstByteGuard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.check()?;
        // Before the call: when it fails, TLS may have taken, and even sent, a part.
        let clock = self.clock;
        self.handed.get_or_init(clock);
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.under_way |= matches!(written, Poll::Ready(Ok(1..)));
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.handed.get().is_some() {
            self.check()?; // TLS may still hold bytes that the socket did not take
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.handed.get().is_some() {
            self.check()?;
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;

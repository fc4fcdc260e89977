//! One TLS connection of which we hold both ends of every byte: hyper parses what comes in, and what goes
//! out is written by us alone, so that it can stop at any byte.

use std::future::{pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use crate::faults::How;
use crate::http::Request;

/// More than any request of these APIs needs.
const MOST_BODY: usize = 1 << 20;

/// An open connection, with what hyper has read of it and not used.
pub struct Line {
    stream: TlsStream<TcpStream>,
    unread: Bytes,
}

impl Line {
    /// A connection on which nothing has been read.
    pub fn new(stream: TlsStream<TcpStream>) -> Line {
        Line { stream, unread: Bytes::new() }
    }

    /// Waits for one complete request; `None` when the client has closed or does not speak HTTP.
    pub async fn next_request(self) -> Option<(Request, Line)> {
        let (arrived, mut arrivals) = mpsc::channel(1);
        let service = service_fn(move |request| {
            let arrived = arrived.clone();
            Box::pin(async move {
                let request = collected(request).await?;
                arrived.try_send(request).map_err(io::Error::other)?;
                pending::<io::Result<hyper::Response<Empty<Bytes>>>>().await
            })
        });
        let mut connection =
            http1::Builder::new().half_close(true).serve_connection(TokioIo::new(self), service);
        let request = tokio::select! {
            biased;
            request = arrivals.recv() => request?,
            _ = poll_fn(|context| connection.poll_without_shutdown(context)) => return None,
        };
        let parts = connection.into_parts();
        let mut line = parts.io.into_inner();
        line.unread = [parts.read_buf, std::mem::take(&mut line.unread)].concat().into();
        Some((request, line))
    }

    /// Ends the connection in the middle of things.
    pub async fn cut(self, how: How) {
        let (stream, _) = self.stream.into_inner();
        cut(stream, how).await;
    }

    /// Ends the connection in order.
    pub async fn close(mut self) {
        let closing = timeout(Duration::from_secs(1), self.stream.shutdown()).await;
        drop(closing); // the client may have gone first
    }
}

/// Cuts a connection: a reset, or an end of stream without the farewell of TLS.
pub async fn cut(mut stream: TcpStream, how: How) {
    match how {
        How::Rst => drop(stream.set_zero_linger()),
        How::Fin => {
            drop(stream.shutdown().await);
            // Closing with unread bytes would send a reset after all.
            let mut sink = tokio::io::sink();
            drop(timeout(Duration::from_secs(1), tokio::io::copy(&mut stream, &mut sink)).await);
        }
    }
}

async fn collected(request: hyper::Request<Incoming>) -> io::Result<Request> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MOST_BODY).collect().await.map_err(io::Error::other)?.to_bytes();
    let closes = |value: &hyper::header::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
    let keep_alive =
        parts.version == hyper::Version::HTTP_11 && !parts.headers.get_all("connection").iter().any(closes);
    Ok(Request {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
        keep_alive,
    })
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, into);
        }
        let some = self.unread.len().min(into.remaining());
        into.put_slice(&self.unread.split_to(some));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

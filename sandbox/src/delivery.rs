//! Putting an answer on the wire, whole or in one of the ways in which it can go wrong.

use std::io;
use std::time::Duration;

use hyper::StatusCode;
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use crate::faults::{How, Kind, Place};
use crate::http::{Answer, Body};
use crate::line::Line;

/// How the bytes leave.
pub enum Manner {
    /// At once and completely.
    Whole,
    /// So many bytes in a second.
    Slow(u64),
    /// A pause before each header line.
    SlowHeaders(Duration),
    /// Half the head, then nothing.
    CutInHead(How),
    /// The head and half the body, then nothing.
    CutInBody(How),
    /// These bytes instead of an answer.
    Raw(String),
}

impl Manner {
    /// How an answer leaves under a fault.
    pub fn of(fault: Option<&Kind>) -> Manner {
        match fault {
            Some(Kind::Cut { at: Place::MidHeaders, how }) => Manner::CutInHead(*how),
            Some(Kind::Cut { at: Place::MidBody, how }) => Manner::CutInBody(*how),
            Some(Kind::Slow { header_delay: Some(delay), .. }) => Manner::SlowHeaders(delay.unsigned_abs()),
            Some(Kind::Slow { bytes_per_second: Some(rate), .. }) => Manner::Slow((*rate).max(1)),
            Some(Kind::Raw { text, .. }) => Manner::Raw(text.clone()),
            _ => Manner::Whole,
        }
    }

    /// The connection cannot be used again after this.
    pub fn closes(&self) -> bool {
        matches!(self, Manner::CutInHead(_) | Manner::CutInBody(_) | Manner::Raw(_))
    }
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// Everything has left.
    Whole,
    /// Nothing more may leave; the connection is to be cut.
    Cut(How),
}

/// One answer on its way.
pub struct Delivery<'a> {
    line: &'a mut Line,
    /// Bytes handed to the connection so far, encryption not counted.
    pub sent: u64,
}

impl<'a> Delivery<'a> {
    /// Nothing has been sent yet.
    pub fn new(line: &'a mut Line) -> Delivery<'a> {
        Delivery { line, sent: 0 }
    }

    /// Sends an answer. `before_last_byte` is told the full length just before the last byte leaves: what it
    /// writes down is there before a client can have seen the end of the answer.
    pub async fn send(
        &mut self,
        answer: &Answer,
        manner: &Manner,
        close: bool,
        without_body: bool,
        before_last_byte: impl FnOnce(u64),
    ) -> io::Result<Delivered> {
        let head = head(answer, close);
        let body = if without_body { &[] } else { answer.bytes() };
        match manner {
            Manner::CutInHead(how) => return self.cut(&head[..head.len() / 2], *how).await,
            Manner::CutInBody(how) if body.is_empty() => {
                return self.cut(&head[..head.len() / 2], *how).await;
            }
            Manner::CutInBody(how) => {
                return self.cut(&[&head, &body[..body.len() / 2]].concat(), *how).await;
            }
            Manner::Raw(text) => self.finish(text.as_bytes(), before_last_byte).await?,
            Manner::Slow(rate) => self.trickle(&[&head, body].concat(), *rate, before_last_byte).await?,
            Manner::SlowHeaders(delay) => {
                self.line_by_line(&head, *delay).await?;
                self.finish(&[b"\r\n", body].concat(), before_last_byte).await?;
            }
            Manner::Whole => match answer.body {
                Body::Whole(_) => self.finish(&[&head, body].concat(), before_last_byte).await?,
                Body::Filler(bytes) => self.fill(&head, bytes, before_last_byte).await?,
                Body::Endless => self.never_end(&head).await?,
            },
        }
        Ok(Delivered::Whole)
    }

    async fn cut(&mut self, bytes: &[u8], how: How) -> io::Result<Delivered> {
        self.put(bytes).await?;
        Ok(Delivered::Cut(how))
    }

    async fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.line.write_all(bytes).await?;
        self.line.flush().await?;
        self.sent += bytes.len() as u64;
        Ok(())
    }

    async fn finish(&mut self, bytes: &[u8], before_last_byte: impl FnOnce(u64)) -> io::Result<()> {
        let most = bytes.len().saturating_sub(1);
        self.put(&bytes[..most]).await?;
        before_last_byte(self.sent + (bytes.len() - most) as u64);
        self.put(&bytes[most..]).await
    }

    async fn trickle(
        &mut self,
        bytes: &[u8],
        rate: u64,
        before_last_byte: impl FnOnce(u64),
    ) -> io::Result<()> {
        let most = bytes.len().saturating_sub(1);
        let at_once = (rate / 20).max(1);
        for some in bytes[..most].chunks(usize::try_from(at_once).unwrap_or(usize::MAX)) {
            self.put(some).await?;
            sleep(Duration::from_secs_f64(some.len() as f64 / rate as f64)).await;
        }
        self.finish(&bytes[most..], before_last_byte).await
    }

    /// The head without its closing empty line.
    async fn line_by_line(&mut self, head: &[u8], delay: Duration) -> io::Result<()> {
        for line in head[..head.len() - 2].split_inclusive(|byte| *byte == b'\n') {
            sleep(delay).await;
            self.put(line).await?;
        }
        sleep(delay).await;
        Ok(())
    }

    async fn fill(&mut self, head: &[u8], bytes: u64, before_last_byte: impl FnOnce(u64)) -> io::Result<()> {
        let block = vec![b'a'; 64 << 10];
        self.put(head).await?;
        self.put(b"\"").await?;
        let end = self.sent + bytes.saturating_sub(2);
        while self.sent < end {
            let some = usize::try_from(end - self.sent).unwrap_or(block.len()).min(block.len());
            self.put(&block[..some]).await?;
        }
        self.finish(b"\"", before_last_byte).await
    }

    /// Returns only when the client has gone.
    async fn never_end(&mut self, head: &[u8]) -> io::Result<()> {
        let chunk = [b"10000\r\n".as_slice(), &vec![b'a'; 0x10000], b"\r\n"].concat();
        self.put(head).await?;
        self.put(b"1\r\n\"\r\n").await?;
        loop {
            self.put(&chunk).await?;
        }
    }
}

fn head(answer: &Answer, close: bool) -> Vec<u8> {
    let reason =
        StatusCode::from_u16(answer.status).ok().and_then(|status| status.canonical_reason()).unwrap_or("");
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", answer.status);
    let mut add = |name: &str, value: &str| head.push_str(&format!("{name}: {value}\r\n"));
    for (name, value) in &answer.headers {
        add(name, value);
    }
    match &answer.body {
        _ if answer.status == 204 || answer.status == 304 => {}
        Body::Whole(bytes) => add("Content-Length", &bytes.len().to_string()),
        Body::Filler(bytes) => add("Content-Length", &bytes.to_string()),
        Body::Endless => add("Transfer-Encoding", "chunked"),
    }
    if close {
        add("Connection", "close");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

//! A server that follows a script and keeps a ledger of what it saw.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// What the server does with a connection.
#[derive(Clone)]
pub(super) enum Script {
    /// Answers each request on the connection with these bytes.
    Answer(&'static str),
    /// The first connection is reset after its request, the others are answered.
    ResetThenAnswer(&'static str),
    /// Reads the request, writes these bytes, and ends the connection so.
    Cut(&'static str, How),
    /// Reads the request, writes these bytes, and keeps silent.
    Hang(&'static str),
    /// Reads the request, then writes one byte at a time.
    Drip(&'static str, Duration),
    /// Reads the request, writes the first, then the second again and again.
    Endless(&'static str, &'static str),
    /// Ends the connection as soon as TLS stands.
    CutAfterHandshake(How),
    /// Waits before it begins with TLS, then answers.
    SlowHandshake(Duration, &'static str),
    /// Writes these bytes instead of TLS, then ends.
    Raw(&'static [u8]),
    /// Ends the connection at once.
    CutAtAccept(How),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// TLS says farewell, then TCP ends.
    Close,
    /// TCP ends.
    Fin,
    Rst,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    pub(super) connections: usize,
    /// Whole requests: head and body.
    pub(super) requests: Vec<String>,
    /// Bytes that arrived above TLS.
    pub(super) application_bytes: usize,
    /// Bytes that were taken from the server above TLS.
    pub(super) written: usize,
}

pub(super) struct Server {
    pub(super) base_url: String,
    pub(super) port: u16,
    ledger: Arc<Mutex<Ledger>>,
    _connections: JoinSet<()>,
}

impl Server {
    pub(super) async fn start(tls: Arc<ServerConfig>, script: Script) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, TlsAcceptor::from(tls), script, ledger.clone()));
        Self { base_url: format!("https://127.0.0.1:{port}"), port, ledger, _connections: accepting }
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.ledger.lock().unwrap().clone()
    }

    /// The ledger once nothing has been added to it for a while.
    pub(super) async fn settled(&self) -> Ledger {
        loop {
            let before = self.ledger();
            sleep(Duration::from_millis(60)).await;
            let after = self.ledger();
            if (before.connections, before.application_bytes, before.written)
                == (after.connections, after.application_bytes, after.written)
            {
                return after;
            }
        }
    }
}

type Shared = Arc<Mutex<Ledger>>;

async fn accept(listener: TcpListener, tls: TlsAcceptor, script: Script, ledger: Shared) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let number = {
            let mut ledger = ledger.lock().unwrap();
            ledger.connections += 1;
            ledger.connections
        };
        let script = match (script.clone(), number) {
            (Script::ResetThenAnswer(_), 1) => Script::Cut("", How::Rst),
            (Script::ResetThenAnswer(answer), _) => Script::Answer(answer),
            (script, _) => script,
        };
        connections.spawn(serve(stream, tls.clone(), script, ledger.clone()));
    }
}

async fn serve(mut tcp: TcpStream, tls: TlsAcceptor, script: Script, ledger: Shared) {
    match script {
        Script::CutAtAccept(how) => return cut(&tcp, how),
        Script::Raw(bytes) => {
            let mut hello = [0; 16];
            let _answered = (tcp.read(&mut hello).await, tcp.write_all(bytes).await);
            return;
        }
        Script::SlowHandshake(wait, _) => sleep(wait).await,
        _ => (),
    }
    let Ok(mut stream) = tls.accept(tcp).await else { return };
    if let Script::CutAfterHandshake(how) = script {
        cut(stream.get_ref().0, how);
        drop(stream);
        return;
    }
    while let Some(request) = read_request(&mut stream, &ledger).await {
        ledger.lock().unwrap().requests.push(request);
        if !answer(&mut stream, &script, &ledger).await {
            return;
        }
    }
}

/// Whether the connection goes on.
async fn answer(stream: &mut TlsStream<TcpStream>, script: &Script, ledger: &Shared) -> bool {
    match script {
        Script::Answer(text) | Script::SlowHandshake(_, text) | Script::ResetThenAnswer(text) => {
            write(stream, text, ledger).await && !text.contains("connection: close")
        }
        Script::Cut(text, how) => {
            write(stream, text, ledger).await;
            match how {
                How::Close => drop(stream.shutdown().await),
                How::Fin => (),
                How::Rst => sleep(Duration::from_millis(50)).await, // what was written is to arrive first
            }
            cut(stream.get_ref().0, *how);
            false
        }
        Script::Hang(text) => {
            write(stream, text, ledger).await;
            sleep(Duration::from_secs(60)).await;
            false
        }
        Script::Drip(text, pause) => {
            for at in 0..text.len() {
                if !write(stream, &text[at..=at], ledger).await {
                    break;
                }
                sleep(*pause).await;
            }
            false
        }
        Script::Endless(first, again) => {
            let mut goes_on = write(stream, first, ledger).await;
            while goes_on {
                goes_on = write(stream, again, ledger).await;
            }
            false
        }
        Script::CutAfterHandshake(_) | Script::Raw(_) | Script::CutAtAccept(_) => false,
    }
}

async fn write(stream: &mut TlsStream<TcpStream>, text: &str, ledger: &Shared) -> bool {
    let written = async {
        stream.write_all(text.as_bytes()).await?;
        stream.flush().await
    };
    let taken = matches!(timeout(Duration::from_secs(10), written).await, Ok(Ok(())));
    if taken {
        ledger.lock().unwrap().written += text.len();
    }
    taken
}

fn cut(tcp: &TcpStream, how: How) {
    if let How::Rst = how {
        tcp.set_zero_linger().unwrap();
    }
}

/// The next whole request; `None` where the connection ends before.
async fn read_request(stream: &mut TlsStream<TcpStream>, ledger: &Shared) -> Option<String> {
    let mut request = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        ledger.lock().unwrap().application_bytes += read;
        request.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&request);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text.into_owned());
            }
        }
    }
}

//! Connections of strangers: few at once, small heads, and a short time for each. Whoever is slow keeps a place for seconds.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::certificate::Certificate;

/// What a listener has patience for.
#[derive(Clone, Copy)]
struct Bounds {
    /// How many connections it has at once; more wait in the system's queue.
    connections: usize,
    /// How long a handshake, and the head of a request, may take.
    beginning: Duration,
    /// How long a connection lasts: one request and its answer.
    whole: Duration,
    /// How long the head of a request may be, in bytes: a token has some thousands.
    head_bytes: usize,
    headers: usize,
}

const STRANGERS: Bounds = Bounds {
    connections: 32,
    beginning: Duration::from_secs(5),
    whole: Duration::from_secs(20),
    head_bytes: 16 * 1024,
    headers: 64,
};

/// Who asks whether it is alive sends a line and reads a word. A stranger who is slow must not make the kubelet wait: it would restart
/// the operator.
const PROBES: Bounds = Bounds {
    connections: 256,
    beginning: Duration::from_secs(1),
    whole: Duration::from_secs(2),
    head_bytes: 8 * 1024,
    headers: 64,
};

/// When nothing can be accepted, because there are no descriptors, it is tried again after this long.
const AGAIN: Duration = Duration::from_millis(200);

/// Serves without TLS, until it is dropped.
pub async fn plain(listener: TcpListener, router: Router) {
    accept(&listener, STRANGERS, move |stream| converse(stream, router.clone(), STRANGERS)).await;
}

/// Serves probes to everybody, until it is dropped.
pub async fn probes(listener: TcpListener, router: Router) {
    accept(&listener, PROBES, move |stream| converse(stream, router.clone(), PROBES)).await;
}

/// Serves over TLS, until it is dropped.
pub async fn over_tls(listener: TcpListener, certificate: Arc<Certificate>, router: Router) {
    let meet = move |stream: TcpStream| {
        let (acceptor, router) = (TlsAcceptor::from(certificate.config()), router.clone());
        async move {
            if let Ok(Ok(stream)) = timeout(STRANGERS.beginning, acceptor.accept(stream)).await {
                converse(stream, router, STRANGERS).await;
            }
        }
    };
    accept(&listener, STRANGERS, meet).await;
}

async fn accept<M: Future<Output = ()> + Send + 'static>(
    listener: &TcpListener,
    bounds: Bounds,
    meet: impl Fn(TcpStream) -> M,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    while let Ok(place) = places.clone().acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        let meeting = meet(stream);
        tokio::spawn(async move {
            let _place = place;
            // Whoever is not done by then is cut off, and nobody else is the worse for it.
            let _ = timeout(bounds.whole, meeting).await;
        });
    }
}

/// One request. What goes wrong with it is the stranger's business.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(stream: S, router: Router, bounds: Bounds) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(bounds.beginning)
        .keep_alive(false)
        .max_headers(bounds.headers)
        .max_buf_size(bounds.head_bytes);
    let _ = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        time::Instant,
    };

    use super::*;

    const REQUEST: &str = "GET / HTTP/1.1\r\nhost: here\r\n\r\n";

    async fn listening(bounds: Bounds) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", axum::routing::get(|| async { "ok" }));
        tokio::spawn(async move {
            accept(&listener, bounds, move |stream| converse(stream, router.clone(), bounds)).await;
        });
        address
    }

    async fn asked(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // Whoever was refused before all of it was read may be reset after the answer.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn a_request_is_answered_and_one_with_a_long_head_is_refused() {
        let address = listening(STRANGERS).await;
        let answer = asked(address, REQUEST).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok"), "{answer}");
        let fill =
            |line: &str, times: usize| format!("GET / HTTP/1.1\r\nhost: here\r\n{}\r\n", line.repeat(times));
        let long = format!("authorization: {}\r\n", "x".repeat(STRANGERS.head_bytes));
        for request in [fill(&long, 1), fill("x: y\r\n", STRANGERS.headers)] {
            let answer = asked(address, &request).await;
            assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        }
        assert!(asked(address, &fill("x: y\r\n", STRANGERS.headers / 2)).await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn those_who_say_nothing_keep_others_waiting_for_a_moment_only() {
        let bounds = Bounds { connections: 4, beginning: Duration::from_millis(300), ..STRANGERS };
        let address = listening(bounds).await;
        let mut silent = Vec::new();
        for _ in 0..bounds.connections {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let since = Instant::now();
        assert!(asked(address, REQUEST).await.starts_with("HTTP/1.1 200"));
        assert!(since.elapsed() >= bounds.beginning / 2, "there was no place");
    }

    #[tokio::test]
    async fn who_says_a_little_now_and_then_is_cut_off() {
        let bounds = Bounds { whole: Duration::from_millis(300), ..STRANGERS };
        let address = listening(bounds).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let mut answer = Vec::new();
        let ended = timeout(STRANGERS.beginning / 2, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "it ends before the head has taken too long");
    }
}

//! The HTTPS listeners: accept, choose a certificate, then exchange after exchange.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::exchange::{Exchange, Next};
use crate::faults::Kind;
use crate::line::{Line, cut};
use crate::provider::Name;
use crate::tls::Certificates;
use crate::world::Shared;

/// A client that does not finish its handshake is not waited for longer.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// One HTTPS listener.
pub struct Listener {
    pub provider: Name,
    pub shared: Arc<Shared>,
    pub certificates: Arc<Certificates>,
}

impl Listener {
    /// Serves until the process ends.
    pub async fn serve(self, listener: TcpListener) {
        let this = Arc::new(self);
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(Arc::clone(&this).attend(stream))),
                Err(why) => {
                    eprintln!("sandbox: accept: {why}");
                    sleep(Duration::from_millis(50)).await; // out of file descriptors: not a reason to spin
                }
            }
        }
    }

    async fn attend(self: Arc<Self>, stream: TcpStream) {
        let connection = self.shared.next_connection();
        let fault = self.shared.world().faults.strike_connection(self.provider);
        let flaw = match fault {
            Some(Kind::Cut { how, .. }) => return cut(stream, how).await,
            Some(Kind::Tls { variant }) => Some(variant),
            _ => None,
        };
        drop(stream.set_nodelay(true));
        let hang_up = self.shared.hang_up.subscribe();
        if let Ok(Ok(stream)) = timeout(HANDSHAKE, self.certificates.acceptor(flaw).accept(stream)).await {
            self.converse(Line::new(stream), connection, hang_up).await;
        }
    }

    async fn converse(&self, mut line: Line, connection: u64, mut hang_up: watch::Receiver<u64>) {
        loop {
            let arrived = tokio::select! {
                biased;
                arrived = line.next_request() => arrived,
                _ = hang_up.changed() => return,
            };
            let Some((request, open)) = arrived else { return };
            line = open;
            let exchange = Exchange { shared: &self.shared, provider: self.provider, connection, request };
            match exchange.run(&mut line).await {
                Next::Listen => {}
                Next::Close => return line.close().await,
                Next::Cut(how) => return line.cut(how).await,
            }
        }
    }
}

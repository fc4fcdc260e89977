//! From the command line to listeners, and to the end of the process.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::admin;
use crate::cli::Cli;
use crate::provider::Name;
use crate::server::Listener;
use crate::tls::Certificates;
use crate::world::{Shared, World};

/// Starts all listeners, prints where they are, and serves until told to end.
pub async fn run(cli: Cli) -> Result<(), Box<dyn Error + Send + Sync>> {
    let certificates = Arc::new(Certificates::generate(&cli.certificate_names())?);
    let settings = [(Name::Juicyway, cli.juicyway.clone()), (Name::Revolv3, cli.revolv3.clone())];
    let shared = Arc::new(Shared::new(World::open(settings, cli.state.as_deref())?));
    let ports = [
        (Name::Juicyway, cli.juicyway_port),
        (Name::Revolv3, cli.revolv3_port),
        (Name::Scripted, cli.scripted_port),
    ];
    for (provider, port) in ports {
        let listener = TcpListener::bind((cli.bind, port)).await?;
        shared.world().addresses.insert(provider, format!("https://{}", reachable(listener.local_addr()?)));
        let served =
            Listener { provider, shared: Arc::clone(&shared), certificates: Arc::clone(&certificates) };
        tokio::spawn(served.serve(listener));
    }
    let listener = TcpListener::bind((cli.bind, cli.admin_port)).await?;
    let admin = format!("http://{}", reachable(listener.local_addr()?));
    tokio::spawn(admin::serve(Arc::clone(&shared), listener));
    announce(&shared, &admin, &certificates.ca_bundle)?;
    Ok(told_to_end(cli.exit_with_parent).await?)
}

/// The address at which a client on this machine finds a listener.
fn reachable(bound: SocketAddr) -> SocketAddr {
    let here = if bound.ip().is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { bound.ip() };
    SocketAddr::new(here, bound.port())
}

/// The one line on standard output.
fn announce(shared: &Shared, admin: &str, ca_bundle: &str) -> io::Result<()> {
    let mut line = json!(shared.world().addresses);
    line["admin"] = json!(admin);
    line["caBundle"] = json!(ca_bundle);
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

async fn told_to_end(with_parent: bool) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let orphaned = if with_parent { Some(end_of_stdin()) } else { None };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        Some(_) = async { Some(orphaned?.await) } => {}
    }
    Ok(())
}

/// Resolves when the other end of standard input is closed, which a parent's death does too.
fn end_of_stdin() -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || {
        let mut rest = [0; 256];
        while matches!(io::stdin().read(&mut rest), Ok(1..)) {}
        drop(ended);
    });
    end
}

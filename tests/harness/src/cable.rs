//! Between an operator and its API server, byte by byte: a line that is cut and mended as a network does it, without a word.

use std::path::PathBuf;

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::{ControlPlane, Failure, Scratch};

/// A line to the API server. Dropping it ends every connection.
pub struct Cable {
    whole: watch::Sender<bool>,
    kubeconfig: PathBuf,
    serving: JoinHandle<()>,
    _scratch: Scratch,
}

impl Cable {
    /// A line to the API server of this control plane; TLS goes through it.
    ///
    /// # Errors
    /// When no port is free, or the operator's kubeconfig cannot be read.
    pub async fn lay(plane: &ControlPlane) -> Result<Cable, Failure> {
        let step = "lay a line to the API server";
        let config = plane.client_config("operator").await?;
        let upstream = config.cluster_url.authority().map(ToString::to_string);
        let upstream = upstream.ok_or_else(|| Failure::new(step, "its URL names no host"))?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Failure::to(step))?;
        let address = listener.local_addr().map_err(Failure::to(step))?.to_string();
        let direct = std::fs::read_to_string(plane.kubeconfig("operator")).map_err(Failure::to(step))?;
        let scratch = Scratch::new("cable")?;
        let kubeconfig = scratch.write("operator.kubeconfig", &direct.replace(&upstream, &address))?;
        let whole = watch::Sender::new(true);
        let serving = tokio::spawn(serve(listener, upstream, whole.subscribe()));
        Ok(Cable { whole, kubeconfig, serving, _scratch: scratch })
    }

    /// The operator's kubeconfig, by way of this line.
    pub fn kubeconfig(&self) -> &std::path::Path {
        &self.kubeconfig
    }

    /// From now on nothing comes through, in either direction, and nobody is told.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// What was under way comes through after all.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, upstream: String, whole: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        let (upstream, whole) = (upstream.clone(), whole.clone());
        connections.spawn(async move {
            // An API server that is not there is one whose line is closed at once.
            let Ok(far) = TcpStream::connect(&upstream).await else { return };
            let (mut near_read, mut near_write) = near.into_split();
            let (mut far_read, mut far_write) = far.into_split();
            tokio::join!(
                carry(&mut near_read, &mut far_write, whole.clone()),
                carry(&mut far_read, &mut near_write, whole)
            );
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Until one end closes, which the other one learns like everything else: while the line is whole.
async fn carry(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut whole: watch::Receiver<bool>,
) {
    let mut bytes = [0; 16 * 1024];
    loop {
        let read = from.read(&mut bytes).await.unwrap_or_default();
        if whole.wait_for(|whole| *whole).await.is_err() {
            return;
        }
        let carried = if read == 0 { to.shutdown().await } else { to.write_all(&bytes[..read]).await };
        if read == 0 || carried.is_err() {
            return;
        }
    }
}

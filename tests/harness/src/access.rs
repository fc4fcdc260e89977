//! Clients of the API server.

use std::path::Path;

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use crate::Failure;

/// kube retries by default for minutes; a test wants to see the answer.
pub(crate) async fn config(kubeconfig: &Path) -> Result<Config, Failure> {
    let step = || format!("use {}", kubeconfig.display());
    let options = KubeConfigOptions::default();
    let read = Kubeconfig::read_from(kubeconfig).map_err(Failure::to(step()))?;
    let mut config = Config::from_custom_kubeconfig(read, &options).await.map_err(Failure::to(step()))?;
    config.default_retry = false;
    Ok(config)
}

pub(crate) async fn client(kubeconfig: &Path) -> Result<Client, Failure> {
    let step = || format!("make a client from {}", kubeconfig.display());
    Client::try_from(config(kubeconfig).await?).map_err(Failure::to(step()))
}

/// One GET, its body as text.
pub(crate) async fn read(client: &Client, path: &str) -> Result<String, Failure> {
    read_as(client, path, "application/json").await
}

/// The same in one of several forms.
pub(crate) async fn read_as(client: &Client, path: &str, accept: &str) -> Result<String, Failure> {
    let step = || format!("read {path}");
    let request = http::Request::get(path).header(http::header::ACCEPT, accept);
    let request = request.body(Vec::new()).map_err(Failure::to(step()))?;
    client.request_text(request).await.map_err(Failure::to(step()))
}

//! How etcd, kube-apiserver and kube-controller-manager are called. Flags: `tests/control-plane/README.md`.

use rcgen::KeyPair;

use crate::{Binaries, Failure, Launch, Scratch};

/// `durable`: with fsync, as in production. Without it a write costs nothing, and a killed etcd still loses nothing:
/// only a machine that stops would.
pub(crate) fn etcd(binaries: &Binaries, scratch: &Scratch, url: &str, durable: bool) -> Launch {
    Launch::new("etcd", binaries.path("etcd"))
        .args(["--data-dir".into(), scratch.join("etcd")])
        .args(["--listen-client-urls", url, "--advertise-client-urls", url])
        // Nobody is to join; any free port will do.
        .args(["--listen-peer-urls", "http://127.0.0.1:0"])
        .args((!durable).then_some("--unsafe-no-fsync"))
}

pub(crate) fn api_server(binaries: &Binaries, scratch: &Scratch, etcd_url: &str, port: u16) -> Launch {
    let file = |name: &str| scratch.join(name).display().to_string();
    Launch::new("kube-apiserver", binaries.path("kube-apiserver")).args([
        format!("--etcd-servers={etcd_url}"),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".into(),
        // Told to clients, used by none. Without it the server looks for a default route, which a container may lack.
        "--advertise-address=192.0.2.1".into(),
        // A loopback address cannot be an endpoint of the `kubernetes` service; without this the server exits.
        "--endpoint-reconciler-type=none".into(),
        format!("--cert-dir={}", file("certs")),
        "--service-cluster-ip-range=10.0.0.0/24".into(),
        "--authorization-mode=RBAC".into(),
        format!("--token-auth-file={}", file("tokens.csv")),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--service-account-key-file={}", file(PUBLIC_KEY)),
        format!("--service-account-signing-key-file={}", file(PRIVATE_KEY)),
        // Nobody makes the default service account that every pod would have to have.
        "--disable-admission-plugins=ServiceAccount".into(),
    ])
}

pub(crate) fn controller_manager(binaries: &Binaries, scratch: &Scratch) -> Launch {
    let kubeconfig = scratch.join("controller-manager.kubeconfig");
    Launch::new("kube-controller-manager", binaries.path("kube-controller-manager")).args([
        format!("--kubeconfig={}", kubeconfig.display()),
        // Each controller with an account of its own, as in production: admission policies tell them apart.
        "--use-service-account-credentials=true".into(),
        [
            "--controllers=namespace-controller",
            "garbage-collector-controller",
            "validatingadmissionpolicy-status-controller",
            "clusterrole-aggregation-controller",
        ]
        .join(","),
        "--leader-elect=false".into(),
        // No port of its own.
        "--secure-port=0".into(),
        // The default of 20 requests a second makes a namespace take many seconds to go.
        "--kube-api-qps=1000".into(),
        "--kube-api-burst=1000".into(),
    ])
}

const PRIVATE_KEY: &str = "service-accounts.key";
const PUBLIC_KEY: &str = "service-accounts.pub";

/// The key pair that signs service account tokens (`kubectl create token`).
pub(crate) fn write_service_account_keys(scratch: &Scratch) -> Result<(), Failure> {
    let keys = KeyPair::generate().map_err(Failure::to("make the service accounts' key"))?;
    scratch.write(PRIVATE_KEY, &keys.serialize_pem())?;
    scratch.write(PUBLIC_KEY, &keys.public_key_pem())?;
    Ok(())
}

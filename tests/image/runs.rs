//! The program out of the image, with nothing around it but what is in the image and what a kubelet would mount.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    net::Ipv4Addr,
    path::Path,
    process::Command,
};

use harness::{
    ControlPlane, Launch, Options,
    Provider::{self, Juicyway},
    Sandbox, Scratch,
};
use serde_json::json;
use tokio::net::UdpSocket;

use crate::{
    PROGRAM,
    built::Image,
    made, said,
    stage::{Stage, install, ready, root, says},
    story::Story,
};

/// Nobody else's on the loopback, so that the name server of this machine is not in the way.
const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 53, 53);
const NAME: &str = "api.provider.example";
const ID: &str = "cus_image";

/// Who the image says it runs as.
const USER: &str = "--userspec=65532:65532";

/// The image, unpacked.
fn unpacked(scratch: &Scratch) {
    Image::open(&made().join("oci")).unpack(scratch.path());
    // A kubelet mounts these.
    fs::write(scratch.join("etc/resolv.conf"), format!("nameserver {NAME_SERVER}\n")).unwrap();
    // The directory of a scratch is its owner's alone.
    said(Command::new("chmod").arg("755").arg(scratch.path()));
}

#[test]
#[ignore = "make image-test: needs the image, and root for its root directory"]
fn the_program_says_its_version() {
    let root = Scratch::new("image").unwrap();
    unpacked(&root);
    let mut program = Command::new("chroot");
    program
        .arg(USER)
        .arg(root.path())
        .args([&format!("/{PROGRAM}"), "--version"])
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap());
    assert_eq!(said(&mut program), format!("{PROGRAM} {}\n", env!("CARGO_PKG_VERSION")));
}

/// It asks the name server for the provider's address, and believes whom the file of roots in the image names, and nobody else.
#[tokio::test]
#[ignore = "make image-test: needs the image, and root for its root directory"]
async fn the_image_offboards_a_customer_at_a_provider_that_it_knows_by_name() {
    tokio::spawn(answer_names(UdpSocket::bind((NAME_SERVER, 53)).await.expect("port 53 needs root")));
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    plane.apply_path(&root().join("crds")).await.unwrap();
    install(&plane).await.unwrap();
    plane.stamps_requests().await.unwrap();
    let image = Scratch::new("image").unwrap();
    unpacked(&image);
    mount_cluster(&plane, &image);
    let launch = Launch::new("operator", "chroot")
        .arg(USER)
        .arg(image.path())
        .arg(format!("/{PROGRAM}"))
        .args(["operator", "--admin-address", "127.0.0.1:0", "--allowed-cidrs", "127.0.0.0/8"])
        .env("KUBECONFIG", "/kubeconfig");
    let scratch = Scratch::new("operator").unwrap();
    let mut operator = ready(&launch, scratch.path()).await.unwrap();
    says(&mut operator, "leading").await.unwrap();
    let stage = Stage { plane, operator: tokio::sync::Mutex::new(operator), launch, scratch };
    let story = story(&stage).await;
    story.sandbox.seed(Juicyway, ID, &json!({})).await.unwrap();
    let port = story.sandbox.addresses().juicyway.rsplit(':').next().unwrap().to_owned();
    // No `caBundle`: only the image's own roots are left.
    let by_name = json!({"baseUrl": format!("https://{NAME}:{port}"), "tls": null});
    story.provider(Juicyway, by_name).await;

    // With the roots of the world the sandbox is a stranger; without any, the object would be refused as a whole.
    story
        .wait("the sandbox's certificate is refused", async || {
            let status = story.provider_status(Juicyway.name()).await;
            let told = status.to_string();
            if told.contains("no trusted TLS connection") { Ok(()) } else { Err(told) }
        })
        .await;
    assert_eq!(received(&story, Juicyway).await, 0);

    let roots = image.join("etc/ssl/certs/ca-certificates.crt");
    let mut file = OpenOptions::new().append(true).open(roots).unwrap();
    file.write_all(story.sandbox.addresses().ca_bundle.as_bytes()).unwrap();
    stage.kill_operator().await;
    stage.restart_operator().await.unwrap();
    story.provider_reason(Juicyway, "Ready", "ProbeSucceeded").await;
    story.request("acme", Juicyway, ID).await;
    assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
    assert_eq!(story.deletes(Juicyway, ID).await, 1);
    story.judged().await;
}

async fn story(stage: &Stage) -> Story<'_> {
    let client = stage.plane.client("admin").await.unwrap();
    let namespace = stage.plane.namespace("image").await.unwrap();
    let sandbox = Sandbox::start_with_args(&["--name", NAME]).await.unwrap();
    Story { stage, client, namespace, sandbox, strays: false.into() }
}

async fn received(story: &Story<'_>, provider: Provider) -> usize {
    let filter = harness::LedgerFilter { provider: Some(provider), ..harness::LedgerFilter::default() };
    story.sandbox.ledger(&filter).await.unwrap().len()
}

/// What a pod would be told of its API server, as a kubeconfig that needs no other file.
fn mount_cluster(plane: &ControlPlane, image: &Scratch) {
    let original = plane.kubeconfig("operator");
    let text = fs::read_to_string(&original).unwrap();
    let mut kubeconfig: serde_json::Value = serde_json::from_str(&text).unwrap();
    let cluster = &mut kubeconfig["clusters"][0]["cluster"];
    let authority = Path::new(cluster["certificate-authority"].as_str().unwrap()).to_owned();
    cluster["certificate-authority"] = json!("/ca.crt");
    for (name, bytes) in
        [("ca.crt", fs::read(authority).unwrap()), ("kubeconfig", kubeconfig.to_string().into())]
    {
        fs::write(image.join(name), bytes).unwrap();
        said(Command::new("chmod").arg("644").arg(image.join(name)));
    }
}

/// Every name is this machine (RFC 1035): an A record for A, nothing for the rest.
async fn answer_names(server: UdpSocket) {
    let mut question = [0; 512];
    loop {
        let (length, from) = server.recv_from(&mut question).await.unwrap();
        let mut end = 12;
        while question[end] != 0 {
            end += usize::from(question[end]) + 1;
        }
        let asked = &question[12..end + 5];
        let is_address = asked[asked.len() - 4..asked.len() - 2] == [0, 1];
        let mut answer = question[..2].to_vec();
        answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
        answer.extend(asked);
        if is_address {
            // The name of the question, an address of the Internet, for a second.
            answer.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
        }
        assert!(length >= end + 5);
        server.send_to(&answer, from).await.unwrap();
    }
}

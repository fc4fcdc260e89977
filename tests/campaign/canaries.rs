//! S12: what a customer and a credential are made of comes out nowhere. Each run has a customer of its own, so that what is found
//! tells whose it is.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use harness::{Process, Provider};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::story::{Story, token};

/// A customer whose every word is looked for afterwards.
pub struct Canary {
    provider: Provider,
    /// The id at the provider.
    pub id: String,
    /// What the provider knows besides.
    pub person: Value,
    /// How much of the operator's log was there before.
    log_before: usize,
}

impl Canary {
    /// The one of this seed, before anything is done about them.
    pub fn new(provider: Provider, seed: u64, operator: &Process) -> Canary {
        let (first_name, last_name) = (format!("Marguerite{seed:05}Q"), format!("Quillfeather{seed:05}Q"));
        let email = format!("mq{seed:05}.mark+tag@personal-example.org");
        let person = json!({"firstName": first_name, "lastName": last_name, "email": email});
        let (id, further) = if provider == Provider::Revolv3 {
            (
                (817_200_000 + seed).to_string(),
                json!({"merchantCustomerRefId": format!("merchant-ref-{seed:05}Q")}),
            )
        } else {
            (format!("cus_Mark{seed:05}Q"), json!({"phoneNumber": format!("+49170555{seed:05}77")}))
        };
        let mut canary = Canary { provider, id, person, log_before: operator.log().len() };
        crate::story::merge(&mut canary.person, further);
        canary
    }

    /// Searches what came out of the operator about a story: status, records, events, metrics, and its log since then. Gives how
    /// many places were searched.
    pub async fn stayed_inside(&self, story: &Story<'_>, operator: &Process) -> u64 {
        let namespace = story.namespace.name();
        let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
        let events = story.ask_as("admin", http::Method::GET, &path, &json!({})).await.unwrap();
        let mut came_out = vec![
            ("status", story.status("acme").await.to_string()),
            ("status of the provider object", story.provider_status(self.provider.name()).await.to_string()),
            ("records", Value::from(story.records().await).to_string()),
            ("events", events["items"].to_string()),
            ("log", operator.log().get(self.log_before..).unwrap_or_default().to_owned()),
        ];
        came_out.extend(metrics(operator).await.map(|text| ("metrics", text)));
        let marks = self.marks();
        let found: Vec<String> =
            came_out.iter().flat_map(|(place, text)| found(&marks, place, text)).collect();
        assert_eq!(found, [""; 0], "it came out");
        u64::try_from(came_out.len()).unwrap()
    }

    fn marks(&self) -> Vec<String> {
        let person = self.person.as_object().into_iter().flatten();
        let words = person.filter_map(|(_, word)| word.as_str()).map(str::to_owned);
        words.chain([self.id.clone(), token(self.provider).to_owned()]).collect()
    }
}

/// What the operator tells of itself; none where it has just ended.
async fn metrics(operator: &Process) -> Option<String> {
    let log = operator.log();
    let line = log.lines().rfind(|line| line.contains("serving /healthz"))?;
    let port: String = line.split("127.0.0.1:").nth(1)?.chars().take_while(char::is_ascii_digit).collect();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).await.ok()?;
    let request = "GET /metrics HTTP/1.1\r\nhost: operator\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.contains("# EOF").then_some(answer)
}

/// Which marks stand in a text, in whichever form, and where.
fn found(marks: &[String], place: &str, text: &str) -> Vec<String> {
    let folded = text.to_lowercase();
    let mut found = Vec::new();
    for mark in marks {
        let in_cases = folding(mark).into_iter().filter_map(|form| folded.find(&form.to_lowercase()));
        let in_letters = in_base64(mark).into_iter().filter_map(|form| text.find(&form));
        for at in in_cases.chain(in_letters) {
            let around = &text.as_bytes()[at.saturating_sub(200)..(at + 200).min(text.len())];
            found.push(format!("{mark} in {place}: {}", String::from_utf8_lossy(around)));
        }
    }
    found
}

/// The forms in which upper and lower case are the same.
fn folding(mark: &str) -> [String; 3] {
    let hex = mark.bytes().fold(String::new(), |mut text, byte| {
        let _always = write!(text, "{byte:02x}");
        text
    });
    [mark.to_owned(), utf8_percent_encode(mark, NON_ALPHANUMERIC).to_string(), hex]
}

/// Base64 at each offset, without the letters that also depend on what stands before and after.
fn in_base64(mark: &str) -> [String; 3] {
    [0, 1, 2].map(|offset| {
        let encoded = STANDARD.encode([&vec![b'x'; offset][..], mark.as_bytes()].concat());
        let until = encoded.trim_end_matches('=').len();
        let rest = usize::from(!(mark.len() + offset).is_multiple_of(3));
        encoded[[0, 2, 3][offset]..until - rest].to_owned()
    })
}

#[test]
fn a_mark_is_found_in_every_form() {
    let marks = ["mq+tag@personal-example.org".to_owned()];
    let finds = |text: &str| !found(&marks, "here", text).is_empty();
    for text in [
        "to MQ+Tag@personal-example.org",
        "GET /customers/mq%2Btag%40personal%2Dexample%2Eorg",
        "6d712b74616740706572736f6e616c2d6578616d706c652e6f7267",
    ] {
        assert!(finds(text), "{text}");
    }
    for padding in ["", "a", "ab", "abc"] {
        assert!(finds(&STANDARD.encode(format!("{padding}{}{padding}", marks[0]))), "{padding}");
    }
    assert!(!finds("nothing of it, not even cGVyc29uYWw="));
}

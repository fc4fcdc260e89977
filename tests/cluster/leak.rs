//! A7: no personal data, id or credential comes out, whatever a provider does with them.
//!
//! Everything that a person, a Secret or a provider could give away is marked. Then everything that came out is searched for
//! each mark: raw, percent-encoded, in base64 at each offset, in hex, and escaped as JSON may.

use std::fmt::Write as _;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use futures::future::join_all;
use harness::{
    Options,
    Provider::{Juicyway, Revolv3},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::{
    stage::{SOON, Stage},
    story::{Story, condition, quick_profile},
};

/// What must not come out, for one round of traffic.
struct Marks {
    round: char,
    juicyway_token: String,
    revolv3_token: String,
    wrong_token: String,
    first_name: String,
    last_name: String,
    email: String,
    phone: String,
    merchant_ref: String,
    correlation: String,
    personal_id: String,
}

impl Marks {
    fn new(round: char) -> Self {
        Self {
            round,
            juicyway_token: format!("test_JuicyKeyMark{round}"),
            revolv3_token: format!("rv3_RevolvTokenMark{round}"),
            wrong_token: format!("test_WrongKeyMark{round}"),
            first_name: format!("Marguerite{round}"),
            last_name: format!("Quillfeather{round}"),
            email: format!("mq{round}.mark+tag@personal-example.org"),
            phone: format!("+49170555{round}1234"),
            merchant_ref: format!("MERCHANT-REF-{round}-77"),
            correlation: format!("corr-{round}-4711-mark"),
            personal_id: format!("idmark{round}@personal-example.org"),
        }
    }

    /// The id of a customer at Juicyway, by the case that it is made for.
    fn juicyway(&self, case: &str) -> String {
        format!("cus_{}MarkId{case}", self.round)
    }

    /// The same at Revolv3, where ids are numbers.
    fn revolv3(&self, n: u32) -> String {
        format!("8172{}{n:03}", u32::from(self.round) % 10)
    }

    fn person(&self) -> Value {
        json!({
            "firstName": self.first_name, "lastName": self.last_name, "email": self.email, "phoneNumber": self.phone,
            "payments": [{"status": "settled", "correlationId": self.correlation}],
        })
    }

    fn merchant(&self) -> Value {
        json!({
            "firstName": self.first_name, "lastName": self.last_name, "email": self.email,
            "merchantCustomerRefId": self.merchant_ref,
        })
    }

    /// A page that quotes all of it, as error pages do.
    fn page(&self, id: &str) -> String {
        format!(
            "<html><title>{id}</title>{} {} {} {} token={} {}</html>",
            self.first_name, self.last_name, self.email, self.phone, self.juicyway_token, self.merchant_ref,
        )
    }

    fn all(&self) -> Vec<String> {
        let texts = [
            &self.juicyway_token,
            &self.revolv3_token,
            &self.wrong_token,
            &self.first_name,
            &self.last_name,
            &self.email,
            &self.phone,
            &self.merchant_ref,
            &self.correlation,
            &self.personal_id,
        ];
        // The beginning that all ids have: a part of one is as bad as all of it.
        let ids = [format!("cus_{}MarkId", self.round), format!("8172{}", u32::from(self.round) % 10) + "00"];
        texts.into_iter().cloned().chain(ids).collect()
    }
}

/// A case of trouble at Juicyway: its name, and the answer to looks or to the deletion.
fn troubles(marks: &Marks) -> Vec<(&'static str, &'static str, Value)> {
    let page = |case: &str| marks.page(&marks.juicyway(case));
    let somebody_else = json!({"data": {"id": marks.juicyway("other"), "first_name": marks.first_name, "email": marks.email}});
    let headers = |case: &str| {
        json!({
            "X-Request-Id": marks.juicyway(case), "Request-Id": marks.juicyway(case), "X-Echo": marks.juicyway_token,
            "Set-Cookie": format!("session={}", marks.juicyway_token), "Location": format!("/customers/{}", marks.juicyway(case)),
            "Retry-After": marks.email, "X-RateLimit-Reset": marks.phone, "Content-Type": format!("text/{}", marks.last_name),
        })
    };
    let raw = |status: &str, case: &str| {
        let body = page(case);
        format!(
            "HTTP/1.1 {status} {}\r\nX-Request-Id: {}\r\nContent-Length: {}\r\n\r\n{body}",
            marks.first_name,
            marks.juicyway(case),
            body.len()
        )
    };
    vec![
        ("happy", "DELETE", json!({"kind": "headers", "set": headers("happy")})),
        (
            "page500",
            "GET",
            json!({"kind": "status", "status": 500, "body": page("page500"), "headers": headers("page500")}),
        ),
        ("page200", "GET", json!({"kind": "status", "status": 200, "body": page("page200")})),
        ("page404", "GET", json!({"kind": "status", "status": 404, "body": page("page404")})),
        (
            "limited",
            "GET",
            json!({"kind": "status", "status": 429, "body": page("limited"), "headers": headers("limited")}),
        ),
        ("other", "GET", json!({"kind": "status", "status": 200, "body": somebody_else})),
        ("truncated", "GET", json!({"kind": "json", "variant": "truncated"})),
        ("wrongtype", "GET", json!({"kind": "json", "variant": "wrongType"})),
        ("twice", "GET", json!({"kind": "json", "variant": "duplicateId"})),
        ("cutlook", "GET", json!({"kind": "cut", "at": "midBody"})),
        (
            "moved",
            "GET",
            json!({"kind": "redirect", "status": 302, "to": format!("https://example.com/?who={}", marks.email)}),
        ),
        ("phrase", "GET", json!({"kind": "raw", "text": raw("503", "phrase")})),
        ("nohttp", "GET", json!({"kind": "raw", "text": page("nohttp")})),
        (
            "denied",
            "GET",
            json!({"kind": "status", "status": 403, "body": {"error": {"message": page("denied")}}}),
        ),
        (
            "d403",
            "DELETE",
            json!({"kind": "status", "status": 403, "body": {"error": {"message": page("d403")}}, "headers": headers("d403")}),
        ),
        (
            "d409",
            "DELETE",
            json!({"kind": "status", "status": 409, "body": {"error": {"message": page("d409")}}, "headers": headers("d409")}),
        ),
        (
            "d400",
            "DELETE",
            json!({"kind": "status", "status": 400, "body": page("d400"), "headers": headers("d400")}),
        ),
        (
            "d500",
            "DELETE",
            json!({"kind": "status", "status": 500, "body": page("d500"), "headers": headers("d500")}),
        ),
        (
            "d200",
            "DELETE",
            json!({"kind": "status", "status": 200, "body": page("d200"), "headers": headers("d200")}),
        ),
        ("dkey", "DELETE", json!({"kind": "headers", "set": {"X-Request-Id": marks.juicyway_token}})),
        ("dcut", "DELETE", json!({"kind": "cut", "at": "afterApply"})),
        ("dphrase", "DELETE", json!({"kind": "raw", "text": raw("502", "dphrase"), "apply": true})),
        (
            "dmoved",
            "DELETE",
            json!({"kind": "redirect", "status": 307, "to": format!("https://example.com/{}", marks.personal_id)}),
        ),
    ]
}

/// The traffic of one round, until each request has come as far as it can.
async fn traffic(story: &Story<'_>, marks: &Marks) {
    let round = marks.round.to_lowercase();
    let keys = json!({"keys": {&marks.juicyway_token: "sandbox"}});
    story.sandbox.configure(Juicyway, &keys).await.unwrap();
    story.sandbox.configure(Revolv3, &json!({"tokens": {&marks.revolv3_token: "sandbox"}})).await.unwrap();
    let troubles = troubles(marks);
    let fault = |(case, method, answer): &(&str, &str, Value)| {
        let path = "/customers/*";
        let customer = marks.juicyway(case);
        json!({"match": {"method": method, "path": path, "customer": customer}, "times": 0, "do": answer})
    };
    story.sandbox.set_faults(&troubles.iter().map(fault).collect()).await.unwrap();
    let of_troubles = troubles.iter().map(async |(case, ..)| {
        let name = format!("{case}-{round}");
        let id = marks.juicyway(case);
        story.sandbox.seed(Juicyway, &id, &marks.person()).await.unwrap();
        story.provider_as(&name, Juicyway, json!({})).await;
        story.secret(&name, &marks.juicyway_token).await;
        story.request_with(&name, Juicyway, &id, at(&name)).await;
        story.until(&name, "it waits, is blocked or is done", has_come_far).await;
    });
    let blocked = async {
        let name = format!("blocked-{round}");
        let id = marks.juicyway("blocked");
        let mut person = marks.person();
        person["wallets"] = json!([{"id": marks.correlation, "balance": 5}]);
        story.sandbox.seed(Juicyway, &id, &person).await.unwrap();
        story.provider_as(&name, Juicyway, json!({})).await;
        story.secret(&name, &marks.juicyway_token).await;
        story.request_with(&name, Juicyway, &id, at(&name)).await;
        story.reason(&name, "Unblocked", "BlockersFound").await;
    };
    let wrong_token = async {
        let name = format!("wrong-{round}");
        let id = marks.juicyway("wrong");
        story.sandbox.seed(Juicyway, &id, &marks.person()).await.unwrap();
        story.provider_as(&name, Juicyway, json!({})).await;
        story.secret(&name, &marks.wrong_token).await;
        story.request_with(&name, Juicyway, &id, at(&name)).await;
        story.reason(&name, "Waiting", "ProviderUnavailable").await;
    };
    let bad_token = async {
        let name = format!("header-{round}");
        story.provider_as(&name, Juicyway, json!({})).await;
        story.secret(&name, &format!("{}\nx-admin: {}", marks.juicyway_token, marks.email)).await;
        story.request_with(&name, Juicyway, &marks.juicyway("header"), at(&name)).await;
        story.reason(&name, "Waiting", "ProviderUnavailable").await;
    };
    let personal = async {
        let name = format!("personal-{round}");
        let mut profile = quick_profile(Juicyway);
        profile["customerId"] = json!({"pattern": "^[A-Za-z0-9@._-]{1,64}$"});
        story.sandbox.seed(Juicyway, &marks.personal_id, &marks.person()).await.unwrap();
        story.customer_secret(&name, &marks.personal_id).await;
        let object = format!("of-{name}");
        story.provider_as(&object, Juicyway, json!({"customProfile": profile, "idClass": "Personal"})).await;
        story.secret(&object, &marks.juicyway_token).await;
        let from = json!({"customer": {"id": null, "idFrom": {"secretKeyRef": {"name": name, "key": "id"}}}});
        let mut spec = at(&object);
        spec["customer"] = from["customer"].clone();
        story.request_with(&name, Juicyway, "", spec).await;
        assert_eq!(story.finished(&name).await["result"], "ErasedWithRetention");
    };
    let revolv3 = async {
        let object = format!("revolv-{round}");
        story.provider_as(&object, Revolv3, json!({})).await;
        story.secret(&object, &marks.revolv3_token).await;
        story.sandbox.seed(Revolv3, &marks.revolv3(1), &marks.merchant()).await.unwrap();
        story.request_with(&format!("soft-{round}"), Revolv3, &marks.revolv3(1), at(&object)).await;
        story.request_with(&format!("nobody-{round}"), Revolv3, &marks.revolv3(2), at(&object)).await;
        story
            .request_with(&format!("pattern-{round}"), Revolv3, &marks.juicyway("pattern"), at(&object))
            .await;
        assert_eq!(story.finished(&format!("soft-{round}")).await["result"], "Deactivated");
        assert_eq!(story.finished(&format!("nobody-{round}")).await["result"], "Failed");
        assert_eq!(story.finished(&format!("pattern-{round}")).await["result"], "Failed");
    };
    let going = async {
        story.until_applied(Juicyway, &marks.juicyway("dcut")).await;
        story.delete(&format!("dcut-{round}")).await;
    };
    futures::join!(join_all(of_troubles), blocked, wrong_token, bad_token, personal, revolv3, going);
}

fn at(provider: &str) -> Value {
    json!({"targets": [{"name": "billing", "providerRef": {"name": provider}}]})
}

/// As far as it comes: a deleted one has no status any more.
fn has_come_far(status: &Value) -> bool {
    status.is_null()
        || status["finished"] == true
        || status["phase"] == "Blocked"
        || condition(status, "Waiting")["status"] == "True"
}

#[tokio::test]
async fn no_personal_data_id_or_credential_comes_out() {
    let env = [("LOG_LEVEL", "trace"), ("LOG_FORMAT", "json")];
    let mut stage = Stage::start_with(Options::default().with_audit_log(), &[], &env).await.unwrap();
    let marks = [Marks::new('A'), Marks::new('B')];
    let mut came_out = Vec::new();
    {
        let story = stage.story("leak").await;
        traffic(&story, &marks[0]).await;
        assert_eq!(stage.ask_operator("/readyz").await, (200, "leader".to_owned()));
        came_out.push(("metrics".to_owned(), metrics(&stage).await));
        let mut operator = stage.operator.lock().await;
        operator.terminate().unwrap();
        assert_eq!(operator.wait(SOON).await.unwrap().code(), Some(0));
    }
    stage.restart_operator_with(&[("LOG_FORMAT", "text")]).await.unwrap();
    let story = stage.story("leak").await;
    traffic(&story, &marks[1]).await;
    came_out.push(("metrics".to_owned(), metrics(&stage).await));
    came_out.push(("log".to_owned(), stage.operator.lock().await.log()));
    came_out
        .push(("audit log".to_owned(), std::fs::read_to_string(stage.plane.audit_log().unwrap()).unwrap()));
    for kind in ["customeroffboardings", "offboardingproviders", "offboardingrecords", "events.events.k8s.io"]
    {
        came_out.extend(objects(&stage, kind).await);
    }
    let mut needles: Vec<String> = marks.iter().flat_map(Marks::all).collect();
    needles.push("token-of-operator".to_owned());
    let key = stage.plane.kubectl("admin").args(["-n", "customer-offboarding", "get", "secret"]);
    let key = key
        .args(["customer-offboarding-installation-key", "-o", "jsonpath={.data.key}"])
        .succeed()
        .await
        .unwrap();
    let bytes = STANDARD.decode(&key).unwrap();
    needles.extend([key, bytes.iter().map(|byte| format!("{byte:02x}")).collect(), format!("{bytes:?}")]);
    let mut found = Vec::new();
    for (place, text) in &came_out {
        let folded = text.to_lowercase();
        for needle in &needles {
            found.extend(
                forms(needle).into_iter().filter(|form| form.is_in(text, &folded)).map(|form| {
                    format!("{needle} {} in {place}: {}", form.name, around(text, &folded, &form))
                }),
            );
        }
        assert!(!text.is_empty(), "{place} is empty: then nothing was searched");
    }
    println!("searched {} places for {} marks", came_out.len(), needles.len());
    assert_eq!(found, [""; 0]);
}

async fn metrics(stage: &Stage) -> String {
    let (status, text) = stage.ask_operator("/metrics").await;
    assert_eq!(status, 200);
    for name in [
        "controller_runtime_reconcile_total{controller=\"request\",result=\"success\"}",
        "controller_runtime_reconcile_time_seconds_count{controller=\"request\"}",
        "offboarding_looks_total{profile=\"custom\",outcome=\"Present\"}",
        "offboarding_deletes_total{profile=\"custom\",outcome=\"Accepted\"}",
    ] {
        assert!(text.contains(name), "{name}: {text}");
    }
    assert!(text.ends_with("# EOF\n"), "{text}");
    text
}

/// All objects of a kind, without the one place where an id may stand: the spec of a request, and kubectl's copy of it.
async fn objects(stage: &Stage, kind: &str) -> Vec<(String, String)> {
    let listed =
        stage.plane.kubectl("admin").args(["get", kind, "-A", "-o", "json"]).succeed().await.unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let items = listed["items"].as_array().unwrap();
    assert!(!items.is_empty(), "there are no {kind}");
    let searched = items.iter().map(|item| {
        let mut item = item.clone();
        if kind == "customeroffboardings" {
            item["spec"]["customer"] = Value::Null;
        }
        (format!("{kind} {}", item["metadata"]["name"]), item.to_string())
    });
    searched.collect()
}

/// One way to write a mark.
struct Form {
    name: &'static str,
    text: String,
    /// Upper and lower case are the same in it.
    folds: bool,
}

impl Form {
    fn is_in(&self, text: &str, folded: &str) -> bool {
        if self.folds { folded.contains(&self.text.to_lowercase()) } else { text.contains(&self.text) }
    }
}

fn forms(mark: &str) -> Vec<Form> {
    let form = |name, text, folds| Form { name, text, folds };
    let bytes = mark.as_bytes();
    let each = |write: fn(&mut String, u8)| {
        bytes.iter().fold(String::new(), |mut text, byte| {
            write(&mut text, *byte);
            text
        })
    };
    let once = utf8_percent_encode(mark, NON_ALPHANUMERIC).to_string();
    let mut forms = vec![
        form("twice percent-encoded", utf8_percent_encode(&once, NON_ALPHANUMERIC).to_string(), true),
        form("percent-encoded", once, true),
        form("percent-encoded throughout", each(|text, byte| write!(text, "%{byte:02x}").unwrap()), true),
        form("raw", mark.to_owned(), true),
        form("in hex", each(|text, byte| write!(text, "{byte:02x}").unwrap()), true),
        form("as a list of bytes", each(|text, byte| write!(text, "{byte}, ").unwrap()), true),
        form("escaped", each(|text, byte| write!(text, "\\u{byte:04x}").unwrap()), true),
    ];
    for (name, engine) in [("in base64", &STANDARD), ("in base64 of URLs", &URL_SAFE)] {
        for offset in 0..3 {
            let encoded = engine.encode([&vec![b'x'; offset][..], bytes].concat());
            // The characters that also depend on what stands before and after.
            let from = [0, 2, 3][offset];
            let until =
                encoded.trim_end_matches('=').len() - usize::from(!(bytes.len() + offset).is_multiple_of(3));
            forms.push(form(name, encoded[from..until].to_owned(), false));
        }
    }
    forms
}

/// Where it was found.
fn around(text: &str, folded: &str, form: &Form) -> String {
    let at = if form.folds { folded.find(&form.text.to_lowercase()) } else { text.find(&form.text) };
    let at = at.unwrap_or_default();
    let bytes = &text.as_bytes()[at.saturating_sub(200)..(at + 200).min(text.len())];
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_mark_is_found_in_every_form() {
    let mark = "mq+tag@personal-example.org";
    let inside = |text: &str| forms(mark).iter().any(|form| form.is_in(text, &text.to_lowercase()));
    assert!(inside("GET /customers/MQ%2Btag%40personal%2Dexample%2Eorg"));
    assert!(inside(&mark.to_uppercase()));
    assert!(inside("6d712b74616740706572736f6e616c2d6578616d706c652e6f7267"));
    for padding in ["", "a", "ab", "abc", "abcd"] {
        assert!(inside(&STANDARD.encode(format!("{padding}{mark}{padding}"))), "{padding}");
        assert!(inside(&URL_SAFE.encode(format!("{padding}{mark}"))), "{padding}");
    }
    assert!(!inside("nothing of it, not even cGVyc29uYWw="));
}

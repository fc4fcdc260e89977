use serde_json::json as body;

use super::*;
use crate::{
    domain::CauseWord,
    providers::{Verdict, fixtures::*},
};

#[tokio::test]
async fn a_customer_of_juicyway_is_looked_up_checked_and_deleted() {
    let there =
        json(200, body!({"data": {"id": "cus_1", "email": "a@b.c", "created_at": "2026-01-01T00:00:00Z"}}));
    let script = Script::of([
        there,
        json(200, body!({"data": []})),
        json(200, body!({"data": [{"status": "deleted", "balance": {"amount": 5}}]})),
    ]);
    let juicyway = juicyway(&script);

    let sighting = juicyway.look(&token(), &id("cus_1"), noon()).await;
    assert_eq!(sighting.verdict, Verdict::Present);
    assert_eq!(sighting.identity.as_deref(), Some(br#"["cus_1","2026-01-01T00:00:00Z"]"#.as_slice()));
    assert_eq!(juicyway.control(&token(), noon()).await, Control::Good);
    let checks = juicyway.checks(&token(), &id("cus_1"), &sighting.captured, noon()).await;
    assert_eq!(checks, [CheckSeen { name: "wallets".to_owned(), verdict: CheckVerdict::Clear }]);
    assert_eq!(
        script.diary(),
        ["GET /v1/customers/cus_1", "GET /v1/customers?limit=1", "GET /v1/wallets/all?customer_id=cus_1"]
    );

    let seed = IdempotencySeed { request_uid: "u", target: "t", n: 1 };
    let request = juicyway.prepare_delete(&token(), &id("cus_1"), &sighting.captured, &seed).unwrap();
    assert_eq!(request.url.as_str(), "https://api.example.com/v1/customers/cus_1");
    let sent = juicyway.read_sent(empty(204), &id("cus_1"), &sighting.captured, noon(), noon()).await;
    assert_eq!((sent.outcome, sent.http_status), (Outcome::Accepted, Some(204)));
}

#[tokio::test]
async fn a_404_of_juicyway_is_absent_only_in_its_own_error_format() {
    let own = json(404, body!({"error": {"code": "not_found", "message": "Customer not found"}}));
    for (answer, expected) in [
        (own, Verdict::Absent),
        (empty(404), untrusted()),
        (page(404, LOGIN_PAGE), untrusted()),
        (json(404, body!({"message": "no route"})), untrusted()),
    ] {
        let script = Script::of([answer]);
        assert_eq!(juicyway(&script).look(&token(), &id("cus_1"), noon()).await.verdict, expected);
    }
}

fn untrusted() -> Verdict {
    Verdict::Unknown(Failure::new(Class::Indeterminate, CauseWord::Ours(Cause::UntrustedResponse)))
}

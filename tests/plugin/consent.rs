//! Agreeing, refusing, waiving: only to what was read, only by whoever typed it.

use futures::{StreamExt as _, stream};
use harness::Failure;
use offboarding::api::{ApprovalDecision, ApprovedPlan, OffboardingApproval};
use serde_json::Value;

use crate::stage::{CUSTOMER, HASH, Stage, commands};

/// The whole way of a new approver, by nothing but what the tool prints.
#[tokio::test]
async fn a_new_approver_needs_nothing_but_what_the_tool_prints() -> Result<(), Failure> {
    let stage = Stage::new("first").await?;
    let request = stage.planned("acme").await;

    let (code, told) =
        stage.types("bob", &format!("kubectl offboarding pending -n {}", stage.namespace), &[]).ends().await;
    assert_eq!(code, Some(0), "{told}");
    let read = commands(&told).pop().unwrap();
    let (code, told) = stage.types("bob", &read, &[("NO_COLOR", "1")]).ends().await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(HASH) && told.contains("LIVE") && told.contains("acct-eu"), "{told}");
    let agree = commands(&told).pop().unwrap();
    assert_eq!(agree, format!("kubectl offboarding approve acme -n {}", stage.namespace));

    let mut terminal = stage.types("bob", &agree, &[("NO_COLOR", "1")]);
    let question = terminal.sees(" to go on: ").await;
    assert!(question.contains(HASH), "the plan is shown before the question: {question}");
    assert!(question.contains(CUSTOMER), "and who it is: {question}");
    let words = question.rsplit_once("Type ").unwrap().1.trim_end_matches(" to go on: ").to_owned();
    assert_eq!(words, "acct-eu/acme");
    terminal.types(&words);
    let (code, told) = terminal.ends().await;
    assert_eq!(code, Some(0), "{told}");

    let approvals = stage.approvals().await;
    let [OffboardingApproval { metadata, spec }] = approvals.as_slice() else { panic!("{approvals:?}") };
    let bound = ApprovedPlan {
        name: "acme".to_owned(),
        uid: request.metadata.uid.unwrap(),
        plan_hash: Some(HASH.to_owned()),
    };
    assert_eq!(spec.items, [bound]);
    assert_eq!((spec.decision, spec.approver.as_str()), (ApprovalDecision::Approve, "bob"));
    assert_eq!(spec.grants, ["Delete"]);
    let made = metadata.creation_timestamp.as_ref().unwrap().0;
    let hours = spec.expires_at.unwrap().duration_since(made).as_secs_f64() / 3600.0;
    assert!((23.9..=24.0).contains(&hours), "{hours}");
    assert!(metadata.name.as_ref().unwrap().starts_with("acme-"), "{metadata:?}");

    let next = commands(&told);
    assert!(next.iter().any(|it| it.starts_with("kubectl offboarding status acme --watch")), "{next:?}");
    let pending = stage.run("bob", &["pending"]).await;
    assert!(pending.stdout.is_empty() && pending.stderr.contains("nothing in namespace"), "{pending:?}");
    let withdraw = next.iter().find(|it| it.starts_with("kubectl delete coba")).unwrap();
    assert_eq!(stage.types("bob", withdraw, &[]).ends().await.0, Some(0), "{withdraw}");
    assert!(stage.approvals().await.is_empty());
    Ok(())
}

#[tokio::test]
async fn whoever_types_something_else_agrees_to_nothing() -> Result<(), Failure> {
    let stage = Stage::new("mistyped").await?;
    stage.planned("acme").await;
    let namespace = stage.namespace.name();
    for command in ["approve acme", "deny acme --reason no", "waive acme --check billing/wallets"] {
        for wrong in ["", "acme", "y", "acct-eu/acm", "ACCT-EU/acme"] {
            let mut terminal =
                stage.types("bob", &format!("kubectl offboarding {command} -n {namespace}"), &[]);
            terminal.sees(" to go on: ").await;
            terminal.types(wrong);
            let (code, told) = terminal.ends().await;
            assert_eq!(code, Some(3), "{command} {wrong:?}: {told}");
            assert!(told.contains("that is not `acct-eu/acme`; nothing was changed"), "{told}");
        }
    }
    let exec = format!("exec kubectl offboarding approve acme -n {namespace}");
    let mut terminal = stage.types("bob", &exec, &[]);
    terminal.sees(" to go on: ").await;
    terminal.interrupt();
    let (code, told) = terminal.ends().await;
    assert_eq!(code, Some(130), "{told}");
    assert!(stage.approvals().await.is_empty());
    Ok(())
}

/// Whoever types it again because it seems to have failed would make a second one.
#[tokio::test]
async fn what_was_made_is_a_success_even_where_nobody_takes_the_words() -> Result<(), Failure> {
    let stage = Stage::new("deaf").await?;
    stage.planned("acme").await;
    for command in [format!("approve acme --yes --plan {HASH}"), "deny acme --reason no --yes".to_owned()] {
        let typed = format!("kubectl offboarding {command} -n {} > /dev/full", stage.namespace);
        let (code, told) = stage.types("bob", &typed, &[]).ends().await;
        assert_eq!(code, Some(0), "{command}: {told}");
        assert!(told.contains("kubectl delete coba"), "{command}: {told}");
    }
    assert_eq!(stage.approvals().await.len(), 2);
    Ok(())
}

#[tokio::test]
async fn color_is_only_for_a_terminal_that_wants_it() -> Result<(), Failure> {
    let stage = Stage::new("color").await?;
    stage.planned("acme").await;
    let plan = format!("kubectl offboarding plan acme -n {}", stage.namespace);
    let (_, colored) = stage.types("bob", &plan, &[]).ends().await;
    assert!(colored.contains("\u{1b}[1m\u{1b}[31mLIVE\u{1b}[0m"), "{colored:?}");
    let (_, plain) = stage.types("bob", &plan, &[("NO_COLOR", "1")]).ends().await;
    assert!(plain.contains("LIVE") && !plain.contains('\u{1b}'), "{plain:?}");
    let piped = stage.run("bob", &["plan", "acme"]).await;
    assert!(piped.stdout.contains("LIVE") && !(piped.stdout + &piped.stderr).contains('\u{1b}'));
    Ok(())
}

/// Row 17.
#[tokio::test]
async fn a_script_agrees_only_to_the_plan_that_it_has_read() -> Result<(), Failure> {
    let stage = Stage::new("script").await?;
    stage.planned("acme").await;
    let old = HASH.replace('1', "2");
    let said = stage.run("bob", &["approve", "acme", "--yes", "--plan", &old]).await;
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let read = format!("kubectl offboarding plan acme -n {}", stage.namespace);
    assert_eq!(said.stderr, format!("error: the plan is now {HASH}; read it again with `{read}`\n"));
    assert!(stage.approvals().await.is_empty());

    let said = stage.run("bob", &["approve", "acme", "--yes"]).await;
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    let said = stage.run("bob", &["approve", "acme", "--plan", HASH]).await;
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    assert!(
        said.stderr.contains("standard input is not a terminal; in scripts use --yes --plan HASH"),
        "{said:?}"
    );
    assert!(stage.approvals().await.is_empty());

    let said = stage.run("bob", &["approve", "acme", "--yes", "--plan", HASH, "--expires-in", "337h"]).await;
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    stage.provider("revolv3", "12h").await;
    let said = stage.run("bob", &["approve", "acme", "--yes", "--plan", HASH]).await;
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    assert!(said.stderr.contains("accepts approvals of at most 12h; type --expires-in 12h"), "{said:?}");
    assert!(stage.approvals().await.is_empty());
    let said = stage.run("bob", &["approve", "acme", "--yes", "--plan", HASH, "--expires-in", "12h"]).await;
    assert!(said.status.success() && said.stdout.ends_with(" created\n"), "{said:?}");
    assert_eq!(stage.approvals().await.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_selection_is_bound_item_by_item_or_printed() -> Result<(), Failure> {
    let stage = Stage::new("selected").await?;
    for name in ["acme", "globex"] {
        stage.planned(name).await;
    }
    stage.request("unseen", &[("cohort", "november")]).await;
    let yaml = stage.run("bob", &["approve", "-l", "cohort=november", "-o", "yaml"]).await;
    assert!(yaml.status.success(), "{yaml:?}");
    assert!(yaml.stderr.contains("left out: unseen has no plan yet"), "{yaml:?}");
    let object: Value = serde_saphyr::from_str(&yaml.stdout).unwrap();
    assert_eq!(object["kind"], "OffboardingApproval");
    assert_eq!(object["metadata"]["generateName"], "batch-");
    assert!(stage.approvals().await.is_empty(), "it was printed, not created");

    let approve = format!("kubectl offboarding approve -l cohort=november -n {}", stage.namespace);
    let mut terminal = stage.types("bob", &approve, &[]);
    terminal.sees(" to go on: ").await;
    terminal.types("acct-eu/2 requests");
    let (code, told) = terminal.ends().await;
    assert_eq!(code, Some(0), "{told}");
    let approvals = stage.approvals().await;
    let mut names: Vec<&str> = approvals[0].spec.items.iter().map(|it| it.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!((approvals.len(), names), (1, vec!["acme", "globex"]));

    let none = stage.run("bob", &["approve", "-l", "cohort=december", "--yes", "--plan", HASH]).await;
    assert_eq!(none.status.code(), Some(1), "{none:?}");
    assert!(none.stderr.contains("no unfinished request in namespace"), "{none:?}");
    Ok(())
}

#[tokio::test]
async fn more_than_500_items_are_refused_and_nothing_is_created() -> Result<(), Failure> {
    let stage = Stage::new("many").await?;
    let made = stream::iter(0..501).map(|n| {
        let stage = &stage;
        async move { stage.request(&format!("r-{n}"), &[("cohort", "all")]).await }
    });
    assert_eq!(made.buffer_unordered(16).count().await, 501);
    let said = stage.run("bob", &["approve", "-l", "cohort=all", "--yes", "--plan", HASH]).await;
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(said.stderr.contains("more than 500 requests match; one approval binds at most 500"), "{said:?}");
    assert!(stage.approvals().await.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_refusal_and_a_waiver_grant_nothing_else() -> Result<(), Failure> {
    let stage = Stage::new("others").await?;
    let request = stage.planned("acme").await;
    let said =
        stage.run("bob", &["waive", "acme", "--check", "billing/invoices", "--yes", "--plan", HASH]).await;
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(
        said.stderr.contains("has no blocking check billing/invoices\nit has billing/wallets"),
        "{said:?}"
    );
    let said =
        stage.run("bob", &["waive", "acme", "--check", "billing/wallets", "--yes", "--plan", HASH]).await;
    assert!(said.status.success(), "{said:?}");
    assert_eq!(stage.approvals().await[0].spec.grants, ["Waive:billing/wallets"]);

    let unseen = stage.request("unseen", &[]).await;
    let said = stage.run("carol", &["deny", "acme", "unseen", "--reason", "under dispute", "--yes"]).await;
    assert!(said.status.success(), "{said:?}");
    let approvals = stage.approvals().await;
    let refusal = approvals.iter().find(|it| it.spec.decision == ApprovalDecision::Deny).unwrap();
    let uids: Vec<_> = refusal.spec.items.iter().map(|it| Some(it.uid.clone())).collect();
    assert_eq!(uids, [request.metadata.uid, unseen.metadata.uid]);
    assert!(refusal.spec.items.iter().all(|it| it.plan_hash.is_none()), "{refusal:?}");
    assert!(refusal.spec.grants.is_empty() && refusal.spec.expires_at.is_none(), "{refusal:?}");
    assert_eq!(refusal.spec.reason.as_deref(), Some("under dispute"));
    Ok(())
}

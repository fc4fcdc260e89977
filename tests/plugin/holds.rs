//! Holds: made, listed and let go by legal; everything only after it was typed.

use harness::Failure;
use kube::Api;
use offboarding::api::{CustomerHold, HoldType, ProviderKind};

use crate::stage::Stage;

const REF: &str = "hmac:0badcafe:0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn a_hold_names_what_was_typed_and_goes_when_its_name_is_typed() -> Result<(), Failure> {
    let stage = Stage::new("holds").await?;
    let holds: Api<CustomerHold> = Api::all(stage.admin.clone());
    let args = [
        "hold",
        "create",
        "case-31",
        "--ref",
        REF,
        "--type",
        "Dispute",
        "--provider",
        "team/revolv3",
        "--reference",
        "Case 031/26",
        "--expires-in",
        "720h",
    ];
    let said = stage.run("erin", &args).await;
    assert!(said.status.success(), "{said:?}");
    let spec = holds.get("case-31").await.unwrap().spec;
    assert_eq!(
        (spec.kind, spec.all, spec.reference.as_deref()),
        (HoldType::Dispute, false, Some("Case 031/26"))
    );
    assert_eq!(spec.customers[0].reference.as_deref(), Some(REF));
    assert_eq!(
        (spec.providers[0].kind, spec.providers[0].name.as_str()),
        (ProviderKind::OffboardingProvider, "revolv3")
    );
    assert!(spec.expires_at.is_some());

    let listed = stage.run("erin", &["hold", "list"]).await.stdout;
    let row: Vec<&str> =
        listed.lines().find(|line| line.starts_with("case-31 ")).unwrap().split("   ").collect();
    assert!(row.iter().any(|cell| cell.trim() == REF), "{listed}");

    for (typed, code) in [("yes", 3), ("case-31", 0)] {
        let mut terminal = stage.types("erin", "kubectl offboarding hold release case-31", &[]);
        terminal.sees(" to go on: ").await;
        terminal.types(typed);
        assert_eq!(terminal.ends().await.0, Some(code), "{typed}");
        assert_eq!(holds.get_opt("case-31").await.unwrap().is_some(), code != 0);
    }
    Ok(())
}

#[tokio::test]
async fn everything_is_held_only_after_it_was_typed() -> Result<(), Failure> {
    let stage = Stage::new("everything").await?;
    let holds: Api<CustomerHold> = Api::all(stage.admin.clone());
    let create = "kubectl offboarding hold create freeze --all --type Freeze";
    for (typed, code) in [("freeze", 3), ("hold everything", 0)] {
        let mut terminal = stage.types("erin", create, &[]);
        terminal.sees(" to go on: ").await;
        terminal.types(typed);
        let (ended, told) = terminal.ends().await;
        assert_eq!(ended, Some(code), "{typed}: {told}");
        assert_eq!(holds.get_opt("freeze").await.unwrap().is_some(), code == 0);
    }
    assert!(stage.run("erin", &["hold", "list"]).await.stdout.contains("EVERYTHING"));
    let said = stage.run("erin", &["hold", "create", "--all", "--ref", REF]).await;
    assert_eq!(said.status.code(), Some(2), "{said:?}");
    let said = stage.run("erin", &["hold", "create", "--all"]).await;
    assert_eq!(said.status.code(), Some(2), "no terminal, no --yes: {said:?}");
    Ok(())
}

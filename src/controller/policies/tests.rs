use super::*;

const CREATED: &str = "2026-11-23T08:00:00Z";
const LATER: &str = "2026-11-24T08:00:00Z";

fn shipped() -> Vec<Value> {
    serde_saphyr::from_slice_multiple(SHIPPED.as_bytes()).unwrap()
}

/// As the server stores what users apply: with its own fields and with what it fills in.
fn stored(kind: &str, name: &str) -> Value {
    let mut object =
        shipped().into_iter().find(|it| it["kind"] == kind && it["metadata"]["name"] == name).unwrap();
    if kind == POLICY {
        object["spec"] = filled_in(&object["spec"]);
    }
    object["metadata"] = json!({ "name": name, "uid": "u", "creationTimestamp": CREATED, "generation": 1 });
    object
}

fn judge(kind: &str, name: &str, object: &Value) -> Judged {
    judged(&shipped(), kind, name, Ok(Some(serde_json::from_value(object.clone()).unwrap())))
}

fn at(moment: &str) -> Judged {
    Judged::AsShipped { since: moment.parse().unwrap() }
}

#[test]
fn what_users_apply_is_as_shipped() {
    for kind in [POLICY, BINDING] {
        for name in NAMES {
            assert_eq!(judge(kind, name, &stored(kind, name)), at(CREATED), "{kind} {name}");
        }
    }
}

#[test]
fn every_single_weakening_of_a_policy_is_seen() {
    for name in NAMES {
        let object = stored(POLICY, name);
        for (path, value) in [
            ("/spec/failurePolicy", json!("Ignore")),
            ("/spec/matchConstraints/matchPolicy", json!("Exact")),
            ("/spec/matchConstraints/namespaceSelector", json!({ "matchLabels": { "policed": "yes" } })),
            ("/spec/matchConstraints/objectSelector", json!({ "matchLabels": { "policed": "yes" } })),
            ("/spec/matchConstraints/resourceRules/0/scope", json!("Cluster")),
            ("/spec/matchConstraints/resourceRules/0/operations", json!(["CONNECT"])),
            ("/spec/matchConstraints/resourceRules/0/resources", json!(["somethingelse"])),
            ("/spec/matchConstraints/resourceRules/0/apiVersions", json!(["v1"])),
            ("/spec/matchConstraints/resourceRules/0/apiGroups", json!(["other.dev"])),
            ("/spec/matchConstraints/resourceRules/0/resourceNames", json!(["acme"])),
            ("/spec/matchConstraints/excludeResourceRules", json!([{ "apiGroups": ["*"] }])),
            ("/spec/matchConstraints", Value::Null),
            ("/spec/matchConditions", json!([{ "name": "never", "expression": "false" }])),
            ("/spec/validations", json!([])),
            ("/spec/paramKind", json!({ "apiVersion": "v1", "kind": "ConfigMap" })),
            ("/spec/aFieldOfANewerServer", json!(true)),
            ("/spec", Value::Null),
        ] {
            let mut weaker = object.clone();
            set(&mut weaker, path, value);
            assert_eq!(judge(POLICY, name, &weaker), Judged::Different, "{name} {path}");
        }
        for (list, words) in
            [("validations", "expression"), ("variables", "expression"), ("matchConditions", "expression")]
        {
            let count = object["spec"][list].as_array().map_or(0, Vec::len);
            for n in 0..count {
                let mut other = object.clone();
                other["spec"][list][n][words] = json!("true");
                assert_eq!(judge(POLICY, name, &other), Judged::Different, "{name} {list} {n}");
                let mut without = object.clone();
                without["spec"][list].as_array_mut().unwrap().remove(n);
                assert_eq!(judge(POLICY, name, &without), Judged::Different, "{name} without {list} {n}");
            }
        }
    }
}

#[test]
fn every_single_weakening_of_a_binding_is_seen() {
    for name in NAMES {
        for (path, value, due) in [
            ("/spec/validationActions", json!(["Audit", "Deny"]), at(CREATED)),
            ("/spec/validationActions", json!(["Deny"]), at(CREATED)),
            ("/spec/validationActions", json!(["Audit"]), Judged::Different),
            ("/spec/validationActions", json!(["Warn", "Audit"]), Judged::Different),
            ("/spec/validationActions", json!([]), Judged::Different),
            ("/spec/validationActions", json!("Deny"), Judged::Different),
            ("/spec/policyName", json!("evidence.offboarding.dev"), Judged::Different),
            ("/spec/matchResources", json!({}), Judged::Different),
            (
                "/spec/matchResources",
                json!({ "namespaceSelector": { "matchLabels": { "a": "b" } } }),
                Judged::Different,
            ),
            ("/spec/paramRef", json!({ "name": "a", "parameterNotFoundAction": "Allow" }), Judged::Different),
            ("/spec/aFieldOfANewerServer", json!(true), Judged::Different),
            ("/spec", Value::Null, Judged::Different),
        ] {
            let mut object = stored(BINDING, name);
            set(&mut object, path, value.clone());
            assert_eq!(judge(BINDING, name, &object), due, "{name} {path} {value}");
        }
    }
}

/// Weakened and mended again: the creation does not tell it, so the last write does.
#[test]
fn a_policy_counts_since_it_is_what_it_is() {
    let write = |time: &str, subresource: Option<&str>| json!({ "manager": "m", "operation": "Update", "time": time, "subresource": subresource });
    for (about, generation, writes, due) in [
        ("created and left alone", json!(1), json!([write(LATER, None)]), at(CREATED)),
        ("changed and changed back", json!(3), json!([write(CREATED, None), write(LATER, None)]), at(LATER)),
        (
            "the server's own status is no change",
            json!(3),
            json!([write(CREATED, None), write(LATER, Some("status"))]),
            at(CREATED),
        ),
        ("changed, nobody knows when", json!(3), json!([]), Judged::Different),
        ("changed, nobody knows how often", Value::Null, json!([]), Judged::Different),
    ] {
        let mut object = stored(POLICY, NAMES[0]);
        object["metadata"]["generation"] = generation;
        object["metadata"]["managedFields"] = writes;
        assert_eq!(judge(POLICY, NAMES[0], &object), due, "{about}");
    }
    let mut object = stored(POLICY, NAMES[0]);
    object["metadata"]["creationTimestamp"] = Value::Null;
    assert_eq!(judge(POLICY, NAMES[0], &object), Judged::Different, "no moment at all");
}

#[test]
fn who_does_not_answer_is_not_missing_and_who_is_forbidden_is() {
    for (answer, due) in [
        (Ok(None), Judged::Different),
        (Err(ApiError::Forbidden), Judged::Different),
        (Err(ApiError::Invalid), Judged::Different),
        (Err(ApiError::Unanswered), Judged::Unanswered),
    ] {
        assert_eq!(judged(&shipped(), POLICY, NAMES[0], answer), due);
    }
}

#[test]
fn the_weakest_of_all_decides_and_the_youngest_says_since_when() {
    let missing = |names: &[&str]| PolicyState::Missing(names.iter().map(|&it| it.to_owned()).collect());
    let since = |moment: &str| PolicyState::AsShipped { since: moment.parse().unwrap() };
    for (judged, due) in [
        (vec![("a", at(CREATED)), ("b", at(LATER)), ("c", at(CREATED))], since(LATER)),
        (vec![("a", at(CREATED)), ("b", Judged::Unanswered)], PolicyState::Unanswered),
        (
            vec![("a", Judged::Different), ("b", Judged::Unanswered), ("c", Judged::Different)],
            missing(&["a", "c"]),
        ),
        (vec![("a", Judged::Unanswered)], PolicyState::Unanswered),
        (vec![], PolicyState::Unanswered),
    ] {
        let judged = judged.into_iter().map(|(name, it)| (name.to_owned(), it)).collect();
        assert_eq!(state_of(judged), due);
    }
}

/// Sets what a JSON pointer names; the last step may be new.
fn set(object: &mut Value, path: &str, value: Value) {
    let (parent, field) = path.rsplit_once('/').unwrap();
    let parent = if parent.is_empty() { object } else { object.pointer_mut(parent).unwrap() };
    parent[field] = value;
}

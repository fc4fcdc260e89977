use super::*;

#[test]
fn every_built_in_profile_loads() {
    for (name, text) in BUILT_IN {
        let source: api::Profile = serde_saphyr::from_str(text).unwrap();
        let loaded =
            load(&source).map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(loaded.as_ref().map(|loaded| loaded.source().name.as_str()), Ok(name), "{loaded:?}");
    }
    assert_eq!(built_in_names(), ["juicyway", "revolv3"]);
}

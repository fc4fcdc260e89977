use super::*;
use crate::{
    api::Method,
    domain::Step,
    providers::fixtures::{base, credentials},
};

fn placement(place: Place) -> Placement {
    Placement { place, optional: false, expected: Expected::default() }
}

fn header(name: &'static str, value: &str) -> Place {
    Place::Header(HeaderName::from_static(name), SecretText::parse(value).unwrap())
}

fn placed(placements: &[Placement], credentials: &Credentials) -> Result<PreparedRequest, Failure> {
    let url = base("https://api.example.com/v1/x?a=1");
    let mut request =
        PreparedRequest { step: Step::look, method: Method::GET, url, headers: Vec::new(), body: None };
    place_all(placements, credentials, Environment::sandbox, &mut request).map(|()| request)
}

fn cause(result: Result<PreparedRequest, Failure>) -> Result<(), (Class, String)> {
    result.map(|_| ()).map_err(|failure| (failure.class, failure.cause.as_str().to_owned()))
}

#[test]
fn one_newline_at_the_end_of_a_credential_is_cut_off_and_nothing_else() {
    let long = "a".repeat(8 * 1024);
    let longer = "a".repeat(8 * 1024 + 1);
    for (value, kept) in [
        ("key", Some("key")),
        ("key\n", Some("key")),
        ("key\r\n", Some("key")),
        ("Bearer key", Some("Bearer key")),
        (" key ", Some(" key ")), // a provider that cares answers 401
        (&long, Some(&long)),
        (&longer, None),
        ("key\n\n", None),
        ("a\nb", None),
        ("a\rb", None),
        ("a\0b", None),
        ("a\tb", None),
        ("é", None),
        ("", None),
        ("\n", None),
        ("  ", None),
    ] {
        let values = BTreeMap::from([("token".to_owned(), value.as_bytes().to_vec())]);
        let credentials = Credentials::new(values, "v".to_owned());
        let found = credentials.as_ref().ok().and_then(|credentials| credentials.value("token"));
        assert_eq!(found, kept, "{value:?}");
        if kept.is_none() {
            assert_eq!(credentials.map(|_| ()), Err(Failure::new(Class::Auth, Cause::SecretInvalid)));
        }
    }
    let binary = BTreeMap::from([("token".to_owned(), vec![0xff, 0xfe])]);
    assert!(Credentials::new(binary, "v".to_owned()).is_err());
}

#[test]
fn credentials_print_their_names_only() {
    let printed = format!("{:?}", credentials(&[("token", "hunter2")]));
    assert!(printed.contains("token") && !printed.contains("hunter2"), "{printed}");
    let request =
        placed(&[placement(header("x-key", "{token}"))], &credentials(&[("token", "hunter2")])).unwrap();
    assert!(!format!("{request:?} {:?}", request.headers).contains("hunter2"));
}

#[test]
fn a_credential_stands_in_header_query_or_basic_authentication() {
    let text = |source: &str| SecretText::parse(source).unwrap();
    let placements = [
        placement(header("x-key", "Token {token}")),
        placement(Place::Query("api_key".to_owned(), text("{key}"))),
        placement(Place::Basic { username: text("{key}"), password: text("") }),
    ];
    let request = placed(&placements, &credentials(&[("token", "t"), ("key", "k&1")])).unwrap();
    assert_eq!(request.url.as_str(), "https://api.example.com/v1/x?a=1&api_key=k%261");
    let headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(headers, [("x-key", "Token t"), ("authorization", "Basic ayYxOg==")]);
    assert!(request.headers.iter().all(|(_, value)| value.is_sensitive()));
}

#[test]
fn a_missing_credential_sends_nothing_unless_it_is_optional() {
    let placements = [Placement { optional: true, ..placement(header("x-business", "{business}")) }];
    assert_eq!(placed(&placements, &credentials(&[("token", "t")])).unwrap().headers, []);
    assert_eq!(placed(&placements, &credentials(&[("business", "b")])).unwrap().headers.len(), 1);
    let missing = placed(&[placement(header("x-key", "{token}"))], &credentials(&[("other", "t")]));
    assert_eq!(cause(missing), Err((Class::Auth, "SecretUnavailable".to_owned())));
}

#[test]
fn a_credential_of_the_other_environment_is_found_without_a_call() {
    let expected = Expected {
        live: Some(Regex::new("^(Bearer )?live_").unwrap()),
        sandbox: Some(Regex::new("^(Bearer )?test_").unwrap()),
    };
    let placements = [Placement { expected, ..placement(header("authorization", "{token}")) }];
    let with = |token: &str| cause(placed(&placements, &credentials(&[("token", token)])));
    assert_eq!(with("test_1"), Ok(()));
    assert_eq!(with("Bearer test_1"), Ok(()));
    assert_eq!(with("live_1"), Err((Class::Auth, "EnvironmentMismatch".to_owned())));
    assert_eq!(with("other"), Err((Class::Auth, "EnvironmentMismatch".to_owned())));
}

#[test]
fn a_user_name_with_a_colon_is_refused() {
    let text = |source: &str| SecretText::parse(source).unwrap();
    let placements = [placement(Place::Basic { username: text("{key}"), password: text("") })];
    let refused = placed(&placements, &credentials(&[("key", "a:b")]));
    assert_eq!(cause(refused), Err((Class::Auth, "SecretInvalid".to_owned())));
}

#[test]
fn braces_hold_names_of_credentials() {
    for (source, good) in [
        ("{token}", true),
        ("Bearer {token}", true),
        ("{api-key_2}", true),
        ("none", true),
        ("{", false),
        ("}", false),
        ("{token", false),
        ("token}", false),
        ("{}", false),
        ("{{token}}", false),
        ("{customer.id}", false),
        ("a\nb", false),
    ] {
        assert_eq!(SecretText::parse(source).is_ok(), good, "{source}");
    }
}

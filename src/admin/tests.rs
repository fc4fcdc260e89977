use axum::http::HeaderValue;

use super::*;

#[test]
fn a_token_is_taken_from_one_header_of_one_form() {
    let headers = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    };
    let cases: [(&[&str], Option<&str>); 8] = [
        (&["Bearer abc.def"], Some("abc.def")),
        (&["bearer abc"], Some("abc")),
        (&["Bearer  abc "], Some("abc")),
        (&[], None),
        (&["Bearer"], None),
        (&["Bearer "], None),
        (&["Basic abc"], None),
        (&["Bearer abc", "Bearer def"], None),
    ];
    for (values, token) in cases {
        assert_eq!(bearer(&headers(values)), token, "{values:?}");
    }
}

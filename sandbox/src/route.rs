//! The documented endpoints of a provider as a table, and where a request falls in it.

use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::http::Request;

/// One row: a documented method and path, what it is, and the query keys the documents name.
pub struct Endpoint<R: 'static> {
    /// The documented method.
    pub method: &'static str,
    /// The path; `{}` stands for one segment, the id.
    pub path: &'static str,
    /// What the provider does for it.
    pub route: R,
    /// The documented query keys.
    pub query: &'static [&'static str],
}

/// Where a request falls in the table.
pub enum Place<R: 'static> {
    /// A documented endpoint, with the decoded id if its path has one.
    At { endpoint: &'static Endpoint<R>, id: Option<String> },
    /// A documented path under a method that it does not have.
    OtherMethod { id: Option<String> },
    /// No documented path.
    Nowhere,
}

/// Looks a path up; the first row that fits counts.
pub fn place<R>(table: &'static [Endpoint<R>], method: &str, path: &str) -> Place<R> {
    let mut on_path = None;
    for endpoint in table {
        let Some(id) = fit(endpoint.path, path) else { continue };
        if endpoint.method == method {
            return Place::At { endpoint, id };
        }
        on_path.get_or_insert(id);
    }
    on_path.map_or(Place::Nowhere, |id| Place::OtherMethod { id })
}

/// `Some(id)` if the path fits the pattern; the id is decoded once, as a server would.
fn fit(pattern: &str, path: &str) -> Option<Option<String>> {
    let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
    let mut id = None;
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(id),
            (Some("{}"), Some(segment)) if !segment.is_empty() => {
                id = Some(percent_decode_str(segment).decode_utf8_lossy().into_owned());
            }
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return None,
        }
    }
}

impl<R: Serialize> Place<R> {
    /// The name under which the ledger shows the endpoint.
    pub fn operation(&self) -> Option<String> {
        let Place::At { endpoint, .. } = self else { return None };
        serde_json::to_value(&endpoint.route).ok()?.as_str().map(str::to_owned)
    }

    /// Every way in which the request is not covered by the documents.
    pub fn deviations(&self, request: &Request, takes_body: impl Fn(&R) -> bool) -> Vec<String> {
        let endpoint = match self {
            Place::Nowhere => return vec!["unknown path".to_owned()],
            Place::OtherMethod { .. } => return vec![format!("method {}", request.method)],
            Place::At { endpoint, .. } => endpoint,
        };
        let mut found: Vec<String> = request
            .query_pairs()
            .into_iter()
            .filter(|(key, _)| !endpoint.query.contains(&key.as_str()))
            .map(|(key, _)| format!("query key {key}"))
            .collect();
        if !request.body.is_empty() && !takes_body(&endpoint.route) {
            found.push("body".to_owned());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Debug, PartialEq, Clone, Copy)]
    enum Shop {
        All,
        One,
        Top,
    }
    const TABLE: &[Endpoint<Shop>] = &[
        Endpoint { method: "GET", path: "/shops", route: Shop::All, query: &[] },
        Endpoint { method: "GET", path: "/shops/top", route: Shop::Top, query: &[] },
        Endpoint { method: "GET", path: "/shops/{}", route: Shop::One, query: &[] },
    ];

    #[test]
    fn a_path_is_looked_up_segment_by_segment() {
        for (method, path, expected) in [
            ("GET", "/shops", "All"),
            ("GET", "/shops/top", "Top"), // the row that comes first
            ("GET", "/shops/a%20b", "One a b"),
            ("GET", "/shops/", "nowhere"),
            ("GET", "//shops", "nowhere"),
            ("GET", "/shops/1/2", "nowhere"),
            ("PUT", "/shops/7", "other method 7"),
        ] {
            let seen = match place(TABLE, method, path) {
                Place::At { endpoint, id: None } => format!("{:?}", endpoint.route),
                Place::At { endpoint, id: Some(id) } => format!("{:?} {id}", endpoint.route),
                Place::OtherMethod { id } => format!("other method {}", id.unwrap_or_default()),
                Place::Nowhere => "nowhere".to_owned(),
            };
            assert_eq!(seen, expected, "{method} {path}");
        }
    }
}

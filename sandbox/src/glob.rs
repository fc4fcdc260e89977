//! Path patterns of faults and scripts: `*` within a segment, `**` across segments, `{customer}` for the
//! segment that names the customer.

/// What a pattern found in a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// The segment at `{customer}`.
    pub customer: Option<String>,
}

/// Fits a path, as sent, against a pattern.
pub fn fit(pattern: &str, path: &str) -> Option<Fit> {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    fit_segments(&pattern, &path)
}

fn fit_segments(pattern: &[&str], path: &[&str]) -> Option<Fit> {
    match (pattern, path) {
        ([], []) => Some(Fit::default()),
        (["**", rest @ ..], _) => (0..=path.len()).find_map(|skipped| fit_segments(rest, &path[skipped..])),
        (["{customer}", rest @ ..], [segment, others @ ..]) if !segment.is_empty() => {
            fit_segments(rest, others).map(|_| Fit { customer: Some((*segment).to_owned()) })
        }
        ([wanted, rest @ ..], [segment, others @ ..]) if fits_segment(wanted, segment) => {
            fit_segments(rest, others)
        }
        _ => None,
    }
}

fn fits_segment(wanted: &str, segment: &str) -> bool {
    let Some((start, rest)) = wanted.split_once('*') else { return wanted == segment };
    let Some(left) = segment.strip_prefix(start) else { return false };
    (0..=left.len()).any(|at| left.is_char_boundary(at) && fits_segment(rest, &left[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stay_within_a_segment_and_double_stars_do_not() {
        for (pattern, path, fits) in [
            ("/customers/*", "/customers/cus_1", true),
            ("/customers/*", "/customers/cus_1/more", false),
            ("/customers/cus_*", "/customers/usr_1", false),
            ("/**", "/api/Customers/1/invoices", true),
            ("/**/invoices", "/api/Customers/1/invoices", true),
            ("/**/invoices", "/api/Customers/1", false),
            ("**", "/anything", true),
            ("/a*c*e", "/abcde", true),
        ] {
            assert_eq!(fit(pattern, path).is_some(), fits, "{pattern} {path}");
        }
        assert_eq!(
            fit("/v1/customers/{customer}/x", "/v1/customers/c7/x"),
            Some(Fit { customer: Some("c7".to_owned()) })
        );
    }
}

//! The API server's counters, as Prometheus text.

use std::collections::BTreeMap;

/// A reading of `/metrics`. Two of them, subtracted, say what happened in between.
#[derive(Clone, Debug, PartialEq)]
pub struct Counters {
    samples: Vec<Sample>,
}

#[derive(Clone, Debug, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Counters {
    /// Reads the text format; comments and lines that are no sample are passed over.
    pub fn parse(text: &str) -> Counters {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Counters { samples: lines.filter_map(sample).collect() }
    }

    /// The sum over all samples of that name that carry all these labels; 0 if there is none.
    ///
    /// `counters.sum("apiserver_request_total", &[("verb", "POST"), ("resource", "leases")])`
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let carries = |sample: &&Sample| {
            sample.name == name
                && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|it| it == value))
        };
        self.samples.iter().filter(carries).map(|sample| sample.value).sum()
    }
}

/// `name{label="value",…} 12`
fn sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, labels(rest.strip_suffix('}')?)?),
        None => (series, BTreeMap::new()),
    };
    Some(Sample { name: name.to_owned(), labels, value: value.parse().ok()? })
}

/// `label="value",label="value"`; a value may hold commas, and quotes behind a backslash.
fn labels(mut text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (label, rest) = text.split_once("=\"")?;
        let (value, rest) = quoted(rest)?;
        labels.insert(label.to_owned(), value);
        text = rest.strip_prefix(',').unwrap_or(rest);
    }
    Some(labels)
}

/// What stands before the closing quote, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::Counters;

    const TEXT: &str = r#"# TYPE requests counter
requests{verb="GET",resource="pods"} 3
requests{verb="GET",resource="leases"} 4
requests{verb="PUT",resource="a,\"b\"",} 1e+01
up 1
"#;

    #[test]
    fn the_sum_is_over_all_samples_that_carry_the_labels() {
        let counters = Counters::parse(TEXT);
        for (name, labels, sum) in [
            ("requests", &[][..], 17.0),
            ("requests", &[("verb", "GET")], 7.0),
            ("requests", &[("verb", "GET"), ("resource", "leases")], 4.0),
            ("requests", &[("resource", "a,\"b\"")], 10.0),
            ("requests", &[("verb", "DELETE")], 0.0),
            ("up", &[], 1.0),
        ] {
            assert_eq!(counters.sum(name, labels), sum, "{name} {labels:?}");
        }
    }
}

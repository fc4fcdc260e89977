//! What is counted when it is asked for, and not when it happens: each scrape has figures of its own, so that no two are mixed.

use std::{borrow::Cow, time::Duration};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

use super::{Labels, catalogue::Described, catalogue::Type, unit_of};

/// One metric at a moment.
#[derive(Debug)]
pub struct Figure {
    of: &'static Described,
    series: Vec<(Labels, Number)>,
}

/// A number as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Whole(i64),
    Real(f64),
}

impl From<usize> for Number {
    fn from(count: usize) -> Self {
        Number::Whole(i64::try_from(count).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Number {
    fn from(yes: bool) -> Self {
        Number::Whole(i64::from(yes))
    }
}

impl From<Duration> for Number {
    fn from(length: Duration) -> Self {
        Number::Real(length.as_secs_f64())
    }
}

impl Figure {
    /// A metric without any series yet.
    #[must_use]
    pub fn of(of: &'static Described) -> Self {
        Self { of, series: Vec::new() }
    }

    /// A metric without labels.
    #[must_use]
    pub fn alone(of: &'static Described, number: impl Into<Number>) -> Self {
        Self { of, series: vec![(Vec::new(), number.into())] }
    }

    /// One more series: the values of its labels, in the order in which the metric has them.
    #[must_use]
    pub fn with<V: Into<Cow<'static, str>>>(
        mut self,
        values: impl IntoIterator<Item = V>,
        number: impl Into<Number>,
    ) -> Self {
        let names = self.of.labels.iter().map(|label| label.name);
        self.series.push((names.zip(values.into_iter().map(Into::into)).collect(), number.into()));
        self
    }
}

/// All figures of one scrape.
#[derive(Debug)]
pub(super) struct Figures(pub(super) Vec<Figure>);

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        for Figure { of, series } in self.0.iter().filter(|figure| !figure.series.is_empty()) {
            let (name, unit) = unit_of(of);
            let kind = if of.kind == Type::Counter { MetricType::Counter } else { MetricType::Gauge };
            let meaning = format!("{}.", of.meaning);
            let mut metric = encoder.encode_descriptor(name, &meaning, unit.as_ref(), kind)?;
            for (labels, number) in series {
                if labels.is_empty() {
                    write(&mut metric, kind, *number)?;
                } else {
                    write(&mut metric.encode_family(labels)?, kind, *number)?;
                }
            }
        }
        Ok(())
    }
}

fn write(metric: &mut MetricEncoder<'_>, kind: MetricType, number: Number) -> Result<(), std::fmt::Error> {
    match (kind, number) {
        (MetricType::Counter, Number::Real(real)) => {
            metric.encode_counter::<NoLabelSet, f64, f64>(&real, None)
        }
        (MetricType::Counter, Number::Whole(whole)) => {
            metric.encode_counter::<NoLabelSet, u64, u64>(&whole.unsigned_abs(), None)
        }
        (_, Number::Real(real)) => metric.encode_gauge(&real),
        (_, Number::Whole(whole)) => metric.encode_gauge(&whole),
    }
}

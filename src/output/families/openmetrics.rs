//! OpenMetrics 1.0 text (<https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>).

use std::fmt::Write as _;
use std::time::UNIX_EPOCH;

use prometheus::proto::{LabelPair, Metric, MetricType};

use super::{Exemplar, Family, More};

/// Units that end a name; with `# UNIT` a name has to.
const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];

pub(super) fn encode(families: impl Iterator<Item = Family>) -> String {
    let mut page = String::with_capacity(16 << 10);
    for family in families {
        put(&family, &mut page);
    }
    page.push_str("# EOF\n");
    page
}

fn put(family: &Family, page: &mut String) {
    let plain = &family.plain;
    let counter = plain.get_field_type() == MetricType::COUNTER;
    // A counter's family is called without the suffix of its samples.
    let name = if counter {
        plain.name().trim_end_matches("_total")
    } else {
        plain.name()
    };
    let kind = match plain.get_field_type() {
        MetricType::COUNTER => "counter",
        MetricType::HISTOGRAM => "histogram",
        _ => "gauge",
    };
    // Writing to a string does not fail.
    let _ = writeln!(page, "# TYPE {name} {kind}");
    for unit in UNITS {
        if name.ends_with(unit)
            && name.len() > unit.len() + 1
            && name.as_bytes()[name.len() - unit.len() - 1] == b'_'
        {
            let _ = writeln!(page, "# UNIT {name} {unit}");
        }
    }
    let _ = writeln!(page, "# HELP {name} {}", escaped(plain.help()));
    let none = More::default();
    for (at, metric) in plain.get_metric().iter().enumerate() {
        let labels = metric.get_label();
        match plain.get_field_type() {
            MetricType::COUNTER => sample(
                page,
                name,
                "_total",
                labels,
                None,
                metric.get_counter().get_value(),
            ),
            MetricType::HISTOGRAM => histogram(page, name, metric, family.more.get(at).unwrap_or(&none)),
            _ => sample(page, name, "", labels, None, metric.get_gauge().get_value()),
        }
    }
}

fn histogram(page: &mut String, name: &str, metric: &Metric, more: &More) {
    let (labels, histogram) = (metric.get_label(), metric.get_histogram());
    let mut exemplars = more.exemplars.iter().peekable();
    let bounded = histogram
        .get_bucket()
        .iter()
        .map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
    for (bound, count) in bounded.chain([(f64::INFINITY, histogram.get_sample_count())]) {
        sample(page, name, "_bucket", labels, Some(bound), count as f64);
        if let Some(exemplar) = exemplars.next_if(|it| it.value <= bound) {
            page.pop();
            put_exemplar(page, exemplar);
        }
    }
    sample(
        page,
        name,
        "_count",
        labels,
        None,
        histogram.get_sample_count() as f64,
    );
    sample(page, name, "_sum", labels, None, histogram.get_sample_sum());
}

fn sample(page: &mut String, name: &str, suffix: &str, labels: &[LabelPair], bound: Option<f64>, value: f64) {
    page.push_str(name);
    page.push_str(suffix);
    if !labels.is_empty() || bound.is_some() {
        let mut between = '{';
        for label in labels {
            let _ = write!(page, "{between}{}=\"{}\"", label.name(), escaped(label.value()));
            between = ',';
        }
        if let Some(bound) = bound {
            let _ = write!(page, "{between}le=\"{}\"", Number(bound));
        }
        page.push('}');
    }
    let _ = writeln!(page, " {}", Number(value));
}

fn put_exemplar(page: &mut String, exemplar: &Exemplar) {
    let at = exemplar.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let _ = writeln!(
        page,
        " # {{trace_id=\"{}\",span_id=\"{}\"}} {} {}.{:03}",
        exemplar.trace_id,
        exemplar.span_id,
        Number(exemplar.value),
        at.as_secs(),
        at.subsec_millis()
    );
}

/// A number as the format writes it; bounds always have a decimal point.
pub(super) struct Number(pub(super) f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            infinite if infinite == f64::INFINITY => f.write_str("+Inf"),
            infinite if infinite == f64::NEG_INFINITY => f.write_str("-Inf"),
            nan if nan.is_nan() => f.write_str("NaN"),
            number => write!(f, "{number:?}"),
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('"', "\\\"")
}

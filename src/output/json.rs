//! The JSON line format of `--out json=`: a `Metric` line before the first `Point` of each metric, a `Point` for each
//! sample, with metadata where there is any. Everything but time and value is rendered once per metric or tag set and copied
//! from then on.

use std::io::Write as _;
use std::sync::Arc;

use serde_json::json;

use crate::metrics::{Batch, Epoch, Filter, MetricId, Registry, TagSet, TagsId, ThresholdSpec, builtin};

use super::file::Format;
use super::tails::Tails;
use super::text::{Clock, push_f32, push_f64};

/// See the module.
pub(super) struct JsonFormat {
    registry: Arc<Registry>,
    clock: Clock,
    thresholds: Vec<ThresholdSpec>,
    /// By metric: the start of its points, up to the time.
    metrics: Vec<Option<Vec<u8>>>,
    /// The ends of points, from the tags on.
    tails: Tails,
}

impl JsonFormat {
    pub(super) fn new(registry: Arc<Registry>, epoch: Epoch, thresholds: &[ThresholdSpec]) -> JsonFormat {
        JsonFormat {
            tails: Tails::new(registry.clone(), render_tail),
            registry,
            clock: Clock::new(epoch),
            thresholds: thresholds.to_vec(),
            metrics: Vec::new(),
        }
    }

    /// `about` is tags and metadata.
    fn point(
        &mut self,
        metric: MetricId,
        about: (TagsId, Option<&TagSet>),
        at: u64,
        text: &mut Vec<u8>,
        value: impl FnOnce(&mut Vec<u8>),
    ) {
        let index = usize::from(metric.0);
        if self.metrics.get(index).is_none_or(Option::is_none) {
            self.define(metric, text);
        }
        if let Some(Some(start)) = self.metrics.get(index) {
            text.extend_from_slice(start);
        }
        self.clock.push_rfc3339(at, text);
        text.extend_from_slice(b"\",\"value\":");
        value(text);
        text.extend_from_slice(self.tails.of(about.0, about.1));
    }

    /// The `Metric` line, as the dialect writes it: with its thresholds, and the sub-metrics that thresholds name.
    fn define(&mut self, metric: MetricId, text: &mut Vec<u8>) {
        let definition = self.registry.definition(metric);
        let own = self
            .thresholds
            .iter()
            .filter(|spec| *spec.filter.metric == *definition.name);
        let (whole, parts): (Vec<&ThresholdSpec>, Vec<&ThresholdSpec>) =
            own.partition(|spec| spec.filter.tags.is_empty());
        let mut filters: Vec<Filter> = Vec::new();
        for spec in parts {
            if !filters.contains(&spec.filter) {
                filters.push(spec.filter.clone());
            }
        }
        for filter in self.registry.kept() {
            let wanted = *filter.metric == *definition.name && !filter.tags.is_empty();
            if wanted && !filters.contains(&filter) {
                filters.push(filter);
            }
        }
        // The dialect always keeps this one, for the summary.
        let expected = Filter {
            tags: vec![("expected_response".to_owned(), "true".to_owned())],
            ..Filter::whole(&*definition.name)
        };
        if metric == builtin::HTTP_REQ_DURATION && !filters.contains(&expected) {
            filters.push(expected);
        }
        let submetrics: Vec<serde_json::Value> = filters
            .iter()
            .map(|filter| {
                let name = filter.to_string();
                let suffix = name
                    .split_once('{')
                    .map_or("", |(_, suffix)| suffix.strip_suffix('}').unwrap_or(suffix));
                let tags: serde_json::Map<String, serde_json::Value> = filter
                    .tags
                    .iter()
                    .map(|(key, value)| (key.clone(), json!(value)))
                    .collect();
                json!({"name": name, "suffix": suffix, "tags": tags})
            })
            .collect();
        let thresholds: Vec<&str> = whole.iter().map(|spec| spec.expression.source.as_str()).collect();
        let line = json!({
            "type": "Metric",
            "data": {
                "name": &*definition.name,
                "type": definition.kind.as_str(),
                "contains": definition.contains.as_str(),
                "thresholds": thresholds,
                "submetrics": if submetrics.is_empty() { serde_json::Value::Null } else { submetrics.into() },
            },
            "metric": &*definition.name,
        });
        let _ = writeln!(text, "{line}");
        let index = usize::from(metric.0);
        if self.metrics.len() <= index {
            self.metrics.resize_with(index + 1, || None);
        }
        // A metric's name is letters, digits and `_`: nothing to escape.
        let start = format!(
            "{{\"metric\":\"{}\",\"type\":\"Point\",\"data\":{{\"time\":\"",
            definition.name
        );
        self.metrics[index] = Some(start.into_bytes());
    }
}

fn render_tail(tags: &TagSet, metadata: &TagSet) -> Box<[u8]> {
    let object = |pairs: &TagSet| {
        let pairs = pairs.iter().map(|(key, value)| (key.to_owned(), json!(value)));
        serde_json::Value::Object(pairs.collect())
    };
    let metadata = if metadata.is_empty() {
        String::new()
    } else {
        format!(",\"metadata\":{}", object(metadata))
    };
    format!(",\"tags\":{}{metadata}}}}}\n", object(tags))
        .into_bytes()
        .into()
}

impl Format for JsonFormat {
    fn header(&mut self, _: &mut Vec<u8>) {}

    fn anew(&mut self) {
        // The definitions may have been in it.
        self.metrics.clear();
    }

    fn batch(&mut self, batch: &Batch, text: &mut Vec<u8>) {
        for (record, metadata) in batch.http_remarks.of(&batch.http) {
            let about = (record.tags, metadata);
            self.point(builtin::HTTP_REQS, about, record.at, text, |text| {
                text.push(b'1');
            });
            for (metric, value) in builtin::HTTP_TRENDS.into_iter().zip(record.phases()) {
                self.point(metric, about, record.at, text, |text| push_f32(text, value));
            }
            if let Some(failed) = record.failed {
                let value = if failed { b'1' } else { b'0' };
                self.point(builtin::HTTP_REQ_FAILED, about, record.at, text, |text| {
                    text.push(value);
                });
            }
        }
        for (sample, metadata) in batch.remarks.of(&batch.samples) {
            let about = (sample.tags, metadata);
            self.point(sample.metric, about, sample.at, text, |text| {
                push_f64(text, sample.value);
            });
        }
    }
}

#[cfg(test)]
mod tests;

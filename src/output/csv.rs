//! The CSV format of `--out csv=`: one row per sample, a column per indexed system tag, the script's own tags together
//! in `extra_tags`; the tags that are different for every sample (`vu`, `iter`) and the script's metadata in `metadata`.

use std::io::Write as _;
use std::sync::Arc;

use crate::metrics::{Batch, Epoch, MetricId, Registry, SystemTag, TagSet, TagsId, builtin};

use super::file::Format;
use super::tails::{Tails, is_metadata};
use super::text::Clock;

/// See the module.
pub(super) struct CsvFormat {
    registry: Arc<Registry>,
    clock: Clock,
    /// The enabled system tags that have a column, in alphabetical order.
    columns: Vec<&'static str>,
    names: Vec<Option<Box<[u8]>>>,
    /// The ends of rows, from the comma after the value on.
    tails: Tails,
}

impl CsvFormat {
    pub(super) fn new(registry: Arc<Registry>, epoch: Epoch) -> CsvFormat {
        let mut columns: Vec<&str> = registry
            .system_tags()
            .iter()
            .map(SystemTag::as_str)
            .filter(|key| !is_metadata(key))
            .collect();
        columns.sort_unstable();
        let known = columns.clone();
        CsvFormat {
            tails: Tails::new(registry.clone(), move |tags, metadata| {
                tail(tags, metadata, &known)
            }),
            registry,
            clock: Clock::new(epoch),
            columns,
            names: Vec::new(),
        }
    }

    /// `about` is tags and metadata.
    fn row(
        &mut self,
        metric: MetricId,
        about: (TagsId, Option<&TagSet>),
        at: u64,
        value: f64,
        text: &mut Vec<u8>,
    ) {
        let index = usize::from(metric.0);
        if self.names.len() <= index {
            self.names.resize_with(index + 1, || None);
        }
        let name =
            self.names[index].get_or_insert_with(|| self.registry.definition(metric).name.as_bytes().into());
        text.extend_from_slice(name);
        text.push(b',');
        // Writing to a vector cannot fail, here and below.
        let _ = write!(text, "{},{value:.6},", self.clock.unix_seconds(at));
        text.extend_from_slice(self.tails.of(about.0, about.1));
    }
}

fn tail(tags: &TagSet, metadata: &TagSet, columns: &[&str]) -> Box<[u8]> {
    // What has a column is not said again.
    let joined = |pairs: &TagSet| {
        let pairs = pairs.iter().filter(|(key, _)| !columns.contains(key));
        let pairs: Vec<String> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
        pairs.join("&")
    };
    let (extra, metadata) = (joined(tags), joined(metadata));
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let fields = columns.iter().map(|key| tags.get(key).unwrap_or(""));
    let written = writer.write_record(fields.chain([extra.as_str(), metadata.as_str()]));
    debug_assert!(
        written.is_ok(),
        "a vector takes a record of any length: {written:?}"
    );
    writer.into_inner().unwrap_or_default().into()
}

impl Format for CsvFormat {
    fn anew(&mut self) {}

    fn header(&mut self, text: &mut Vec<u8>) {
        text.extend_from_slice(b"metric_name,timestamp,metric_value,");
        for column in &self.columns {
            text.extend_from_slice(column.as_bytes());
            text.push(b',');
        }
        text.extend_from_slice(b"extra_tags,metadata\n");
    }

    fn batch(&mut self, batch: &Batch, text: &mut Vec<u8>) {
        for (record, metadata) in batch.http_remarks.of(&batch.http) {
            let about = (record.tags, metadata);
            self.row(builtin::HTTP_REQS, about, record.at, 1.0, text);
            for (metric, value) in builtin::HTTP_TRENDS.into_iter().zip(record.phases()) {
                self.row(metric, about, record.at, f64::from(value), text);
            }
            if let Some(failed) = record.failed {
                self.row(
                    builtin::HTTP_REQ_FAILED,
                    about,
                    record.at,
                    f64::from(u8::from(failed)),
                    text,
                );
            }
        }
        for (sample, metadata) in batch.remarks.of(&batch.samples) {
            let about = (sample.tags, metadata);
            self.row(sample.metric, about, sample.at, sample.value, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant, SystemTime};

    use super::*;
    use crate::metrics::{Recorder, SystemTags};

    fn render(tags: SystemTags, pairs: &[(&str, &str)]) -> String {
        let registry = Registry::new(tags);
        let recorder = Recorder::new(registry.clone(), 0);
        let id = registry.intern(&TagSet::from_pairs(pairs.iter().copied()));
        recorder.add(builtin::HTTP_REQ_DURATION, id, 1_999_999_999, 0.309_655);
        let epoch = Epoch {
            instant: Instant::now(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1000),
        };
        let mut format = CsvFormat::new(registry, epoch);
        let mut text = Vec::new();
        format.header(&mut text);
        format.batch(&recorder.drain(), &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn the_header_and_a_row() {
        let text = render(
            SystemTags::default(),
            &[
                ("scenario", "default"),
                ("status", "200"),
                ("check", "is, \"ok\""),
                ("mine", "1"),
                ("other", "2"),
            ],
        );
        assert_eq!(
            text,
            "metric_name,timestamp,metric_value,check,error,error_code,expected_response,group,method,name,proto,\
             scenario,service,status,subproto,tls_version,url,extra_tags,metadata\n\
             http_req_duration,1001,0.309655,\"is, \"\"ok\"\"\",,,,,,,,default,,200,,,,mine=1&other=2,\n"
        );
    }

    #[test]
    fn what_a_script_notes_is_metadata() {
        let registry = Registry::new(SystemTags::parse(["vu", "status"]).unwrap());
        let recorder = Recorder::new(registry.clone(), 0);
        let id = registry.intern(&TagSet::from_pairs([("vu", "3"), ("mine", "1")]));
        let noted = TagSet::from_pairs([("trace", "t,1"), ("status", "has a column")]);
        for metadata in [Some(noted), None] {
            recorder.remark(metadata);
            recorder.add(builtin::ITERATIONS, id, 0, 1.0);
        }
        let (mut format, mut text) = (CsvFormat::new(registry, Epoch::now()), Vec::new());
        format.batch(&recorder.drain(), &mut text);
        let text = String::from_utf8(text).unwrap();
        let ends: Vec<&str> = text
            .lines()
            .map(|line| line.split_once(".000000,").unwrap().1)
            .collect();
        assert_eq!(ends, [",mine=1,\"trace=t,1&vu=3\"", ",mine=1,vu=3"]);
    }

    #[test]
    fn tags_of_single_samples_are_metadata() {
        let text = render(
            SystemTags::parse(["vu", "iter", "status"]).unwrap(),
            &[("vu", "3"), ("iter", "9")],
        );
        assert_eq!(
            text,
            "metric_name,timestamp,metric_value,status,extra_tags,metadata\nhttp_req_duration,1001,0.309655,,,iter=9&vu=3\n"
        );
    }
}

//! Tests of the file outputs: what is written, and what happens when it cannot be.

use std::fs::File;
use std::io::Read;

use super::*;
use crate::metrics::{Recorder, SystemTags, TagsId, builtin};

fn batch(recorder: &Recorder, samples: u64) -> Arc<Batch> {
    for at in 0..samples {
        recorder.add(builtin::ITERATIONS, TagsId::EMPTY, at, 1.0);
    }
    Arc::new(recorder.drain())
}

fn open(spec: &str) -> (FileOutput, Recorder) {
    let registry = Registry::new(SystemTags::default());
    let recorder = Recorder::new(registry.clone(), 0);
    (
        FileOutput::open(&spec.parse().unwrap(), registry, Epoch::now(), &[]).unwrap(),
        recorder,
    )
}

#[test]
fn specs_are_read_and_unknown_ones_say_what_there_is() {
    assert_eq!("json".parse::<OutputSpec>().unwrap().path, None);
    let spec: OutputSpec = "csv=out/a=b.csv".parse().unwrap();
    assert_eq!(
        (spec.kind, spec.path),
        (OutputKind::Csv, Some(PathBuf::from("out/a=b.csv")))
    );
    let error = "influxdb=http://x".parse::<OutputSpec>().unwrap_err().to_string();
    assert!(
        error.contains("influxdb") && error.contains("json=FILE"),
        "{error}"
    );
}

#[test]
fn a_file_that_cannot_be_created_is_an_error_before_the_run() {
    let spec: OutputSpec = "json=/nonexistent/dir/x.json".parse().unwrap();
    let error = FileOutput::open(&spec, Registry::new(SystemTags::default()), Epoch::now(), &[]).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/dir/x.json"), "{error}");
}

#[test]
fn everything_queued_is_written_plain_and_compressed() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["a.json", "a.json.gz", "a.csv", "a.csv.gz"] {
        let path = dir.path().join(file);
        let kind = if file.contains("json") { "json" } else { "csv" };
        let (output, recorder) = open(&format!("{kind}={}", path.display()));
        for _ in 0..20 {
            output.send(&batch(&recorder, 50));
        }
        let end = output.finish();
        assert_eq!((end.written, end.lost, end.reason), (1000, 0, None), "{file}");
        let mut text = String::new();
        let mut bytes = File::open(&path).unwrap();
        if file.ends_with("gz") {
            flate2::read::GzDecoder::new(bytes)
                .read_to_string(&mut text)
                .unwrap();
        } else {
            bytes.read_to_string(&mut text).unwrap();
        }
        assert_eq!(
            text.lines().count(),
            1001,
            "{file}: a definition or header, and a line for each"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_counted_and_does_not_stop_anything() {
    for spec in ["json=/dev/full", "csv=/dev/full"] {
        let (output, recorder) = open(spec);
        for _ in 0..5 {
            output.send(&batch(&recorder, 10));
        }
        let end = output.finish();
        assert_eq!((end.written, end.lost), (0, 50), "{spec}");
        assert!(end.reason.unwrap().contains("No space left"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_a_compressed_file_is_counted_too() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("full.gz");
    std::os::unix::fs::symlink("/dev/full", &link).unwrap();
    let (output, recorder) = open(&format!("json={}", link.display()));
    output.send(&batch(&recorder, 10));
    let end = output.finish();
    assert_eq!((end.written, end.lost), (0, 10));
}

#[test]
fn a_queue_that_is_full_loses_instead_of_waiting() {
    struct Slow(Receiver<()>);
    impl Format for Slow {
        fn header(&mut self, _: &mut Vec<u8>) {}
        fn anew(&mut self) {}
        fn batch(&mut self, _: &Batch, _: &mut Vec<u8>) {
            let _ = self.0.recv();
        }
    }
    let registry = Registry::new(SystemTags::default());
    let recorder = Recorder::new(registry, 0);
    let (go, wait) = channel();
    let path = tempfile::NamedTempFile::new().unwrap();
    let sink = Sink::File(path.reopen().unwrap(), 0, path.path().to_owned());
    let output = FileOutput::start("slow".to_owned(), Box::new(Slow(wait)), sink, None).unwrap();
    output.send(&batch(&recorder, MAX_QUEUED));
    output.send(&batch(&recorder, 7));
    assert_eq!(output.lost(), 7);
    drop(go);
    assert_eq!(output.finish().written, MAX_QUEUED);
}

/// A file that refuses its first write and then takes everything: the disk had room again.
#[test]
fn what_is_said_once_is_said_again_after_a_failure() {
    for (kind, once) in [("csv", "metric_name,"), ("json", "{\"type\":\"Metric\"")] {
        let registry = Registry::new(SystemTags::default());
        let recorder = Recorder::new(registry.clone(), 0);
        let mut format: Box<dyn Format> = match kind {
            "csv" => Box::new(CsvFormat::new(registry, Epoch::now())),
            _ => Box::new(JsonFormat::new(registry, Epoch::now(), &[])),
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        // Opened for reading only: writes fail.
        let broken = Sink::File(File::open(file.path()).unwrap(), 0, file.path().to_owned());
        let mut writer = Writer {
            name: kind.to_owned(),
            sink: broken,
            rotation: None,
            told: false,
            counts: Arc::new(Counts::default()),
            unsafe_samples: 0,
            text_since: 0,
        };
        let mut text = Vec::new();
        format.header(&mut text);
        format.batch(&batch(&recorder, 3), &mut text);
        assert!(!writer.write(&text, 3));
        format.anew();
        writer.sink = Sink::File(file.reopen().unwrap(), 0, file.path().to_owned());
        let (queue, feed) = channel();
        queue.send(batch(&recorder, 2)).unwrap();
        drop(queue);
        writer.run(format, &feed);
        let written = std::fs::read_to_string(file.path()).unwrap();
        assert!(written.starts_with(once), "{written}");
        assert_eq!(written.lines().count(), 3);
    }
}

/// All samples are in the files, each of which can be read by itself; and there are never more of them than was said.
#[test]
fn a_file_that_has_grown_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.json", "b.csv", "c.json.gz", "d.csv.gz"] {
        let path = dir.path().join(name);
        let kind = if name.contains("json") { "json" } else { "csv" };
        let registry = Registry::new(SystemTags::default());
        let recorder = Recorder::new(registry.clone(), 0);
        let mut spec: OutputSpec = format!("{kind}={}", path.display()).parse().unwrap();
        spec.rotation = Some("64kB:100".parse().unwrap());
        let output = FileOutput::open(&spec, registry, Epoch::now(), &[]).unwrap();
        for index in 0..400 {
            // Not to be compressed to nothing.
            let noise = format!("{:016x}", fastrand::u64(..));
            let tags = crate::metrics::TagSet::from_pairs([("noise", noise.as_str())]);
            let tags = recorder.registry().intern(&tags);
            for at in 0..50 {
                recorder.add(
                    builtin::ITERATIONS,
                    tags,
                    index * 1_000_000 + at * 7919,
                    fastrand::f64(),
                );
            }
            output.send(&Arc::new(recorder.drain()));
        }
        let end = output.finish();
        assert_eq!((end.written, end.lost), (20_000, 0), "{name}");
        let mut samples = 0;
        let mut files = 0;
        for number in 0..100 {
            let path = match number {
                0 => path.clone(),
                _ => Rotation::numbered(&path, number),
            };
            let Ok(mut file) = File::open(&path) else { break };
            let mut text = String::new();
            if name.ends_with("gz") {
                flate2::read::GzDecoder::new(file)
                    .read_to_string(&mut text)
                    .unwrap();
            } else {
                file.read_to_string(&mut text).unwrap();
            }
            let first = text.lines().next().unwrap();
            assert!(
                first.starts_with("metric_name,") || first.contains("\"type\":\"Metric\""),
                "{}: {first}",
                path.display()
            );
            samples += text.lines().count() - 1;
            files += 1;
        }
        assert_eq!(samples, 20_000, "{name}");
        assert!(files > 1, "{name}: {files} files");
    }
}

#[test]
fn the_disk_has_no_more_than_the_files_that_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("samples.json");
    let registry = Registry::new(SystemTags::default());
    let recorder = Recorder::new(registry.clone(), 0);
    let mut spec: OutputSpec = format!("json={}", path.display()).parse().unwrap();
    spec.rotation = Some("64kB:2".parse().unwrap());
    let output = FileOutput::open(&spec, registry, Epoch::now(), &[]).unwrap();
    for _ in 0..200 {
        output.send(&batch(&recorder, 100));
    }
    assert_eq!(output.finish().lost, 0);
    let sizes: Vec<u64> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .collect();
    // A batch is written whole: a file may be larger by one.
    assert!(
        sizes.len() == 3 && sizes.iter().all(|size| *size < 90_000),
        "{sizes:?}"
    );
}

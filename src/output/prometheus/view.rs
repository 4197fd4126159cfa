//! The load's own families: requests, iterations, checks, data, and the generator about itself. Each sums the rows of a
//! metric over all tags but its labels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crate::metrics::{self, MetricId, Row, TagSet, Trend, Value, builtin};

use super::super::families::{Buckets, Exemplar, Families, Labels, labels};
use super::{Page, own};

/// The rows of a page's snapshot; none before the first one.
pub(super) struct View<'a> {
    pub(super) page: &'a Page,
    pub(super) rows: &'a [Row],
}

impl View<'_> {
    /// The rows of a metric with their tags.
    fn rows(&self, metric: MetricId) -> impl Iterator<Item = (Arc<TagSet>, &Value)> {
        self.rows
            .iter()
            .filter(move |row| row.metric == metric)
            .filter_map(|row| {
                self.page
                    .snapshot
                    .as_ref()
                    .map(|snapshot| (snapshot.tags(row), &row.value))
            })
    }

    /// One zero for every scenario, under labels of which only the first, `scenario`, is known yet.
    fn zeros<T>(&self, width: usize, zero: &T) -> BTreeMap<Labels, T>
    where
        T: Clone,
    {
        let labels = |scenario: &String| {
            let mut labels = vec![String::new(); width];
            labels[0].clone_from(scenario);
            (labels, zero.clone())
        };
        self.page.info.scenarios.iter().map(labels).collect()
    }

    /// A counter, summed over all tags but `keys` (of which the first is `scenario`).
    fn counter(
        &self,
        families: &mut Families,
        name: &str,
        help: &str,
        metric: MetricId,
        keys: &[(&str, &str)],
    ) {
        let mut sums = self.zeros(keys.len(), &0.0);
        for (tags, value) in self.rows(metric) {
            if let Value::Counter { total } = value
                && (*total != 0.0 || sums.is_empty())
            {
                *sums.entry(pick(&tags, keys)).or_insert(0.0) += total;
            }
        }
        emit(sums, keys, |pairs, value| {
            families.counter(name, help, pairs, value);
        });
    }

    fn histogram(
        &self,
        families: &mut Families,
        name: &str,
        help: &str,
        metric: MetricId,
        keys: &[(&str, &str)],
    ) {
        let mut sums = self.zeros(keys.len(), &Buckets::seconds());
        self.add_trends(metric, |tags, trend| {
            sums.entry(pick(tags, keys))
                .or_insert_with(Buckets::seconds)
                .add(trend);
        });
        emit(sums, keys, |pairs, value| {
            families.histogram(name, help, pairs, &value);
        });
    }

    fn add_trends(&self, metric: MetricId, mut add: impl FnMut(&TagSet, &Trend)) {
        for (tags, value) in self.rows(metric) {
            if let Value::Trend(trend) = value {
                add(&tags, trend);
            }
        }
    }

    pub(super) fn http(&self, families: &mut Families) {
        const REQUEST: &[(&str, &str)] = &[
            ("scenario", "scenario"),
            ("group", "group"),
            ("name", "name"),
            ("method", "method"),
            ("status", "status"),
            ("error_code", "error_code"),
            ("expected", "expected_response"),
        ];
        self.counter(
            families,
            "loadgen_http_requests_total",
            "HTTP requests that ended, with an answer or without.",
            builtin::HTTP_REQS,
            REQUEST,
        );
        self.durations(families);
        let phases = [
            "blocked",
            "connecting",
            "tls_handshaking",
            "sending",
            "waiting",
            "receiving",
        ];
        for (phase, metric) in phases.into_iter().zip(&builtin::HTTP_TRENDS[1..]) {
            let mut sums = self.zeros(1, &Buckets::seconds());
            self.add_trends(*metric, |tags, trend| {
                sums.entry(pick(tags, SCENARIO))
                    .or_insert_with(Buckets::seconds)
                    .add(trend);
            });
            for (scenario, sum) in sums {
                families.histogram(
                    "loadgen_http_phase_duration_seconds",
                    "Time in each phase of an HTTP request.",
                    labels([("phase", phase), ("scenario", &scenario[0])]),
                    &sum,
                );
            }
        }
        let mut failed = self.zeros(2, &0.0);
        for (tags, value) in self.rows(builtin::HTTP_REQ_FAILED) {
            if let Value::Rate { passes, .. } = value {
                let keys = [SCENARIO[0], ("name", "name")];
                *failed.entry(pick(&tags, &keys)).or_insert(0.0) += *passes as f64;
            }
        }
        emit(failed, &[SCENARIO[0], ("name", "name")], |pairs, value| {
            families.counter(
                "loadgen_http_requests_failed_total",
                "HTTP requests whose status was not expected, or that got no answer.",
                pairs,
                value,
            );
        });
    }

    fn durations(&self, families: &mut Families) {
        const KEYS: &[(&str, &str)] = &[
            ("scenario", "scenario"),
            ("name", "name"),
            ("method", "method"),
            ("status", "status"),
        ];
        let mut sums = self.zeros(KEYS.len(), &Buckets::seconds());
        self.add_trends(builtin::HTTP_REQ_DURATION, |tags, trend| {
            sums.entry(pick(tags, KEYS))
                .or_insert_with(Buckets::seconds)
                .add(trend);
        });
        if let Some(snapshot) = &self.page.snapshot {
            for exemplar in self.page.exemplars.list() {
                // The span may have been exported before the snapshot that has the request.
                if let Some(sum) = sums.get_mut(&pick(&snapshot.registry().tags(exemplar.tags), KEYS)) {
                    sum.exemplify(shown(exemplar));
                }
            }
        }
        emit(sums, KEYS, |pairs, value| {
            families.histogram(
                "loadgen_http_request_duration_seconds",
                "Time to send a request, wait for the answer and receive it; without connecting and TLS.",
                pairs,
                &value,
            );
        });
    }

    pub(super) fn iterations(&self, families: &mut Families) {
        self.counter(
            families,
            "loadgen_iterations_total",
            "Iterations that ended.",
            builtin::ITERATIONS,
            SCENARIO,
        );
        self.counter(
            families,
            "loadgen_dropped_iterations_total",
            "Iterations that were due and had no virtual user to run them.",
            builtin::DROPPED_ITERATIONS,
            SCENARIO,
        );
        self.histogram(
            families,
            "loadgen_iteration_duration_seconds",
            "Time from an iteration's start to its end.",
            builtin::ITERATION_DURATION,
            SCENARIO,
        );
        self.histogram(
            families,
            "loadgen_iteration_duration_scheduled_seconds",
            "Time from the moment an iteration was due to its end (arrival-rate scenarios).",
            builtin::ITERATION_DURATION_SCHEDULED,
            SCENARIO,
        );
        for (name, help, metric) in [
            ("loadgen_vus", "Virtual users that are running.", builtin::VUS),
            (
                "loadgen_vus_max",
                "Virtual users that are initialised.",
                builtin::VUS_MAX,
            ),
            (
                "loadgen_http_requests_in_flight",
                "HTTP requests sent and not answered.",
                builtin::HTTP_REQS_IN_FLIGHT,
            ),
        ] {
            let value = self
                .page
                .snapshot
                .as_ref()
                .and_then(|snapshot| snapshot.total(metric));
            let value = if let Some(Value::Gauge { value, .. }) = value {
                value
            } else {
                0.0
            };
            families.gauge(name, help, Vec::new(), value);
        }
    }

    pub(super) fn data_and_checks(&self, families: &mut Families) {
        self.counter(
            families,
            "loadgen_data_sent_bytes_total",
            "Bytes sent, headers and TLS included.",
            builtin::DATA_SENT,
            SCENARIO,
        );
        self.counter(
            families,
            "loadgen_data_received_bytes_total",
            "Bytes received, headers and TLS included.",
            builtin::DATA_RECEIVED,
            SCENARIO,
        );
        let keys = [("scenario", "scenario"), ("group", "group"), ("check", "check")];
        let mut checks = self.zeros(3, &(0, 0));
        for (tags, value) in self.rows(builtin::CHECKS) {
            if let Value::Rate { passes, total } = value {
                let (passed, failed) = checks.entry(pick(&tags, &keys)).or_insert((0, 0));
                *passed += passes;
                *failed += total - passes;
            }
        }
        for (values, (passed, failed)) in checks {
            for (result, count) in [("pass", passed), ("fail", failed)] {
                let known = keys
                    .iter()
                    .zip(&values)
                    .map(|((label, _), value)| (*label, value.as_str()));
                families.counter(
                    "loadgen_checks_total",
                    "Checks, by whether they held.",
                    labels(known.chain([("result", result)])),
                    count as f64,
                );
            }
        }
        self.histogram(
            families,
            "loadgen_group_duration_seconds",
            "Time from the start of a group to its end.",
            builtin::GROUP_DURATION,
            &[("scenario", "scenario"), ("group", "group")],
        );
    }

    pub(super) fn websockets(&self, families: &mut Families) {
        for (name, help, metric) in [
            (
                "loadgen_ws_sessions_total",
                "WebSocket sessions opened.",
                builtin::WS_SESSIONS,
            ),
            (
                "loadgen_ws_messages_sent_total",
                "WebSocket messages sent.",
                builtin::WS_MSGS_SENT,
            ),
            (
                "loadgen_ws_messages_received_total",
                "WebSocket messages received.",
                builtin::WS_MSGS_RECEIVED,
            ),
        ] {
            self.counter(families, name, help, metric, SCENARIO);
        }
        for (name, help, metric) in [
            (
                "loadgen_ws_connecting_seconds",
                "Time to open a WebSocket.",
                builtin::WS_CONNECTING,
            ),
            (
                "loadgen_ws_session_duration_seconds",
                "How long WebSockets were open.",
                builtin::WS_SESSION_DURATION,
            ),
            (
                "loadgen_ws_ping_seconds",
                "Time from a WebSocket ping to its pong.",
                builtin::WS_PING,
            ),
        ] {
            self.histogram(families, name, help, metric, SCENARIO);
        }
    }

    pub(super) fn grpc(&self, families: &mut Families) {
        self.histogram(
            families,
            "loadgen_grpc_request_duration_seconds",
            "Time of a gRPC call or stream, from its start to its status.",
            builtin::GRPC_REQ_DURATION,
            &[
                SCENARIO[0],
                ("name", "name"),
                ("service", "service"),
                ("method", "method"),
                ("status", "status"),
            ],
        );
        for (name, help, metric) in [
            (
                "loadgen_grpc_streams_total",
                "gRPC streams opened.",
                builtin::GRPC_STREAMS,
            ),
            (
                "loadgen_grpc_messages_sent_total",
                "Messages sent on gRPC streams.",
                builtin::GRPC_STREAMS_MSGS_SENT,
            ),
            (
                "loadgen_grpc_messages_received_total",
                "Messages received on gRPC streams.",
                builtin::GRPC_STREAMS_MSGS_RECEIVED,
            ),
        ] {
            self.counter(families, name, help, metric, SCENARIO);
        }
    }

    /// The generator about itself: what makes its other numbers believable.
    pub(super) fn generator(&self, families: &mut Families) {
        self.histogram(
            families,
            "loadgen_scheduling_lag_seconds",
            "From the moment an iteration was due to its start (arrival-rate scenarios).",
            builtin::SCHEDULING_LAG,
            SCENARIO,
        );
        let mut timer = Buckets::seconds();
        self.add_trends(builtin::TIMER_LAG, |_, trend| timer.add(trend));
        families.histogram(
            "loadgen_timer_lag_seconds",
            "How late the generator's timers fired.",
            Vec::new(),
            &timer,
        );
        own::families(self.page, families);
        let losses = self
            .page
            .snapshot
            .as_ref()
            .map(|snapshot| snapshot.losses.clone())
            .unwrap_or_default();
        families.counter(
            "loadgen_collapsed_names_total",
            "Request names that were one too many and went under `__other__`.",
            Vec::new(),
            losses.collapsed_names as f64,
        );
        families.counter(
            "loadgen_collapsed_series_total",
            "Tag sets that were one too many and lost the tags of the script.",
            Vec::new(),
            losses.collapsed_series as f64,
        );
        families.gauge(
            "loadgen_series",
            "Series that the run keeps.",
            Vec::new(),
            self.rows.len() as f64,
        );
        for (output, lost) in &losses.outputs {
            families.counter(
                "loadgen_output_samples_lost_total",
                "Samples that an output could not write.",
                labels([("output", &**output)]),
                *lost as f64,
            );
        }
    }
}

fn shown(exemplar: metrics::Exemplar) -> Exemplar {
    Exemplar {
        trace_id: format!("{:032x}", exemplar.trace),
        span_id: format!("{:016x}", exemplar.span),
        value: exemplar.duration / 1e3,
        at: UNIX_EPOCH + Duration::from_nanos(exemplar.at),
    }
}

const SCENARIO: &[(&str, &str)] = &[("scenario", "scenario")];

/// The values of the tags that `keys` (label, tag) name.
fn pick(tags: &TagSet, keys: &[(&str, &str)]) -> Labels {
    keys.iter()
        .map(|(_, tag)| tags.get(tag).unwrap_or("").to_owned())
        .collect()
}

fn emit<T>(
    sums: BTreeMap<Labels, T>,
    keys: &[(&str, &str)],
    mut put: impl FnMut(Vec<prometheus::proto::LabelPair>, T),
) {
    for (values, sum) in sums {
        put(
            labels(
                keys.iter()
                    .zip(&values)
                    .map(|((label, _), value)| (*label, value.as_str())),
            ),
            sum,
        );
    }
}

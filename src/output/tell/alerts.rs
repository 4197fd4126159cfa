//! Thresholds that fail, as alerts of Alertmanager's API, version 2.
//!
//! An alert is sent when its threshold begins to fail, and again and again while it does, each time with an end in the near
//! future: a generator that is killed leaves no alert behind. It is resolved when the threshold holds again, and at the end.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use http::Method;
use serde_json::{Value, json};

use super::post::Post;
use crate::metrics::ThresholdState;
use crate::metrics::utc::rfc3339;
use crate::output::prometheus::{Page, RunState};

/// Where alerts go.
pub const PATH: &str = "/api/v2/alerts";

/// How often an alert that goes on is sent, and for how long it is good then.
const AGAIN: Duration = Duration::from_secs(30);
const GOOD_FOR: Duration = Duration::from_mins(2);
/// How long an alert lasts at least: Alertmanager waits before it tells of one (`group_wait`, 30 s unless it is set), and tells
/// nobody of what is over by then. The end of a run does not wait: it says when the alert is to end.
const LASTS: Duration = Duration::from_mins(1);

/// An alert that Alertmanager knows, or is to know.
#[derive(Debug, Clone, Copy)]
struct Firing {
    since: SystemTime,
    /// When it was last taken.
    taken: Option<SystemTime>,
    /// Since when the threshold holds again.
    over: Option<SystemTime>,
}

pub struct Alerts {
    post: Post,
    labels: Vec<(String, String)>,
    /// By the thresholds' order.
    firing: BTreeMap<usize, Firing>,
}

impl Alerts {
    pub fn new(post: Post, labels: Vec<(String, String)>) -> Alerts {
        Alerts {
            post,
            labels,
            firing: BTreeMap::new(),
        }
    }

    /// Sends what has changed, and what goes on.
    pub async fn step(&mut self, page: &Page) {
        let now = SystemTime::now();
        self.look(page, now);
        let due = |firing: &Firing| {
            let old = |taken| now.duration_since(taken).unwrap_or_default() >= AGAIN;
            firing.over.is_some() || firing.taken.is_none_or(old)
        };
        if self.post.is_due() && self.firing.values().any(due) {
            self.send(page, |firing| firing.over.unwrap_or(now + GOOD_FOR), now)
                .await;
        }
    }

    /// Ends all of them.
    pub async fn finish(&mut self, page: &Page) {
        let now = SystemTime::now();
        self.look(page, now);
        if !self.firing.is_empty() {
            self.send(
                page,
                |firing| firing.over.unwrap_or(now.max(firing.since + LASTS)),
                now,
            )
            .await;
        }
    }

    /// Which thresholds fail now.
    fn look(&mut self, page: &Page, now: SystemTime) {
        let Some(snapshot) = &page.snapshot else { return };
        for (index, state) in snapshot.thresholds.iter().enumerate() {
            if fails(state, page.state) {
                let new = Firing {
                    since: now,
                    taken: None,
                    over: None,
                };
                let firing = self.firing.entry(index).or_insert(new);
                if firing.over.take().is_some() {
                    *firing = new;
                }
            } else if let Some(firing) = self.firing.get_mut(&index) {
                if firing.taken.is_none() {
                    // Nobody knows of it.
                    self.firing.remove(&index);
                } else {
                    firing.over.get_or_insert(now);
                }
            }
        }
    }

    async fn send(&mut self, page: &Page, end: impl Fn(&Firing) -> SystemTime, now: SystemTime) {
        let Some(snapshot) = &page.snapshot else { return };
        let alerts = self.firing.iter().filter_map(|(index, firing)| {
            let state = snapshot.thresholds.get(*index)?;
            Some(self.alert(page, state, firing.since, end(firing)))
        });
        let body = Value::Array(alerts.collect());
        if self.post.send(Method::POST, "", &body).await.is_none() {
            return;
        }
        self.firing.retain(|_, firing| {
            firing.taken = Some(now);
            firing.over.is_none()
        });
    }

    fn alert(&self, page: &Page, state: &ThresholdState, since: SystemTime, end: SystemTime) -> Value {
        let metric = state.spec.filter.to_string();
        let threshold = &state.spec.expression.source;
        let mut labels = json!({
            "alertname": "LoadgenThresholdFails",
            "severity": "warning",
            "concerns": "target",
            "metric": metric,
            "threshold": threshold,
            "run_id": page.info.run_id,
            "script": page.info.script,
        });
        for (name, value) in &self.labels {
            labels[name.as_str()] = value.as_str().into();
        }
        let is = match state.value {
            Some(value) => format!("is {value}"),
            None => "has no samples".to_owned(),
        };
        json!({
            "labels": labels,
            "annotations": {
                "summary": format!("A threshold does not hold: {metric} {threshold}"),
                "description": format!("{metric} is to be {threshold}, and {is}, in {}.", page.info.script),
            },
            "startsAt": rfc3339(since),
            "endsAt": rfc3339(end),
        })
    }
}

/// One that has nothing to judge yet has not failed yet.
fn fails(state: &ThresholdState, run: RunState) -> bool {
    !state.ok && (!state.empty || run == RunState::Finished)
}

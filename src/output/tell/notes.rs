//! A run as an annotation of Grafana's: a region from the beginning of the load to its end, with the verdict among its tags.
//!
//! Grafana's HTTP API: `POST /api/annotations` makes one and answers with its number, `PATCH /api/annotations/NUMBER` gives
//! it its end. One that has none yet is a line in the graphs.

use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;
use serde_json::{Value, json};

use super::post::Post;
use crate::output::prometheus::Page;

/// Where annotations are made.
pub const PATH: &str = "/api/annotations";

pub struct Notes {
    post: Post,
    /// The number of the run's annotation, once it is there.
    id: Option<u64>,
}

impl Notes {
    pub fn new(post: Post) -> Notes {
        Notes { post, id: None }
    }

    /// Notes that the load has begun.
    pub async fn step(&mut self, page: &Page) {
        let Some(begun) = page.load_began else { return };
        if self.id.is_some() || !self.post.is_due() {
            return;
        }
        let note = json!({
            "time": millis(begun),
            "tags": tags(page, "running"),
            "text": format!("{} runs", page.info.script),
        });
        if let Some(answer) = self.post.send(Method::POST, "", &note).await {
            let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
            self.id = answer["id"].as_u64();
        }
    }

    /// Notes how it ended. A run without load leaves no note.
    pub async fn finish(&mut self, page: &Page, verdict: &str) {
        let Some(begun) = page.load_began else { return };
        let end = page.load_ended.unwrap_or_else(SystemTime::now);
        let note = json!({
            "time": millis(begun),
            "timeEnd": millis(end),
            "tags": tags(page, verdict),
            "text": format!("{}: {verdict}", page.info.script),
        });
        if let Some(id) = self.id
            && self
                .post
                .send(Method::PATCH, &format!("/{id}"), &note)
                .await
                .is_some()
        {
            return;
        }
        self.post.send(Method::POST, "", &note).await;
    }
}

fn tags(page: &Page, verdict: &str) -> Vec<String> {
    let scenarios = page.info.scenarios.iter().map(|name| format!("scenario:{name}"));
    ["loadgen".to_owned(), format!("run_id:{}", page.info.run_id)]
        .into_iter()
        .chain(scenarios)
        .chain([format!("verdict:{verdict}")])
        .collect()
}

fn millis(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

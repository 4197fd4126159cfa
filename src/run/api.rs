//! The REST API of a run, in the dialect's shape (JSON:API): its status, which can be changed, its metrics and groups,
//! what `setup()` returned, and calls of `setup()` and `teardown()`.

use std::sync::{Arc, OnceLock};

use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};

use super::Run;
use super::calls::{Part, Wish};
use super::finish::setup_data;
use super::load::Prepared;
use super::order::{Ending, RunError};
use crate::config::{Config, TrendStat};
use crate::engine::{Control, Level, Live, Reason};
use crate::output::{Api, ApiServer, LivePage, RunState};
use crate::report::{DataOptions, summary_data};

/// What a request is answered from.
pub struct Desk {
    control: Control,
    live: Arc<OnceLock<Arc<Live>>>,
    page: Arc<LivePage>,
    subject: Prepared,
    stats: Vec<TrendStat>,
    /// The most virtual users that a scenario takes from outside; nothing if there is no such scenario.
    external: Option<u32>,
    /// Whether it is a search for the breaking point, whose steps are tests of their own.
    search: bool,
    /// Who calls `setup()` and `teardown()`.
    wishes: mpsc::Sender<Wish>,
}

/// Status and text of an answer that something is wrong.
type Refusal = (StatusCode, String);

/// Serves it, if that was asked for.
///
/// # Errors
/// The address is not to be had.
pub async fn open(
    run: &Run,
    page: &Arc<LivePage>,
    wishes: mpsc::Sender<Wish>,
) -> Result<Option<ApiServer>, RunError> {
    let Some(address) = run.order.address else {
        return Ok(None);
    };
    let desk = Desk {
        control: run.control.clone(),
        live: run.live.clone(),
        page: page.clone(),
        subject: run.loaded.subject.clone(),
        stats: run.config.summary_trend_stats.clone(),
        external: external(&run.config),
        search: run.order.breakpoint.is_some(),
        wishes,
    };
    let server = ApiServer::bind(address, desk).await.map_err(RunError::Api)?;
    tracing::info!("the REST API is at http://{}/v1/status", server.address());
    Ok(Some(server))
}

/// The most virtual users of the scenarios that are driven from outside.
fn external(config: &Config) -> Option<u32> {
    let plans = config.scenarios.iter().map(|scenario| &scenario.plan);
    plans
        .filter(|plan| plan.is_external())
        .map(crate::pace::Plan::max_vus)
        .min()
}

impl Api for Desk {
    async fn answer(&self, method: &Method, path: &str, body: &[u8]) -> (StatusCode, Value) {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let answer = match (method.as_str(), parts.as_slice()) {
            ("GET", ["ping"]) => Ok("ok".into()),
            ("GET", ["v1", "status"]) => Ok(json!({ "data": self.status() })),
            ("PATCH", ["v1", "status"]) => self.change(body).map(|()| json!({ "data": self.status() })),
            ("GET", ["v1", "metrics"]) => Ok(json!({ "data": self.metrics() })),
            ("GET", ["v1", "metrics", id]) => one(self.metrics(), "metric", id),
            ("GET", ["v1", "groups"]) => Ok(json!({ "data": self.groups() })),
            ("GET", ["v1", "groups", id]) => one(self.groups(), "group", id),
            ("GET", ["v1", "setup"]) => Ok(json!({ "data": self.setup() })),
            ("POST", ["v1", "setup"]) => self
                .call(Part::Setup)
                .await
                .map(|()| json!({ "data": self.setup() })),
            ("PUT", ["v1", "setup"]) => self.give(body).map(|()| json!({ "data": self.setup() })),
            ("POST", ["v1", "teardown"]) => self.call(Part::Teardown).await.map(|()| Value::Null),
            (_, ["v1", "status" | "metrics" | "groups" | "setup" | "teardown", ..]) => Err((
                StatusCode::METHOD_NOT_ALLOWED,
                format!("there is no {method} of {path}"),
            )),
            _ => Err((
                StatusCode::NOT_FOUND,
                "there are /v1/status, /v1/metrics, /v1/groups, /v1/setup and /v1/teardown".to_owned(),
            )),
        };
        match answer {
            Ok(value) => (StatusCode::OK, value),
            Err((status, detail)) => {
                let title = status.canonical_reason().unwrap_or_default();
                let error = json!({ "status": status.as_str(), "title": title, "detail": detail });
                (status, json!({ "errors": [error] }))
            }
        }
    }
}

impl Desk {
    /// The dialect's resource of that name.
    fn status(&self) -> Value {
        let page = self.page.read();
        let live = self.live.get();
        let stopped = self.control.level() > Level::Run;
        // The numbers are those of the dialect's execution states.
        let status = match page.state {
            RunState::Starting => 1,
            RunState::Paused if live.is_none_or(|live| live.load_began().is_none()) => 4,
            RunState::Setup => 6,
            RunState::Running | RunState::Paused | RunState::Stopping => 7,
            RunState::Teardown => 8,
            RunState::Finished => 9,
        };
        let failing = page
            .snapshot
            .as_ref()
            .is_some_and(|snapshot| snapshot.thresholds.iter().any(|threshold| !threshold.ok));
        json!({
            "type": "status",
            "id": "default",
            "attributes": {
                "status": status,
                "paused": self.control.is_paused(),
                "vus": live.map_or(0, |live| live.vus()),
                "vus-max": live.map_or(0, |live| live.vus_max()),
                "stopped": stopped,
                "running": !stopped && (6..9).contains(&status),
                "tainted": failing,
            },
        })
    }

    /// `PATCH /v1/status`: `{ "data": { "attributes": { "paused", "stopped", "vus", "vus-max" } } }`.
    fn change(&self, body: &[u8]) -> Result<(), Refusal> {
        let wrong = |text: String| (StatusCode::BAD_REQUEST, text);
        let body: Value =
            serde_json::from_slice(body).map_err(|error| wrong(format!("the body is no JSON: {error}")))?;
        let Some(attributes) = body["data"]["attributes"].as_object() else {
            let shape = r#"write {"data":{"type":"status","id":"default","attributes":{"paused":true}}}"#;
            return Err(wrong(format!("the body has no data.attributes: {shape}")));
        };
        let flag = |name: &str| match attributes.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(other) => Err(wrong(format!("{name} is {other}: it must be true or false"))),
        };
        let number = |name: &str| match attributes.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64().and_then(|value| u32::try_from(value).ok()) {
                Some(value) => Ok(Some(value)),
                None => Err(wrong(format!(
                    "{name} is {value}: it must be a whole number from 0 up"
                ))),
            },
        };
        let (stopped, paused) = (flag("stopped")?, flag("paused")?);
        let (vus, most) = (number("vus")?, number("vus-max")?);
        if stopped == Some(true) {
            self.control.stop_now(Reason::Api);
            return Ok(());
        }
        if self.search && (paused.is_some() || vus.is_some() || most.is_some()) {
            return Err(wrong(
                "a search for the breaking point chooses its loads itself: it can be stopped only".to_owned(),
            ));
        }
        if vus.is_some() || most.is_some() {
            let Some(limit) = self.external else {
                return Err(wrong(
                    "an executor of type externally-controlled is needed to change the number of virtual users"
                        .to_owned(),
                ));
            };
            if let Some(wanted) = vus.into_iter().chain(most).find(|wanted| *wanted > limit) {
                return Err(wrong(format!(
                    "{wanted} virtual users are more than the {limit} that the scenario's maxVUs allows: they are initialised before the test"
                )));
            }
        }
        if self.page.read().state == RunState::Finished {
            return Err(ended());
        }
        match paused {
            Some(true) => self.control.pause(),
            Some(false) => self.control.resume(),
            None => {}
        }
        if let Some(vus) = vus {
            self.control.scale(vus);
        }
        self.page.set_paused(self.control.is_paused());
        Ok(())
    }

    /// What the results are so far, as `handleSummary` would get them.
    fn results(&self) -> Value {
        let Some(snapshot) = self.page.read().snapshot else {
            return json!({ "metrics": {}, "root_group": { "name": "", "path": "", "id": "d41d8cd98f00b204e9800998ecf8427e", "groups": [], "checks": [] } });
        };
        let options = DataOptions {
            trend_stats: self.stats.clone(),
            time_unit: None,
            no_color: true,
            stdout_is_tty: false,
            stderr_is_tty: false,
            setup_data: None,
        };
        summary_data(&snapshot, &options)
    }

    /// One resource for each metric, and for each part of one that a threshold names.
    fn metrics(&self) -> Vec<Value> {
        let results = self.results();
        let metrics = results["metrics"].as_object().into_iter().flatten();
        let resource = |(name, metric): (&String, &Value)| {
            let thresholds = metric["thresholds"].as_object();
            let tainted = thresholds.map(|all| all.values().any(|one| one["ok"] == false));
            json!({
                "type": "metrics",
                "id": name,
                "attributes": {
                    "type": metric["type"],
                    "contains": metric["contains"],
                    "tainted": tainted,
                    "sample": metric["values"],
                },
            })
        };
        metrics.map(resource).collect()
    }

    /// One resource for each group, the root first.
    fn groups(&self) -> Vec<Value> {
        let mut resources = Vec::new();
        add_group(&self.results()["root_group"], None, &mut resources);
        resources
    }

    /// What virtual users get for data; `undefined` is no data at all.
    fn setup(&self) -> Value {
        let mut attributes = Map::new();
        if let Some(data) = setup_data(&self.subject) {
            attributes.insert("data".to_owned(), data);
        }
        json!({ "type": "setupData", "id": "default", "attributes": attributes })
    }

    /// Has `setup()` or `teardown()` called now, whatever the run itself does about it.
    async fn call(&self, part: Part) -> Result<(), Refusal> {
        let stopping = || self.control.level() > Level::Run && part == Part::Setup;
        let stopped = || (StatusCode::CONFLICT, "the run is being stopped".to_owned());
        if stopping() {
            return Err(stopped());
        }
        let (done, outcome) = oneshot::channel();
        self.wishes.send(Wish { part, done }).await.map_err(|_| ended())?;
        match outcome.await {
            Ok(Ok(())) if stopping() => Err(stopped()),
            Ok(Ok(())) => Ok(()),
            Ok(Err(ending)) => Err((StatusCode::INTERNAL_SERVER_ERROR, why(part, ending))),
            Err(_) => Err(ended()),
        }
    }

    /// Has virtual users that have not begun yet get this for data, as if `setup()` had returned it.
    fn give(&self, body: &[u8]) -> Result<(), Refusal> {
        let Prepared::Script { program, .. } = &self.subject else {
            let text = "a request without a script takes no data".to_owned();
            return Err((StatusCode::CONFLICT, text));
        };
        if body.is_empty() {
            program.set_data(None);
            return Ok(());
        }
        let data: Value = serde_json::from_slice(body)
            .map_err(|error| (StatusCode::BAD_REQUEST, format!("the body is no JSON: {error}")))?;
        program.set_data(Some(&data.to_string()));
        Ok(())
    }
}

fn ended() -> Refusal {
    (StatusCode::CONFLICT, "the run has ended".to_owned())
}

/// What is said of a call that failed.
fn why(part: Part, ending: Ending) -> String {
    let name = part.name();
    match ending {
        Ending::Exception(message) | Ending::Aborted(message) | Ending::Panic(message) => {
            format!("{name}(): {message}")
        }
        Ending::SetupTimeout | Ending::TeardownTimeout => {
            format!("{name}() took too long and was ended; raise {name}Timeout if it needs more")
        }
        other => format!("{name}() did not return: {}", other.name()),
    }
}

fn add_group(group: &Value, parent: Option<&Value>, resources: &mut Vec<Value>) {
    let reference = |id: &Value| json!({ "type": "groups", "id": id });
    let below = group["groups"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut attributes = Map::new();
    for name in ["name", "path", "checks"] {
        attributes.insert(name.to_owned(), group[name].clone());
    }
    resources.push(json!({
        "type": "groups",
        "id": group["id"],
        "attributes": attributes,
        "relationships": {
            "groups": { "data": below.iter().map(|group| reference(&group["id"])).collect::<Vec<_>>() },
            "parent": { "data": parent.map(reference) },
        },
    }));
    for inner in below {
        add_group(inner, Some(&group["id"]), resources);
    }
}

/// The resource with this id.
fn one(resources: Vec<Value>, what: &str, id: &str) -> Result<Value, Refusal> {
    let id = percent_encoding::percent_decode_str(id).decode_utf8_lossy();
    match resources.into_iter().find(|resource| resource["id"] == *id) {
        Some(resource) => Ok(json!({ "data": resource })),
        None => Err((StatusCode::NOT_FOUND, format!("there is no {what} {id:?} so far"))),
    }
}

/// What keeps a run from ever going on.
///
/// # Errors
/// A test that is to begin paused, where nobody can resume it.
pub fn check(run: &Run) -> Result<(), RunError> {
    if run.order.breakpoint.is_some() {
        return Ok(());
    }
    if run.config.paused && run.order.address.is_none() {
        return Err(RunError::Paused);
    }
    if run.order.address.is_none() && external(&run.config).is_some() {
        tracing::warn!("nobody can change the number of virtual users without --address: it stays as it is");
    }
    Ok(())
}

/// Waits, before anything is sent, until somebody lets a test begin that was to be paused. Whether it is to run.
pub async fn wait(run: &Run, page: &LivePage) -> bool {
    if run.config.paused {
        tracing::info!("the test is paused: `loadgen resume`, or PATCH /v1/status, lets it begin");
        page.set_state(RunState::Paused);
        run.control.resumed().await;
        page.set_state(RunState::Starting);
    }
    run.control.level() == Level::Run
}

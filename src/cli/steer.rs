//! `loadgen status`, `pause`, `resume`, `scale` and `stats`: a run that is under way, over its REST API.

use std::fmt::Write as _;

use bytes::Bytes;
use clap::Args;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::exit::{ExitCode, fail};
use super::shared::{api_address, runtime};
use crate::net::{Client, NetOptions, Request, Shared, Target};

/// Where the run is.
#[derive(Clone, Debug, Args)]
pub struct ApiArgs {
    /// Address of the run's REST API, as it was given to `run --address`
    #[arg(short, long, value_name = "ADDR", default_value = "localhost:6565")]
    address: String,
}

/// Change the number of virtual users of the externally-controlled executor
#[derive(Clone, Debug, Args)]
pub struct ScaleArgs {
    #[command(flatten)]
    api: ApiArgs,
    /// Number of virtual users
    #[arg(short = 'u', long, value_name = "N")]
    vus: Option<u32>,
    /// The most there may be; not more than the scenario's maxVUs
    #[arg(short = 'm', long, value_name = "N")]
    max: Option<u32>,
}

impl ApiArgs {
    /// `loadgen status`.
    pub fn status(&self) -> ExitCode {
        self.show(&Method::GET, "/v1/status", None)
    }

    /// `loadgen stats`.
    pub fn stats(&self) -> ExitCode {
        self.show(&Method::GET, "/v1/metrics", None)
    }

    /// `loadgen pause` and `loadgen resume`.
    pub fn pause(&self, paused: bool) -> ExitCode {
        self.show(&Method::PATCH, "/v1/status", Some(&json!({ "paused": paused })))
    }

    fn show(&self, method: &Method, path: &str, attributes: Option<&Value>) -> ExitCode {
        match self.ask(method, path, attributes) {
            Ok(data) => {
                super::print(&text(&data));
                ExitCode::Passed
            }
            Err(message) => fail(&message, ExitCode::Config),
        }
    }

    /// Asks, and gives what the answer has as `data`.
    fn ask(&self, method: &Method, path: &str, attributes: Option<&Value>) -> Result<Value, String> {
        let address = api_address(&self.address)?;
        let target = Target::parse(&format!("http://{address}{path}")).map_err(|error| error.to_string())?;
        let shared = Shared::new(NetOptions::default()).map_err(|error| error.to_string())?;
        let mut request = Request::new(method.clone(), target);
        if let Some(attributes) = attributes {
            let body = json!({ "data": { "type": "status", "id": "default", "attributes": attributes } });
            request.body = Bytes::from(body.to_string());
        }
        let runtime = runtime().map_err(|_| "no event loop".to_owned())?;
        let client = Client::new(shared);
        let response = runtime.block_on(client.send(request, &mut |_| {}));
        if let Some(error) = &response.error {
            return Err(format!(
                "no run answers at {address}: {error}; start it with --address {}",
                self.address
            ));
        }
        let body: Value = serde_json::from_slice(&response.body)
            .map_err(|_| format!("what answers at {address} is no REST API of a run"))?;
        if response.status == StatusCode::OK.as_u16() {
            return Ok(body["data"].clone());
        }
        Err(match body["errors"][0]["detail"].as_str() {
            Some(detail) => detail.to_owned(),
            None => format!("{address} answered {}", response.status_text()),
        })
    }
}

impl ScaleArgs {
    /// Changes it.
    pub fn execute(&self) -> ExitCode {
        if self.vus.is_none() && self.max.is_none() {
            return fail(&"say how many: --vus N", ExitCode::Config);
        }
        let attributes = json!({ "vus": self.vus, "vus-max": self.max });
        self.api.show(&Method::PATCH, "/v1/status", Some(&attributes))
    }
}

/// Resources as lines of `name: value`, a list of them with a heading each.
fn text(data: &Value) -> String {
    let mut text = String::new();
    match data.as_array() {
        Some(list) => {
            for one in list {
                let _ = writeln!(text, "{}:", one["id"].as_str().unwrap_or_default());
                add(one, "  ", &mut text);
            }
        }
        None => add(data, "", &mut text),
    }
    text
}

/// The attributes of one.
fn add(resource: &Value, indent: &str, text: &mut String) {
    for (name, value) in resource["attributes"].as_object().into_iter().flatten() {
        let _ = write!(text, "{indent}{name}:");
        let _ = match value {
            Value::Object(parts) => {
                for (name, value) in parts {
                    let _ = write!(text, " {name}={value}");
                }
                Ok(())
            }
            Value::String(value) => write!(text, " {value}"),
            value => write!(text, " {value}"),
        };
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_lines() {
        let status = json!({ "id": "default", "attributes": { "paused": true, "vus": 3 } });
        assert_eq!(text(&status), "paused: true\nvus: 3\n");
        let metrics = json!([{ "id": "http_reqs", "attributes": { "type": "counter", "sample": { "count": 5, "rate": 1.5 } } }]);
        assert_eq!(
            text(&metrics),
            "http_reqs:\n  type: counter\n  sample: count=5 rate=1.5\n"
        );
    }
}

//! The dashboards as files: what Grafana would accept and show badly, or not find. `run_dashboards.rs` asks their queries.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod grafana_support;
mod run_support;

use std::collections::{BTreeMap, BTreeSet};

use grafana_support::{Dashboard, asks, dashboards, list, read, text, yaml};
use serde_json::Value;

/// Calls `check` with every map in a value, and where it is.
fn everywhere(value: &Value, at: &str, check: &mut dyn FnMut(&serde_json::Map<String, Value>, &str)) {
    match value {
        Value::Object(map) => {
            check(map, at);
            for (key, inner) in map {
                everywhere(inner, &format!("{at}.{key}"), check);
            }
        }
        Value::Array(all) => {
            for (index, inner) in all.iter().enumerate() {
                everywhere(inner, &format!("{at}[{index}]"), check);
            }
        }
        _ => {}
    }
}

#[test]
fn there_are_these_dashboards_in_the_classic_schema() {
    let all = dashboards();
    let uids: BTreeSet<&str> = all.iter().map(Dashboard::uid).collect();
    let expected = ["overview", "spike", "soak", "compare", "trace"].map(|name| format!("loadgen-{name}"));
    assert_eq!(uids, expected.iter().map(String::as_str).collect());
    let titles: BTreeSet<&str> = all.iter().map(|board| text(&board.json, "title")).collect();
    assert_eq!(titles.len(), all.len());
    for board in &all {
        let (file, json) = (&board.file, &board.json);
        assert_eq!(*file, format!("{}.json", &board.uid()["loadgen-".len()..]));
        let version = json["schemaVersion"].as_u64().unwrap();
        assert!((36..=41).contains(&version), "{file}: {version}");
        for of_another_schema in [
            "apiVersion",
            "kind",
            "spec",
            "elements",
            "layout",
            "id",
            "__inputs",
        ] {
            assert!(json[of_another_schema].is_null(), "{file}: {of_another_schema}");
        }
        assert_eq!(json["graphTooltip"], 1, "{file}: the cursor is shared");
        assert!(!text(json, "description").is_empty(), "{file}");
        assert!(list(&json["tags"]).contains(&"loadgen".into()), "{file}");
    }
}

#[test]
fn panels_stand_below_one_another_and_each_says_what_it_is() {
    for board in dashboards() {
        let file = &board.file;
        let (mut ids, mut below) = (BTreeSet::new(), 0);
        assert_eq!(
            text(&board.panels()[0], "type"),
            "text",
            "{file}: how to read it comes first"
        );
        for panel in board.panels() {
            let title = text(panel, "title");
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{file}: {title}");
            let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert_eq!((place("x"), place("w")), (0, 24), "{file}: {title}: one column");
            assert_eq!(place("y"), below, "{file}: {title}: no gap, no overlap");
            assert!(place("h") > 0);
            below += place("h");
            if text(panel, "type") == "text" {
                assert!(text(&panel["options"], "content").len() > 80, "{file}: {title}");
                continue;
            }
            assert!(!title.is_empty(), "{file}: panel {}", panel["id"]);
            if asks(panel) {
                let description = text(panel, "description");
                assert!(description.len() > 10, "{file}: {title}: `{description}`");
                let references: BTreeSet<&str> = list(&panel["targets"])
                    .iter()
                    .map(|target| text(target, "refId"))
                    .collect();
                assert!(!references.is_empty(), "{file}: {title}");
                assert_eq!(references.len(), list(&panel["targets"]).len(), "{file}: {title}");
            }
        }
    }
}

#[test]
fn every_number_has_a_unit_that_there_is() {
    let known = [
        "s",
        "short",
        "none",
        "percentunit",
        "bytes",
        "Bps",
        "reqps",
        "dateTimeAsIso",
        "suffix: /s",
        "suffix: cores",
        "suffix: ×",
        "suffix: B/s",
    ];
    for board in dashboards() {
        for panel in board.panels().iter().filter(|panel| asks(panel)) {
            let title = text(panel, "title");
            let unit = text(&panel["fieldConfig"]["defaults"], "unit");
            assert!(known.contains(&unit), "{}: {title}: `{unit}`", board.file);
            for rule in list(&panel["fieldConfig"]["overrides"]) {
                for property in list(&rule["properties"]) {
                    if property["id"] == "unit" {
                        let unit = text(property, "value");
                        assert!(known.contains(&unit), "{}: {title}: `{unit}`", board.file);
                    }
                }
            }
        }
    }
}

#[test]
fn what_an_override_is_for_is_a_legend_of_its_panel() {
    for board in dashboards() {
        for panel in board.panels().iter().filter(|panel| asks(panel)) {
            let targets = list(&panel["targets"]);
            let mut names: BTreeSet<&str> = targets
                .iter()
                .map(|target| text(target, "legendFormat"))
                .collect();
            let references: BTreeSet<&str> = targets.iter().map(|target| text(target, "refId")).collect();
            for step in list(&panel["transformations"]) {
                let renamed = step["options"]["renameByName"].as_object();
                names.extend(
                    renamed
                        .iter()
                        .flat_map(|map| map.values())
                        .filter_map(Value::as_str),
                );
            }
            for rule in list(&panel["fieldConfig"]["overrides"]) {
                let (by, what) = (text(&rule["matcher"], "id"), text(&rule["matcher"], "options"));
                let found = match by {
                    // Modes of a CPU are named by a label.
                    "byName" => names.contains(what) || names.contains("{{mode}}"),
                    "byFrameRefID" => references.contains(what),
                    "byRegexp" => true,
                    _ => panic!("{}: {by}", board.file),
                };
                assert!(found, "{}: {}: {by} {what}", board.file, text(panel, "title"));
            }
        }
    }
}

/// The data sources that are provisioned: uid → type.
fn provisioned() -> BTreeMap<String, String> {
    let file = yaml("grafana/provisioning/datasources/loadgen.yml");
    let sources = file["datasources"].as_vec().unwrap();
    sources
        .iter()
        .map(|source| {
            let of = |key: &str| source[key].as_str().unwrap().to_owned();
            (of("uid"), of("type"))
        })
        .collect()
}

#[test]
fn data_sources_and_links_lead_somewhere() {
    let sources = provisioned();
    let all = dashboards();
    let uids: BTreeSet<String> = all.iter().map(|board| board.uid().to_owned()).collect();
    for board in &all {
        let chosen: BTreeMap<String, String> = board
            .variables()
            .iter()
            .filter(|variable| variable["type"] == "datasource")
            .map(|variable| {
                let name = format!("${{{}}}", text(variable, "name"));
                let uid = text(&variable["current"], "value").to_owned();
                assert_eq!(sources.get(&uid).map(String::as_str), variable["query"].as_str());
                (name, uid)
            })
            .collect();
        let mut seen = 0;
        everywhere(&board.json, &board.file, &mut |map, at| {
            if let Some(source) = map.get("datasource") {
                assert!(source.is_object(), "{at}: a data source is named by its uid");
                let (kind, uid) = (text(source, "type"), text(source, "uid"));
                let there = chosen.get(uid).map_or(uid, String::as_str);
                let own = (kind, uid) == ("grafana", "-- Grafana --");
                assert!(
                    own || sources.get(there).map(String::as_str) == Some(kind),
                    "{at}: {uid}"
                );
                seen += 1;
            }
            if map.get("id").and_then(Value::as_str) == Some("links") {
                let links = list(&map["value"]);
                assert!(!links.is_empty(), "{at}");
                for link in links {
                    check_link(text(link, "url"), at, &uids);
                }
            }
        });
        let asking = board.panels().iter().filter(|panel| asks(panel)).count();
        assert!(
            seen >= 2 * asking,
            "{}: panels and their targets name one",
            board.file
        );
    }
    // What an exemplar and an alert lead to.
    let file = read("grafana/provisioning/datasources/loadgen.yml");
    let rules = read("prometheus/rules/loadgen.yml");
    let urls = file.lines().filter_map(|line| line.trim().strip_prefix("url: /"));
    let boards = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("dashboard: /"));
    let links: Vec<&str> = urls.chain(boards).collect();
    assert!(links.len() > 10, "{links:?}");
    for link in links {
        check_link(&format!("/{link}"), "provisioning", &uids);
    }
    for line in file
        .lines()
        .filter_map(|line| line.trim().strip_prefix("datasourceUid: "))
    {
        assert!(sources.contains_key(line), "{line}");
    }
}

fn check_link(url: &str, at: &str, uids: &BTreeSet<String>) {
    let rest = url.strip_prefix("/d/").unwrap_or_else(|| panic!("{at}: {url}"));
    let uid = rest.split(['?', '/']).next().unwrap();
    assert!(uids.contains(uid), "{at}: {url}");
}

#[test]
fn variables_are_there_and_used() {
    let of_grafana = ["__rate_interval", "__range", "__value", "__data"];
    for board in dashboards() {
        let file = &board.file;
        let names: BTreeSet<&str> = board
            .variables()
            .iter()
            .map(|variable| text(variable, "name"))
            .collect();
        assert_eq!(names.len(), board.variables().len(), "{file}");
        let whole = board.json.to_string();
        let mut used = BTreeSet::new();
        for (at, _) in whole.match_indices('$') {
            let rest = whole[at + 1..].trim_start_matches('{');
            let name: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if !name.is_empty() && name != "__all" {
                used.insert(name);
            }
        }
        for name in &used {
            assert!(
                names.contains(name.as_str()) || of_grafana.contains(&name.as_str()),
                "{file}: ${name} is not defined"
            );
        }
        for name in &names {
            assert!(used.contains(*name), "{file}: ${name} is not used");
        }
        // Those that dashboards of runs share.
        let wanted: &[&str] = match board.uid() {
            "loadgen-trace" => &["trace_id"],
            "loadgen-compare" => &["base", "run", "scenario"],
            _ => &["run_id", "scenario", "target"],
        };
        for wanted in wanted {
            assert!(names.contains(wanted), "{file}: {wanted}");
        }
    }
}

#[test]
fn totals_are_told_not_extrapolated() {
    for board in dashboards() {
        everywhere(&board.json, &board.file, &mut |map, at| {
            let expression = map.get("expr").and_then(Value::as_str).unwrap_or_default();
            assert!(!expression.contains("increase("), "{at}: {expression}");
            if expression.contains("$__range") {
                assert!(expression.contains("last_over_time("), "{at}: {expression}");
            }
        });
    }
}

#[test]
fn limits_are_drawn_and_dots_lead_to_traces() {
    let all = dashboards();
    let spike = all.iter().find(|board| board.uid() == "loadgen-spike").unwrap();
    let panel = |title: &str| {
        let found = spike.panels().iter().find(|panel| panel["title"] == title);
        found.unwrap_or_else(|| panic!("{title}"))
    };
    for title in [
        "CPU of the target",
        "Memory of the target",
        "Pressure on the target",
        "Open files of the target",
    ] {
        let defaults = &panel(title)["fieldConfig"]["defaults"];
        assert_ne!(defaults["custom"]["thresholdsStyle"]["mode"], "off", "{title}");
        assert!(list(&defaults["thresholds"]["steps"]).len() > 1, "{title}");
    }
    for title in ["Latency", "Where the requests are"] {
        let targets = list(&panel(title)["targets"]);
        assert!(targets.iter().any(|target| target["exemplar"] == true), "{title}");
    }
    let sources = yaml("grafana/provisioning/datasources/loadgen.yml");
    let exemplars = &sources["datasources"][0]["jsonData"]["exemplarTraceIdDestinations"];
    // The name of the label that the page gives to exemplars.
    assert!(
        exemplars
            .as_vec()
            .unwrap()
            .iter()
            .all(|link| link["name"].as_str() == Some("trace_id"))
    );
}

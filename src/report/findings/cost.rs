//! What a request costs: CPU of the target, and of its latency the part that is the tunnel's.

use crate::report::saved::{REPEATED, SavedRun, trend};

use super::Finding;
use super::joined::Joined;
use super::knee::milliseconds;

/// Fewer requests than this tell nothing of the cost of one.
const LEAST: f64 = 100.0;

/// CPU time of the target for each request, by what is watched, or else of the whole machine.
pub(super) fn per_request(run: &SavedRun, joined: &Joined) -> Option<Finding> {
    let requests: f64 = joined
        .points
        .iter()
        .map(|point| point.window.requests as f64)
        .sum();
    let time: f64 = joined.points.iter().map(|point| point.length).sum();
    let per_second = requests / time.max(f64::MIN_POSITIVE);
    if requests < LEAST {
        return None;
    }
    let mean = |readings: Vec<(f64, f64)>| {
        let count = readings.len() as f64;
        (count >= 2.0).then(|| readings.iter().map(|(_, value)| value).sum::<f64>() / count)
    };
    let (mut parts, mut twice): (Vec<(String, f64)>, f64) = (Vec::new(), 0.0);
    for host in &run.hosts {
        for process in &host.processes {
            if let Some(cores) = mean(joined.process(process, "cpu_cores")) {
                parts.push((process.name.clone(), cores));
                twice += mean(joined.process(process, REPEATED)).unwrap_or(0.0);
            }
        }
    }
    if parts.is_empty() {
        // The generator's own machine is busy with the generator.
        run.target.machine.as_ref()?;
        for host in &run.hosts {
            let busy = mean(joined.host(host, "cpu_busy"))?;
            parts.push((format!("all of {}", host.host), busy * f64::from(host.cores)));
        }
    }
    let cores = parts.iter().map(|(_, cores)| cores).sum::<f64>() - twice;
    let cost = |cores: f64| milliseconds(cores / per_second * 1e3);
    if cores <= 0.0 {
        return None;
    }
    let each: Vec<String> = parts
        .iter()
        .map(|(name, cores)| format!("{name} {}", cost(*cores)))
        .collect();
    let text = if let [one] = each.as_slice() {
        format!("CPU per request: {one} ({cores:.2} cores at {per_second:.0} requests/s)")
    } else {
        format!(
            "CPU per request: {} in all ({}; {cores:.2} cores at {per_second:.0} requests/s)",
            cost(cores),
            each.join(", ")
        )
    };
    Some(Finding::new("cpu-per-request", text).with([
        ("seconds", cores / per_second),
        ("cores", cores),
        ("requests_per_second", per_second),
    ]))
}

/// How much of the median latency is the way through the tunnel.
pub(super) fn tunnel_share(run: &SavedRun) -> Option<Finding> {
    let median = |metric| Some(trend(run.series(metric).total())?.med());
    let (way, all) = (
        median(crate::metrics::tunnel::ROUND_TRIP)?,
        median("http_req_duration")?,
    );
    if all <= 0.0 {
        return None;
    }
    let share = (way / all).min(1.0);
    let text = format!(
        "the tunnel's round trip is {:.0} % of the median latency: {} of {}",
        share * 100.0,
        milliseconds(way),
        milliseconds(all)
    );
    Some(Finding::new("tunnel", text).with([("share", share), ("round_trip", way), ("median", all)]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::saved::fixture::saved_run;

    /// A run of requests that took so long, through a tunnel whose round trip took so long.
    fn through(way: f64, all: f64) -> SavedRun {
        let mut run = saved_run("a.js", 10.0, &[(json!({}), vec![all; 5], 0)]);
        let mut other = saved_run("a.js", 10.0, &[(json!({}), vec![way; 9], 0)])
            .metrics
            .trends;
        crate::metrics::tunnel::ROUND_TRIP.clone_into(&mut other[0].name);
        run.metrics.trends.extend(other);
        run
    }

    #[test]
    fn the_tunnels_share_is_of_the_median() {
        let found = tunnel_share(&through(5.0, 20.0)).unwrap();
        assert_eq!(
            (found.name, found.text.as_str()),
            (
                "tunnel",
                "the tunnel's round trip is 25 % of the median latency: 5ms of 20ms"
            )
        );
        assert!((found.evidence["share"] - 0.25).abs() < 1e-9, "{found:?}");
        // Requests that were faster than the way: it was another time that was measured, and all of it is the tunnel's.
        assert!(
            tunnel_share(&through(30.0, 20.0))
                .unwrap()
                .text
                .contains("is 100 % of")
        );
        assert_eq!(tunnel_share(&through(5.0, 0.0)), None);
        let direct = saved_run("a.js", 10.0, &[(json!({}), vec![20.0; 5], 0)]);
        assert_eq!(tunnel_share(&direct), None, "no tunnel");
    }
}

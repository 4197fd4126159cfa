//! The tunnel on the `/metrics` page.

use crate::metrics::Value;
use crate::metrics::tunnel::ROUND_TRIP;

use super::families::{Buckets, Families, labels};
use super::prometheus::Page;

/// Adds the families of the tunnels; none in a run without.
pub(super) fn families(page: &Page, families: &mut Families) {
    for tunnel in &page.tunnels {
        let host = || labels([("host", &*tunnel.host)]);
        let mut gauge = |name: &str, help: &str, value: f64| families.gauge(name, help, host(), value);
        gauge(
            "loadgen_tunnel_lanes",
            "Connections to the server that there should be.",
            f64::from(tunnel.lanes),
        );
        gauge(
            "loadgen_tunnel_lanes_up",
            "Connections to the server that there are.",
            f64::from(tunnel.lanes_up),
        );
        gauge(
            "loadgen_tunnel_connections",
            "Forwarded connections that are open.",
            tunnel.active as f64,
        );
        gauge(
            "loadgen_tunnel_channels_ahead",
            "Channels that are open ahead, for connections to come.",
            tunnel.warm as f64,
        );
        if let Some(least) = tunnel.round_trip_min {
            gauge(
                "loadgen_tunnel_round_trip_min_seconds",
                "The shortest round trip to the server, through SSH.",
                least.as_secs_f64(),
            );
        }
        let mut counter = |name: &str, help: &str, value: f64| families.counter(name, help, host(), value);
        counter(
            "loadgen_tunnel_connections_opened_total",
            "Forwarded connections that were begun.",
            tunnel.opened as f64,
        );
        counter(
            "loadgen_tunnel_connections_refused_total",
            "Forwarded connections that the server could not make.",
            tunnel.refused as f64,
        );
        counter(
            "loadgen_tunnel_connections_cut_total",
            "Forwarded connections that were cut when a connection to the server was lost.",
            tunnel.cut as f64,
        );
        counter(
            "loadgen_tunnel_outages_total",
            "Times that a connection to the server was lost.",
            tunnel.outages as f64,
        );
        counter(
            "loadgen_tunnel_outage_seconds_total",
            "Time in which at least one connection to the server was missing.",
            tunnel.outage_time.as_secs_f64(),
        );
        counter(
            "loadgen_tunnel_reconnects_total",
            "Connections to the server that were made again.",
            tunnel.reconnects as f64,
        );
        for (direction, bytes) in [("up", tunnel.bytes_up), ("down", tunnel.bytes_down)] {
            families.counter(
                "loadgen_tunnel_bytes_total",
                "Bytes that were forwarded, without what SSH adds.",
                labels([("host", &*tunnel.host), ("direction", direction)]),
                bytes as f64,
            );
        }
    }
    if !page.tunnels.is_empty() {
        round_trips(page, families);
    }
}

fn round_trips(page: &Page, families: &mut Families) {
    let mut buckets = Buckets::seconds();
    if let Some(trend) = &page.held {
        buckets.add(trend);
    }
    if let Some(snapshot) = &page.snapshot
        && let Some(metric) = snapshot.registry().lookup(ROUND_TRIP)
    {
        for row in snapshot.rows_of(metric) {
            if let Value::Trend(trend) = &row.value {
                buckets.add(trend);
            }
        }
    }
    families.histogram(
        "loadgen_tunnel_round_trip_seconds",
        "Round trips to the server, through SSH, measured once a second on each connection.",
        Vec::new(),
        &buckets,
    );
}
